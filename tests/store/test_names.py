"""Which chunks hold which names, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text

from ragmem.filters import equals
from ragmem.store.chunks import chunk_ids_of, replace_chunks
from ragmem.store.document_uris import document_id_of
from ragmem.store.documents import delete_documents, put_document
from ragmem.store.engine import open_engine, sqlite_url
from ragmem.store.names import (
    MOST_LINKED,
    MOST_MENTIONS,
    MOST_TITLED,
    NamedChunk,
    put_names,
    read_holders,
    titles_among,
)
from ragmem.store.schema import chunk_names
from ragmem.store.store import Store, open_store
from ragmem.store.upgrade import upgrade
from ragmem.types import PUBLIC, Chunk, Document, Scope


def put(
    store: Store,
    uri: str,
    *,
    titled: str = "",
    mentioned: str = "",
    chunks: int = 1,
    tenant: str = "default",
    acl: frozenset[str] = PUBLIC,
    year: int = 0,
) -> list[str]:
    """Store a document of so many chunks, each with these names; their ids."""
    document = Document(
        id=document_id_of(tenant=tenant, uri=uri),
        uri=uri,
        text="x" * chunks,
        text_format="plain",
        title=uri,
        pages=(),
        language="en",
        media_type="text/plain",
        metadata={"year": year},
        tenant=tenant,
        acl=acl,
    )
    cut = [Chunk(start=n, end=n + 1, text="x") for n in range(chunks)]
    ids = chunk_ids_of(document.id, cut)
    names = [
        NamedChunk(
            chunk_id=each,
            titled=[titled] if titled else [],
            mentioned=[mentioned] if mentioned else [],
        )
        for each in ids
    ]
    with store.writing() as connection:
        put_document(connection, document, content_hash=uri, content_key=uri + tenant)
        replace_chunks(connection, document.id, cut)
        put_names(connection, names, tenant=tenant)
    return ids


def test_titles_are_told_from_other_names(store: Store) -> None:
    put(store, "a", titled="tarvo", mentioned="iron lake")
    put(store, "b", titled="copper hill", tenant="other")
    wanted = {"tarvo", "iron lake", "copper hill", *(f"name {n}" for n in range(6000))}
    with store.reading() as connection:
        assert titles_among(connection, wanted, scope=Scope()) == {"tarvo"}
        assert titles_among(connection, wanted, scope=Scope(tenant="other")) == {"copper hill"}
        assert titles_among(connection, set(), scope=Scope(tenant="other")) == set()


def test_holders_are_what_scope_and_filter_admit(store: Store) -> None:
    [titled] = put(store, "a", titled="tarvo")
    [mine] = put(store, "b", mentioned="tarvo", acl=frozenset({"user:ana"}), year=1)
    [open_to_all] = put(store, "c", mentioned="tarvo", year=2)
    put(store, "d", mentioned="tarvo", tenant="other")
    names = ["tarvo", "unknown", *(f"name {n}" for n in range(450))]
    with store.reading() as connection:
        everyone = read_holders(connection, names, scope=Scope(), where=None)
        ana = read_holders(connection, names, scope=Scope(user="ana"), where=equals(year=1))
    assert everyone.keys() == ana.keys() == {"tarvo"}
    document_id = document_id_of(tenant="default", uri="a")
    assert everyone["tarvo"].titled == {titled: document_id}
    assert everyone["tarvo"].mentioning.keys() == {open_to_all}
    assert (everyone["tarvo"].mentions, ana["tarvo"].mentions) == (1, 2)
    assert (ana["tarvo"].titled, ana["tarvo"].mentioning.keys()) == ({}, {mine})


@pytest.mark.parametrize("principal", ["user:ana", 'user:a"na', "user:a\\na", "user:%", "user:ä"])
def test_what_is_out_of_sight_counts_nowhere(store: Store, principal: str) -> None:
    alone = put(store, "z", titled="tarvo", mentioned="sea")
    hidden = frozenset({principal, "group:staff"})
    put(store, "a", titled="tarvo", chunks=MOST_TITLED + 3, acl=hidden)
    put(store, "b", mentioned="sea", chunks=MOST_LINKED + 3, acl=hidden)
    put(store, "c", titled="hill", acl=hidden)
    user = principal.removeprefix("user:")
    for scope in (Scope(), Scope(user=user + "x"), Scope(user=user.upper() + "b")):
        with store.reading() as connection:
            found = read_holders(connection, ["tarvo", "sea"], scope=scope, where=None)
            assert titles_among(connection, ["hill"], scope=scope) == set()
        assert list(found["tarvo"].titled) == list(found["sea"].mentioning) == alone
        assert found["sea"].mentions == 1
    with store.reading() as connection:
        seen = Scope(user=user)
        assert titles_among(connection, ["hill"], scope=seen) == {"hill"}
        assert "sea" not in read_holders(connection, ["sea"], scope=seen, where=None)


def test_frequent_names_are_read_only_so_far(store: Store) -> None:
    put(store, "a", titled="tarvo", mentioned="sea", chunks=MOST_TITLED + 3)
    put(store, "b", mentioned="tarvo", chunks=MOST_MENTIONS + 3)
    put(store, "c", mentioned="hill", chunks=MOST_LINKED)
    with store.reading() as connection:
        names = ["tarvo", "sea", "hill"]
        found = read_holders(connection, names, scope=Scope(), where=None)
    assert len(found["tarvo"].titled) == MOST_TITLED
    assert found["tarvo"].mentioning == {}
    assert found["tarvo"].mentions == MOST_MENTIONS
    assert "sea" not in found
    assert len(found["hill"].mentioning) == found["hill"].mentions == MOST_LINKED


def test_names_go_with_their_chunks(store: Store) -> None:
    put(store, "a", titled="tarvo", mentioned="iron lake", chunks=2)
    put(store, "a", titled="tarvo", chunks=1)
    with store.reading() as connection:
        assert len(connection.execute(select(chunk_names)).all()) == 1
    with store.writing() as connection:
        delete_documents(connection, [document_id_of(tenant="default", uri="a")])
        assert connection.execute(select(chunk_names)).all() == []


def test_a_store_from_before_names_opens_without_any(
    tmp_path: Path, database_url: str | None
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    engine = open_engine(database_url or sqlite_url(folder / "ragmem.db"))
    upgrade(engine, to="0002")
    with engine.begin() as connection:
        connection.execute(text("insert into settings_stamp values ('kept', 'yes')"))
    engine.dispose()
    opened = open_store(folder, url=database_url)
    with opened.reading() as connection:
        assert connection.execute(select(chunk_names)).all() == []
        assert connection.execute(text("select value from settings_stamp")).scalar() == "yes"
        assert read_holders(connection, ["tarvo"], scope=Scope(), where=None) == {}
    opened.close()
