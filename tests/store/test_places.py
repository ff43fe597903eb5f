"""Documents at several URIs, their signatures, and the items that stand for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragmem.errors import UsageError
from ragmem.store.document_uris import (
    Place,
    delete_places,
    document_id_of,
    documents_at_places,
    other_place,
    other_uris,
    places_of,
    put_place,
    written_as,
)
from ragmem.store.documents import (
    delete_documents,
    list_documents,
    move_document,
    put_document,
    put_metadata,
    read_document,
    same_content,
)
from ragmem.store.signatures import put_signature, read_signatures
from ragmem.store.sources import ItemState, part_items, put_items, read_items, source_of
from ragmem.store.store import Store
from ragmem.types import Document, Metadata, Scope

# In the order of code points, which no language's rules give.
URIS = ["A", "B b", "a", "b", "Ä", "ä", "\U0001f40d"]


def id_of(uri: str, *, tenant: str = "default") -> str:
    return document_id_of(tenant=tenant, uri=uri)


def a_document(uri: str, *, tenant: str = "default") -> Document:
    return Document(
        id=id_of(uri, tenant=tenant),
        uri=uri,
        text="text",
        text_format="plain",
        title="",
        pages=(),
        language="",
        media_type="text/plain",
        metadata={"tags": ("x", "y"), "n": 1},
        tenant=tenant,
        acl=frozenset({"user:ana"}),
    )


def a_place(uri: str, *, of: str) -> Place:
    metadata: Metadata = {"of": uri, "tags": ("x",)}
    return Place(
        id=id_of(uri), document_id=id_of(of), uri=uri, metadata=metadata, content_hash=f"h {uri}"
    )


@pytest.fixture
def family(store: Store) -> Store:
    """A store with a document at many places and one at its own."""
    with store.writing() as connection:
        put_document(connection, a_document("A"), content_hash="h A", content_key="key")
        put_document(connection, a_document("other"), content_hash="h")
        for uri in reversed(URIS[1:]):
            put_place(connection, a_place(uri, of="A"))
    return store


def test_places_are_in_the_order_of_code_points(family: Store) -> None:
    ana = Scope(user="ana")
    with family.reading() as connection:
        places = places_of(connection, [id_of("A"), "nothing"])
        assert [place.uri for place in places[id_of("A")]] == URIS
        assert places[id_of("A")][2] == a_place("a", of="A")
        assert other_uris(connection, None) == {id_of("A"): tuple(URIS[1:])}
        assert other_uris(connection, [id_of("other"), "nothing"]) == {}
        for uri in URIS:
            document = read_document(connection, uri, scope=ana)
            assert document is not None
            assert (document.uri, document.other_uris) == ("A", tuple(URIS[1:]))
        listed = {info.uri: info.other_uris for info in list_documents(connection, scope=ana)}
        assert listed == {"A": tuple(URIS[1:]), "other": ()}


def test_what_is_at_a_place(family: Store) -> None:
    ids = [id_of("b"), id_of("other"), id_of("nothing")]
    with family.reading() as connection:
        assert documents_at_places(connection, ids) == {
            id_of("b"): id_of("A"),
            id_of("other"): id_of("other"),
        }
        written = written_as(connection, ids)
        assert {key: each.content_hash for key, each in written.items()} == {
            id_of("b"): "h b",
            id_of("other"): "h",
        }
        assert written[id_of("b")].acl == frozenset({"user:ana"})
        other = other_place(connection, id_of("A"), than=id_of("b"))
        assert other is not None
        assert other.uri in set(URIS) - {"b"}
        assert other_place(connection, id_of("other"), than=id_of("other")) is None
        assert other_place(connection, "nothing", than="x") is None


def test_places_are_deleted_by_themselves_and_with_their_document(family: Store) -> None:
    with family.writing() as connection:
        gone = delete_places(connection, [id_of("b"), id_of("other"), id_of("nothing")])
        assert sorted(place.uri for place in gone) == ["b", "other"]
        assert delete_places(connection, [id_of("b")]) == []
        assert len(places_of(connection, [id_of("A")])[id_of("A")]) == len(URIS) - 1
        delete_documents(connection, [id_of("A")])
        assert places_of(connection, [id_of("A")]) == {}


def test_a_document_moves_with_all_that_belongs_to_it(family: Store) -> None:
    with family.writing() as connection:
        source = source_of(connection, tenant="default", uri="s")
        put_items(connection, source, [ItemState(uri=u, fingerprint="", status="ok") for u in URIS])
        put_signature(connection, id_of("A"), b"\0" * 512)
        delete_places(connection, [id_of("A")])
        move_document(connection, id_of("A"), to=a_place("b", of="A"))
        assert read_signatures(connection, [id_of("A"), id_of("b")]) == {id_of("b"): b"\0" * 512}
        items = read_items(connection, source.id)
        assert {item.document_id for item in items.values()} == {id_of("b")}
        assert same_content(connection, tenant="default", content_key="key") == id_of("b")
        found = read_document(connection, "a", scope=Scope(user="ana"))
    expected = replace(a_document("b"), other_uris=tuple(u for u in URIS if u not in ("A", "b")))
    assert found == expected


def test_metadata_are_replaced_where_they_differ(family: Store) -> None:
    with family.writing() as connection:
        assert not put_metadata(connection, id_of("A"), {"n": 1, "tags": ("x", "y")})
        assert put_metadata(connection, id_of("A"), {"n": 1, "tags": ("y", "x")})
        found = read_document(connection, "A", scope=Scope(user="ana"))
    assert found is not None
    assert found.metadata == {"n": 1, "tags": ("y", "x")}


def test_the_same_content_is_known_within_a_tenant(family: Store) -> None:
    with family.writing() as connection:
        put_document(
            connection, a_document("A", tenant="t"), content_hash="h", content_key="theirs"
        )
        assert same_content(connection, tenant="default", content_key="key") == id_of("A")
        assert same_content(connection, tenant="t", content_key="key") is None
        assert same_content(connection, tenant="default", content_key="theirs") is None
        # The documents of an upgraded store have no key yet.
        assert same_content(connection, tenant="default", content_key="") is None


def test_items_of_every_source_follow_the_document(family: Store) -> None:
    item = ItemState(uri="b", fingerprint="1", status="ok")
    with family.writing() as connection:
        one = source_of(connection, tenant="default", uri="one")
        two = source_of(connection, tenant="default", uri="two")
        theirs = source_of(connection, tenant="t", uri="one")
        for source in (one, two, theirs):
            put_items(connection, source, [item, replace(item, uri="a")])

        def documents() -> list[str | None]:
            return [read_items(connection, s.id)["b"].document_id for s in (one, two, theirs)]

        assert documents() == [id_of("A"), id_of("A"), None]
        part_items(connection, [a_place("b", of="A")])
        assert documents() == [None, None, None]
        assert read_items(connection, one.id)["a"].document_id == id_of("A")
        delete_places(connection, [id_of("b")])
        put_document(connection, a_document("b"), content_hash="h")
        put_items(connection, one, [item])
        assert documents() == [id_of("b"), id_of("b"), None]
        put_items(connection, one, [])
        part_items(connection, [])


def test_signatures_come_back_and_may_be_none(store: Store) -> None:
    with store.writing() as connection:
        put_document(connection, a_document("A"), content_hash="h")
        put_signature(connection, id_of("A"), bytes(range(256)) * 2)
        assert read_signatures(connection, [id_of("A")]) == {id_of("A"): bytes(range(256)) * 2}
        put_signature(connection, id_of("A"), b"\1" * 512)
        assert read_signatures(connection, [id_of("A"), "x"]) == {id_of("A"): b"\1" * 512}
        put_signature(connection, id_of("A"), b"")
        assert read_signatures(connection, [id_of("A")]) == {}


def test_a_tenant_that_is_too_long_is_refused(store: Store) -> None:
    with store.writing() as connection, pytest.raises(UsageError, match="the tenant"):
        source_of(connection, tenant="x" * 256, uri="u")
