"""What a running ingest shows where standard error is no terminal, and what no terminal gets."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ragmem.cli import progress
from ragmem.cli.output import printable
from ragmem.cli.progress import LiveTable, RunCounts, sync_display
from ragmem.types import SyncProgress


def step(stage: Any, uri: str = "", *, done: int = 0, reason: str = "") -> SyncProgress:
    return SyncProgress(stage=stage, uri=uri, done=done, total=9, reason=reason)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]
    return now


def test_a_line_every_few_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with sync_display("docs", place="1 of 2") as show:
        show(step("discovered", "file:///a%20b.md"))
        assert capsys.readouterr().err == ""
        clock[0] += 6
        show(step("committed", "file:///a%20b.md", done=1))
        show(step("unchanged", "file:///c.md", done=2))
        assert capsys.readouterr().err == (
            "docs (1 of 2): 1 found, 1 stored, 0 unchanged, 0 failed, 0 skipped, 0 deleted; "
            "stored a b.md\n"
        )
        clock[0] += 6
        show(step("embedded", done=5))
    assert "1 unchanged" in (err := capsys.readouterr().err)
    assert err.endswith("embedding 5 of 9\n")


def test_why_a_run_waits_is_said_soon(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with sync_display("https://ana:secret@x/") as show:
        clock[0] += 2
        show(step("waiting", "https://x/1", reason="429 Too Many Requests; again in 30.0 s"))
        show(step("waiting", "https://x/2", reason="429 Too Many Requests; again in 30.0 s"))
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("https://…@x/: 0 found")
    assert err.endswith("waiting for https://x/1: 429 Too Many Requests; again in 30.0 s\n")


@pytest.mark.parametrize("columns", [30, 59, 60, 200])
def test_a_live_table_fits_its_terminal(columns: int) -> None:
    reason = "429 Too Many Requests; again in 30.0 s"
    counts = RunCounts("a source with a name that is quite long/" * 2, place="1 of 2")
    counts.add(step("discovered", "https://x/[red]1"))
    counts.add(step("waiting", "https://x/[red]1", reason=reason))
    console = Console(width=columns, record=True, file=io.StringIO())
    console.print(LiveTable(counts))
    lines = console.export_text().splitlines()
    assert max(len(line) for line in lines) <= columns
    assert ("1 found, 0 stored" in " ".join(lines)) == (columns < 60)
    words = f"waiting for https://x/[red]1: {reason}"
    assert "".join(words.split()) in "".join("".join(lines).split())


def test_a_source_commands_no_terminal(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with sync_display("docs") as show:
        clock[0] += 6
        show(step("parsed", "file:///docs/%1b%5b2J%0aroot.md"))
    assert "\x1b" not in (err := capsys.readouterr().err)
    assert err.count("\n") == 1
    assert printable("a\tb\nc\x1b[2J\x07\x9b\x7f") == "a\tb\nc�[2J���"
