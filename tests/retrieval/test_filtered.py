"""A filtered search is the unfiltered ranking with gaps: dense in exact mode, lexical and fused.

Sources beside the two indexes, rerankers and the collapsing of near-duplicates are beyond this:
they compare hits with each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from fakes import HashEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not, admits, equals
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.exact import ExactIndex
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.ports import DenseIndex, LexicalIndex
from ragmem.retrieval.fusion import FusionMethod
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Ranking, Searcher, SearchSettings
from ragmem.types import PUBLIC, Candidate, Chunk, IndexEntry, Metadata, Scope, StoredChunk, Trace

WORDS = [f"word{number}" for number in range(60)]
EMBEDDER = HashEmbedder(dimensions=16)
DOCUMENTS = 10_500
STAFF = frozenset({"group:staff"})
SCOPES = [
    Scope(),
    Scope(user="ana"),
    Scope(groups=frozenset({"staff"})),
    Scope(tenant="other", user="ana"),
]
LISTS = [PUBLIC, PUBLIC, STAFF, frozenset({"user:ana"})]
SCORED: list[FusionMethod] = ["min_max_convex", "distribution_based"]


@dataclass
class Library:
    """Entries in both indexes, and the reader of their chunks."""

    dense: DenseIndex
    lexical: LexicalIndex
    entries: dict[str, IndexEntry] = field(default_factory=dict)

    def add(self, entries: Sequence[IndexEntry]) -> None:
        self.entries |= {entry.chunk_id: entry for entry in entries}
        self.dense.upsert(entries, EMBEDDER.embed_documents([entry.text for entry in entries]))
        self.lexical.upsert(entries)
        self.dense.commit()
        self.lexical.commit()

    def close(self) -> None:
        self.dense.close()
        self.lexical.close()

    def read_chunks(self, chunk_ids: Sequence[str], *, scope: Scope) -> Mapping[str, StoredChunk]:
        return {
            chunk_id: StoredChunk(
                id=chunk_id,
                document_id=entry.document_id,
                document_uri=entry.document_id,
                document_title=entry.title,
                metadata=entry.metadata,
                chunk=Chunk(start=0, end=len(entry.text), text=entry.text),
            )
            for chunk_id, entry in ((key, self.entries[key]) for key in chunk_ids)
            if scope.sees(tenant=entry.tenant, acl=entry.acl)
        }

    def searcher(self, fusion: FusionMethod = "min_max_convex", candidates: int = 100) -> Searcher:
        return Searcher(
            embedder=EMBEDDER,
            dense=self.dense,
            lexical=self.lexical,
            chunks=self,
            reranker=FeatureReranker(),
            settings=SearchSettings(
                candidates=candidates,
                fusion=fusion,
                most_hits=10**6,
                collapse_near_duplicates=False,
            ),
        )

    def passes(self, chunk_id: str, where: Filter | None) -> bool:
        return admits(where, self.entries[chunk_id].metadata)

    def ranking(
        self,
        question: str,
        *,
        scope: Scope,
        where: Filter | None = None,
        k: int | None = None,
        ranking: Ranking = "fused",
        fusion: FusionMethod = "min_max_convex",
        candidates: int = 100,
    ) -> tuple[list[tuple[str, float]], Trace]:
        """Chunk ids with their scores in exact mode; of all chunks without a k."""
        found = self.searcher(fusion, candidates).search(
            question,
            k=k or len(self.entries),
            scope=scope,
            where=where,
            ranking=ranking,
            exact=True,
        )
        return [(hit.chunk_id, hit.score) for hit in found.hits], found.trace


def text_of(dice: random.Random, *, words: int = 8) -> str:
    """Words of which the first are frequent."""
    return " ".join(WORDS[int(60 * dice.random() ** 3)] for _ in range(dice.randint(1, words)))


def metadata_of(dice: random.Random) -> Metadata:
    every: Metadata = {
        "year": dice.randint(2018, 2024),
        "language": dice.choice(["en", "de", "fr"]),
        "tags": tuple(dice.sample(["red", "green", "blue"], dice.randint(0, 3))),
        "score": dice.choice([0.5, 1, 2.5]),
        "draft": dice.random() < 0.5,
    }
    return {name: value for name, value in every.items() if dice.random() < 0.8}


def entries(seed: int, count: int) -> list[IndexEntry]:
    """Entries of every kind; every fourth repeats another's text, so that scores tie."""
    dice = random.Random(seed)
    made: list[IndexEntry] = []
    for number in range(count):
        repeated = made and dice.random() < 0.25
        made.append(
            IndexEntry(
                chunk_id=f"{dice.randrange(16**8):08x}",
                document_id=f"d{number // 3}",
                tenant="other" if dice.random() < 0.2 else "default",
                acl=dice.choice(LISTS),
                title=text_of(dice, words=3) if dice.random() < 0.5 else "",
                text=dice.choice(made).text if repeated else text_of(dice),
                language="en",
                metadata=metadata_of(dice),
            )
        )
    return made


CONDITIONS: st.SearchStrategy[Filter] = st.one_of(
    st.builds(
        Condition,
        field=st.just("year"),
        operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        value=st.integers(2018, 2024),
    ),
    st.builds(
        Condition,
        field=st.just("language"),
        operator=st.just("in"),
        value=st.sampled_from([("en",), ("de", "fr"), ("xx",)]),
    ),
    st.builds(
        Condition,
        field=st.just("tags"),
        operator=st.sampled_from(["contains", "==", "!="]),
        value=st.sampled_from(["red", "green"]),
    ),
    st.builds(
        Condition,
        field=st.sampled_from(["score", "draft"]),
        operator=st.sampled_from(["==", "!="]),
        value=st.sampled_from([0.5, 1, True]),
    ),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(AllOf, st.lists(parts, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(parts, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
QUESTIONS = st.lists(st.sampled_from([*WORDS[:20], "unknown"]), min_size=1, max_size=5).map(
    " ".join
)
SEARCHES = {
    "question": QUESTIONS,
    "where": FILTERS,
    "scope": st.sampled_from(SCOPES),
    "k": st.integers(1, 40),
}


@pytest.fixture(scope="module", params=[1, 2])
def on_disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("library")
    library = Library(
        ChromaIndex(folder / "dense", dimensions=EMBEDDER.dimensions),
        TantivyIndex(folder / "lexical"),
    )
    made = entries(request.param, 240)
    for start in range(0, len(made), 60):  # several segments, of which some merge
        library.add(made[start : start + 60])
    yield library
    library.close()


def in_memory(seed: int, count: int) -> Library:
    library = Library(ExactIndex(EMBEDDER.dimensions), RankBM25Index())
    library.add(entries(seed, count))
    return library


def check_dense(library: Library, question: str, where: Filter, scope: Scope, k: int) -> None:
    vector = EMBEDDER.embed_query(question)
    everything = library.dense.search(vector, k=10**6, scope=scope, exact=True)
    filtered = library.dense.search(vector, k=k, scope=scope, where=where, exact=True)
    assert filtered == restricted(library, everything, where)[:k]


def check_lexical(library: Library, question: str, where: Filter, scope: Scope, k: int) -> None:
    count = len(library.entries)
    everything = library.lexical.search(question, k=count, scope=scope)
    filtered = library.lexical.search(question, k=k, scope=scope, where=where)
    assert filtered == restricted(library, everything, where)[:k]
    visible = library.read_chunks(list(library.entries), scope=scope)
    scores = library.lexical.scores(question, [*visible, "unknown"])
    assert scores == {each.chunk_id: each.score for each in everything}


def restricted(library: Library, found: list[Candidate], where: Filter) -> list[Candidate]:
    """What of an unfiltered ranking a filter admits."""
    return [each for each in found if library.passes(each.chunk_id, where)]


def check_fused(
    library: Library,
    question: str,
    where: Filter,
    scope: Scope,
    k: int,
    *,
    fusion: FusionMethod,
    candidates: int,
) -> None:
    everything, _ = library.ranking(question, scope=scope, fusion=fusion, candidates=candidates)
    best, _ = library.ranking(question, scope=scope, k=k, fusion=fusion, candidates=candidates)
    filtered, trace = library.ranking(
        question, scope=scope, where=where, k=k, fusion=fusion, candidates=candidates
    )
    visible = library.read_chunks(list(library.entries), scope=scope).keys()
    assert {chunk_id for chunk_id, _ in everything} == visible
    assert best == everything[:k]
    assert filtered == [each for each in everything if library.passes(each[0], where)][:k]
    assert all(stage.scores.keys() <= visible for stage in trace.stages)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40), **SEARCHES)
def test_in_memory(
    seed: int, count: int, question: str, where: Filter, scope: Scope, k: int
) -> None:
    library = in_memory(seed, count)
    check_dense(library, question, where, scope, k)
    check_lexical(library, question, where, scope, k)
    for fusion in SCORED:
        check_fused(library, question, where, scope, k, fusion=fusion, candidates=5)
    # Ranks are known of the candidates alone.
    check_fused(library, question, where, scope, k, fusion="reciprocal_rank", candidates=count)


ON_DISK = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ON_DISK
@given(**SEARCHES)
def test_dense_on_disk(
    on_disk: Library, question: str, where: Filter, scope: Scope, k: int
) -> None:
    check_dense(on_disk, question, where, scope, k)


@ON_DISK
@given(**SEARCHES)
def test_lexical_on_disk(
    on_disk: Library, question: str, where: Filter, scope: Scope, k: int
) -> None:
    check_lexical(on_disk, question, where, scope, k)


@ON_DISK
@given(fusion=st.sampled_from(SCORED), candidates=st.sampled_from([3, 20, 300]), **SEARCHES)
def test_fused_on_disk(
    on_disk: Library,
    question: str,
    where: Filter,
    scope: Scope,
    k: int,
    fusion: FusionMethod,
    candidates: int,
) -> None:
    check_fused(on_disk, question, where, scope, k, fusion=fusion, candidates=candidates)


@ON_DISK
@given(**SEARCHES)
def test_reciprocal_rank_on_disk(
    on_disk: Library, question: str, where: Filter, scope: Scope, k: int
) -> None:
    check_fused(on_disk, question, where, scope, k, fusion="reciprocal_rank", candidates=300)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Documents of which the filter of one in ten thousand admits number 7 and number 10,007."""
    dice = random.Random(0)
    folder = tmp_path_factory.mktemp("large")
    library = Library(
        ChromaIndex(folder / "dense", dimensions=EMBEDDER.dimensions),
        TantivyIndex(folder / "lexical"),
    )
    library.entries = {
        f"{number:05d}": IndexEntry(
            chunk_id=f"{number:05d}",
            document_id=f"d{number}",
            tenant="default",
            acl=STAFF if number % 4 == 0 else PUBLIC,
            title="",
            text=text_of(dice),
            language="en",
            metadata={"ten_thousandth": number % 10_000, "hundredth": number % 100},
        )
        for number in range(DOCUMENTS)
    }
    made = list(library.entries.values())
    vectors = np.random.default_rng(0).normal(size=(DOCUMENTS, EMBEDDER.dimensions))
    library.dense.upsert(made, vectors.astype(np.float32))
    library.lexical.upsert(made)
    library.dense.commit()
    library.lexical.commit()
    yield library
    library.close()


@pytest.mark.parametrize(
    "where",
    [
        equals(ten_thousandth=7),
        AllOf((Not(equals(hundredth=8)), equals(ten_thousandth=8))),
        AnyOf((equals(ten_thousandth=7), equals(ten_thousandth=10))),
        Condition(field="hundredth", operator="<", value=40),
    ],
    ids=["1 in 10,000", "nothing", "2 in 10,000", "1 in 2.5"],
)
def test_selective_filters_over_many_chunks(large: Library, where: Filter) -> None:
    question = f"{WORDS[2]} {WORDS[9]} {WORDS[14]}"
    check_dense(large, question, where, Scope(), 50)
    check_lexical(large, question, where, Scope(), 50)
    check_fused(large, question, where, Scope(), 50, fusion="min_max_convex", candidates=100)


@pytest.mark.parametrize("fusion", ["min_max_convex", "reciprocal_rank"])
def test_scores_under_a_filter_recompute_from_the_trace(
    on_disk: Library, fusion: FusionMethod
) -> None:
    where = Condition(field="language", operator="==", value="de")
    found, trace = on_disk.ranking(
        f"{WORDS[0]} {WORDS[5]}", scope=SCOPES[0], where=where, fusion=fusion, candidates=300
    )
    scales = {name: trace.stage(f"{name}.unfiltered").scores for name in ("lexical", "dense")}
    lexical, dense = (trace.stage(name).scores for name in ("lexical", "dense"))
    low, high = min(scales["dense"].values()), max(scales["dense"].values())
    for chunk_id, score in found:
        if fusion == "min_max_convex":
            share = lexical.get(chunk_id, 0.0) / max(scales["lexical"].values())
            expected = 0.6 * (dense[chunk_id] - low) / (high - low) + 0.4 * share
        else:
            ranks = {name: list(scale) for name, scale in scales.items()}
            expected = 1.2 / (60 + 1 + ranks["dense"].index(chunk_id))
            if chunk_id in lexical:
                expected += 0.8 / (60 + 1 + ranks["lexical"].index(chunk_id))
        assert score == pytest.approx(expected)


def test_without_the_exact_mode_a_filter_changes_no_score_either(on_disk: Library) -> None:
    question = f"{WORDS[0]} {WORDS[5]}"
    where = Condition(field="language", operator="==", value="de")
    searches = [
        on_disk.searcher().search(question, k=k, scope=SCOPES[0], where=each, ranking="fused")
        for k in (10, 240)
        for each in (where, None)
    ]
    scores = [{hit.chunk_id: hit.score for hit in found.hits} for found in searches]
    for each in scores:
        assert each == pytest.approx({key: scores[3][key] for key in each}, abs=1e-5)
