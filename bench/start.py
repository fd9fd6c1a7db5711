"""How long until a newcomer sees something: starts the demonstration and looks at its clock.

Measured from the start of the command: the line that says "ready", and the first stored reading.
The first start makes the database; the later ones are warm. Limits: ready in 3 s when warm, first
readings within 15 s of it.
"""

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

READY_LIMIT_S = 3.0
READING_LIMIT_S = 15.0
GIVE_UP_S = 120.0
READY = re.compile(r"ready at (\S+)\s+user (\S+)\s+password (\S+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="warm starts to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(Path(folder)) for _ in range(options.starts + 1)]
    print(f"{'start':<8}{'ready s':>10}{'first reading s':>18}")
    for number, (ready_s, reading_s) in enumerate(runs):
        print(f"{'first' if number == 0 else number:<8}{ready_s:>10.2f}{reading_s:>18.2f}")
    warm_ready_s = statistics.median(ready for ready, _ in runs[1:])
    first_reading_s = statistics.median(reading for _, reading in runs)
    result = {
        "first_ready_s": round(runs[0][0], 2),
        "warm_ready_s": round(warm_ready_s, 2),
        "warm_ready_limit_s": READY_LIMIT_S,
        "first_reading_s": round(first_reading_s, 2),
        "first_reading_limit_s": READING_LIMIT_S,
    }
    print(json.dumps(result))
    return int(warm_ready_s > READY_LIMIT_S or first_reading_s > READING_LIMIT_S)


def measure(folder: Path) -> tuple[float, float]:
    """Return the seconds to "ready", and from there to a reading that was not there before."""
    started = time.monotonic()
    command = ["script/server", "--data", str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url, user, password = wait_for_ready(process)
            ready = time.monotonic()
            token = call(url, "api/login", {"username": user, "password": password})["token"]
            since = readings(url, token)
            while readings(url, token) <= since:
                if time.monotonic() - ready > GIVE_UP_S:
                    sys.exit("no reading came")
                time.sleep(0.1)
            return ready - started, time.monotonic() - ready
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for_ready(process: "subprocess.Popen[str]") -> tuple[str, str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        if found := READY.search(line):
            return found[1], found[2], found[3]
    sys.exit("the demonstration ended before it was ready")


def readings(url: str, token: str) -> int:
    """Return how many points the runs so far have stored."""
    runs = call(url, "api/runs?limit=100", token=token)["items"]
    return sum(run["success"] for run in runs)


def call(url: str, path: str, body: object = None, token: str = "") -> dict:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers)) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
