"""Runs the command line inside the test process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ragmem.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `ragmem` with these arguments."""

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr("sys.argv", ["ragmem", *(str(each) for each in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        code = exit_.value.code
        return Ran(code if isinstance(code, int) else 0, printed.out, printed.err)

    return call
