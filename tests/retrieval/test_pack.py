"""Packing: merges, repetitions, cuts, budgets, order and exact offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ragmem.errors import UnknownDocument
from ragmem.retrieval.pack import Packed, ends_first, pack
from ragmem.types import Hit, Scope

TEXT = "One two three. Four five six. Seven eight nine. Ten eleven twelve. " * 3
NOTICE = (
    "This notice is part of every manual: keep the device dry, keep it away from children and "
    "have it repaired by trained people only."
)
SENTENCES = (
    *("Tea is green. ", "Red tea is brewed for a minute. ", "Water boils at 100 degrees. "),
    *("Water boils at 90 degrees. ", "It does not boil. ", "It does boil. ", f"{NOTICE}\n\n"),
    f"{NOTICE[:-5]} too.\n\n",
)


@dataclass
class Texts:
    """Reads spans, and counts a token a word."""

    texts: dict[str, str]

    def read_span(self, document_uri: str, start: int, end: int, *, scope: Scope) -> str:
        if document_uri not in self.texts:
            raise UnknownDocument(document_uri)
        return self.texts[document_uri][start:end]

    def page_at(self, document_uri: str, offset: int, *, scope: Scope) -> int | None:
        return None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


OTHER = "Birds sing at dawn, and in the evening they are silent again."
WORLD = Texts({"d": TEXT, "e": OTHER, "f": NOTICE, "g": NOTICE, "h": NOTICE.replace("dry", "wet")})


def hit(
    start: int,
    end: int,
    score: float,
    *,
    uri: str = "d",
    page: int | None = None,
    title: str = "",
    world: Texts = WORLD,
) -> Hit:
    return Hit(
        document_uri=uri,
        document_title=title,
        chunk_id=f"{uri}{start}-{end}",
        text=world.texts[uri][start:end],
        start=start,
        end=end,
        score=score,
        scores={},
        page=page,
    )


def whole(uri: str, score: float, *, title: str = "") -> Hit:
    return hit(0, len(WORLD.texts[uri]), score, uri=uri, title=title)


def packed(
    hits: Sequence[Hit], budget_tokens: int = 1000, *, world: Texts = WORLD, question: str = ""
) -> Packed:
    return pack(
        hits,
        budget_tokens=budget_tokens,
        counter=world,
        documents=world,
        scope=Scope(),
        question=question,
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


def test_the_page_is_that_of_the_first_character() -> None:
    (passage,) = packed([hit(15, 29, 0.9, page=2), hit(0, 14, 0.5, page=1)]).passages
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
    result = packed([hit(0, 14, 0.9), whole("e", 0.8), hit(100, 120, 0.7)])
    assert len(result.passages) == 3


def test_what_does_not_fit_is_left_out_and_named() -> None:
    result = packed([hit(0, 14, 0.9), hit(60, 130, 0.8), hit(31, 47, 0.7)], budget_tokens=6)
    assert result.left_out == ("d60-130",)
    assert result.tokens == 6
    assert {passage.start for passage in result.passages} == {0, 31}


def test_what_the_store_no_longer_has_is_left_out() -> None:
    gone = hit(15, 29, 0.5)
    result = pack(
        [hit(0, 14, 0.9), gone, whole("e", 0.1)],
        budget_tokens=99,
        counter=WORLD,
        documents=Texts({"e": OTHER}),
        scope=Scope(),
    )
    assert result.left_out == (gone.chunk_id,)
    assert [passage.document_uri for passage in result.passages] == ["d", "e"]


def test_the_best_is_cut_at_the_end_of_a_sentence() -> None:
    result = packed([hit(15, 100, 0.9), hit(150, 164, 0.5)], budget_tokens=11)
    (passage,) = result.passages
    assert (passage.text, passage.tokens) == (
        "Four five six. Seven eight nine. Ten eleven twelve.",
        9,
    )
    assert passage.text == TEXT[passage.start : passage.end]
    assert (result.cut, result.left_out) == ("d15-100", ("d150-164",))


def test_a_sentence_is_not_cut() -> None:
    result = packed([hit(0, 47, 0.9), hit(30, 34, 0.5)], budget_tokens=2)
    assert (result.cut, result.left_out) == (None, ("d0-47",))
    assert result.passages[0].chunk_ids == ("d30-34",)


def test_a_paragraph_that_another_document_has_as_well_is_packed_once() -> None:
    result = packed([whole("f", 0.9), whole("e", 0.8), whole("g", 0.7)])
    assert [passage.document_uri for passage in result.passages] == ["f", "e"]
    assert result.repeated == {whole("g", 0.7).chunk_id: whole("f", 0.9).chunk_id}
    assert result.left_out == ()


def test_a_passage_that_is_nearly_the_same_is_packed_once() -> None:
    assert list(packed([whole("f", 0.9), whole("h", 0.8)]).repeated) == [whole("h", 0.8).chunk_id]


def test_another_number_is_no_repetition() -> None:
    text = f"{NOTICE} It is kept for 24 months by those who have bought it in a shop of ours."
    world = Texts({"x": text, "y": text.replace("24", "36")})
    hits = [hit(0, len(text), score, uri=uri, world=world) for uri, score in (("x", 2), ("y", 1))]
    assert len(packed(hits, world=world).passages) == 2


def test_what_is_said_of_what_was_asked_about_is_no_repetition() -> None:
    hits = [whole("f", 0.9, title="Lamp"), whole("g", 0.8, title="Kettle")]
    assert len(packed(hits, question="is the lamp repaired by children").passages) == 1
    assert len(packed(hits, question="is the kettle repaired by children").passages) == 2


def test_the_best_come_first_and_last() -> None:
    world = Texts({uri: f"{uri} only." for uri in "abcde"})
    hits = [hit(0, 7, 5 - rank, uri=uri, world=world) for rank, uri in enumerate("abcde")]
    order = [passage.document_uri for passage in packed(hits, world=world).passages]
    assert order == ["a", "c", "e", "d", "b"]


def test_nothing_packs_to_nothing() -> None:
    assert packed([]) == Packed(passages=(), tokens=0, left_out=())
    assert ends_first([]) == ()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Texts, list[Hit]]:
    """Documents that share sentences, and spans of them, best first."""
    sentences = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8)
    world = Texts({uri: "".join(draw(sentences)) for uri in "def"})
    hits: dict[str, Hit] = {}
    for rank in range(draw(st.integers(0, 12))):
        uri = draw(st.sampled_from("def"))
        text = world.texts[uri]
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        if draw(st.booleans()):  # a whole sentence, as chunkers cut
            start = text.rfind(".", 0, start) + 1
            end = text.find(".", end - 1) + 1 or len(text)
        made = hit(start, end, 1.0 / (rank + 1), uri=uri, world=world)
        hits.setdefault(made.chunk_id, made)
    return world, list(hits.values())


@given(made=worlds(), budget=st.integers(0, 80))
@settings(deadline=None)
def test_passages_are_exact_disjoint_within_the_budget_and_nothing_is_lost(
    made: tuple[Texts, list[Hit]], budget: int
) -> None:
    world, hits = made
    result = packed(hits, budget, world=world, question="is green tea brewed")
    assert result.tokens <= budget
    assert result.tokens == sum(world.count_tokens([each.text for each in result.passages]))
    for passage in result.passages:
        assert passage.text == world.texts[passage.document_uri][passage.start : passage.end]
    for uri in "def":
        placed = sorted((p.start, p.end) for p in result.passages if p.document_uri == uri)
        assert all(end < start for (_, end), (start, _) in pairwise(placed))
    kept = [chunk for passage in result.passages for chunk in passage.chunk_ids]
    given_ids = [each.chunk_id for each in hits]
    assert sorted([*kept, *result.left_out, *result.repeated]) == sorted(given_ids)
    assert set(result.repeated.values()) <= set(kept)
    assert result.cut is None or result.cut in kept


@given(made=worlds(), budget=st.integers(0, 80))
@settings(deadline=None)
def test_packing_what_was_packed_changes_nothing(
    made: tuple[Texts, list[Hit]], budget: int
) -> None:
    world, hits = made
    once = packed(hits, budget, world=world)
    again = packed(
        [
            hit(each.start, each.end, each.score, uri=each.document_uri, world=world)
            for each in sorted(once.passages, key=lambda each: -each.score)
        ],
        budget,
        world=world,
    )
    assert [(p.document_uri, p.start, p.end) for p in again.passages] == [
        (p.document_uri, p.start, p.end) for p in once.passages
    ]
    assert (again.tokens, again.left_out, again.repeated, again.cut) == (once.tokens, (), {}, None)
