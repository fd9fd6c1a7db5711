"""How fast frames become values, and what noise costs.

The answers of DL/T 645 in tests/vectors are decoded in full: frame, then every value with its name
and unit. In turns with that the bare `deserialize` of PyPI dlt645 3.2 takes the same bytes apart
into address, control code and data, without values; it is measured as it ships, and near half of
its time goes into a line for its log, which is off. All answers together are the mixed set, one
frame each; "single" are those of one value, "blocks" those of several. Nothing decoded is kept from
one turn to the next. The other protocols have no peer: their figures are frames a second, decoded
into values and put into words for a person. Times are the processor's own, so that a busy box
disturbs less.

Noise is the bytes of which each parser can make least: random ones, nothing but start bytes, and
headers that claim the longest frame with its end byte in place, so that each costs a checksum.

Limits: three times the speed of `deserialize` on the mixed set; 2 MB of noise take at most 2.3
times as long as 1 MB.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

from dlt645.protocol.protocol import DLT645Protocol

from station.protocols import detect, dlt645
from station.protocols.dlt645.describe import describe as describe_meter_frame
from station.protocols.dlt698.apdu import decode_apdu
from station.protocols.dlt698.describe import describe as describe_object_frame
from station.protocols.dlt698.frame import Frame as ObjectFrame
from station.protocols.dlt698.frame import checksum
from station.protocols.dlt698.parser import Parser as ObjectParser
from station.protocols.qgdw1376.describe import describe as describe_terminal_frame
from station.protocols.qgdw1376.frame import Frame as TerminalFrame
from station.protocols.qgdw1376.functions import units_of, values_of
from station.protocols.qgdw1376.parser import Parser as TerminalParser

RATIO_LIMIT = 3.0
NOISE_RATIO_LIMIT = 2.3
TURN_S = 0.05  # Long against the clock's steps, short against a busy moment of the box.
MEGABYTE = 1_000_000
NOISE_TRIES = 3
NOISE_S = 10.0  # No further try after so long.
VECTORS = Path(__file__).parents[1] / "tests" / "vectors"

Frames = list[bytes]
Decode = Callable[[bytes], Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    against_peer = measure_peer(options.rounds)
    speeds = measure_protocols(options.rounds)
    noise = measure_noise()
    result = {
        "ratio_vs_dlt645": against_peer["mixed"],
        "ratio_limit": RATIO_LIMIT,
        "ratio_single": against_peer["single"],
        "ratio_blocks": against_peer["blocks"],
        "frames_per_s": speeds,
        "noise_ratio": max(noise.values()),
        "noise_ratio_limit": NOISE_RATIO_LIMIT,
        "noise_ratios": noise,
    }
    print(json.dumps(result))
    too_slow = result["ratio_vs_dlt645"] < RATIO_LIMIT
    return int(too_slow or result["noise_ratio"] > NOISE_RATIO_LIMIT)


# DL/T 645 against its peer.


def measure_peer(rounds: int) -> dict[str, float]:
    """Return how many times as fast as `deserialize` each set is decoded with its values."""
    sets = meter_answers()
    print(f"{'DL/T 645, us a frame':<24}{'with values':>14}{'deserialize':>14}{'ratio':>8}")
    ratios = {}
    for name, frames in sets.items():
        own, peer = in_turns(frames, [meter_values, DLT645Protocol.deserialize], rounds)
        ratios[name] = round(median(p / o for o, p in zip(own, peer, strict=True)), 2)
        label = f"{name} ({len(frames)} frames)"
        print(f"{label:<24}{median(own) * 1e6:>14.2f}{median(peer) * 1e6:>14.2f}{ratios[name]:>8}")
    return ratios


def meter_answers() -> dict[str, Frames]:
    """Return the answers of the vectors that carry values, checked to be decoded rightly."""
    mixed, single, blocks = [], [], []
    for entry in entries("dlt645.json", "entries"):
        stated = entry.get("decoded", {})
        if "values" not in stated or "di" not in stated:
            continue
        raw = bytes.fromhex(entry["frame_hex"])[stated["preamble_fe"] :]
        check(raw, stated["values"], entry["id"])
        mixed.append(raw)
        (single if len(stated["values"]) == 1 else blocks).append(raw)
    return {"mixed": mixed, "single": single, "blocks": blocks}


def check(raw: bytes, stated: list[dict[str, Any]], name: str) -> None:
    """Both sides have to do the work: the data of the peer, the values that the vector states."""
    units = [one.unit for one in meter_values(raw)]
    valid = all(one.valid for one in meter_values(raw))
    if not valid or units != [one.get("unit", "") for one in stated]:
        sys.exit(f"{name}: values are not those of the vector")
    if bytes(DLT645Protocol.deserialize(raw).data) != dlt645.Frame.from_bytes(raw).data:
        sys.exit(f"{name}: the peer finds other data")


def meter_values(raw: bytes) -> list[dlt645.ItemValue]:
    return dlt645.values_of(dlt645.Frame.from_bytes(raw))


# Every protocol by itself.


def terminal_values(raw: bytes) -> list[dict[str, Any]]:
    frame = TerminalFrame.from_bytes(raw)
    return [values_of(frame, unit) for unit in units_of(frame).units]


def object_values(raw: bytes) -> Any:
    return decode_apdu(ObjectFrame.from_bytes(raw).apdu)


def measure_protocols(rounds: int) -> dict[str, int]:
    """Return the frames that are decoded in a second, by protocol."""
    ways: dict[str, tuple[Frames, Decode, Decode]] = {
        "dlt645": (
            meter_answers()["mixed"],
            meter_values,
            lambda raw: describe_meter_frame(dlt645.Frame.from_bytes(raw)),
        ),
        "qgdw1376.1": (
            frames_of(TerminalFrame, entries("qgdw1376_1.json", "entries"), "frame_hex"),
            terminal_values,
            lambda raw: describe_terminal_frame(TerminalFrame.from_bytes(raw)),
        ),
        "dlt698.45": (
            [
                raw
                for raw in frames_of(ObjectFrame, entries("dlt698_45.json", "frames"), "hex")
                if not ObjectFrame.from_bytes(raw).is_split
            ],
            object_values,
            lambda raw: describe_object_frame(ObjectFrame.from_bytes(raw)),
        ),
    }
    print(f"\n{'frames/s':<24}{'values':>14}{'in words':>14}{'vectors':>10}{'mean size':>12}")
    speeds = {}
    for name, (frames, decode, describe) in ways.items():
        decoded, described = in_turns(frames, [decode, describe], rounds)
        speeds[name] = round(1 / median(decoded))
        words = round(1 / median(described))
        size = sum(map(len, frames)) / len(frames)
        print(f"{name:<24}{speeds[name]:>14,}{words:>14,}{len(frames):>10}{size:>12.0f}")
    return speeds


def entries(file: str, key: str) -> list[dict[str, Any]]:
    content: dict[str, list[dict[str, Any]]] = json.loads((VECTORS / file).read_text("utf-8"))
    return content[key]


def frames_of(kind: type, found: Iterable[dict[str, Any]], key: str) -> Frames:
    """Return the sound frames of a file of vectors, without what stands around them."""
    wires = [bytes.fromhex(one[key]) for one in found if one.get("expect", "valid") == "valid"]
    return [
        wire[start:end]
        for wire in wires
        for start, end, event in detect.events_of(wire)
        if isinstance(event, kind)
    ]


def in_turns(frames: Frames, ways: list[Decode], rounds: int) -> list[list[float]]:
    """Return the seconds a frame took in each round, by way; the ways take turns."""
    turns = [frames * max(1, round(TURN_S / spent(frames, way))) for way in ways]
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, turn, found in zip(ways, turns, seconds, strict=True):
            found.append(spent(turn, way) / len(turn))
    return seconds


def spent(frames: Frames, decode: Decode) -> float:
    began = time.process_time()
    for raw in frames:
        decode(raw)
    return time.process_time() - began


# Noise.


# Repeated, each deceives the parser of one protocol as often as can be. Two bytes of seven begin a
# frame of 260 bytes of DL/T 645, every fifth one of 2 kB of 1376.1, every ninth one of 16 kB of
# 698.45; the end byte is where their L says.
OBJECT_HEADER = bytes.fromhex("68 F8 3F C3 00 11 16")
DECEPTIONS = {
    "dlt645": bytes.fromhex("68 68 68 FC FB 16 16"),
    "qgdw1376.1": bytes.fromhex("68 16 1F 16 1F"),
    "dlt698.45": OBJECT_HEADER + checksum(OBJECT_HEADER[1:]),
}
PARSERS: dict[str, Callable[[], Any]] = {
    "dlt645": dlt645.Parser,
    "qgdw1376.1": TerminalParser,
    "dlt698.45": ObjectParser,
    "detect": detect.Parser,
}


def measure_noise() -> dict[str, float]:
    """Return the time of 2 MB against that of 1 MB, the largest of all noises for each parser."""
    kinds = {"random": random.Random(645).randbytes(2 * MEGABYTE), "68H": b"\x68" * 2 * MEGABYTE}
    for name, unit in DECEPTIONS.items():
        kinds[f"headers of {name}"] = unit * (2 * MEGABYTE // len(unit))
    print(f"\n{'us a byte of noise':<24}" + "".join(f"{name:>14}" for name in PARSERS))
    ratios: dict[str, float] = dict.fromkeys(PARSERS, 0.0)
    for kind, noise in kinds.items():
        line = f"{kind:<24}"
        for name, make in PARSERS.items():
            small, large = noise_seconds(make, noise)
            ratios[name] = max(ratios[name], round(large / small, 2))
            line += f"{large / 2:>14.3f}"
        print(line)
    print(f"{'2 MB against 1 MB':<24}" + "".join(f"{one:>14}" for one in ratios.values()))
    return ratios


def noise_seconds(make: Callable[[], Any], noise: bytes) -> tuple[float, float]:
    """Return the least seconds that 1 MB and 2 MB took, tried in turns."""
    small, large = [], []
    while len(large) < NOISE_TRIES and sum(large) < NOISE_S:
        small.append(parsed_in(make(), noise[:MEGABYTE]))
        large.append(parsed_in(make(), noise))
    return min(small), min(large)


def parsed_in(parser: Any, noise: bytes) -> float:
    """Feed noise in one piece, the hardest way, and return the seconds until all came out again."""
    began = time.process_time()
    parser.receive_data(noise)
    size = sum(
        len(event.to_bytes() if isinstance(event, detect.AnyFrame) else event.data)
        for event in iter(parser.next_event, None)
    )
    seconds = time.process_time() - began
    if not 0 <= len(noise) - size <= 1 << 15:  # What may be the start of a frame is held back.
        sys.exit(f"{len(noise) - size} bytes of noise are unaccounted for")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
