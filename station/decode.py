"""`station decode`: what do these bytes mean?

    station decode 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16
    station decode --json --file capture.txt

Bytes are hex digits in pairs, from the arguments, a file or the standard input. Blanks, line breaks
and the signs : , ; - may stand between them, 0x before each. All frames of a capture are found. The
status is 1 when a frame is damaged, when there is none, or when the input holds anything else.
"""

import argparse
import json
import os
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any, NoReturn, TextIO

from station.protocols.describe import describe_frame, fault_of
from station.protocols.detect import AnyFrame, Broken, Registration, events_of
from station.protocols.explain import Span, explain_frame
from station.protocols.noise import Noise
from station.protocols.summary import line_of
from station.words import Text

TEXT_SIZE_MAX = 64 * 1024 * 1024  # Characters; a capture of a busy line of several days.
BYTES_SHOWN_MAX = 12  # Of one field, so that a line fits a terminal window.

EXIT_OK = 0
EXIT_BAD = 1

_BETWEEN = re.compile(r"[\s:,;\-\ufeff]+")
_PREFIX = re.compile(r"0[xX]")
_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_IGNORED = re.compile(r"[\s:,;\-\ufeff]+|0[xX]")
_DIGITS = frozenset("0123456789abcdefABCDEF")

_NOTHING = Text("nothing to decode", "没有可解析的内容")
_TOO_LONG = Text("more than 64 MiB of text", "文本超过64 MiB")
_LONE_DIGIT = Text("one digit alone", "单个数字")
_NO_DIGIT = Text("{} is no hex digit", "{}不是十六进制数字")
_PLACE = Text("(line {}, column {})", "（第{}行第{}列）")
_AT = Text("byte {}: {}", "第{}字节：{}")
_WAKE_UP = Text("wake-up bytes: {}", "前导字节：{}")
_NOISE = Text("no part of a frame: {}", "非报文字节：{}")
_DAMAGED = Text("damaged frame: {}", "错误报文：{}")


class BadInput(Exception):
    """The input is not what can be decoded; `offset` is the number of bytes before the fault."""

    def __init__(self, words: Text, offset: int = 0) -> None:
        super().__init__(words.en)
        self.words = words
        self.offset = offset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `station decode`."""
    parser.add_argument("hex", nargs="*", metavar="HEX", help="bytes; without any, from --file")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="hex digits to read; else the standard input"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per frame and line")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the words")


def main(options: argparse.Namespace) -> int:
    """Decode; return 0, or 1 when the input holds a damaged frame, no frame, or no hex."""
    writer = _JsonWriter() if options.json else _TextWriter(options.language)
    try:
        return _decode(bytes_of(_text(options)), writer)
    except BadInput as error:
        writer.refuse(error.words, error.offset)
        return EXIT_BAD
    except BrokenPipeError:  # Whoever read has seen enough, such as `head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def _text(options: argparse.Namespace) -> str:
    if options.hex:
        return " ".join(options.hex)
    if options.file is None:
        return _read(sys.stdin)
    try:
        with options.file.open(encoding="utf-8", errors="replace") as file:
            return _read(file)
    except OSError as error:
        reason = f"{options.file}: {error.strerror}"
        raise BadInput(Text(reason, reason)) from None


def _read(file: TextIO) -> str:
    text = file.read(TEXT_SIZE_MAX + 1)
    if len(text) > TEXT_SIZE_MAX:
        raise BadInput(_TOO_LONG)
    return text


def bytes_of(text: str) -> bytes:
    """Return the bytes written in hex digits. Raises BadInput, which says where it fails."""
    try:
        raw = bytes.fromhex(_IGNORED.sub(" ", text))
    except ValueError:
        _find_fault(text)
    if not raw:
        raise BadInput(_NOTHING)
    return raw


def _find_fault(text: str) -> NoReturn:
    """Go through the text piece by piece until one does not fit."""
    at = offset = 0
    while True:
        if (found := _BETWEEN.match(text, at) or _PREFIX.match(text, at)) is not None:
            at = found.end()
        elif _PAIR.match(text, at):
            at += 2
            offset += 1
        else:
            break
    letter = text[at : at + 1]
    if letter in _DIGITS and (at + 1 == len(text) or _BETWEEN.match(text, at + 1)):
        reason = _LONE_DIGIT
    else:
        at += letter in _DIGITS
        letter = repr(text[at : at + 1])
        reason = Text(_NO_DIGIT.en.format(letter), _NO_DIGIT.zh.format(letter))
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    place = Text(_PLACE.en.format(line, column), _PLACE.zh.format(line, column))
    raise BadInput(Text(f"{reason.en} {place.en}", f"{reason.zh}{place.zh}"), offset)


def _decode(raw: bytes, writer: "_JsonWriter | _TextWriter") -> int:
    frames = faults = 0
    for start, _, event in events_of(raw):
        if isinstance(event, Broken):
            faults += 1
            writer.fault(Text(event.reason, event.reason), start + event.offset)
        elif isinstance(event, Noise | Registration):
            writer.between(event.data, start)
        else:
            frames += 1
            writer.frame(event, start)
    if not frames and not faults:
        fault = fault_of(raw)
        writer.refuse(Text(fault["error"], fault["error"]), fault["offset"])
    return EXIT_BAD if faults or not frames else EXIT_OK


class _JsonWriter:
    """One object per line: a frame, or why there is none."""

    def frame(self, frame: AnyFrame, _start: int) -> None:
        self._write(describe_frame(frame))

    def between(self, data: bytes, start: int) -> None:
        """What stands between frames is nobody's business."""

    def fault(self, words: Text, offset: int) -> None:
        self._write({"error": words.en, "offset": offset})

    refuse = fault

    def _write(self, view: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(view, ensure_ascii=False) + "\n")


class _TextWriter:
    """Each frame in a sentence, and below it each field with its bytes."""

    def __init__(self, language: str) -> None:
        self._language = language

    def frame(self, frame: AnyFrame, start: int) -> None:
        raw = frame.to_bytes()
        self._headline(start, self._in(line_of(frame)))
        rows = [self._row(span, raw, start) for span in explain_frame(frame, start)]
        widths = [max(_width(row[column]) for row in rows) for column in range(3)]
        for at, digits, name, value in rows:
            place = f"{at:>{widths[0]}}"
            named = f"{_padded(digits, widths[1])}  {_padded(name, widths[2])}"
            sys.stdout.write(f"  {place}  {named}  {value}".rstrip() + "\n")

    def _row(self, span: Span, raw: bytes, start: int) -> tuple[str, str, str, str]:
        """Return where a field stands, its bytes, its name and its value."""
        words = "" if span.words is None else self._in(span.words)
        value = f"{span.value} ({words})" if span.value and words else span.value or words
        digits = _shown(raw[span.start - start : span.end - start])
        return str(span.start), digits, "  " * span.depth + self._in(span.name), value

    def between(self, data: bytes, start: int) -> None:
        words = _NOISE if data.strip(b"\xfe") else _WAKE_UP
        self._headline(start, self._in(words).format(_shown(data)))

    def fault(self, words: Text, offset: int) -> None:
        self._headline(offset, self._in(_DAMAGED).format(self._in(words)))

    def refuse(self, words: Text, offset: int) -> None:
        self._headline(offset, self._in(words))

    def _headline(self, start: int, words: str) -> None:
        sys.stdout.write(self._in(_AT).format(start, words) + "\n")

    def _in(self, words: Text) -> str:
        return words.zh if self._language == "zh" else words.en


def _shown(data: bytes) -> str:
    """Return bytes in hex, of many the first ones."""
    if len(data) <= BYTES_SHOWN_MAX:
        return data.hex(" ").upper()
    return f"{data[:BYTES_SHOWN_MAX].hex(' ').upper()} .. {len(data)}"


def _width(text: str) -> int:
    """Return how many columns a text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
