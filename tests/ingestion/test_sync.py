"""What a sync does to the store, the indexes and the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import DictConnector
from sync_bench import Bench, bench_at

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.ingestion.copies import drop_documents
from ragmem.ingestion.reading import SyncOptions
from ragmem.store.document_uris import document_id_of
from ragmem.store.reader import StoreReader
from ragmem.types import ItemReport, Scope, SyncProgress, SyncReport


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store") as opened:
        yield opened


def counts(report: SyncReport) -> tuple[int, int, int, int]:
    return (report.added, report.updated, report.unchanged, report.deleted)


def test_twice_the_same_embeds_and_fetches_nothing(bench: Bench) -> None:
    connector = DictConnector({"a": "one\ntwo", "b": "three"})
    first = bench.sync(connector)
    assert counts(first) == (2, 0, 0, 0)
    assert (first.chunks, first.embedded) == (3, 3)
    connector.fetched.clear()
    second = bench.sync(connector)
    assert counts(second) == (0, 0, 2, 0)
    assert (second.embedded, connector.fetched) == (0, [])
    bench.check()


def test_without_fingerprints_the_content_decides(bench: Bench) -> None:
    connector = DictConnector({"a": "one", "b": "two"})
    connector.fingerprints = False
    bench.sync(connector)
    connector.texts["b"] = "three"
    assert counts(bench.sync(connector)) == (0, 1, 1, 0)


def test_an_edit_embeds_only_the_chunks_that_changed(bench: Bench) -> None:
    connector = DictConnector({"a": "one\ntwo\nthree"})
    bench.sync(connector)
    bench.embedder.read.clear()
    connector.texts["a"] = "zero\none\nTWO\nthree"
    report = bench.sync(connector)
    assert counts(report) == (0, 1, 0, 0)
    assert sorted(bench.embedder.read) == ["TWO", "zero"]
    bench.check()
    found = bench.lexical.search("three", k=5, scope=Scope())
    chunk = StoreReader(bench.store).read_chunks([found[0].chunk_id], scope=Scope())
    assert next(iter(chunk.values())).chunk.start == len("zero\none\nTWO\n")


def test_a_rename_embeds_nothing(bench: Bench) -> None:
    connector = DictConnector({"a": "one\ntwo"})
    bench.sync(connector)
    bench.embedder.read.clear()
    connector.texts = {"b": "one\ntwo"}
    report = bench.sync(connector)
    assert counts(report) == (1, 0, 0, 1)
    assert bench.embedder.read == []
    assert bench.texts() == {"b": "one\ntwo"}
    bench.check()


def test_a_deleted_item_is_gone_everywhere(bench: Bench, tmp_path: Path) -> None:
    connector = DictConnector({"a": "unmistakable words", "b": "other"})
    bench.sync(connector)
    del connector.texts["a"]
    assert counts(bench.sync(connector)) == (0, 0, 1, 1)
    assert bench.texts() == {"b": "other"}
    bench.check()
    bench.store.close()
    raw = b"".join(p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file())
    assert b"other" in raw
    assert b"unmistakable" not in raw


def test_a_failure_is_reported_and_the_rest_is_done(bench: Bench) -> None:
    connector = DictConnector(
        {"a": "one", "b": "BROKEN", "c": PermanentSourceError("gone"), "d": "REPAIRED text"}
    )
    connector.skips = {"e": "no parser for .png files"}
    report = bench.sync(connector)
    assert counts(report) == (2, 0, 0, 0)
    assert report.failed == (
        ItemReport(uri="b", reason="the file is broken; save it again"),
        ItemReport(uri="c", reason="gone"),
    )
    assert report.skipped == (ItemReport(uri="e", reason="no parser for .png files"),)
    assert report.warnings == (ItemReport(uri="d", reason="something was repaired"),)
    assert not report.complete


def test_permanent_failures_wait_for_a_change_and_transient_ones_do_not(bench: Bench) -> None:
    connector = DictConnector({"a": "BROKEN", "b": TransientSourceError("busy")})
    bench.sync(connector)
    connector.fetched.clear()
    report = bench.sync(connector)
    assert set(connector.fetched) == {"b"}
    assert [item.uri for item in report.failed] == ["a", "b"]
    connector.texts = {"a": "mended", "b": "ready"}
    assert counts(bench.sync(connector)) == (2, 0, 0, 0)


def test_what_was_readable_stays_when_an_edit_breaks_it(bench: Bench) -> None:
    connector = DictConnector({"a": "good"})
    bench.sync(connector)
    connector.texts["a"] = "BROKEN"
    assert len(bench.sync(connector).failed) == 1
    assert bench.texts() == {"a": "good"}
    connector.texts = {}
    assert bench.sync(connector).deleted == 1
    bench.check()


def test_an_item_that_is_now_skipped_is_no_longer_found(bench: Bench) -> None:
    connector = DictConnector({"a": "good"})
    bench.sync(connector)
    connector.texts, connector.skips = {}, {"a": "empty file"}
    bench.sync(connector)
    assert bench.texts() == {}
    bench.check()


def test_a_listing_that_breaks_off_deletes_nothing(bench: Bench) -> None:
    connector = DictConnector({"a": "one", "b": "two"})
    bench.sync(connector)
    connector.texts = {"a": "ONE", "c": "three"}
    connector.fails_after, connector.failure = 1, TransientSourceError("connection lost")
    report = bench.sync(connector)
    assert counts(report) == (0, 1, 0, 0)
    assert report.failed == (ItemReport(uri="dict:all", reason="connection lost"),)
    assert bench.texts() == {"a": "ONE", "b": "two"}
    job = bench.last_job("dict:all")
    assert (job.status, job.reason) == ("failed", "connection lost")


def test_a_document_of_two_sources_stays_until_both_drop_it(bench: Bench) -> None:
    one, two = DictConnector({"a": "one"}), DictConnector({"a": "one"})
    two.source_uri = "dict:second"
    bench.sync(one)
    assert counts(bench.sync(two)) == (0, 0, 1, 0)
    one.texts = {}
    report = bench.sync(one)
    assert report.deleted == 0
    assert [(item.uri, "another source" in item.reason) for item in report.warnings] == [
        ("a", True)
    ]
    two.texts = {}
    assert bench.sync(two).deleted == 1
    assert bench.texts() == {}


def test_tenants_and_access_lists_reach_the_indexes(bench: Bench) -> None:
    connector = DictConnector({"a": "shared words"})
    bench.sync(connector, tenant="t1", acl=frozenset({"user:ana"}))
    bench.sync(connector, tenant="t2")
    query = bench.embedder.embed_query("shared words")
    for scope, expected in (
        (Scope(tenant="t1", user="ana"), 1),
        (Scope(tenant="t1", user="bob"), 0),
        (Scope(tenant="t2"), 1),
        (Scope(), 0),
    ):
        assert len(bench.dense.search(query, k=5, scope=scope)) == expected
        assert len(bench.lexical.search("shared", k=5, scope=scope)) == expected


def test_a_new_access_list_reaches_chunks_that_stay(bench: Bench) -> None:
    connector = DictConnector({"a": "same words"})
    bench.sync(connector)
    report = bench.sync(connector, acl=frozenset({"user:ana"}))
    assert (counts(report), report.embedded) == ((0, 1, 0, 0), 0)
    assert bench.lexical.search("words", k=5, scope=Scope()) == []
    assert len(bench.lexical.search("words", k=5, scope=Scope(user="ana"))) == 1


def test_every_item_is_told_and_counted_once(bench: Bench) -> None:
    connector = DictConnector({f"d{number}": f"text {number}" for number in range(40)})
    connector.texts["d7"] = "BROKEN"
    connector.skips = {"s": "skipped"}
    steps: list[SyncProgress] = []
    bench.engine.sync(connector, options=SyncOptions(), on_progress=steps.append)
    told = [s.uri for s in steps if s.stage in ("committed", "failed", "skipped")]
    assert sorted(told) == sorted([*connector.texts, "s"])
    assert (steps[-1].stage, max(s.done for s in steps if s.uri)) == ("indexed", 41)


def test_a_removed_document_comes_back_with_the_next_sync(bench: Bench) -> None:
    connector = DictConnector({"a": "one", "b": "two"})
    bench.sync(connector)
    removed = document_id_of(tenant="default", uri="a")
    with bench.store.writing() as connection:
        drop_documents(connection, [removed])
    assert bench.texts() == {"b": "two"}
    assert counts(bench.sync(connector)) == (1, 0, 1, 0)
    assert bench.texts() == {"a": "one", "b": "two"}
    bench.check()


def test_an_access_list_stays_until_another_is_given(bench: Bench) -> None:
    folder, single = DictConnector({"a": "same words"}), DictConnector({"a": "same words"})
    single.source_uri = "dict:single"

    def visible() -> tuple[int, ...]:
        scopes = (Scope(user="bob"), Scope(user="ana"))
        return tuple(len(bench.lexical.search("words", k=5, scope=each)) for each in scopes)

    bench.sync(folder)
    assert visible() == (1, 1)
    bench.sync(single, acl=frozenset({"user:ana"}))
    assert visible() == (0, 1)
    folder.texts["a"] = single.texts["a"] = "edited words"
    bench.sync(folder)
    assert visible() == (0, 1)
    bench.sync(folder, acl=frozenset({"everyone"}))
    assert visible() == (1, 1)
    assert counts(bench.sync(single, acl=frozenset({"user:ana"}))) == (0, 1, 0, 0)
    assert visible() == (0, 1)


def test_a_file_that_is_gone_takes_its_own_source_with_it(bench: Bench) -> None:
    folder, single = DictConnector({"a": "one", "b": "two"}), DictConnector({"a": "one"})
    single.source_uri = "a"
    bench.sync(single)
    bench.sync(folder)
    del folder.texts["a"]
    assert bench.sync(folder).deleted == 1
    assert bench.texts() == {"b": "two"}


def test_whatever_a_connector_raises_is_one_items_failure(bench: Bench) -> None:
    connector = DictConnector({"a": "one", "b": ValueError("no such page"), "c": "three"})
    report = bench.sync(connector)
    assert counts(report) == (2, 0, 0, 0)
    reason = "the connector failed: ValueError: no such page"
    assert report.failed == (ItemReport(uri="b", reason=reason),)
    connector.fails_after, connector.failure = 1, KeyError("x")
    assert bench.sync(connector).failed[-1].uri == "dict:all"
    assert len(bench.texts()) == 2


def test_a_skipped_document_is_counted_once(bench: Bench) -> None:
    connector = DictConnector({"a": "one"})
    bench.sync(connector)
    connector.texts, connector.skips = {}, {"a": "the file is empty"}
    report = bench.sync(connector)
    assert (counts(report), len(report.skipped)) == ((0, 0, 0, 0), 1)


def test_a_name_that_cannot_be_stored_is_one_items_failure(bench: Bench) -> None:
    report = bench.sync(DictConnector({"a": "one", "b\ud800": "two", "c\0": "three"}))
    assert counts(report) == (1, 0, 0, 0)
    assert len(report.failed) == 2
    assert all("cannot be stored" in item.reason for item in report.failed)
    assert report.failed[0].uri == "b\\ud800"
