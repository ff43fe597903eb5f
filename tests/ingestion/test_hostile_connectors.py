"""Connectors and parsers that give what nobody should: one item's failure, never the run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import DictConnector, TextParser
from sync_bench import Bench, bench_at

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import PageSpan, ParsedDocument, RawDocument, SkippedItem, SourceItem


class Unspeakable(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Hostile(DictConnector):
    """Gives the item `bad` with other fields than it should have."""

    def __init__(self, **fields: Any) -> None:
        super().__init__({"a": "one", "bad": "two", "c": "three"})
        self.fields = fields
        self.fingerprint: Any = None
        self.error: Exception | None = None

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        for item in super().discover():
            if item.uri == "bad" and self.fingerprint is not None:
                yield SourceItem(uri="bad", fingerprint=self.fingerprint)
            else:
                yield item

    def fetch(self, item: SourceItem) -> RawDocument:
        if item.uri == "bad" and self.error is not None:
            raise self.error
        raw = super().fetch(item)
        return replace(raw, **self.fields) if item.uri == "bad" else raw


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as bench:
        yield bench


def check_only_the_bad_one_failed(bench: Bench, connector: DictConnector) -> str:
    report = bench.sync(connector)
    assert (report.added, [item.uri for item in report.failed]) == (2, ["bad"])
    assert bench.texts() == {"a": "one", "c": "three"}
    return report.failed[0].reason


@pytest.mark.parametrize(
    "fields",
    [
        {"content": None},
        {"content": 7},
        {"name": None},
        {"name": "\udcff.txt"},
        {"title": "a\0b"},
        {"metadata": None},
        {"metadata": {3: "x"}},
        {"metadata": {"x": 10**5000}},
        {"metadata": {"x": float("nan")}},
        {"acl": [3]},
        {"acl": 3},
        {"modified_at": "yesterday"},
        {"uri": "another"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_fields_of_a_wrong_kind(bench: Bench, fields: dict[str, Any]) -> None:
    assert check_only_the_bad_one_failed(bench, Hostile(**fields))


@pytest.mark.parametrize(
    "error",
    [
        PermanentSourceError("bad \udcff name"),
        TransientSourceError("nul \0", worth_waiting=False),
        ValueError("\ud800"),
        Unspeakable(),
        PermanentSourceError("long " * 10_000_000),
    ],
    ids=["surrogate", "nul", "foreign", "unspeakable", "long"],
)
def test_reasons_that_no_store_would_take(bench: Bench, error: Exception) -> None:
    connector = Hostile()
    connector.error = error
    reason = check_only_the_bad_one_failed(bench, connector)
    assert len(reason) < 3000
    assert reason.encode()
    assert "\0" not in reason


@pytest.mark.parametrize("fingerprint", ["\udcff", "a\0", 7])
def test_a_fingerprint_that_cannot_be_stored(bench: Bench, fingerprint: object) -> None:
    connector = Hostile()
    connector.fingerprint = fingerprint
    assert check_only_the_bad_one_failed(bench, connector)


@pytest.mark.parametrize(
    "fields",
    [
        {"language": "\udcff"},
        {"media_type": "a\0b"},
        {"title": "\ud800"},
        {"pages": (PageSpan(number=10**30, start=0, end=1),)},
        {"metadata": {"x": None}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_parsers_that_give_what_cannot_be_stored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    parse = TextParser.parse

    def parse_badly(self: TextParser, raw: RawDocument) -> ParsedDocument:
        parsed = parse(self, raw)
        return replace(parsed, **fields) if raw.uri == "bad" else parsed

    monkeypatch.setattr(TextParser, "parse", parse_badly)
    assert check_only_the_bad_one_failed(bench, Hostile())
