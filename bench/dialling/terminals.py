"""Many terminals in one process: they log in, beat, and look at what comes back.

Run as a process of its own beside the server that is measured. It takes one command as JSON on each
line of its standard input and answers with one line of JSON. Sockets are plain and one epoll serves
them all, so that a reply costs this side less than it costs the server.
"""

import json
import select
import socket
import sys
import time
from collections import deque
from typing import Any

from station.protocols.qgdw1376 import link
from station.protocols.qgdw1376.frame import Address, Frame

CONNECTING_MAX = 200  # Calls under way at once; each logs in as soon as it is connected.
LINKS_PER_SOURCE = 100  # Terminals behind one address, as behind one gateway of an operator.
LOGIN_TIMEOUT_S = 120.0
LAST_REPLIES_S = 10.0  # For the replies that are still out when a slice ends.
READ_SIZE = 4096
ADDRESS_AT = slice(7, 11)  # Region and terminal, in every frame of 1376.1.
SEQUENCE_AT = 13


class Terminals:
    """The terminals of one server; `whole` says whether its confirmations are real."""

    def __init__(self, port: int, count: int, reply_size: int, whole: bool) -> None:
        self._port = port
        self._count = count
        self._size = reply_size
        self._whole = whole
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._beats: dict[int, bytearray] = {}
        self._logins: dict[int, bytes] = {}
        self._partial: dict[int, bytes] = {}
        self._wrong = 0

    def log_in(self) -> dict[str, Any]:
        """Connect and log in all terminals; return how long that took."""
        started = time.monotonic()
        calls = iter(range(self._count))
        open_calls = done = 0
        while done < self._count:
            if time.monotonic() - started > LOGIN_TIMEOUT_S:
                sys.exit(f"{done} of {self._count} terminals logged in: too slow")
            while open_calls < CONNECTING_MAX and (number := next(calls, None)) is not None:
                self._dial(number)
                open_calls += 1
            for descriptor, event in self._poll.poll(1.0):
                if event & select.EPOLLIN:
                    if self._reply(descriptor):
                        done += 1
                        open_calls -= 1
                elif event & select.EPOLLOUT:
                    self._sockets[descriptor].send(self._logins[descriptor])
                    self._poll.modify(descriptor, select.EPOLLIN)
        self._logins.clear()
        return {"seconds": time.monotonic() - started, "wrong": self._wrong}

    def once(self, window: int) -> dict[str, Any]:
        """Have every link beat once."""
        return self._beat(len(self._sockets), float("inf"), window)

    def beat(self, seconds: float, window: int) -> dict[str, Any]:
        """Keep `window` heartbeats under way, link after link; return how many were answered."""
        return self._beat(sys.maxsize, seconds, window)

    def _beat(self, total: int, seconds: float, window: int) -> dict[str, Any]:
        ring = deque(self._sockets)
        started = answered_at = time.monotonic()
        until = started + seconds
        sent = replies = 0
        while sent < min(window, total, len(ring)):
            self._send_next(ring)
            sent += 1
        while replies < sent and time.monotonic() < answered_at + LAST_REPLIES_S:
            for descriptor, _ in self._poll.poll(1.0):
                if not self._reply(descriptor):
                    continue
                replies += 1
                answered_at = time.monotonic()
                if sent < total and answered_at < until:
                    self._send_next(ring)
                    sent += 1
        return {
            "seconds": answered_at - started,
            "replies": replies,
            "lost": sent - replies,
            "wrong": self._wrong,
        }

    def pace(self, seconds: float, per_second: float) -> dict[str, Any]:
        """Beat at an even pace, link after link; return the time each confirmation took, in ms."""
        ring = deque(self._sockets)
        sent_at: dict[int, float] = {}
        took: list[float] = []
        started = time.monotonic()
        total = int(seconds * per_second)
        sent = 0
        while len(took) < total:
            now = time.monotonic()
            if now > started + seconds + LAST_REPLIES_S:
                break
            while sent < total and now >= started + sent / per_second:
                sent_at[self._send_next(ring)] = time.monotonic()
                sent += 1
            wait_s = started + sent / per_second - time.monotonic() if sent < total else 1.0
            for descriptor, _ in self._poll.poll(max(wait_s, 0)):
                if self._reply(descriptor):
                    took.append((time.monotonic() - sent_at.pop(descriptor)) * 1000)
        return {
            "seconds": time.monotonic() - started,
            "ms": sorted(took),
            "lost": total - len(took),
            "wrong": self._wrong,
        }

    def _dial(self, number: int) -> None:
        address = Address.from_text(f"9900{number + 1:04X}")
        one = socket.socket()
        one.setblocking(False)
        group = number // LINKS_PER_SOURCE
        one.bind((f"127.0.{1 + group // 250}.{1 + group % 250}", 0))
        one.connect_ex(("127.0.0.1", self._port))
        descriptor = one.fileno()
        self._sockets[descriptor] = one
        self._logins[descriptor] = link.login(address, 0).to_bytes()
        self._beats[descriptor] = bytearray(link.heartbeat(address, 0).to_bytes())
        self._poll.register(descriptor, select.EPOLLOUT)

    def _send_next(self, ring: "deque[int]") -> int:
        """Send the heartbeat of the next link in turn, with its next sequence number."""
        descriptor = ring[0]
        ring.rotate(-1)
        raw = self._beats[descriptor]
        before = raw[SEQUENCE_AT]
        after = before & 0xF0 | before + 1 & 0x0F
        raw[SEQUENCE_AT] = after
        raw[-2] = raw[-2] + after - before & 0xFF
        self._sockets[descriptor].send(raw)
        return descriptor

    def _reply(self, descriptor: int) -> bool:
        """Read what came over a link; tell whether a whole confirmation did."""
        data = self._sockets[descriptor].recv(READ_SIZE)
        if not data:
            sys.exit("the server closed a link")
        if self._partial or len(data) < self._size:
            data = self._partial.pop(descriptor, b"") + data
            if len(data) < self._size:
                self._partial[descriptor] = data
                return False
        beat = self._beats[descriptor]
        sound = len(data) == self._size and (not self._whole or _confirms(data, beat))
        if sound and self._whole and self._logins:  # Each link's first one is looked at closely.
            sound = link.is_confirmation(Frame.from_bytes(data))
        self._wrong += not sound
        return True


def _confirms(data: bytes, beat: bytearray) -> bool:
    """Tell whether a confirmation is for this link and for the frame it sent last."""
    same_sequence = (data[SEQUENCE_AT] ^ beat[SEQUENCE_AT]) & 0x0F == 0
    return same_sequence and data[ADDRESS_AT] == beat[ADDRESS_AT]


def main() -> None:
    """Take commands until the input ends: {"do": "log_in"}, {"do": "beat", ...} and so on."""
    terminals = Terminals(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(terminals, command.pop("do"))(**command)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
