"""Which fields and values a scope sees, on both databases."""

from __future__ import annotations

import pytest

from ragmem.store import fields
from ragmem.store.document_uris import document_id_of
from ragmem.store.documents import put_document
from ragmem.store.fields import read_field_values
from ragmem.store.reader import StoreReader
from ragmem.store.store import Store
from ragmem.types import PUBLIC, Document, Metadata, Scope

ANYONE = Scope()
ANA = Scope(user="ana")


def put(
    store: Store, uri: str, metadata: Metadata, *, tenant: str = "default", acl: frozenset[str]
) -> None:
    document = Document(
        id=document_id_of(tenant=tenant, uri=uri),
        uri=uri,
        text="Text.",
        text_format="plain",
        title="",
        pages=(),
        language="en",
        media_type="text/plain",
        metadata=metadata,
        tenant=tenant,
        acl=acl,
    )
    with store.writing() as connection:
        put_document(connection, document, content_hash=uri)


@pytest.fixture
def reader(store: Store) -> StoreReader:
    put(store, "a", {"author": "Ben", "year": 2021, "tags": ("x", "y")}, acl=PUBLIC)
    put(store, "b", {"author": "Ana", "year": 1, "draft": True, "n": True}, acl=PUBLIC)
    put(store, "c", {"author": "Ben", "tags": ("y",), "n": 1}, acl=PUBLIC)
    put(store, "d", {"author": "Eve", "hidden": "h"}, acl=frozenset({"user:ana"}))
    put(store, "e", {"author": "Zoe", "hidden": "z"}, tenant="other", acl=PUBLIC)
    return StoreReader(store)


def test_values_come_by_field_the_frequent_ones_first(reader: StoreReader) -> None:
    found = reader.field_values(scope=ANYONE)
    assert found == {
        "author": ("Ben", "Ana"),
        "draft": (True,),
        "n": (1, True),
        "tags": ("y", "x"),
        "year": (1, 2021),
    }
    assert list(found) == sorted(found)
    assert [type(each) for each in found["n"]] == [int, bool]


def test_only_documents_that_the_scope_sees_count(reader: StoreReader) -> None:
    assert "hidden" not in reader.field_values(scope=ANYONE)
    assert "hidden" not in reader.field_values(scope=Scope(user="bob"))
    assert reader.field_values(scope=ANA)["hidden"] == ("h",)
    assert reader.field_values(scope=Scope(tenant="other")) == {
        "author": ("Zoe",),
        "hidden": ("z",),
    }
    assert reader.field_values(scope=Scope(tenant="none")) == {}


def test_documents_and_values_are_bounded(
    reader: StoreReader, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.reading() as connection:
        one = read_field_values(connection, scope=ANA, documents_read=1)
    assert len(one["author"]) == 1
    monkeypatch.setattr(fields, "VALUES_KEPT", 1)
    assert reader.field_values(scope=ANYONE)["author"] == ("Ben",)


def test_a_change_shows_at_once(reader: StoreReader, store: Store) -> None:
    put(store, "a", {"author": "Kim"}, acl=PUBLIC)
    assert set(reader.field_values(scope=ANYONE)["author"]) == {"Ana", "Ben", "Kim"}
