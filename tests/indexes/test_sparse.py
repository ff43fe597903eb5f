"""The sparse index against brute force, and on disk; the contract suite tests the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import WordEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragmem.errors import StoreCorrupt, StoreMismatch
from ragmem.indexes import postings
from ragmem.indexes.postings import Postings
from ragmem.indexes.sparse import SparseIndex
from ragmem.types import PUBLIC, IndexEntry, Scope, TermWeights


def entry(chunk_id: str, text: str) -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id="d",
        tenant="default",
        acl=PUBLIC,
        title="",
        text=text,
        language="en",
        metadata={},
    )


def found(index: SparseIndex, text: str, *, k: int = 10) -> list[tuple[str, float]]:
    return [(each.chunk_id, each.score) for each in index.search(text, k=k, scope=Scope())]


vectors = st.dictionaries(
    st.sampled_from([0, 1, 2, 7, 30_521]), st.floats(0.0625, 5, width=32), max_size=5
).map(
    lambda held: TermWeights(
        terms=np.array(sorted(held), dtype=np.uint32),
        weights=np.array([held[term] for term in sorted(held)], dtype=np.float32),
    )
)
changes = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abcdef"), vectors),
        st.tuples(st.sampled_from("abcdef"), st.none()),
    ),
    max_size=12,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=changes, query=vectors)
def test_scores_are_the_inner_products_of_what_is_there(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    changes: list[tuple[str, TermWeights | None]],
    query: TermWeights,
) -> None:
    monkeypatch.setattr(postings, "_BLOCK_CHUNKS", 3)  # several blocks a term
    held = Postings(tmp_path_factory.mktemp("p") / "postings.sqlite3", model_id="m")
    expected: dict[str, TermWeights] = {}
    for chunk_id, vector in changes:
        if vector is None:
            expected.pop(chunk_id, None)
            held.remove([chunk_id])
        else:
            expected[chunk_id] = vector
            held.put({chunk_id: vector})
    asked = dict(zip(query.terms.tolist(), query.weights.tolist(), strict=True))
    due = {
        chunk_id: pytest.approx(total, rel=1e-5)
        for chunk_id, each in expected.items()
        if (
            total := sum(
                weight * asked.get(term, 0)
                for term, weight in zip(each.terms.tolist(), each.weights.tolist(), strict=True)
            )
        )
    }

    numbers, scores = held.scores(query)
    named = held.chunk_ids(numbers.tolist())
    by_search = {
        named[number]: score
        for number, score in zip(numbers.tolist(), scores.tolist(), strict=True)
    }

    assert by_search == due
    assert held.scores_of(query, [*"abcdef", "unknown"]) == by_search
    assert held.ids() == set(expected)
    held.close()


def test_reopening_finds_what_was_committed(tmp_path: Path) -> None:
    index = SparseIndex(tmp_path / "sparse", WordEncoder())
    index.upsert([entry(f"c{number}", f"red word{number}") for number in range(30)])
    index.delete_chunks(["c3"])
    index.commit()
    index.close()

    index = SparseIndex(tmp_path / "sparse", WordEncoder())

    assert found(index, "word4") == [("c4", 1.0)]
    assert found(index, "word3") == []
    assert len(index.chunk_ids()) == 29
    index.close()


def test_the_best_are_found_however_many_share_a_word(tmp_path: Path) -> None:
    index = SparseIndex(tmp_path / "sparse", WordEncoder())
    index.upsert([entry(f"c{number:04}", "red") for number in range(2000)])
    index.upsert([entry("best", "red red red")])
    index.commit()

    assert found(index, "red", k=3) == [("best", 3.0), ("c0000", 1.0), ("c0001", 1.0)]
    assert index.scores("red", ["c1999", "best", "unknown"]) == {"c1999": 1.0, "best": 3.0}
    assert index.scores(" ", ["best"]) == index.scores("red", []) == {}
    index.close()


def test_what_is_deleted_is_in_no_file(tmp_path: Path) -> None:
    index = SparseIndex(tmp_path / "sparse", WordEncoder())
    index.upsert([entry("kept", "red"), entry("chunk-to-be-erased", "secret")])
    index.commit()
    term = WordEncoder().encode_query("secret").terms.astype("<u4").tobytes()
    assert any(term in path.read_bytes() for path in (tmp_path / "sparse").iterdir())

    index.delete_chunks(["chunk-to-be-erased"])
    index.commit()
    index.close()

    for path in (tmp_path / "sparse").iterdir():
        assert term not in path.read_bytes()
        assert b"chunk-to-be-erased" not in path.read_bytes()


def test_another_models_index_is_refused(tmp_path: Path) -> None:
    SparseIndex(tmp_path / "sparse", WordEncoder()).close()

    expected = r"made with model words, and now it is others.*reindex"
    with pytest.raises(StoreMismatch, match=expected):
        SparseIndex(tmp_path / "sparse", WordEncoder(model_id="others"))


@pytest.mark.parametrize("name", ["postings.sqlite3", "roster.sqlite3"])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, name: str) -> None:
    SparseIndex(tmp_path / "sparse", WordEncoder()).close()
    (tmp_path / "sparse" / name).write_bytes(b"no database at all" * 100)

    with pytest.raises(StoreCorrupt, match="ragmem reindex"):
        SparseIndex(tmp_path / "sparse", WordEncoder())
