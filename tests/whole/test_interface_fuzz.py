"""schemathesis asks a running station what its document names; `bench/api.py` asks more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300  # 15 s when nothing else runs.


@pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11")
@pytest.mark.timeout(TIMEOUT_S)
def test_schemathesis_finds_nothing() -> None:
    command = [sys.executable, "bench/api.py", "--examples", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures["failures"] == 0, run.stdout
    assert run.returncode == 0
    assert figures["operations"] > 200
    assert figures["cases"] > 400, "values that fit and values that do not, for most"
