"""Starting, stopping, and what is said when starting is not possible."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stations import StationProcess, free_port


def run(config: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a station that is expected to end by itself."""
    config.write_text(text)
    command = [sys.executable, "-m", "station", "run", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def last_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def test_it_stops_cleanly_and_starts_again_with_what_it_had(station: StationProcess) -> None:
    password = station.password
    assert password
    station.call("/api/terminals", {"address": "99000001", "name": "Area 1"})
    station.stop()
    said = station.log.read_text()
    assert "ERROR" not in said
    station.start()
    assert station.password == password  # It was shown at the first start alone.
    assert station.log.read_text().count("first start") == 1
    assert station.call("/api/terminals")["total"] == 1
    assert (station.folder / "data").stat().st_mode & 0o777 == 0o700


def test_a_wrong_key_ends_with_78_and_its_line(tmp_path: Path) -> None:
    ended = run(tmp_path / "c.yaml", "station: a\nfrontend:\n  prot: 7001\n")
    assert ended.returncode == 78
    assert last_line(ended) == (
        f"{tmp_path}/c.yaml:3: unknown key 'frontend.prot'; did you mean 'port'?"
    )


@pytest.mark.parametrize("part", ["web", "frontend"])
def test_a_port_in_use_is_named(tmp_path: Path, part: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"web": free_port(), "frontend": free_port(), part: port}
        text = "".join(f"{one}: {{host: 127.0.0.1, port: {ports[one]}}}\n" for one in ports)
        ended = run(tmp_path / "c.yaml", text)
    assert ended.returncode == 1
    assert str(port) in last_line(ended)
    assert "in use" in last_line(ended)


def test_a_database_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    port = free_port()
    text = f"database: {{uri: 'mongodb://user:secret@127.0.0.1:{port}/?replicaSet=rs'}}\n"
    ended = run(tmp_path / "c.yaml", text)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in last_line(ended)
    assert "secret" not in ended.stderr


def test_two_stations_do_not_share_a_data_folder(station: StationProcess) -> None:
    text = f"web: {{port: {free_port()}}}\nfrontend: {{port: {free_port()}}}\n"
    ended = run(station.folder / "second.yaml", text)
    assert ended.returncode == 1
    assert str(station.folder / "data") in last_line(ended)


def test_people_are_added_while_it_runs_and_while_it_does_not(station: StationProcess) -> None:
    def add(name: str, password: str, role: str = "technician") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "station", "user", "add", name, "--role", role]
        return subprocess.run(
            [*command, "--config", str(station.config)],
            input=f"{password}\n", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert add("tech.1", "a long password").returncode == 0
    login = {"username": "tech.1", "password": "a long password"}
    assert station.call("/api/login", login)["token"]
    again = add("tech.1", "a long password")
    assert (again.returncode, last_line(again)) == (1, "station: user tech.1 exists already")
    assert "8 to 200 characters" in last_line(add("tech.2", "short"))
    assert "there is no role 'king'; choose administrator" in last_line(
        add("x", "12345678", "king")
    )
    station.stop()
    assert add("tech.2", "a long password").returncode == 0
    station.start()
    assert station.call("/api/login", {**login, "username": "tech.2"})["token"]


def test_people_are_not_added_to_a_database_that_is_not_there(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("station: a\n")
    command = [sys.executable, "-m", "station", "user", "add", "tech", "--role", "technician"]
    ended = subprocess.run(
        [*command, "--config", str(config)],
        input="a long password\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert f"there is no database in {tmp_path}/data" in last_line(ended)
    assert not (tmp_path / "data").exists()
