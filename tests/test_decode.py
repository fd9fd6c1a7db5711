"""`station decode`: hex in, words or JSON out, and a status that a script can act on."""

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from station import decode
from station.protocols.describe import describe

VECTORS = Path(__file__).parent / "vectors"

READ = "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"
ANSWER = "6861010000000068910833333433593333338A16"
LOGIN = "683200320068C900023412000271000001008516"
LINK_LOGIN = "681E00810511111111111100 9E76 010000 00B407E9040B05090C280000 8A8B16"
FORWARDED = "68 B2 00 B2 00 68 98 12 96 52 34 00 10 6C 00 00 01 00 00 1D 00"


def wires(name, key="frame_hex"):
    """Return the frames of a vector file, and whether each is sound."""
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    if "frames" in content:
        sound = [(entry["hex"], True) for entry in content["frames"]]
        return sound + [(entry["hex"], False) for entry in content["bad_frames"]]
    return [
        (entry[key], not entry["expect"].startswith(("invalid", "reject")))
        for entry in content["entries"]
    ]


CASES = wires("dlt645.json") + wires("qgdw1376_1.json") + wires("dlt698_45.json")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command; return its status and what it printed."""

    def run(*arguments, stdin=""):
        parser = argparse.ArgumentParser()
        decode.add_arguments(parser)
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = decode.main(parser.parse_args([str(argument) for argument in arguments]))
        return status, capsys.readouterr().out

    return run


@pytest.fixture
def run_json(run):
    """Run the command with --json; return its status and the objects."""

    def run_json(*arguments, stdin=""):
        status, printed = run("--json", *arguments, stdin=stdin)
        return status, [json.loads(line) for line in printed.splitlines()]

    return run_json


@pytest.mark.parametrize(("text", "is_sound"), CASES, ids=range(len(CASES)))
def test_vectors(run, run_json, text, is_sound):
    status, views = run_json(text)
    assert status == (0 if is_sound else 1)
    raw = bytes.fromhex(text)
    expected = describe(raw)
    for key in ("before", "after"):
        expected.pop(key, None)
    assert views == [expected]
    if not is_sound:
        assert set(views[0]) == {"error", "offset"}
    for language in ("en", "zh"):
        status, printed = run("--language", language, text)
        assert status == (0 if is_sound else 1)
        assert printed


@pytest.mark.parametrize(
    "arguments",
    [
        [READ],
        READ.split(),
        [READ.replace(" ", "")],
        [READ.replace(" ", ":").lower()],
        [READ.replace(" ", "-")],
        ["0x" + READ.replace(" ", ", 0x")],
        ["0X" + READ.replace(" ", "")],
        ["".join(f"0x{pair}" for pair in READ.split())],
        [READ.replace(" 68 11", "\r\n68 11\t")],
        ["\ufeff" + READ],
    ],
)
def test_hex_may_be_written_in_many_ways(run_json, tmp_path, arguments):
    expected = [describe(bytes.fromhex(READ))]
    assert run_json(*arguments) == (0, expected)
    text = "\n".join(arguments)
    assert run_json(stdin=text) == (0, expected)
    (tmp_path / "capture.txt").write_text(text, encoding="utf-8")
    assert run_json("--file", tmp_path / "capture.txt") == (0, expected)


def test_a_capture_with_preambles_and_noise(run, run_json):
    capture = f"FEFEFEFE {READ} 00\n{LOGIN} 55AA\nFE {ANSWER}{LINK_LOGIN} 0D0A"
    status, views = run_json(capture)
    assert status == 0
    assert [view["protocol"] for view in views] == [
        "dlt645-2007",
        "qgdw1376.1",
        "dlt645-2007",
        "dlt698.45",
    ]
    status, printed = run(capture)
    assert status == 0
    headlines = [line for line in printed.splitlines() if not line.startswith(" ")]
    assert headlines == [
        "byte 0: wake-up bytes: FE FE FE FE",
        "byte 4: read data: meter 000000000161, Forward active energy, total",
        "byte 20: no part of a frame: 00",
        "byte 21: login of terminal 02001234",
        "byte 41: no part of a frame: 55 AA FE",
        "byte 44: meter 000000000161 answers: Forward active energy, total 0.26 kWh",
        "byte 64: login of terminal 111111111111",
        "byte 96: no part of a frame: 0D 0A",
    ]


def test_a_damaged_frame_among_sound_ones(run, run_json):
    damaged = LOGIN[:-4] + "8616"
    status, views = run_json(READ, damaged, ANSWER)
    assert status == 1
    assert views[1] == {"error": "checksum is 86H, sum is 85H", "offset": 16 + 18}
    assert [view.get("direction") for view in views] == ["down", None, "up"]
    status, printed = run(READ, damaged, ANSWER)
    assert status == 1
    assert "\nbyte 34: damaged frame: checksum is 86H, sum is 85H\n" in printed


def test_a_damaged_frame_is_one_error_whatever_it_forwards(run_json):
    inner = "68 12 70 72 00 01 00 68 81 11 A2 E9 33 73 35 33 33 33 33 33 33 33 33 33 33 96 33"
    status, views = run_json(FORWARDED, inner, "84 16 7F 16")
    assert status == 1
    assert views == [{"error": "checksum is 7FH, sum is 7EH", "offset": 50}]


def test_a_capture_that_breaks_off(run_json):
    status, views = run_json(READ, LOGIN[:-4])
    assert status == 1
    assert views[1] == {"error": "L says 20 bytes, 18 are here", "offset": 34}


@pytest.mark.parametrize(
    ("text", "error", "offset"),
    [
        ("", "nothing to decode", 0),
        (" \n", "nothing to decode", 0),
        ("zz", "'z' is no hex digit (line 1, column 1)", 0),
        ("68 61\n01 0g", "'g' is no hex digit (line 2, column 5)", 3),
        ("68 6", "one digit alone (line 1, column 4)", 1),
        ("68 6 11", "one digit alone (line 1, column 4)", 1),
        ("0x", "nothing to decode", 0),
        ("6x1", "'x' is no hex digit (line 1, column 2)", 0),
        ("68 电", "'电' is no hex digit (line 1, column 4)", 1),
        ("00 11 22", "no start of a frame", 0),
        ("00 68 22", "no start of a frame", 1),
    ],
)
def test_input_that_is_no_frame(run, run_json, text, error, offset):
    assert run_json(stdin=text) == (1, [{"error": error, "offset": offset}])
    status, printed = run(stdin=text)
    assert status == 1
    assert printed.splitlines()[-1] == f"byte {offset}: {error}"


def test_a_file_that_cannot_be_read(run_json, tmp_path):
    status, views = run_json("--file", tmp_path / "none")
    assert status == 1
    assert views[0]["error"].endswith("none: No such file or directory")


def test_more_text_than_is_allowed(run_json, monkeypatch):
    monkeypatch.setattr(decode, "TEXT_SIZE_MAX", 10)
    assert run_json(stdin="00" * 5)[1][0]["error"] == "no start of a frame"
    assert run_json(stdin="00" * 6)[1][0]["error"] == "more than 64 MiB of text"


def test_words_for_a_person(run):
    status, printed = run("FE", ANSWER)
    assert status == 0
    assert printed == (
        "byte 0: wake-up bytes: FE\n"
        "byte 1: meter 000000000161 answers: Forward active energy, total 0.26 kWh\n"
        "   1  68                 start                         68\n"
        "   2  61 01 00 00 00 00  address                       000000000161\n"
        "   8  68                 start                         68\n"
        "   9  91                 control code                  91 (from the meter, read data)\n"
        "  10  08                 length                        8"
        " (33H is added to each byte of the data)\n"
        "  11  33 33 34 33        data identifier               00010000"
        " (Forward active energy, total)\n"
        "  15  59 33 33 33        Forward active energy, total  0.26 kWh\n"
        "  19  8A                 checksum                      8A\n"
        "  20  16                 end                           16\n"
    )
    status, printed = run("--language", "zh", LOGIN, "00")
    lines = printed.splitlines()
    assert lines[0] == "第0字节：终端 02001234 登录"
    assert (
        lines[10] == "  13  71           帧序列域SEQ             1 (首帧FIR，末帧FIN，需要确认CON)"
    )
    assert lines[-1] == "第20字节：非报文字节：00"


def test_a_reader_that_goes_away_is_no_failure():
    code = (
        "import argparse, sys; from station import decode; parser = argparse.ArgumentParser();"
        "decode.add_arguments(parser); sys.exit(decode.main(parser.parse_args()))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(decode.__file__).parents[1],
        env=os.environ,
    )
    process.stdout.close()
    _, stderr = process.communicate((ANSWER * 1000).encode(), timeout=30)
    assert process.returncode == 0
    assert stderr == b""
