"""Reading runs ahead of committing only so far, in order, and threads end whatever happens."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import DictConnector, HashEmbedder, TextParser
from sync_bench import Bench, bench_at

from ragmem.errors import PermanentSourceError, StoreError, TransientSourceError
from ragmem.ingestion.committing import GroupSizes
from ragmem.ingestion.pipeline import Belt, BeltSizes, Stopped
from ragmem.ports import Notes
from ragmem.types import (
    FloatMatrix,
    ParsedDocument,
    RawDocument,
    SkippedItem,
    SourceItem,
    SyncProgress,
)

SMALL = GroupSizes(chunks=4, documents=2, indexing=4)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store", sizes=SMALL) as opened:
        yield opened
    assert [t.name for t in threading.enumerate() if t.name.startswith("ragmem-")] == []


def texts(count: int) -> dict[str, str | Exception]:
    return {f"d{number:05}": f"text {number}" for number in range(count)}


# --- the belt by itself ---------------------------------------------------------------------------


def a_belt(**sizes: int) -> tuple[Belt[int], threading.Event]:
    stop = threading.Event()
    return Belt(BeltSizes(**sizes), stop=stop), stop


def test_pieces_come_off_in_the_order_they_were_put() -> None:
    belt, _ = a_belt(pieces=8, threads=4)

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number

    def fill() -> None:
        for number in range(50):
            belt.put(lambda number=number: work(number), content_bytes=0)  # type: ignore[misc]
        belt.end()

    filling = threading.Thread(target=fill)
    filling.start()
    taken = [future.result() for future in belt.take(idle_seconds=1.0) if future is not None]
    filling.join()
    belt.close()
    assert taken == list(range(50))


def test_bytes_are_bounded_and_a_large_piece_passes_alone() -> None:
    belt, _ = a_belt(content_bytes=10)
    there: list[int] = []
    most = 0

    def fill() -> None:
        for size in (4, 4, 4, 99, 1, 9, 0):
            belt.put(lambda: 0, content_bytes=size)
            there.append(size)
        belt.end()

    filling = threading.Thread(target=fill)
    filling.start()
    time.sleep(0.05)
    assert there == [4, 4]
    taken = belt.take(idle_seconds=1.0)
    for number, future in enumerate(taken):
        assert future is not None
        time.sleep(0.01)
        held = there[number:]
        most = max(most, sum(held) if len(held) > 1 else 0)
    filling.join()
    belt.close()
    assert len(there) == 7
    assert most <= 10


def test_a_stopped_belt_stops_both_sides() -> None:
    belt, stop = a_belt(pieces=1)
    belt.put(lambda: 1, content_bytes=0)
    stop.set()
    with pytest.raises(Stopped):
        belt.put(lambda: 2, content_bytes=0)
    with pytest.raises(Stopped):
        belt.end()
    with pytest.raises(Stopped):
        list(belt.take(idle_seconds=0.01))
    belt.close()


def test_a_slow_piece_lets_what_is_there_be_committed() -> None:
    belt, _ = a_belt()
    done = threading.Event()
    belt.put(lambda: 1, content_bytes=0)
    belt.put(lambda: int(done.wait(5)), content_bytes=0)
    belt.end()
    seen = []
    for future in belt.take(idle_seconds=0.05):
        seen.append(None if future is None else future.result())
        if future is None:
            done.set()
    belt.close()
    assert seen[:2] == [1, None]
    assert seen[-1] == 1


# --- in a run -------------------------------------------------------------------------------------


def test_listing_and_fetching_stay_in_the_callers_thread(bench: Bench) -> None:
    class Watched(DictConnector):
        threads: set[str]

        def discover(self) -> Iterator[SourceItem | SkippedItem]:
            for found in super().discover():
                self.threads.add(threading.current_thread().name)
                yield found

        def fetch(self, item: SourceItem) -> RawDocument:
            self.threads.add(threading.current_thread().name)
            return super().fetch(item)

    connector = Watched(texts(20))
    connector.threads = set()
    bench.sync(connector)
    assert connector.threads == {threading.current_thread().name}
    bench.check()


def test_documents_are_committed_in_the_order_of_the_listing(bench: Bench) -> None:
    told: list[str] = []

    def note(progress: SyncProgress) -> None:
        if progress.stage == "committed":
            told.append(progress.uri)

    connector = DictConnector(texts(50))
    bench.sync(connector, on_progress=note)
    assert told == list(connector.texts)


class Endless(DictConnector):
    """Lists very many items, and counts how far it got."""

    def __init__(self, count: int) -> None:
        super().__init__({})
        self.count = count
        self.listed = 0

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        for number in range(self.count):
            self.listed += 1
            yield SourceItem(uri=f"d{number}", fingerprint="1")

    def fetch(self, item: SourceItem) -> RawDocument:
        return RawDocument(uri=item.uri, name="x.txt", content=f"text of {item.uri}")


class EndlessInParallel(Endless):
    """The same, fetched by several threads."""

    parallel_fetches = 8


class StrParser(TextParser):
    """A parser of texts."""

    def parse(self, raw: RawDocument) -> ParsedDocument:
        return ParsedDocument(text=str(raw.content), text_format="plain")


@pytest.mark.parametrize("kind", [Endless, EndlessInParallel])
def test_reading_does_not_run_away_from_committing(tmp_path: Path, kind: type[Endless]) -> None:
    connector = kind(100_000)
    ahead = 0
    committed = 0

    def watch(progress: SyncProgress) -> None:
        nonlocal ahead, committed
        if progress.stage == "committed":
            committed += 1
            time.sleep(0.002)
            ahead = max(ahead, connector.listed - committed)
        if committed == 300:
            raise KeyboardInterrupt

    with (
        bench_at(tmp_path, sizes=SMALL, parser=StrParser()) as bench,
        pytest.raises(KeyboardInterrupt),
    ):
        bench.sync(connector, on_progress=watch)
    # The belt, the piece in each hand, the group that is being committed.
    bounds = BeltSizes().pieces + 2 + SMALL.documents
    assert 20 < ahead <= bounds


def test_large_copies_do_not_pile_up(tmp_path: Path) -> None:
    held = most = 0

    class Large(bytes):
        def __new__(cls) -> Large:
            nonlocal held, most
            held += 1
            most = max(most, held)
            return super().__new__(cls, b"same" * 1_000_000)

        def __del__(self) -> None:
            nonlocal held
            held -= 1

    class Copies(Endless):
        def fetch(self, item: SourceItem) -> RawDocument:
            return RawDocument(uri=item.uri, name="x.txt", content=Large())

    class Short(TextParser):
        def parse(self, raw: RawDocument) -> ParsedDocument:
            return ParsedDocument(text="short", text_format="plain")

    with bench_at(tmp_path, parser=Short()) as bench:
        report = bench.sync(Copies(60))
        assert (report.added, report.copies) == (60, 59)
    # Twice the bound of the belt: what is on it, and what is taken off it together.
    assert most <= 2 * BeltSizes().content_bytes // 4_000_000 + 2


# --- what goes wrong ------------------------------------------------------------------------------


class Boom(Exception):
    """Nobody expects this one."""


def fails_then_completes(
    bench: Bench,
    connector: DictConnector,
    failing: Callable[[], object],
    error: type[BaseException],
) -> int:
    """A run that fails leaves what it committed, and the next one completes.

    Returns:
        How many documents the failed run left.
    """
    expected = {uri: str(text) for uri, text in texts(len(connector.texts)).items()}
    with pytest.raises(error):
        failing()
    assert [t.name for t in threading.enumerate() if t.name.startswith("ragmem-")] == []
    assert bench.last_job("dict:all").status == "failed"
    left = bench.texts()
    assert left.items() <= expected.items()
    bench.engine._indexer.apply_pending()
    bench.check()
    report = bench.sync(connector)
    assert (report.added, report.unchanged) == (len(expected) - len(left), len(left))
    assert bench.last_job("dict:all").status == "done"
    bench.check()
    bench.check_vectors()
    return len(left)


@pytest.mark.parametrize("stage", ["discovered", "parsed", "embedded", "committed", "indexed"])
@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])
def test_a_callback_that_raises(bench: Bench, stage: str, error: type[BaseException]) -> None:
    connector = DictConnector(texts(20))
    seen = 0

    def callback(progress: SyncProgress) -> None:
        nonlocal seen
        seen += progress.stage == stage
        if seen == 5:
            raise error

    fails_then_completes(
        bench, connector, lambda: bench.sync(connector, on_progress=callback), error
    )


def test_an_embedder_that_raises(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    embed = HashEmbedder.embed_documents

    def broken(self: HashEmbedder, given: list[str]) -> FloatMatrix:
        if "text 9" in given:
            raise Boom
        return embed(self, given)

    connector = DictConnector(texts(20))

    def failing() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(HashEmbedder, "embed_documents", broken)
            bench.sync(connector)

    assert fails_then_completes(bench, connector, failing, Boom) == 8


def test_an_embedder_that_returns_too_little(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = DictConnector(texts(4))

    def failing() -> None:
        with monkeypatch.context() as patch:
            nothing = np.zeros((0, 16), dtype=np.float32)
            patch.setattr(HashEmbedder, "embed_documents", lambda *_: nothing)
            bench.sync(connector)

    fails_then_completes(bench, connector, failing, ValueError)


def test_a_store_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = DictConnector(texts(20))
    write = bench.engine._writer.write
    calls = 0

    def broken(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise StoreError("the disk is full")
        return write(*args)  # type: ignore[arg-type]

    def failing() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(bench.engine._writer, "write", broken)
            bench.sync(connector)

    assert fails_then_completes(bench, connector, failing, StoreError) == 6


@pytest.mark.parametrize("where", ["discover", "fetch"])
def test_an_interrupt_while_reading(bench: Bench, where: str) -> None:
    class Interrupted(DictConnector):
        left = 10

        def count(self, what: str) -> None:
            self.left -= what == where
            if what == where and self.left == 0:
                raise KeyboardInterrupt

        def discover(self) -> Iterator[SourceItem | SkippedItem]:
            for found in super().discover():
                self.count("discover")
                yield found

        def fetch(self, item: SourceItem) -> RawDocument:
            self.count("fetch")
            return super().fetch(item)

    connector = Interrupted(texts(20))
    fails_then_completes(bench, connector, lambda: bench.sync(connector), KeyboardInterrupt)


def test_an_interrupt_while_the_last_documents_are_committed(bench: Bench) -> None:
    connector = DictConnector(texts(20))
    main = threading.main_thread().ident
    assert main is not None
    waits = threading.Event()
    told = False

    def callback(progress: SyncProgress) -> None:
        nonlocal told
        if progress.stage == "committed" and progress.total == 20 and not told:
            told = True
            os.kill(os.getpid(), signal.SIGINT)
            waits.wait(0.1)

    def failing() -> None:
        bench.sync(connector, on_progress=callback)

    fails_then_completes(bench, connector, failing, KeyboardInterrupt)


def test_an_interrupt_is_answered_at_once(bench: Bench) -> None:
    class Waits(DictConnector):
        def fetch(self, item: SourceItem) -> RawDocument:
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.sync(Waits(texts(2)))
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {"a": None}},
        {"title": "a\ud800"},
        {"title": "a\0"},
        {"text": "one\ud800 two"},
        {"text": "one\0 two"},
    ],
)
def test_what_a_parser_makes_of_one_file_does_not_stop_the_run(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    class Wrong(TextParser):
        def parse(self, raw: RawDocument) -> ParsedDocument:
            if raw.uri != "d00001":
                return super().parse(raw)
            return ParsedDocument(**{"text": "one", "text_format": "plain", **wrong})  # type: ignore[arg-type]

    with bench_at(tmp_path, parser=Wrong()) as bench:
        report = bench.sync(DictConnector(texts(3)))
        assert report.added == 2
        assert [item.uri for item in report.failed] == ["d00001"]
        bench.check()


def test_what_a_connector_hands_over_does_not_stop_the_run(bench: Bench) -> None:
    class Wrong(DictConnector):
        def fetch(self, item: SourceItem) -> RawDocument:
            if item.uri == "d00001":
                return None  # type: ignore[return-value]
            if item.uri == "d00002":
                return RawDocument(uri="elsewhere", name="x.txt", content=b"two")
            return super().fetch(item)

    report = bench.sync(Wrong(texts(4)))
    assert report.added == 2
    assert [item.uri for item in report.failed] == ["d00001", "d00002"]
    assert set(bench.texts()) == {"d00000", "d00003"}
    bench.check()


# --- what a connector can do besides --------------------------------------------------------------


class Parallel(DictConnector):
    """Is fetched by several threads."""

    parallel_fetches = 4

    def __init__(self, given: dict[str, str | Exception]) -> None:
        super().__init__(given)
        self.threads: set[str] = set()

    def fetch(self, item: SourceItem) -> RawDocument:
        self.threads.add(threading.current_thread().name)
        time.sleep(0.002)
        return super().fetch(item)


def test_parallel_fetches_come_to_the_same(bench: Bench) -> None:
    given = texts(40)
    given |= {"d00003": PermanentSourceError("gone"), "d00007": TransientSourceError("busy")}
    given |= {"d00020": "text 1", "d00021": "BROKEN"}
    connector = Parallel(given)
    told: list[str] = []

    def note(progress: SyncProgress) -> None:
        if progress.stage == "committed":
            told.append(progress.uri)

    report = bench.sync(connector, on_progress=note)
    assert len(connector.threads) > 1
    assert (report.added, report.copies, len(report.failed)) == (37, 1, 3)
    assert told == sorted(told)
    bench.check()
    connector.fetched.clear()
    report = bench.sync(connector)
    assert report.unchanged == 37
    assert set(connector.fetched) == {"d00007"}


def test_news_do_not_replace_what_was_there(bench: Bench) -> None:
    class News(DictConnector):
        lists_only_news = True

    connector = News(texts(3))
    bench.sync(connector)
    connector.texts = {"new": "news"}
    report = bench.sync(connector)
    assert (report.added, report.deleted, len(bench.texts())) == (1, 0, 4)
    connector.lists_only_news = False
    assert bench.sync(connector, allow_mass_delete=True).deleted == 3
    bench.check()


class Closing(DictConnector):
    """Counts how often it is closed."""

    closed = 0
    broken = False

    def close(self) -> None:
        self.closed += 1
        if self.broken:
            raise OSError("already gone")


def test_a_connector_is_closed_after_every_run(bench: Bench) -> None:
    connector = Closing(texts(3))
    bench.sync(connector)
    assert connector.closed == 1
    connector.texts["d00009"] = KeyboardInterrupt()  # type: ignore[assignment]

    def fetch(item: SourceItem) -> RawDocument:
        raise KeyboardInterrupt

    connector.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        bench.sync(connector)
    assert connector.closed == 2
    del connector.texts["d00009"]
    connector.broken = True
    report = bench.sync(connector)
    assert (report.unchanged, connector.closed) == (3, 3)
    assert "already gone" in report.failed[0].reason


class Noting(DictConnector):
    """Writes a note about every item that it fetches."""

    def use_notes(self, notes: Notes) -> None:
        self.notes = notes

    def fetch(self, item: SourceItem) -> RawDocument:
        raw = super().fetch(item)
        self.notes.write(item.uri, f"seen {item.uri}")
        return raw


def test_notes_last_though_the_run_is_interrupted(bench: Bench) -> None:
    class Interrupted(Noting):
        def fetch(self, item: SourceItem) -> RawDocument:
            if item.uri == "d00007":
                raise KeyboardInterrupt
            return super().fetch(item)

    with pytest.raises(KeyboardInterrupt):
        bench.sync(Interrupted(texts(10)))
    again = Noting({})
    bench.sync(again)
    assert again.notes.read("d00006") == "seen d00006"


def test_notes_that_nobody_used_are_forgotten_after_a_complete_run(bench: Bench) -> None:
    connector = Noting(texts(3))
    bench.sync(connector)
    connector.fails_after, connector.failure = 1, TransientSourceError("lost", worth_waiting=False)
    bench.sync(connector)
    assert connector.notes.read("d00002") == "seen d00002"
    connector.fails_after = None
    bench.sync(connector)
    bench.sync(connector)
    assert connector.notes.read("d00002") is None
