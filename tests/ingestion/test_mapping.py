"""What becomes of the metadata that sources and formats tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import DictConnector, TextParser
from sync_bench import Bench, bench_at

from ragmem.errors import UsageError
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.store.reader import StoreReader
from ragmem.types import Metadata, ParsedDocument, RawDocument, Scope, SourceItem

TOLD: Metadata = {"author": "Ana", "year": 2023, "tags": ("x", "y")}


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({}, TOLD),
        ({"keep": frozenset({"author", "other"})}, {"author": "Ana"}),
        ({"keep": frozenset()}, {}),
        ({"drop": frozenset({"author", "tags"})}, {"year": 2023}),
        ({"rename": {"author": "by"}, "drop": frozenset({"tags"})}, {"by": "Ana", "year": 2023}),
        ({"keep": frozenset({"author"}), "rename": {"author": "by"}}, {"by": "Ana"}),
        ({"add": {"year": 1, "team": "a"}}, {**TOLD, "year": 1, "team": "a"}),
        ({"keep": frozenset(), "add": {"team": "a"}}, {"team": "a"}),
    ],
)
def test_fields_are_kept_dropped_renamed_and_added(
    mapping: dict[str, Any], expected: dict[str, object]
) -> None:
    assert MetadataMapping(**mapping).apply(TOLD) == expected


def test_what_cannot_be_stored_cannot_be_added() -> None:
    given: Any = {"a": None}
    with pytest.raises(UsageError, match="'a' is None"):
        MetadataMapping(add=given)


def test_mappings_that_do_the_same_have_the_same_fingerprint() -> None:
    one = MetadataMapping(drop=frozenset({"a", "b"}), rename={"c": "d", "e": "f"}, add={"n": 1})
    two = MetadataMapping(drop=frozenset({"b", "a"}), rename={"e": "f", "c": "d"}, add={"n": 1})
    assert one.fingerprint == two.fingerprint
    others = [
        MetadataMapping(),
        MetadataMapping(keep=frozenset()),
        MetadataMapping(keep=frozenset({"a"})),
        MetadataMapping(drop=frozenset({"a"})),
        MetadataMapping(add={"n": 1}),
        MetadataMapping(add={"n": "1"}),
    ]
    told = [str(each.fingerprint) for each in others]
    assert len(set(told)) == len(told)


class Telling(DictConnector):
    """Tells metadata of each item."""

    def fetch(self, item: SourceItem) -> RawDocument:
        raw = super().fetch(item)
        metadata = {"author": "Ana", "of": item.uri}
        return RawDocument(uri=raw.uri, name=raw.name, content=raw.content, metadata=metadata)


class Dated(TextParser):
    """A format that tells metadata as well."""

    def parse(self, raw: RawDocument) -> ParsedDocument:
        text = str(bytes(raw.content), "utf-8")  # type: ignore[arg-type]
        metadata: Metadata = {"author": "the format", "pages": 3}
        return ParsedDocument(text=text, text_format="plain", metadata=metadata)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store", parser=Dated()) as opened:
        yield opened


def test_another_mapping_reaches_documents_copies_and_indexes(bench: Bench) -> None:
    connector = Telling({"a": "same", "b": "same", "c": "other"})

    def metadata(uri: str) -> object:
        return StoreReader(bench.store).document(uri, scope=Scope()).metadata

    bench.sync(connector)
    assert metadata("a") == {"author": "Ana", "of": ("a", "b"), "pages": 3}
    bench.check()
    mapping = MetadataMapping(rename={"author": "by"}, drop=frozenset({"of"}), add={"n": 1})
    report = bench.sync(connector, mapping=mapping)
    assert (report.updated, report.embedded) == (3, 0)
    assert metadata("a") == metadata("b") == metadata("c") == {"by": "Ana", "pages": 3, "n": 1}
    bench.check()
    assert bench.sync(connector, mapping=mapping).unchanged == 3
    assert bench.sync(connector).updated == 3
    assert metadata("b") == {"author": "Ana", "of": ("a", "b"), "pages": 3}
    bench.check()
