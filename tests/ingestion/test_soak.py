"""A folder that churns for long, with kills, ends up as a fresh ingest of it would.

`RAGMEM_SOAK_OPERATIONS` makes it longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

OPERATIONS = int(os.environ.get("RAGMEM_SOAK_OPERATIONS", "2000"))


@pytest.mark.skipif(sys.platform == "win32", reason="forks and SIGKILL")
def test_after_two_thousand_operations_the_store_is_as_a_fresh_one(tmp_path: Path) -> None:
    worker = Path(__file__).parents[1] / "soak_worker.py"
    command = [sys.executable, str(worker), str(tmp_path), str(OPERATIONS), "20261123"]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["differing"] == []
    assert report["operations"] >= OPERATIONS
    # Few kills, documents or copies would prove little.
    assert report["kills"] >= 5
    assert min(report["documents"], report["chunks"]) > 10
    assert report["copies"] >= 1
