"""A station is killed, and its database with it, while a command is under way: it happens once.

The meter is a small one of our own behind a serial server, so that it can count what it was made
to do, and answer when the test says so.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ordered_meter import OrderedMeter
from stations import Refusal, StationProcess, until

from station.protocols.dlt645 import Frame, functions
from station.protocols.dlt645.parser import Parser

METER, LINE = "000000000161", "hall"
DATABASE_DOWN = 503
TRIP = {
    "kind": "control",
    "meter": METER,
    "order": "trip",
    "purpose": "unpaid",
    "password": "123456",
}


class SerialServer:
    """A meter behind a TCP port; what changes it is answered only while `may_answer` is set."""

    def __init__(self) -> None:
        self.meter = OrderedMeter(METER)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.may_answer.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        parser = Parser()
        with connection:
            while data := _received(connection):
                parser.receive_data(data)
                for event in iter(parser.next_event, None):
                    if isinstance(event, Frame):
                        self._answer(connection, event)

    def _answer(self, connection: socket.socket, request: Frame) -> None:
        answer = self.meter.answer(request)
        if request.function == functions.CONTROL:
            self.may_answer.wait(30)
        if answer is not None:
            try:
                connection.sendall(answer.to_bytes())
            except OSError:
                return  # The station is gone.


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1024)
    except OSError:
        return b""


@pytest.fixture
def server() -> Iterator[SerialServer]:
    made = SerialServer()
    yield made
    made.close()


def order_trip(station: StationProcess, server: SerialServer, request_id: str) -> str:
    """Enter the meter, order a trip and return the command's id."""
    station.call("/api/channels", {"name": LINE, "url": f"socket://127.0.0.1:{server.port}"})
    station.call("/api/meters", {"address": METER, "link": LINE})
    station.wait_online(LINE)
    return str(station.call("/api/commands", {**TRIP, "request_id": request_id})["id"])


def ended(station: StationProcess, command_id: str) -> dict[str, Any]:
    """Return a command once it has ended."""

    def look() -> dict[str, Any] | None:
        try:
            command: dict[str, Any] = station.call(f"/api/commands/{command_id}")
        except Refusal as refusal:
            if refusal.status != DATABASE_DOWN:
                raise
            return None
        return None if command["state"] in ("queued", "sent") else command

    found: dict[str, Any] = until(look, "the command ended")
    return found


def test_killed_between_sending_and_answer(station: StationProcess, server: SerialServer) -> None:
    server.may_answer.clear()
    command_id = order_trip(station, server, "r1")
    until(lambda: server.meter.changes, "the meter got the order")
    station.kill()
    server.may_answer.set()
    station.start()
    command = ended(station, command_id)
    assert command["state"] == "confirmed"
    names = [step["name"] for step in command["steps"]]
    assert names[:3] == ["queued", "sent", "restarted"]
    assert server.meter.changes == ["order 1A"], "it happened once"
    assert server.meter.arrived[1:] == ["read 04000503"], "the outcome was asked"
    assert station.call("/api/commands", {**TRIP, "request_id": "r1"})["id"] == command_id
    assert b"123456" not in station.log.read_bytes()
    shown = [frame for step in command["steps"] for frame in step["frames"]]
    assert any(frame["direction"] == "in" for frame in shown)


def test_killed_before_the_order_arrived(station: StationProcess, server: SerialServer) -> None:
    server.meter.fates.append("lost")
    command_id = order_trip(station, server, "r1")
    until(lambda: station.call(f"/api/commands/{command_id}")["state"] == "sent", "it is sent")
    station.kill()
    station.start()
    command = ended(station, command_id)
    assert command["state"] == "failed"
    assert command["reason"].startswith("it did not happen, its relay is closed")
    assert server.meter.changes == []


def test_database_killed_while_the_meter_obeys(
    station: StationProcess, server: SerialServer
) -> None:
    server.may_answer.clear()
    command_id = order_trip(station, server, "r1")
    until(lambda: server.meter.changes, "the meter got the order")
    os.kill(station.mongod_pid(), signal.SIGKILL)
    server.may_answer.set()
    command = ended(station, command_id)
    assert command["state"] == "confirmed"
    assert server.meter.changes == ["order 1A"]
    password = bytes(digit + 0x33 for digit in bytes.fromhex("563412")).hex().upper()
    frames = station.call("/api/frames?size=1000")["items"]
    assert any("681C10" in frame["hex"] for frame in frames)
    assert not any(password in frame["hex"] for frame in frames), "no frame shows the password"
