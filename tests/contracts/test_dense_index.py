"""What every dense index must do, and what those on disk must survive."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragmem.errors import UsageError
from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not, admits, equals
from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.exact import ExactIndex
from ragmem.indexes.ranking import cosines_to
from ragmem.ports import DenseIndex
from ragmem.types import PUBLIC, FloatMatrix, FloatVector, IndexEntry, MetadataValue, Scope

DIMENSIONS = 8
ANA = Scope(user="ana", groups=frozenset({"staff"}))
Open = Callable[[Path], DenseIndex]


def open_chroma(folder: Path) -> DenseIndex:
    return ChromaIndex(folder, dimensions=DIMENSIONS)


def open_exact(folder: Path) -> DenseIndex:
    return ExactIndex(DIMENSIONS)


@pytest.fixture(params=[open_exact, open_chroma], ids=["exact", "chroma"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DenseIndex]:
    opened: DenseIndex = request.param(tmp_path / "dense")
    yield opened
    opened.close()


def entry(
    chunk_id: str,
    *,
    document: str = "d",
    tenant: str = "default",
    acl: frozenset[str] = PUBLIC,
    **metadata: MetadataValue,
) -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id=document,
        tenant=tenant,
        acl=acl,
        title="",
        text="",
        language="en",
        metadata=metadata,
    )


def vectors(count: int, *, seed: int = 0) -> FloatMatrix:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def axis(number: int) -> FloatVector:
    return np.eye(DIMENSIONS, dtype=np.float32)[number]


def ids(
    index: DenseIndex, vector: FloatVector, scope: Scope, where: Filter | None = None
) -> set[str]:
    return {hit.chunk_id for hit in index.search(vector, k=100, scope=scope, where=where)}


def test_best_first_by_cosine(index: DenseIndex) -> None:
    near = (axis(0) + axis(1)) / np.sqrt(2)
    index.upsert(
        [entry("same"), entry("near"), entry("opposite")], np.stack([axis(0), near, -axis(0)])
    )
    index.commit()
    hits = index.search(axis(0), k=3, scope=Scope())
    assert [hit.chunk_id for hit in hits] == ["same", "near", "opposite"]
    assert [hit.score for hit in hits] == pytest.approx([1, 2**-0.5, -1], abs=1e-5)
    assert [hit.chunk_id for hit in index.search(axis(0), k=1, scope=Scope())] == ["same"]


def test_empty_index_and_no_results_wanted(index: DenseIndex) -> None:
    assert index.search(axis(0), k=5, scope=Scope()) == []
    assert cosines_to(axis(0), index.vectors(["a"])) == {}
    assert index.chunk_ids() == set()
    index.upsert([], np.zeros((0, DIMENSIONS), dtype=np.float32))
    index.upsert([entry("a")], vectors(1))
    index.commit()
    assert index.search(axis(0), k=0, scope=Scope()) == []


def test_wrong_shapes_are_refused_and_change_nothing(index: DenseIndex) -> None:
    with pytest.raises(UsageError, match=r"\(1, 3\).*\(1, 8\)"):
        index.upsert([entry("a")], np.ones((1, 3), dtype=np.float32))
    with pytest.raises(UsageError):
        index.upsert([entry("a")], vectors(2))
    assert index.chunk_ids() == set()


def test_adding_again_changes_nothing(index: DenseIndex) -> None:
    rows = vectors(20)
    entries = [entry(f"c{i}") for i in range(20)]
    for _ in range(3):
        index.upsert(entries, rows)
        index.commit()
        hits = index.search(rows[3], k=50, scope=Scope())
        assert hits[0].chunk_id == "c3"
        assert len(hits) == len({hit.chunk_id for hit in hits}) == 20


def test_adding_replaces_vector_attributes_and_tenant(index: DenseIndex) -> None:
    index.upsert([entry("a", year=1), entry("b")], np.stack([axis(0), axis(1)]))
    index.upsert([entry("a", year=2)], axis(2)[np.newaxis])
    index.commit()
    assert index.search(axis(2), k=1, scope=Scope())[0].score == pytest.approx(1)
    assert cosines_to(axis(0), index.vectors(["a"])) == pytest.approx({"a": 0})
    assert ids(index, axis(0), Scope(), equals(year=1)) == set()
    assert ids(index, axis(0), Scope(), equals(year=2)) == {"a"}
    index.upsert([entry("a", tenant="other", acl=frozenset({"user:ana"}))], axis(2)[np.newaxis])
    index.commit()
    assert ids(index, axis(2), Scope()) == {"b"}
    assert ids(index, axis(2), Scope(tenant="other")) == set()
    assert ids(index, axis(2), Scope(tenant="other", user="ana")) == {"a"}
    assert index.chunk_ids() == {"a", "b"}


def test_the_last_of_a_repeated_entry_counts(index: DenseIndex) -> None:
    index.upsert([entry("a"), entry("a")], np.stack([axis(0), axis(1)]))
    index.commit()
    assert cosines_to(axis(1), index.vectors(["a", "a"])) == pytest.approx({"a": 1})


def test_deleting_chunks_and_documents(index: DenseIndex) -> None:
    entries = [entry(f"c{i}", document=f"d{i // 5}") for i in range(20)]
    index.upsert(entries, vectors(20))
    index.commit()
    index.delete_chunks(["c0", "unknown"])
    index.delete_documents(["d2", "unknown"])
    index.delete_documents([])
    index.commit()
    left = {f"c{i}" for i in range(1, 20) if i // 5 != 2}
    assert index.chunk_ids() == left
    assert ids(index, axis(0), Scope()) == left
    assert set(cosines_to(axis(0), index.vectors(["c0", "c1", "c10"]))) == {"c1"}
    index.upsert([entries[0]], vectors(1))
    index.commit()
    assert index.chunk_ids() == left | {"c0"}


def test_clear(index: DenseIndex) -> None:
    index.upsert([entry("a"), entry("b", tenant="other")], vectors(2))
    index.commit()
    index.clear()
    assert index.chunk_ids() == set()
    assert ids(index, axis(0), Scope()) == set()
    index.upsert([entry("a")], vectors(1))
    index.commit()
    assert index.chunk_ids() == {"a"}


def test_similarities_are_cosines(index: DenseIndex) -> None:
    rows = vectors(50)
    index.upsert([entry(f"c{i}", tenant=f"t{i % 3}") for i in range(50)], rows)
    index.commit()
    wanted = {f"c{i}": float(rows[i] @ axis(3)) for i in range(0, 50, 7)}
    found = cosines_to(axis(3), index.vectors([*wanted, "unknown"]))
    assert found == pytest.approx(wanted, abs=1e-5)


def test_access_lists(index: DenseIndex) -> None:
    lists = {
        "public": PUBLIC,
        "ana": frozenset({"user:ana"}),
        "staff": frozenset({"group:staff", "user:bo"}),
    }
    index.upsert([entry(key, acl=acl) for key, acl in lists.items()], vectors(3))
    index.commit()
    assert ids(index, axis(0), Scope()) == {"public"}
    assert ids(index, axis(0), ANA) == {"public", "ana", "staff"}
    assert ids(index, axis(0), Scope(user="bo")) == {"public", "staff"}
    assert ids(index, axis(0), Scope(user="group:staff")) == {"public"}
    assert ids(index, axis(0), Scope(tenant="other", user="ana")) == set()


# --- filters against the reference ---------------------------------------------------------------

COUNT = 400
ACLS = [PUBLIC, PUBLIC, frozenset({"user:ana"}), frozenset({"group:staff", "user:bo"})]
MANY = [
    entry(
        f"c{i:03}",
        document=f"d{i // 7}",
        tenant="default" if i % 5 else "other",
        acl=ACLS[(i // 7) % 4],
        **{
            name: value
            for name, value in {
                "flag": bool(i % 2),
                "number": (1, 1.0, 0, True, "1")[i // 7 % 5],
                "date": f"202{i // 7 % 4}-01-01",
                "tags": ("red", "blue")[: i // 7 % 3],
            }.items()
            if (i // 7 + len(name)) % 6
        },
    )
    for i in range(COUNT)
]
MANY_VECTORS = vectors(COUNT, seed=1)

values = st.one_of(
    st.sampled_from([True, False, 1, 0, 1.0, 0.5, "1", "red", "2022-01-01", "2023-01-01"])
)
fields = st.sampled_from(["flag", "number", "date", "tags", "missing"])
leaves: st.SearchStrategy[Filter] = st.one_of(
    st.builds(
        Condition,
        field=fields,
        operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        value=values,
    ),
    st.builds(
        Condition,
        field=fields,
        operator=st.just("in"),
        value=st.lists(values, max_size=3).map(tuple),
    ),
    st.builds(
        Condition, field=fields, operator=st.just("contains"), value=st.sampled_from(["red", "x"])
    ),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=4,
)
scopes = st.builds(
    Scope,
    tenant=st.sampled_from(["default", "other", "absent"]),
    user=st.sampled_from([None, "ana", "bo"]),
    groups=st.sampled_from([frozenset[str](), frozenset({"staff"})]),
)


@pytest.fixture(scope="module", params=[open_exact, open_chroma], ids=["exact", "chroma"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DenseIndex]:
    opened: DenseIndex = request.param(tmp_path_factory.mktemp("filled") / "dense")
    opened.upsert(MANY, MANY_VECTORS)
    opened.commit()
    yield opened
    opened.close()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    scope=scopes,
    where=st.one_of(st.none(), filters),
    seed=st.integers(0, 5),
    k=st.sampled_from([1, 7, 400]),
)
def test_a_restricted_search_is_the_unrestricted_ranking_with_gaps(
    filled: DenseIndex, scope: Scope, where: Filter | None, seed: int, k: int
) -> None:
    query = vectors(1, seed=seed + 10)[0]
    scores = MANY_VECTORS @ query
    due = [
        MANY[row].chunk_id
        for row in np.argsort(-scores)
        if scope.sees(tenant=MANY[row].tenant, acl=MANY[row].acl)
        and admits(where, MANY[row].metadata)
    ]
    assert [hit.chunk_id for hit in filled.search(query, k=k, scope=scope, where=where)] == due[:k]


@pytest.mark.parametrize("opener", [open_exact, open_chroma], ids=["exact", "chroma"])
def test_one_in_ten_thousand(opener: Open, tmp_path: Path) -> None:
    index = opener(tmp_path / "dense")
    rows = vectors(10_000, seed=2)
    index.upsert(
        [
            entry(f"c{i}", rare=i == 7_777, half=i % 2, side=bool(rows[i, 0] < 0))
            for i in range(10_000)
        ],
        rows,
    )
    index.commit()
    for query in vectors(5, seed=3):
        assert ids(index, query, Scope(), equals(rare=True)) == {"c7777"}
    recalls = []
    # The second filter admits only what lies away from the query.
    for where, admitted in (
        (equals(half=0), np.arange(10_000) % 2 == 0),
        (equals(side=True), rows[:, 0] < 0),
    ):
        for query in [axis(0), *vectors(10, seed=4)]:
            scores = np.where(admitted, rows @ query, -2)
            due = {f"c{row}" for row in np.argsort(-scores)[:10]}
            hits = index.search(query, k=10, scope=Scope(), where=where)
            recalls.append(len(due & {hit.chunk_id for hit in hits}) / 10)
    index.close()
    assert np.mean(recalls) >= 0.99


# --- on disk -------------------------------------------------------------------------------------


def test_reopening_finds_what_was_committed(tmp_path: Path) -> None:
    rows = vectors(30)
    index = open_chroma(tmp_path / "dense")
    index.upsert([entry(f"c{i}", document=f"d{i}", year=i) for i in range(30)], rows)
    index.delete_documents(["d29"])
    index.commit()
    index.close()
    index = open_chroma(tmp_path / "dense")
    assert index.chunk_ids() == {f"c{i}" for i in range(29)}
    assert index.search(rows[4], k=1, scope=Scope())[0].chunk_id == "c4"
    assert ids(index, rows[4], Scope(), equals(year=5)) == {"c5"}
    index.close()


WRITER = """
import sys
from pathlib import Path
import numpy as np
from ragmem.indexes.chroma import ChromaIndex
from ragmem.types import PUBLIC, IndexEntry

index = ChromaIndex(Path(sys.argv[1]), dimensions=8)
rows = np.random.default_rng(5).normal(size=(4000, 8)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
for start in range(0, 4000, 20):
    entries = [
        IndexEntry(chunk_id=f"c{i}", document_id=f"d{start}", tenant="default", acl=PUBLIC,
                   title="", text="", language="en", metadata={"batch": start})
        for i in range(start, start + 20)
    ]
    index.upsert(entries, rows[start : start + 20])
    if start:
        index.delete_documents([f"d{start - 20}"])
        index.upsert(entries[:1], rows[start : start + 1])
    index.commit()
    print(start, flush=True)
"""


@pytest.mark.parametrize("pause", [0.0, 0.019])
def test_a_killed_writer_loses_nothing_committed(tmp_path: Path, pause: float) -> None:
    folder = tmp_path / "dense"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        for _ in range(8):
            done = int(writer.stdout.readline())
        time.sleep(pause)
        writer.kill()
        done = int([done, *writer.stdout.read().split()][-1])
    rows = np.random.default_rng(5).normal(size=(4000, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = open_chroma(folder)
    held = index.chunk_ids()
    committed = {f"c{i}" for i in range(done, done + 20)}
    started = {f"c{i}" for i in range(done + 20, done + 40)}
    # Each step adds its own chunks before it deletes those of the step before.
    assert committed <= held or started <= held
    assert held <= committed | started
    # Repeating the change that was cut off completes it.
    entries = [entry(f"c{i}", document="new", batch=-1) for i in range(done + 20, done + 40)]
    index.upsert(entries, rows[done + 20 : done + 40])
    index.delete_documents([f"d{done}", f"d{done - 20}"])
    index.commit()
    assert index.chunk_ids() == started
    for row in range(done + 20, done + 40, 5):
        best = index.search(rows[row], k=30, scope=Scope(), where=equals(batch=-1))
        assert best[0].chunk_id == f"c{row}"
        assert {hit.chunk_id for hit in best} == started
    index.close()
