"""Bad files beside good ones: each is reported with a reason, and everything else is ingested."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import HashEmbedder
from format_files import FACT, encrypted_pdf, pdf, write_all, zipped

from ragmem import Agent, ItemReport, Replacements, Settings
from ragmem.cli import main

REASONS = {
    "encrypted.pdf": "password",
    "truncated.pdf": "PDF",
    "bomb.docx": "zip bomb",
    "huge.txt": "more than the",
    "unknown.txt": "encoding",
    "binary.txt": "binary",
    "out.txt": "symbolic link",
    "empty.txt": "empty",
    "two\nlines.txt": "control characters",
    "picture.png": "no parser for .png",
}


def write_bad(folder: Path) -> None:
    """Write one file for each of `REASONS`."""
    (folder / "encrypted.pdf").write_bytes(encrypted_pdf())
    (folder / "truncated.pdf").write_bytes(pdf([["some text"]])[:120])
    (folder / "bomb.docx").write_bytes(zipped({"word/document.xml": bytes(40 << 20)}))
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(2 * 2**30)  # sparse: it takes no space
    noise = random.Random(0)
    (folder / "unknown.txt").write_bytes(bytes(noise.choices(range(0x80, 0x100), k=3_000)))
    (folder / "binary.txt").write_bytes(bytes(noise.choices(range(256), k=3_000)))
    outside = folder.parent / "outside.txt"
    outside.write_text("not yours")
    (folder / "out.txt").symlink_to(outside)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "two\nlines.txt").write_text("text")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    write_all(folder)
    write_bad(folder)
    return folder


def reason_of(items: tuple[ItemReport, ...], path: Path) -> str | None:
    return next((item.reason for item in items if item.uri == path.as_uri()), None)


@pytest.mark.skipif(sys.platform == "win32", reason="links, and a newline in a name")
def test_each_bad_file_is_reported_and_the_rest_is_ingested(tmp_path: Path, folder: Path) -> None:
    replacements = Replacements(embedder=HashEmbedder(dimensions=64))
    settings = Settings(chat_model="")
    with Agent.open(tmp_path / "s", settings=settings, replacements=replacements) as agent:
        report = agent.knowledge.add(folder)
        for name, fragment in REASONS.items():
            reason = reason_of(report.failed + report.skipped, folder / name)
            assert reason is not None, f"{name!r} is not reported"
            assert fragment in reason
        assert len(report.failed) + len(report.skipped) == len(REASONS)
        assert report.added == len(list(folder.iterdir())) - len(REASONS)
        assert {d.uri for d in agent.knowledge.documents()}.isdisjoint(
            (folder / name).as_uri() for name in REASONS
        )
        assert any(FACT in hit.text for hit in agent.knowledge.search(FACT, k=30).hits)
        assert "not yours" not in str(agent.knowledge.search("not yours", k=50).hits)


def test_a_file_that_vanishes_while_being_read(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = folder / "aurora.md"
    opened: Callable[..., int] = os.open

    def vanishing(path: str | os.PathLike[str], *arguments: int, **options: int) -> int:
        if Path(path) == victim:
            victim.unlink(missing_ok=True)
        return opened(path, *arguments, **options)

    replacements = Replacements(embedder=HashEmbedder(dimensions=64))
    settings = Settings(chat_model="")
    with Agent.open(tmp_path / "s", settings=settings, replacements=replacements) as agent:
        monkeypatch.setattr(os, "open", vanishing)
        report = agent.knowledge.add(folder)
        monkeypatch.undo()
        assert "vanished" in (reason_of(report.failed, victim) or "")
        assert (folder / "aurora.txt").as_uri() in {d.uri for d in agent.knowledge.documents()}


@pytest.mark.models
def test_the_exit_code_tells(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["ragmem", "ingest", str(folder), "--store", str(tmp_path / "s")]
    )
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 3
