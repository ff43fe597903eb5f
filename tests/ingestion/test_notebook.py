"""The notes that connectors keep between runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragmem.errors import UsageError
from ragmem.ingestion.notebook import Notebook
from ragmem.store.notes import read_notes
from ragmem.store.sources import delete_source, source_of
from ragmem.store.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def a_source(store: Store, uri: str = "dict:all") -> int:
    with store.writing() as connection:
        return source_of(connection, tenant="default", uri=uri).id


def test_notes_are_there_at_once_and_last_when_saved(store: Store) -> None:
    source = a_source(store)
    notebook = Notebook(store, source)
    assert notebook.read("etag") is None
    notebook.write("etag", "one")
    notebook.write("long " * 1000, "ä\n" * 100_000)
    assert notebook.read("etag") == "one"
    assert Notebook(store, source).read("etag") is None
    notebook.save()
    again = Notebook(store, source)
    assert (again.read("etag"), again.read("long " * 1000)) == ("one", "ä\n" * 100_000)
    again.write("etag", "two")
    again.save()
    again.save()
    assert Notebook(store, source).read("etag") == "two"


def test_sources_have_notes_of_their_own(store: Store) -> None:
    one, two = a_source(store), a_source(store, "dict:other")
    notebook = Notebook(store, one)
    notebook.write("key", "value")
    notebook.save()
    assert Notebook(store, two).read("key") is None
    with store.writing() as connection:
        delete_source(connection, one)
        assert read_notes(connection, one) == {}


def test_what_was_neither_read_nor_written_is_forgotten(store: Store) -> None:
    source = a_source(store)
    notebook = Notebook(store, source)
    for number in range(1200):
        notebook.write(f"key {number}", "value")
    notebook.save()
    again = Notebook(store, source)
    assert again.read("key 7") == "value"
    again.write("key 8", "value")
    again.write("new", "value")
    again.save()
    again.forget_unused()
    with store.reading() as connection:
        assert read_notes(connection, source) == dict.fromkeys(["key 7", "key 8", "new"], "value")


@pytest.mark.parametrize(("key", "value"), [("a\0", "x"), ("x", "a\0"), ("\ud800", "x")])
def test_what_cannot_be_stored_is_refused_where_it_is_written(
    store: Store, key: str, value: str
) -> None:
    with pytest.raises(UsageError, match="cannot be stored"):
        Notebook(store, a_source(store)).write(key, value)
