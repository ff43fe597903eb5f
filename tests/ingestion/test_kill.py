"""Killing the ingesting process loses nothing acknowledged and leaves nothing half there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 50


@pytest.mark.skipif(sys.platform == "win32", reason="forks and SIGKILL")
def test_fifty_kills_at_random_points(tmp_path: Path) -> None:
    worker = Path(__file__).parents[1] / "kill_worker.py"
    command = [sys.executable, str(worker), str(tmp_path / "store"), str(KILLS), "20261123"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["problems"] == []
    assert report["kills"] == KILLS
    # Kills that all came before the first commit would prove little.
    assert report["acknowledged"] >= 10
