"""Documents, chunks, embeddings, sources, jobs and index_ops as rows, on both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from ragmem.errors import UnknownDocument, UsageError
from ragmem.store.audit import record_action
from ragmem.store.chunks import (
    all_chunk_ids,
    chunk_ids_of,
    read_chunks,
    read_index_entries,
    replace_chunks,
    text_hash_of,
)
from ragmem.store.document_uris import document_id_of, written_as
from ragmem.store.documents import (
    delete_documents,
    list_documents,
    put_document,
    read_document,
)
from ragmem.store.embeddings import (
    cached_hashes,
    delete_other_models,
    delete_unused_embeddings,
    put_embeddings,
    read_embeddings,
)
from ragmem.store.index_ops import (
    append_op,
    append_rebuild,
    count_pending,
    delete_done,
    mark_done,
    pending_ops,
    rebuild_pending,
)
from ragmem.store.jobs import finish_job, last_job, start_job
from ragmem.store.reader import StoreReader
from ragmem.store.schema import audit, jobs
from ragmem.store.sources import (
    ItemState,
    delete_items,
    delete_source,
    failed_items,
    list_sources,
    put_items,
    read_items,
    source_of,
    still_listed,
)
from ragmem.store.stamp import Stamp, write_stamp
from ragmem.store.store import Store
from ragmem.types import Chunk, Document, PageSpan, Scope

TEXT = "Erste Zeile — 𝒳.\nSecond line, with \U0001f40d and ü.\nThird."


def a_document(
    uri: str = "file:///a%20b/report-2023.pdf",
    *,
    tenant: str = "default",
    acl: frozenset[str] = frozenset(),
) -> Document:
    return Document(
        id=document_id_of(tenant=tenant, uri=uri),
        uri=uri,
        text=TEXT,
        text_format="plain",
        title="Title",
        pages=(PageSpan(number=1, start=0, end=17), PageSpan(number=2, start=17, end=len(TEXT))),
        language="de",
        media_type="text/plain",
        metadata={"year": 2023, "draft": False, "tags": ("x", "y"), "score": 0.5},
        tenant=tenant,
        acl=acl,
    )


def a_chunk(start: int, end: int, *, text: str = TEXT) -> Chunk:
    return Chunk(start=start, end=end, text=text[start:end], heading_path=("A", "B"), page=1)


def test_document_comes_back_as_it_was(store: Store) -> None:
    document = a_document()
    with store.writing() as connection:
        assert put_document(connection, document, content_hash="h1")
        assert not put_document(connection, document, content_hash="h2")
    with store.reading() as connection:
        assert read_document(connection, document.uri, scope=Scope()) == document
        assert written_as(connection, [document.id])[document.id].content_hash == "h2"
        assert written_as(connection, ["nothing"]) == {}


@pytest.mark.parametrize(
    ("scope", "visible"),
    [
        (Scope(), False),
        (Scope(user="ana"), True),
        (Scope(user="bob"), False),
        (Scope(groups=frozenset({"staff"})), True),
        (Scope(tenant="other", user="ana"), False),
    ],
)
def test_only_the_scope_sees_a_restricted_document(
    store: Store, scope: Scope, visible: bool
) -> None:
    document = a_document(acl=frozenset({"user:ana", "group:staff"}))
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
        change = replace_chunks(connection, document.id, [a_chunk(0, 17)])
    with store.reading() as connection:
        assert (read_document(connection, document.uri, scope=scope) is not None) is visible
        assert bool(list(list_documents(connection, scope=scope))) is visible
        assert bool(read_chunks(connection, change.added, scope=scope)) is visible


def test_the_same_uri_in_two_tenants_is_two_documents(store: Store) -> None:
    ours, theirs = a_document(), replace(a_document(tenant="other"), text="theirs", pages=())
    with store.writing() as connection:
        put_document(connection, ours, content_hash="h")
        put_document(connection, theirs, content_hash="h")
    with store.reading() as connection:
        assert read_document(connection, ours.uri, scope=Scope()) == ours
        assert read_document(connection, ours.uri, scope=Scope(tenant="other")) == theirs


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def write_and_fail() -> None:
        with store.writing() as connection:
            put_document(connection, a_document(), content_hash="h")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_and_fail()
    with store.reading() as connection:
        assert list(list_documents(connection, scope=Scope())) == []


def test_replacing_chunks_tells_what_changed(store: Store) -> None:
    document = a_document()
    first, second, third = a_chunk(0, 16), a_chunk(17, 45), a_chunk(45, len(TEXT))
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
        one = replace_chunks(connection, document.id, [first, second])
        moved = replace(second, start=3, end=3 + len(second.text))
        two = replace_chunks(connection, document.id, [moved, third])
        found = read_chunks(connection, two.kept, scope=Scope())
    assert (len(one.added), one.kept, one.removed) == (2, (), ())
    assert (len(two.added), two.kept, two.removed) == (1, (one.added[1],), (one.added[0],))
    assert found[two.kept[0]].chunk == moved
    assert found[two.kept[0]].metadata == document.metadata


def test_equal_chunks_of_a_document_have_ids_of_their_own() -> None:
    chunk = a_chunk(0, 5)
    ids = chunk_ids_of("d", [chunk, replace(chunk, start=9, end=14), chunk])
    assert len(set(ids)) == 3
    assert chunk_ids_of("e", [chunk]) != ids[:1]


def test_index_entries_carry_title_and_file_name_words(store: Store) -> None:
    document = a_document()
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
        change = replace_chunks(connection, document.id, [replace(a_chunk(0, 5), context="C")])
    with store.reading() as connection:
        [(entry, text_hash)] = read_index_entries(connection, [*change.added, "gone"])
    assert entry.title == "Title report 2023"
    assert entry.text == "C\nErste"
    assert text_hash == text_hash_of("C\nErste")
    assert entry.metadata == document.metadata


def test_deleting_a_document_deletes_its_chunks_and_unused_vectors(store: Store) -> None:
    document, other = a_document(), a_document("file:///other.txt")
    chunks = [a_chunk(0, 5), a_chunk(6, 11)]
    hashes = [text_hash_of(chunk.embedded_text) for chunk in chunks]
    with store.writing() as connection:
        for each, own in ((document, chunks), (other, chunks[:1])):
            put_document(connection, each, content_hash="h")
            replace_chunks(connection, each.id, own)
        put_embeddings(
            connection, model_id="m", text_hashes=hashes, vectors=np.eye(2, dtype=np.float32)
        )
        delete_documents(connection, [document.id])
        assert delete_unused_embeddings(connection) == 1
    with store.reading() as connection:
        assert all_chunk_ids(connection) == set(chunk_ids_of(other.id, chunks[:1]))
        assert cached_hashes(connection, model_id="m", text_hashes=hashes) == {hashes[0]}


def test_vectors_come_back_bit_for_bit(store: Store) -> None:
    vectors = np.random.default_rng(0).normal(size=(1200, 8)).astype(np.float32)
    hashes = [text_hash_of(str(number)) for number in range(1200)]
    with store.writing() as connection:
        put_embeddings(connection, model_id="m", text_hashes=hashes, vectors=vectors)
        put_embeddings(connection, model_id="m", text_hashes=hashes, vectors=vectors + 1)
        put_embeddings(connection, model_id="n", text_hashes=hashes[:1], vectors=vectors[:1])
    with store.reading() as connection:
        found = read_embeddings(connection, model_id="m", text_hashes=[*hashes, "missing"])
    assert len(found) == 1200
    assert all(np.array_equal(found[key], row) for key, row in zip(hashes, vectors, strict=True))
    with store.writing() as connection:
        assert delete_other_models(connection, model_id="m") == 1


def test_items_of_a_source(store: Store) -> None:
    document = a_document()
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
        source = source_of(connection, tenant="default", uri="file:///docs")
        assert source_of(connection, tenant="default", uri="file:///docs") == source
        good = ItemState(uri=document.uri, fingerprint="1", status="ok", document_id=document.id)
        bad = ItemState(uri="v", fingerprint="1", status="failed", reason="broken")
        put_items(connection, source, [good, bad])
        put_items(connection, source, [replace(bad, fingerprint="2")])
        assert read_items(connection, source.id) == {
            document.uri: good,
            "v": replace(bad, fingerprint="2"),
        }
        uris = [document.uri, "v", "x"]
        assert still_listed(connection, tenant="default", uris=uris) == {document.uri}
        assert still_listed(connection, tenant="other", uris=uris) == set()
        delete_items(connection, source.id, [document.uri])
        assert still_listed(connection, tenant="default", uris=uris) == set()
        delete_source(connection, source.id)
        assert list_sources(connection, tenant="default") == []


def test_jobs_remember_how_they_ended(store: Store) -> None:
    with store.writing() as connection:
        source = source_of(connection, tenant="default", uri="file:///docs")
        assert last_job(connection, source.id) is None
        killed = start_job(connection, source.id)
        job = start_job(connection, source.id)
        finish_job(connection, job, status="done", counts={"added": 3})
        last = last_job(connection, source.id)
    assert killed != job
    assert last is not None
    assert (last.id, last.status, last.counts) == (job, "done", {"added": 3})


def test_only_the_newest_jobs_of_a_source_are_kept(store: Store) -> None:
    with store.writing() as connection:
        other = source_of(connection, tenant="default", uri="file:///other")
        kept = start_job(connection, other.id)
        source = source_of(connection, tenant="default", uri="file:///docs")
        started = [start_job(connection, source.id) for _ in range(25)]
        left = list(connection.execute(select(jobs.c.id).order_by(jobs.c.id)).scalars())
    assert left == [kept, *started[-20:]]


def test_index_ops_are_applied_once_and_in_order(store: Store) -> None:
    with store.writing() as connection:
        append_op(connection, document_id="d", added=["a"], removed=[])
        append_op(connection, document_id="d", added=[], removed=["a"])
        append_op(connection, document_id="d", added=[], removed=[])
    with store.writing() as connection:
        ops = pending_ops(connection, limit=10)
        assert [(op.added, op.removed) for op in ops] == [(("a",), ()), ((), ("a",))]
        assert rebuild_pending(connection) is None
        mark_done(connection, up_to=ops[0].id)
        assert [op.id for op in pending_ops(connection, limit=10)] == [ops[1].id]
        append_rebuild(connection)
        newest = rebuild_pending(connection)
        assert newest is not None
        mark_done(connection, up_to=newest)
        assert count_pending(connection) == 0
        delete_done(connection)


def test_audit_rows_hold_what_was_done(store: Store) -> None:
    with store.writing() as connection:
        record_action(
            connection, tenant="t", actor="user:ana", action="remove", details={"documents": 2}
        )
        row = connection.execute(audit.select()).mappings().one()
    assert (row["action"], row["actor"], row["details"]) == ("remove", "user:ana", {"documents": 2})


def test_a_path_through_a_link_names_the_document_behind_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    path = tmp_path / "link" / "a.txt"
    with store.writing() as connection:
        put_document(connection, a_document(uri=path.as_uri()), content_hash="h")
    found = StoreReader(store).document(path.parent / ".." / "link" / "a.txt", scope=Scope())
    assert found.uri == path.as_uri()


def test_items_that_failed_are_listed_by_uri(store: Store) -> None:
    with store.writing() as connection:
        source = source_of(connection, tenant="default", uri="dict:all")
        states = [
            ItemState(uri="c", fingerprint="1", status="retry", reason="busy"),
            ItemState(uri="a", fingerprint="1", status="failed", reason="broken"),
            ItemState(uri="b", fingerprint="1", status="ok"),
        ]
        put_items(connection, source, states)
        assert [item.uri for item in failed_items(connection, source.id)] == ["a", "c"]


def test_uris_may_be_longer_than_an_index_entry(store: Store) -> None:
    # Random characters: PostgreSQL compresses what repeats, and would not complain.
    uri = "".join(chr(code) for code in np.random.default_rng(0).integers(0x4E00, 0x9FA0, 4000))
    document = a_document(uri)
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
        source = source_of(connection, tenant="default", uri=uri)
        assert source_of(connection, tenant="default", uri=uri) == source
        state = ItemState(uri=uri, fingerprint=uri, status="ok", document_id=document.id)
        put_items(connection, source, [state])
        put_items(connection, source, [state])
        assert read_items(connection, source.id) == {uri: state}
        assert [each.uri for each in list_sources(connection, tenant="default")] == [uri]
        delete_items(connection, source.id, [uri])
        assert read_items(connection, source.id) == {}
    assert StoreReader(store).document(uri, scope=Scope()) == document


def test_keys_that_are_too_long_are_refused(store: Store) -> None:
    long = "x" * 256
    vector = np.ones((1, 8), dtype=np.float32)
    with store.writing() as connection:
        with pytest.raises(
            UsageError, match=r"the tenant x+\.\.\. has 256 characters; at most 255"
        ):
            source_of(connection, tenant=long, uri="u")
        with pytest.raises(UsageError, match="the tenant"):
            put_document(connection, a_document(tenant=long), content_hash="h")
        with pytest.raises(UsageError, match="the model id"):
            put_embeddings(connection, model_id=long, text_hashes=["h"], vectors=vector)
        with pytest.raises(UsageError, match="the model id"):
            write_stamp(connection, Stamp(embedding_model=long, dimensions=8))
        source_of(connection, tenant=long[1:], uri="u")
        put_document(connection, a_document(tenant=long[1:]), content_hash="h")
        put_embeddings(connection, model_id=long[1:], text_hashes=["h"], vectors=vector)


def test_spans_and_pages_are_those_of_the_text(store: Store) -> None:
    document = a_document(acl=frozenset({"user:ana"}))
    with store.writing() as connection:
        put_document(connection, document, content_hash="h")
    reader, ana = StoreReader(store), Scope(user="ana")
    ends = range(len(TEXT) + 3)
    assert all(
        reader.read_span(document.uri, start, end, scope=ana) == TEXT[start:end]
        for start, end in [*((14, end) for end in ends), *((start, 20) for start in ends)]
    )
    pages = [reader.page_at(document.uri, offset, scope=ana) for offset in (0, 16, 17, 99)]
    assert pages == [1, 1, 2, 2]
    with pytest.raises(UnknownDocument, match="ragmem status"):
        reader.read_span(document.uri, 0, 1, scope=Scope())
    with pytest.raises(UnknownDocument, match="ragmem status"):
        reader.page_at(document.uri, 0, scope=Scope())
    with pytest.raises(UnknownDocument, match="~nobody/x"):
        reader.document("~nobody-of-this-name/~nobody/x", scope=ana)
