"""What a source refuses for a moment is tried again, within bounds; what is gone needs a word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import DictConnector
from sync_bench import Bench, bench_at

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.ingestion.retrying import Retrier, RetryPolicy
from ragmem.types import RawDocument, SkippedItem, SourceItem, SyncProgress


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store") as opened:
        yield opened


class Clock:
    """A retrier whose waits take no time and are written down."""

    def __init__(self, policy: RetryPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept: list[float] = []
        self.told: list[tuple[float, str]] = []
        self.retrier = Retrier(policy, stop=threading.Event())
        monkeypatch.setattr(self.retrier, "_sleep", self.slept.append)

    def call(self, work: Callable[[], str]) -> str:
        return self.retrier.call(work, on_wait=lambda *told: self.told.append(told))


def failing(times: int, **details: float | bool) -> Callable[[], str]:
    """Work that is refused so many times."""
    left = times

    def work() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise TransientSourceError(f"busy {times - left}", **details)  # type: ignore[arg-type]
        return "done"

    return work


def test_waits_double_and_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(RetryPolicy(first_seconds=0.5), monkeypatch)
    assert clock.call(failing(3)) == "done"
    assert clock.slept == [0.5, 1.0, 2.0]
    assert clock.told == [(0.5, "busy 1"), (1.0, "busy 2"), (2.0, "busy 3")]


def test_a_wait_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(RetryPolicy(attempts=9, first_seconds=1, longest_seconds=5), monkeypatch)
    assert clock.call(failing(6)) == "done"
    assert clock.slept == [1, 2, 4, 5, 5, 5]


def test_the_last_failure_is_raised_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(RetryPolicy(attempts=3), monkeypatch)
    with pytest.raises(TransientSourceError, match="busy 3"):
        clock.call(failing(99))
    assert len(clock.slept) == 2


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (0.0, 0.0), (-3.0, 0.0), (60.0, 60.0)])
def test_what_the_source_asks_for_is_honoured(
    monkeypatch: pytest.MonkeyPatch, asked: float, waited: float
) -> None:
    clock = Clock(RetryPolicy(), monkeypatch)
    assert clock.call(failing(2, retry_after_seconds=asked)) == "done"
    assert clock.slept == [waited, waited]


@pytest.mark.parametrize("details", [{"retry_after_seconds": 60.1}, {"worth_waiting": False}])
def test_what_takes_too_long_is_left_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch, details: dict[str, float | bool]
) -> None:
    clock = Clock(RetryPolicy(), monkeypatch)
    with pytest.raises(TransientSourceError, match="busy 1"):
        clock.call(failing(1, **details))
    assert clock.slept == []


@pytest.mark.parametrize("error", [PermanentSourceError("gone"), KeyError("x")])
def test_other_failures_are_not_retried(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    clock = Clock(RetryPolicy(), monkeypatch)

    def work() -> str:
        raise error

    with pytest.raises(type(error)):
        clock.call(work)
    assert clock.slept == []


def test_patience_ends_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(RetryPolicy(attempts=2, patience=3), monkeypatch)
    for _ in range(5):
        with pytest.raises(TransientSourceError):
            clock.call(failing(99))
    assert len(clock.slept) == 3
    assert clock.call(failing(0)) == "done"
    assert clock.call(failing(1)) == "done"
    assert len(clock.slept) == 4


def test_a_stop_ends_a_wait() -> None:
    stop = threading.Event()
    retrier = Retrier(RetryPolicy(first_seconds=30), stop=stop)
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(TransientSourceError):
        retrier.call(failing(99), on_wait=lambda *_: None)


# --- in a run -------------------------------------------------------------------------------------


class Refusing(DictConnector):
    """Refuses each item so many times in every run."""

    def __init__(self, texts: dict[str, str | Exception], *, times: int) -> None:
        super().__init__(texts)
        self.times = times
        self.refused: dict[str, int] = {}

    def fetch(self, item: SourceItem) -> RawDocument:
        self.refused[item.uri] = self.refused.get(item.uri, 0) + 1
        if self.refused[item.uri] <= self.times:
            raise TransientSourceError("busy")
        return super().fetch(item)


class RefusingInParallel(Refusing):
    """The same, fetched by several threads."""

    parallel_fetches = 4


@pytest.mark.parametrize("kind", [Refusing, RefusingInParallel])
def test_a_refusal_for_a_moment_is_no_failure(bench: Bench, kind: type[Refusing]) -> None:
    waits: list[SyncProgress] = []
    connector = kind({f"d{n}": f"text {n}" for n in range(10)}, times=2)
    report = bench.sync(connector, on_progress=waits.append)
    assert (report.added, report.failed) == (10, ())
    told = [step for step in waits if step.stage == "waiting"]
    assert len(told) == 20
    assert told[0].reason == "busy; again in 0.0 s"
    bench.check()


def test_a_source_that_is_down_is_not_waited_for_at_every_item(bench: Bench) -> None:
    waits: list[SyncProgress] = []
    connector = Refusing({f"d{n}": f"text {n}" for n in range(20)}, times=99)
    report = bench.sync(connector, on_progress=waits.append)
    assert len(report.failed) == 20
    # Four attempts each at the first three, and one at the others.
    assert sum(connector.refused.values()) == 3 * 4 + 17
    assert sum(step.stage == "waiting" for step in waits) == 9


def test_a_listing_that_breaks_off_is_begun_again(bench: Bench) -> None:
    class Flaky(DictConnector):
        begun = 0

        def discover(self) -> Iterator[SourceItem | SkippedItem]:
            self.begun += 1
            for number, found in enumerate(super().discover()):
                if self.begun <= 3 and number == 2 * self.begun:
                    raise TransientSourceError("connection lost")
                yield found

    connector = Flaky({f"d{n}": f"text {n}" for n in range(10)})
    told: list[str] = []

    def note(progress: SyncProgress) -> None:
        if progress.stage == "discovered":
            told.append(progress.uri)

    report = bench.sync(connector, on_progress=note)
    assert (report.added, report.failed, connector.begun) == (10, (), 4)
    assert told == list(connector.fetched) == list(connector.texts)
    assert bench.last_job("dict:all").status == "done"


def test_a_listing_that_stays_broken_is_given_up(bench: Bench) -> None:
    class Broken(DictConnector):
        begun = 0

        def discover(self) -> Iterator[SourceItem | SkippedItem]:
            self.begun += 1
            yield from super().discover()
            raise ConnectionResetError("reset by peer")

    connector = Broken({"a": "one"})
    report = bench.sync(connector)
    assert (report.added, connector.begun) == (1, 4)
    reason = "the connector failed: ConnectionResetError: reset by peer"
    assert [(item.uri, item.reason) for item in report.failed] == [("dict:all", reason)]
    assert bench.last_job("dict:all").status == "failed"


def test_failures_for_good_are_read_again_when_asked(bench: Bench) -> None:
    connector = DictConnector({"a": "BROKEN", "b": "two"})
    bench.sync(connector)
    connector.fetched.clear()
    assert [item.uri for item in bench.sync(connector).failed] == ["a"]
    assert connector.fetched == []
    report = bench.sync(connector, retry_failed=True)
    assert (connector.fetched, report.unchanged, len(report.failed)) == (["a"], 1, 1)


# --- the guard against mass deletion --------------------------------------------------------------


def emptied(bench: Bench, before: int, after: int, *, skipped: int = 0) -> DictConnector:
    """A source that lost documents since it was synced."""
    connector = DictConnector({f"d{n}": f"text {n}" for n in range(before)})
    bench.sync(connector)
    uris = list(connector.texts)
    connector.texts = {uri: connector.texts[uri] for uri in uris[:after]}
    connector.skips = dict.fromkeys(uris[after : after + skipped], "the file is empty")
    return connector


@pytest.mark.parametrize(
    ("before", "after"), [(1, 0), (2, 1), (4, 2), (10, 5)], ids=lambda number: str(number)
)
def test_half_or_a_single_one_may_go(bench: Bench, before: int, after: int) -> None:
    report = bench.sync(emptied(bench, before, after))
    assert (report.deleted, report.failed) == (before - after, ())
    assert bench.last_job("dict:all").status == "done"
    bench.check()


@pytest.mark.parametrize(("before", "after", "skipped"), [(2, 0, 0), (3, 1, 0), (10, 4, 3)])
def test_more_than_half_stops_the_run(bench: Bench, before: int, after: int, skipped: int) -> None:
    connector = emptied(bench, before, after, skipped=skipped)
    report = bench.sync(connector)
    assert report.deleted == 0
    gone = before - after
    assert report.failed[0].uri == "dict:all"
    assert report.failed[0].reason.startswith(f"{gone} of {before} documents are gone")
    assert "--allow-mass-delete" in report.failed[0].reason
    assert not report.complete
    assert bench.last_job("dict:all").status == "failed"
    assert len(bench.texts()) == before
    bench.check()
    assert bench.sync(connector).deleted == 0
    report = bench.sync(connector, allow_mass_delete=True)
    assert (report.deleted, report.failed) == (gone - skipped, ())
    assert len(bench.texts()) == after
    bench.check()


def test_the_guard_does_not_count_what_never_was_a_document(bench: Bench) -> None:
    connector = DictConnector({f"d{n}": "BROKEN" for n in range(9)})
    connector.texts |= {"a": "one", "b": "two"}
    bench.sync(connector)
    connector.texts = {"a": "one"}
    report = bench.sync(connector)
    assert (report.deleted, report.failed) == (1, ())
    bench.check()


def test_new_documents_do_not_outvote_those_that_are_gone(bench: Bench) -> None:
    connector = emptied(bench, 10, 0)
    connector.texts = {f"other{n}": f"other {n}" for n in range(30)}
    for _ in range(3):
        report = bench.sync(connector)
        assert report.deleted == 0
        assert report.failed[0].reason.startswith("10 of ")
        bench.check()
    assert len(bench.texts()) == 40
    connector.texts |= {f"d{n}": f"text {n}" for n in range(9)}
    report = bench.sync(connector)
    assert (report.deleted, report.failed, len(bench.texts())) == (1, (), 39)
    bench.check()


def test_renaming_everything_loses_nothing(bench: Bench) -> None:
    connector = emptied(bench, 10, 0)
    connector.texts = {f"renamed/d{n}": f"text {n}" for n in range(10)}
    report = bench.sync(connector)
    assert (report.added, report.deleted, report.failed) == (10, 10, ())
    assert sorted(bench.texts()) == sorted(connector.texts)
    bench.check()


def test_dropping_all_copies_is_a_loss(bench: Bench) -> None:
    connector = DictConnector({f"d{n}": "same" for n in range(4)})
    bench.sync(connector)
    connector.texts = {"d0": "same"}
    assert bench.sync(connector).deleted == 3
    connector.texts = {f"d{n}": "same" for n in range(4)}
    bench.sync(connector)
    connector.texts = {}
    assert (bench.sync(connector).deleted, len(bench.texts())) == (0, 1)
    bench.check()
