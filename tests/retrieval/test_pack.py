"""Packing: merges, budgets, order and exact offsets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from search_world import World

from ragmem.retrieval.pack import Packed, ends_first, pack
from ragmem.types import Hit, PageSpan, Scope

TEXT = "One two three. Four five six. Seven eight nine. Ten eleven twelve. " * 3


def world() -> World:
    made = World()
    made.add("d", TEXT, pages=(PageSpan(number=1, start=0, end=100),), whole=True)
    made.add("e", TEXT, whole=True)
    return made


def hit(start: int, end: int, score: float, *, uri: str = "d", page: int | None = None) -> Hit:
    return Hit(
        document_uri=uri,
        document_title="",
        chunk_id=f"{uri}{start}-{end}",
        text=TEXT[start:end],
        start=start,
        end=end,
        score=score,
        scores={},
        page=page,
    )


def packed(hits: list[Hit], budget_tokens: int = 1000) -> Packed:
    made = world()
    return pack(
        hits, budget_tokens=budget_tokens, counter=made.embedder, documents=made, scope=Scope()
    )


def test_overlapping_hits_become_one_exact_passage() -> None:
    (passage,) = packed([hit(15, 47, 0.9), hit(0, 29, 0.5)]).passages
    assert (passage.start, passage.end, passage.score) == (0, 47, 0.9)
    assert passage.text == TEXT[0:47]
    assert passage.chunk_ids == ("d15-47", "d0-29")


def test_neighbours_are_joined_with_the_text_between_them() -> None:
    (passage,) = packed([hit(0, 14, 0.9, page=1), hit(15, 29, 0.5, page=2)]).passages
    assert passage.text == TEXT[0:29]
    assert passage.page == 1


def test_a_hit_between_two_passages_joins_them() -> None:
    (passage,) = packed([hit(0, 14, 0.9), hit(30, 47, 0.8), hit(15, 29, 0.5)]).passages
    assert passage.text == TEXT[0:47]
    assert set(passage.chunk_ids) == {"d0-14", "d30-47", "d15-29"}


def test_a_hit_inside_a_passage_adds_no_tokens() -> None:
    result = packed([hit(0, 47, 0.9), hit(15, 29, 0.5)])
    assert result.tokens == 9
    assert result.passages[0].chunk_ids == ("d0-47", "d15-29")


def test_other_documents_and_far_spans_stay_apart() -> None:
    result = packed([hit(0, 14, 0.9), hit(0, 14, 0.8, uri="e"), hit(100, 120, 0.7)])
    assert len(result.passages) == 3


def test_what_does_not_fit_is_left_out_and_named() -> None:
    result = packed([hit(0, 14, 0.9), hit(60, 130, 0.8), hit(31, 47, 0.7)], budget_tokens=6)
    assert result.left_out == ("d60-130",)
    assert result.tokens == 6
    assert {passage.start for passage in result.passages} == {0, 31}


def test_the_best_come_first_and_last() -> None:
    hits = [hit(0, 14, score, uri=uri) for uri, score in zip("abcde", (5, 4, 3, 2, 1), strict=True)]
    order = [passage.document_uri for passage in packed(hits).passages]
    assert order == ["a", "c", "e", "d", "b"]


def test_nothing_packs_to_nothing() -> None:
    assert packed([]) == Packed(passages=(), tokens=0, left_out=())
    assert ends_first([]) == ()


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 150), st.integers(1, 50), st.sampled_from("de")), max_size=12
    ),
    budget=st.integers(0, 40),
)
def test_passages_are_exact_disjoint_and_within_the_budget(
    spans: list[tuple[int, int, str]], budget: int
) -> None:
    hits = [
        hit(start, start + length, 1.0 / (rank + 1), uri=uri)
        for rank, (start, length, uri) in enumerate(spans)
    ]
    result = packed(hits, budget)
    made = world()
    assert result.tokens <= budget
    assert result.tokens == sum(
        made.embedder.count_tokens([passage.text for passage in result.passages])
    )
    for passage in result.passages:
        assert passage.text == TEXT[passage.start : passage.end]
    for uri in "de":
        placed = sorted((p.start, p.end) for p in result.passages if p.document_uri == uri)
        assert all(end < start for (_, end), (start, _) in pairwise(placed))
    kept = [chunk for passage in result.passages for chunk in passage.chunk_ids]
    assert sorted([*kept, *result.left_out]) == sorted(each.chunk_id for each in hits)
