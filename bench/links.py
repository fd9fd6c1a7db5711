"""What a terminal's link and its heartbeats cost: the front-end against servers that do not look.

As many real links as the file limit allows log in and beat over loopback, from many source
addresses, to four servers, each in a fresh process with fresh terminals (`dialling.servers` says
what they are): the whole front-end with nothing stored behind it, two references that answer every
read with a canned confirmation, and, apart, the whole station with its own database. In each round
the front-end and the references stand side by side and take turns, slice by slice, so that a busy
moment of the box meets all; round 0 warms up and is not counted; figures are medians of the rounds.

`ratio_vs_bare` and `ratio_vs_iostream` compare the CPU that the server's process takes for a reply
(the reference's divided by the front-end's: 1 is as cheap, more is cheaper), which holds on a busy
box too; `rate_vs_*` compare replies per second, in which the terminals' own work has a part.
`bytes_per_link` is resident memory beyond that of the idle process, after all links have logged in
and beaten twice. At the pace of one heartbeat a minute from each of 15,000 links the whole station
is measured, its database at work: CPU of its process as a share of one core, and the time a
terminal waits for its confirmation.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from dialling.servers import DESCRIPTORS_KEPT, REPLY

HERE = Path(__file__).parent / "dialling"
PAGE_SIZE = resource.getpagesize()

LINKS_MAX = 20_000  # The station's own default limit; more would show nothing new.
WINDOW = 1_000  # Heartbeats under way at once in a slice: a busy moment of 15,000 terminals.
SLICES = 3
STOP_TIMEOUT_S = 30.0
PACED_LINKS = 15_000
BEATS_PER_S = PACED_LINKS / 60  # From fewer links, each more often.

RATIO_VS_BARE_LIMIT = 0.4
RATIO_VS_IOSTREAM_LIMIT = 1.2
BYTES_PER_LINK_LIMIT = 8_000
SHARE_LIMIT = 0.15

REFERENCES = ("bare", "iostream")
KINDS = ("front", *REFERENCES)

Figures = dict[str, dict[str, list[float]]]


class Server:
    """A server in a process of its own, and its terminals in another."""

    def __init__(self, kind: str, links: int, folder: str) -> None:
        self.kind = kind
        self.links = links
        self._server = _start("servers.py", kind, folder)
        port = int(_line(self._server))
        self._terminals = _start("terminals.py")
        whole = kind not in REFERENCES
        self._say({"port": port, "count": links, "reply_size": len(REPLY), "whole": whole})
        self.idle_bytes = self.resident()

    def terminals(self, do: str, **how: object) -> dict[str, Any]:
        """Have the terminals do something and return what came of it."""
        self._say({"do": do, **how})
        result: dict[str, Any] = json.loads(_line(self._terminals))
        if result.get("wrong") or result.get("lost"):
            sys.exit(f"{self.kind}: {result['wrong']} wrong, {result['lost']} lost confirmations")
        return result

    def cpu_s(self) -> float:
        """Return the processor time that the server has taken, all its threads (clock_gettime)."""
        return time.clock_gettime(~self._server.pid << 3 | 2)

    def resident(self) -> int:
        """Return the resident memory of the server in bytes."""
        return int(Path(f"/proc/{self._server.pid}/statm").read_text().split()[1]) * PAGE_SIZE

    def stop(self) -> None:
        """End both processes."""
        for process in (self._terminals, self._server):
            assert process.stdin is not None
            process.stdin.close()
            process.wait(STOP_TIMEOUT_S)

    def _say(self, command: dict[str, object]) -> None:
        assert self._terminals.stdin is not None
        self._terminals.stdin.write(json.dumps(command) + "\n")
        self._terminals.stdin.flush()


def main() -> int:
    options = _options()
    links = min(_descriptors() - DESCRIPTORS_KEPT, LINKS_MAX)
    links = min(links, options.links or links)
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds + 1):
        kept = figures if number else defaultdict(lambda: defaultdict(list))
        play_round(number, links, options.seconds, kept)
    _show(figures)
    result = {"links": links, "rounds": options.rounds, **_compared(figures)}
    result.update(paced(min(links, PACED_LINKS), options.paced_seconds))
    print(json.dumps(result))
    return int(
        result["ratio_vs_bare"] < RATIO_VS_BARE_LIMIT
        or result["ratio_vs_iostream"] < RATIO_VS_IOSTREAM_LIMIT
        or result["bytes_per_link"] > BYTES_PER_LINK_LIMIT
        or result["heartbeats_15000_per_min_share"] > SHARE_LIMIT
    )


def play_round(number: int, links: int, seconds: float, figures: Figures) -> None:
    """Measure all kinds side by side, with fresh processes; another kind begins each round."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        turn = number % len(KINDS)
        servers = [Server(kind, links, folder) for kind in KINDS[turn:] + KINDS[:turn]]
        try:
            for server in servers:
                began = server.cpu_s()
                server.terminals("log_in")
                found = figures[server.kind]
                found["login_us"].append((server.cpu_s() - began) / links * 1e6)
                server.terminals("once", window=WINDOW)
                server.terminals("once", window=WINDOW)
                found["bytes_per_link"].append((server.resident() - server.idle_bytes) / links)
            for _ in range(SLICES):
                for server in servers:
                    _slice(server, seconds, figures[server.kind])
        finally:
            for server in servers:
                server.stop()


def _slice(server: Server, seconds: float, found: dict[str, list[float]]) -> None:
    began = server.cpu_s()
    result = server.terminals("beat", seconds=seconds, window=WINDOW)
    found["us_per_reply"].append((server.cpu_s() - began) / result["replies"] * 1e6)
    found["replies_per_s"].append(result["replies"] / result["seconds"])


def paced(links: int, seconds: float) -> dict[str, float]:
    """Return what the whole station takes at the pace of 15,000 heartbeats a minute."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server("station", links, folder)
        try:
            server.terminals("log_in")
            server.terminals("pace", seconds=seconds / 4, per_second=BEATS_PER_S)
            grown = server.resident() - server.idle_bytes
            began, began_at = server.cpu_s(), time.monotonic()
            result = server.terminals("pace", seconds=seconds, per_second=BEATS_PER_S)
            share = (server.cpu_s() - began) / (time.monotonic() - began_at)
        finally:
            server.stop()
    took = result["ms"]
    return {
        "heartbeats_15000_per_min_share": round(share, 4),
        "confirm_p50_ms": round(took[len(took) // 2], 2),
        "confirm_p99_ms": round(took[int(len(took) * 0.99)], 2),
        "bytes_per_link_station": round(grown / links),
    }


def _compared(figures: Figures) -> dict[str, float]:
    """Return the medians of the front-end, and its ratios to the references round by round."""
    front = figures["front"]
    result = {
        "cpu_us_per_reply": round(median(front["us_per_reply"]), 2),
        "cpu_us_per_login": round(median(front["login_us"]), 1),
        "bytes_per_link": round(median(front["bytes_per_link"])),
        "replies_per_s": round(median(front["replies_per_s"])),
    }
    for name in REFERENCES:
        other = figures[name]
        cheaper = zip(other["us_per_reply"], front["us_per_reply"], strict=True)
        faster = zip(front["replies_per_s"], other["replies_per_s"], strict=True)
        result[f"ratio_vs_{name}"] = round(median(left / right for left, right in cheaper), 3)
        result[f"rate_vs_{name}"] = round(median(left / right for left, right in faster), 3)
    return result


def _show(figures: Figures) -> None:
    print(f"{'server':<10}{'us/reply':>10}{'replies/s':>11}{'us/login':>10}{'bytes/link':>12}")
    for kind in KINDS:
        found = figures[kind]
        row = (median(found["us_per_reply"]), median(found["replies_per_s"]))
        more = (median(found["login_us"]), median(found["bytes_per_link"]))
        print(f"{kind:<10}{row[0]:>10.1f}{row[1]:>11.0f}{more[0]:>10.1f}{more[1]:>12.0f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, help="fewer than the file limit allows")
    parser.add_argument("--rounds", type=int, default=5, help="besides the one that warms up")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one slice")
    parser.add_argument("--paced-seconds", type=float, default=60.0)
    return parser.parse_args()


def _descriptors() -> int:
    """Raise the soft file limit to the hard one, for the processes too, and return it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = LINKS_MAX + DESCRIPTORS_KEPT
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def _start(program: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / program), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{process.args} ended")
    return line


if __name__ == "__main__":
    sys.exit(main())
