"""A store that follows a folder while it changes."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import DictConnector, HashEmbedder

from ragmem import Agent, Replacements, Settings, StoreLocked, UnknownSource, UsageError
from ragmem.errors import RagmemError
from ragmem.types import SourceDescription, SyncReport
from ragmem.watching import watch

SETTINGS = Settings(chat_model="")
PARTS = Replacements(embedder=HashEmbedder())


@dataclass
class Watched:
    """What a watch over a store has said so far."""

    store: Path
    reports: list[tuple[str, SyncReport]] = field(default_factory=list)
    troubles: list[RagmemError] = field(default_factory=list)

    def names(self) -> set[str]:
        """The files in the store, read as another process would: waiting for the writer."""
        with Agent.open(
            self.store,
            settings=SETTINGS,
            read_only=True,
            timeout_seconds=5,
            replacements=PARTS,
        ) as agent:
            return {info.uri.rsplit("/", 1)[1] for info in agent.knowledge.documents()}

    def wait_for(self, expected: Callable[[], bool], *, seconds: float = 15) -> None:
        ends = time.monotonic() + seconds
        while not expected():
            assert time.monotonic() < ends, (self.reports, self.troubles)
            time.sleep(0.02)

    def wait_for_reports(self, count: int) -> None:
        self.wait_for(lambda: len(self.reports) >= count)


def describe(*places: Path, **options: object) -> list[SourceDescription]:
    return [SourceDescription(location=str(place), options=options) for place in places]


def sync_one(agent: Agent, source: SourceDescription) -> SyncReport:
    return agent.knowledge.add(source)


@contextmanager
def watching(store: Path, sources: Sequence[SourceDescription]) -> Iterator[Watched]:
    stop = threading.Event()
    watched = Watched(store)
    failures: list[RagmemError] = []

    def run() -> None:
        try:
            watch(
                store,
                sources,
                sync=sync_one,
                on_report=lambda source, report: watched.reports.append(
                    (Path(source.location).name, report)
                ),
                on_trouble=lambda _, error: watched.troubles.append(error),
                settings=SETTINGS,
                replacements=PARTS,
                stop=stop,
            )
        except RagmemError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join(timeout=15)
    assert not thread.is_alive()
    assert not failures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    (made / "sub").mkdir(parents=True)
    (made / "a.md").write_text("the kettle")
    (made / "sub" / "b.md").write_text("the toaster")
    return made


def test_added_changed_renamed_and_deleted(folder: Path, tmp_path: Path) -> None:
    with watching(tmp_path / "store", describe(folder)) as watched:
        watched.wait_for_reports(1)
        assert watched.names() == {"a.md", "b.md"}
        (folder / "new").mkdir()
        (folder / "new" / "c.md").write_text("the lamp")
        watched.wait_for(lambda: watched.names() == {"a.md", "b.md", "c.md"})
        (folder / "a.md").write_text("the kettle was mended")
        watched.wait_for(lambda: any(report.updated for _, report in watched.reports))
        (folder / "sub" / "b.md").rename(folder / "d.md")
        watched.wait_for(lambda: watched.names() == {"a.md", "c.md", "d.md"})
        shutil.rmtree(folder / "new")
        watched.wait_for(lambda: watched.names() == {"a.md", "d.md"})
    assert not watched.troubles


def test_what_is_ignored_wakes_nobody_and_neither_does_the_store(folder: Path) -> None:
    (folder / ".gitignore").write_text("build/\n*.log\n")
    (folder / "build").mkdir()
    (folder / ".git").mkdir()
    with watching(folder / "store", describe(folder, ignore=("drafts/**",))) as watched:
        watched.wait_for_reports(1)
        (folder / "drafts").mkdir()
        time.sleep(1)
        before = len(watched.reports)
        for number in range(5):
            (folder / "build" / f"{number}.md").write_text(f"built {number}")
            (folder / ".git" / f"{number}").write_text("x")
            (folder / "x.log").write_text(str(number))
            (folder / "drafts" / "e.md").write_text(str(number))
        time.sleep(1)
        assert len(watched.reports) == before
        (folder / ".gitignore").write_text("*.log\n")
        watched.wait_for(lambda: {"0.md", "4.md"} <= watched.names())
    assert watched.names() == {"a.md", "b.md", *(f"{number}.md" for number in range(5))}


def test_only_the_source_that_changed_is_synced(folder: Path, tmp_path: Path) -> None:
    single = tmp_path / "notes" / "one.md"
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    single.write_text("one")
    with watching(tmp_path / "store", describe(folder, single)) as watched:
        watched.wait_for_reports(2)
        assert {name for name, _ in watched.reports} == {"docs", "one.md"}
        (tmp_path / "notes" / "other.md").write_text("not watched")
        (tmp_path / "notes" / "new.tmp").write_text("one, saved as editors do")
        (tmp_path / "notes" / "new.tmp").replace(single)
        watched.wait_for_reports(3)
        time.sleep(0.5)
    assert {name for name, _ in watched.reports[2:]} == {"one.md"}
    assert watched.names() == {"a.md", "b.md", "one.md"}


def test_it_waits_while_another_holds_the_store(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    other = Agent.open(store, settings=SETTINGS, replacements=PARTS)
    with watching(store, describe(folder)) as watched:
        watched.wait_for(lambda: bool(watched.troubles))
        time.sleep(0.5)
        assert not watched.reports
        other.close()
        watched.wait_for_reports(1)
    assert [type(error) for error in watched.troubles] == [StoreLocked]


def test_a_folder_that_goes_and_comes_back(folder: Path, tmp_path: Path) -> None:
    with watching(tmp_path / "store", describe(folder)) as watched:
        watched.wait_for_reports(1)
        folder.rename(tmp_path / "away")
        watched.wait_for(lambda: bool(watched.troubles))
        assert isinstance(watched.troubles[0], UnknownSource)
        assert watched.names() == {"a.md", "b.md"}
        (tmp_path / "away").rename(folder)
        (folder / "c.md").write_text("back again")
        watched.wait_for(lambda: watched.names() == {"a.md", "b.md", "c.md"})
        (folder / "d.md").write_text("listened to again")
        watched.wait_for(lambda: "d.md" in watched.names())


def test_a_link_to_a_folder_is_watched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with watching(tmp_path / "store", describe(tmp_path / "link")) as watched:
        watched.wait_for_reports(1)
        (folder / "c.md").write_text("behind the link")
        watched.wait_for(lambda: "c.md" in watched.names())


def test_readers_get_at_the_store_while_changes_never_end(folder: Path, tmp_path: Path) -> None:
    ended = threading.Event()

    def churn() -> None:
        number = 0
        while not ended.wait(0.01):
            number += 1
            (folder / "a.md").write_text(f"version {number}")

    thread = threading.Thread(target=churn)
    with watching(tmp_path / "store", describe(folder)) as watched:
        watched.wait_for_reports(1)
        thread.start()
        try:
            for _ in range(5):
                assert "b.md" in watched.names()
        finally:
            ended.set()
            thread.join()


def test_an_interrupt_ends_it_quietly(folder: Path, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    threads = threading.active_count()
    watch(
        tmp_path / "store",
        describe(folder),
        sync=sync_one,
        on_report=interrupt,
        on_trouble=interrupt,
        settings=SETTINGS,
        replacements=PARTS,
    )
    assert threading.active_count() <= threads
    assert Watched(tmp_path / "store").names() == {"a.md", "b.md"}


def never(*_: object) -> SyncReport:
    raise AssertionError("nothing should be synced")


def refused(store: Path, *sources: SourceDescription, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        watch(
            store,
            sources,
            sync=never,
            on_report=never,
            on_trouble=never,
            settings=SETTINGS,
            replacements=PARTS,
        )
    assert not store.exists()


def test_what_cannot_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(tmp_path / "store", message="nothing to watch")
    refused(tmp_path / "store", *describe(tmp_path / "typo"), message="no such file or folder")
    monkeypatch.setattr("ragmem.connecting.connect", lambda *_, **__: DictConnector({}))
    refused(tmp_path / "store", *describe(tmp_path), message=f"{tmp_path} cannot be watched")
