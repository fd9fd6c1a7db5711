"""Random and mutated bytes against every parser, decoder and description.

`fuzzing.inputs` says what is tried, `fuzzing.examine` what has to hold. Without options ten million
inputs are examined by as many processes as there are processors; inputs are numbered, and one that
fails is shown with its number: `--first NUMBER --inputs 1` tries it again.

`--guided` lets atheris look for inputs by following the coverage, from the vectors on. It is not
among the dependencies of the tests: `.venv/bin/pip install -e .[bench]` gets it.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.examine import examine
from fuzzing.inputs import SIZE_MAX, corpus, input_of

INPUTS = 10_000_000
CHUNK = 10_000  # Inputs that a process is given at a time.
GUIDED_S = 600
LOG_SHOWN_MAX = 6000  # Characters of what atheris says last: the failure and its input.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    options = parser.parse_args()
    result = run_guided(options.seconds or GUIDED_S) if options.guided else run(options)
    print(json.dumps(result))
    return int(result["unexpected"] > 0)


@dataclass
class Tally:
    """What came of some inputs; `failures` holds an input and its traceback for each kind."""

    inputs: int = 0
    with_frame: int = 0
    frames: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest: int = 0

    def add(self, other: "Tally") -> None:
        self.inputs += other.inputs
        self.with_frame += other.with_frame
        self.frames += other.frames
        self.unexpected += other.unexpected
        for kind, failure in other.failures.items():
            if kind not in self.failures:
                self.failures[kind] = failure
                show(kind, *failure)
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = other.slowest_s, other.slowest


def run(options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    total = Tally()
    end = options.first + options.inputs
    chunks = [(start, min(start + CHUNK, end)) for start in range(options.first, end, CHUNK)]
    with multiprocessing.Pool(options.processes) as pool:
        for tally in pool.imap_unordered(examine_chunk, chunks):
            total.add(tally)
            if options.seconds is not None and time.monotonic() - began > options.seconds:
                break
    seconds = time.monotonic() - began
    rate = total.inputs / seconds
    print(f"{total.inputs:,} inputs in {seconds:.0f} s, {rate:,.0f} inputs/s")
    print(f"{total.with_frame:,} of them with a frame: {dict(total.frames)}")
    print(f"slowest input {total.slowest}: {total.slowest_s * 1e3:.1f} ms")
    print(f"{total.unexpected:,} failures of {len(total.failures)} kinds")
    return {
        "inputs": total.inputs,
        "inputs_per_s": round(rate),
        "seconds": round(seconds),
        "processes": options.processes,
        "inputs_with_frame": total.with_frame,
        "frames": dict(total.frames),
        "slowest_ms": round(total.slowest_s * 1e3, 1),
        "unexpected": total.unexpected,
    }


def examine_chunk(chunk: tuple[int, int]) -> Tally:
    tally = Tally()
    for number in range(*chunk):
        data = input_of(number)
        began = time.process_time()
        try:
            frames = examine(data)
        except Exception as error:  # noqa: BLE001 - any exception is what this looks for.
            tally.unexpected += 1
            tally.failures.setdefault(kind_of(error), (number, traceback.format_exc()))
            continue
        finally:
            tally.inputs += 1
        tally.with_frame += bool(frames)
        tally.frames.update(type(frame).__module__.split(".")[2] for frame in frames)
        if time.process_time() - began > tally.slowest_s < (again := seconds_of(data)):
            tally.slowest_s, tally.slowest = again, number
    return tally


def seconds_of(data: bytes) -> float:
    """Return what an input takes that took long: not a busy moment, nor tables looked up first."""
    began = time.process_time()
    examine(data)
    return time.process_time() - began


def kind_of(error: Exception) -> str:
    """Return where an exception was raised: failures there have one reason."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def show(kind: str, number: int, text: str) -> None:
    print(f"{kind}, input {number}: {input_of(number).hex().upper()}\n{text}", flush=True)


# By coverage.


def run_guided(seconds: float) -> dict[str, Any]:
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is missing: .venv/bin/pip install -e .[bench]")
    with tempfile.TemporaryDirectory() as folder:
        for number, wire in enumerate(corpus()):
            Path(folder, f"vector-{number}").write_bytes(wire)
        command = [sys.executable, "-m", "fuzzing.guided", folder]
        command += [f"-max_total_time={seconds:.0f}", f"-max_len={SIZE_MAX}", "-seed=645"]
        command += ["-print_final_stats=1", f"-artifact_prefix={folder}/"]
        done = subprocess.run(
            command, cwd=Path(__file__).parent, stderr=subprocess.PIPE, text=True, check=False
        )
    print(done.stderr[-LOG_SHOWN_MAX:] if done.returncode else "no failure")
    executed = re.search(r"number_of_executed_units: +(\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    edges, features, kept = map(int, coverage[-1]) if coverage else (0, 0, 0)
    inputs = int(executed[1]) if executed else 0
    print(f"{inputs:,} inputs in {seconds:.0f} s, {inputs / seconds:,.0f} inputs/s")
    print(f"{edges:,} edges covered, {kept:,} inputs kept for what they cover")
    return {
        "inputs": inputs,
        "inputs_per_s": round(inputs / seconds),
        "seconds": round(seconds),
        "edges": edges,
        "features": features,
        "corpus": kept,
        "unexpected": int(done.returncode != 0),
    }


if __name__ == "__main__":
    sys.exit(main())
