"""Choosing a connector imports its module, so that must be quick: nothing heavy comes with it."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

MODULES = sorted({each.module for each in entry_points(group="ragmem.connectors")})
HEAVY = {
    "fsspec", "gcsfs", "httpcore", "httpx", "llama_index", "lxml", "paramiko", "pathspec",
    "platformdirs", "protego", "pydantic", "s3fs", "sqlalchemy", "trafilatura", "yaml",
}  # fmt: skip
LOADED = """
import sys
from importlib import import_module
import ragmem.ports
before = set(sys.modules)
for module in sys.argv[1].split():
    import_module(module)
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""


def test_importing_connectors_loads_nothing_heavy() -> None:
    ours = [module for module in MODULES if module.startswith("connectors.")]
    assert len(ours) > 10
    command = [sys.executable, "-c", LOADED, " ".join(ours)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "connectors" in loaded.split()
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("module", MODULES)
def test_entry_points_lead_somewhere(module: str) -> None:
    assert all(each.load() for each in entry_points(group="ragmem.connectors", module=module))
