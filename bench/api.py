"""Does the station keep to the document of its interface, whatever it is asked?

schemathesis reads /api/openapi.json of a running demonstration and asks every address with values
that fit it and values that do not. Wanted: no answer of 500, none with a status, a kind or a shape
that the document does not name, nothing taken that the document forbids, nobody let in without a
login. What fails is printed with the request that shows it.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from station.handlers.access.people import Permission

HERE = Path(__file__).parent / "interface"
READY = re.compile(r"ready at (\S+)\s+user (\S+)\s+password (\S+)")
# These end logins, maybe the one that asks; tests of people try them.
LEFT_OUT = (
    "/api/logout", "/api/sessions/end", "/api/sessions/{session_id}",
    "/api/users/{name}/sessions", "/api/users/{name}/disable", "/api/users/{name}/reset",
)  # fmt: skip
REQUEST_TIMEOUT_S = 60  # A file of a hundred thousand rows on a busy machine.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=30, help="tries of each method at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a pattern that addresses have to match")
    parser.add_argument("--coverage", action="store_true", help="every border of every value, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        station = [sys.executable, "-m", "station", "demo"]
        command = [*station, "--data", f"{folder}/data", "--port", str(free_port())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
            try:
                url, token = enter(demo)
                found = ask(Path(folder), url, token, options)
            finally:
                demo.terminate()
    print(json.dumps(found))
    return int(found["failures"] > 0)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enter(demo: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for the station; return its address and a token that no fuzzing of logins ends."""
    assert demo.stdout is not None
    ready = next(filter(None, map(READY.search, demo.stdout)))
    url, user, password = ready.groups()
    token = call(url, "api/login", {"username": user, "password": password})["token"]
    everything = [each.value for each in Permission]
    wanted = {"label": "schemathesis", "permissions": everything, "days": 1}
    return url, call(url, "api/tokens", wanted, token)["token"]


def call(url: str, path: str, body: object, token: str = "") -> Any:
    """Send JSON, return JSON."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:
        return json.load(answer)


def ask(folder: Path, url: str, token: str, options: argparse.Namespace) -> dict[str, Any]:
    """Let schemathesis ask; print what it says, return its figures."""
    report = folder / "report.json"
    phases = "examples,coverage,fuzzing" if options.coverage else "examples,fuzzing"
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml"),
        "--no-color", "run", f"{url}api/openapi.json", "--header", f"Authorization: Bearer {token}",
        "--phases", phases, "--max-examples", str(options.examples), "--seed", str(options.seed),
        "--request-timeout", str(REQUEST_TIMEOUT_S), "--continue-on-failure", "--no-shrink",
        "--warnings", "off", "--report", "json", "--report-json-path", str(report),
        *(part for path in LEFT_OUT for part in ("--exclude-path", path)),
    ]  # fmt: skip
    if options.only:
        command += ["--include-path-regex", options.only]
    began = time.monotonic()
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    subprocess.run(command, env=environment, check=False, cwd=folder)
    told = json.loads(report.read_text())
    return {
        "operations": told["operations"]["tested"],
        "cases": told["test_cases"]["generated"],
        "failures": told["test_cases"]["unique_failures"] + told["test_cases"]["errored"],
        "seconds": round(time.monotonic() - began, 1),
        "seed": options.seed,
    }


if __name__ == "__main__":
    sys.exit(main())
