"""Near-duplicates: which documents are, and which of their passages only repeat."""

import random

import pytest

from ragmem.ingestion.signing import sign
from ragmem.retrieval.near_duplicates import (
    ShownPassages,
    agreement,
    near_duplicates,
    repeats,
)
from ragmem.types import Chunk, StoredChunk


def words(count: int, *, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghij", k=6)) for _ in range(count)]


def stored(text: str, *, document: str = "a", of: str | None = None) -> StoredChunk:
    return StoredChunk(
        id=f"{document}-chunk",
        document_id=document,
        document_uri=f"file:///{document}",
        document_title="",
        metadata={},
        chunk=Chunk(start=0, end=len(text), text=text),
        signature=sign(text if of is None else of),
    )


@pytest.mark.parametrize("changed", [0, 20, 100, 400])
def test_agreement_estimates_the_jaccard_similarity_of_shingles(changed: int) -> None:
    one = words(1000, seed=1)
    other = words(changed, seed=2) + one[changed:]
    same = 1000 - changed - 2
    jaccard = same / (2 * 998 - same)
    estimate = agreement(sign(" ".join(one)), sign(" ".join(other)))
    # Three standard errors of 128 minima.
    assert abs(estimate - jaccard) <= 3 * 0.045


def test_short_and_unspaced_texts() -> None:
    assert sign("too short to tell anything") == b""
    assert agreement(b"", b"") == 0.0
    rng = random.Random(3)
    text = "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(400))
    assert agreement(sign(text), sign(text[:200] + "新" + text[200:])) > 0.9
    assert agreement(sign(text), sign(text[::-1])) < 0.1


def test_a_passage_of_a_near_duplicate_repeats() -> None:
    text = words(60, seed=4)
    edited = [*text[:30], "other", *text[31:]]
    one, other = stored(" ".join(text)), stored(" ".join(edited), document="b")
    assert repeats(other, one)
    assert not repeats(one, one)  # a document does not repeat itself


def test_another_number_is_news() -> None:
    text = words(60, seed=4)
    one = stored(" ".join([*text, "24", "months"]))
    other = stored(" ".join([*text, "36", "months"]), document="b")
    none = stored(" ".join([*text, "some", "months"]), document="c")
    assert not repeats(other, one)
    assert repeats(none, one)
    assert not repeats(one, none)


@pytest.mark.parametrize(
    ("said", "otherwise"),
    [
        ("the tenant must pay", "the tenant must not pay"),
        ("approved by Alice Weber", "approved by Robert Klein"),
        ("you can leave", "you can't leave"),
    ],
)
def test_a_name_or_a_negation_is_news(said: str, otherwise: str) -> None:
    text = " ".join(words(60, seed=4))
    one, other = stored(f"{text} {said}"), stored(f"{text} {otherwise}", document="b")
    assert not repeats(other, one)
    assert not repeats(one, other)


def test_equal_words_in_unlike_documents_are_no_repetition() -> None:
    passage = " ".join(words(40, seed=5))
    one = stored(passage, of=" ".join(words(300, seed=6)))
    other = stored(passage, document="b", of=" ".join(words(300, seed=7)))
    assert not repeats(other, one)


def test_groups_hold_what_is_alike() -> None:
    base = words(300, seed=8)
    texts = {
        "b": base,
        "a": ["new", *base[1:]],
        "c": [*base[:-1], "end"],
        "d": words(300, seed=9),
        "e": ["short"],
    }
    signatures = {key: sign(" ".join(text)) for key, text in texts.items()}
    assert near_duplicates(signatures) == [["a", "b", "c"]]
    assert near_duplicates({}) == []


def test_shown_passages_name_the_first_that_is_repeated() -> None:
    shown = ShownPassages()
    texts = [" ".join(words(60, seed=seed)) for seed in range(40)]
    assert shown.repeated_by(stored(texts[0])) is None
    for number, text in enumerate(texts):
        shown.add(stored(text, document=f"d{number}"))
    shown.add(stored("too short to tell", document="short"))
    shown.add(stored(texts[7], document="again"))
    for number, text in enumerate(texts):
        before = shown.repeated_by(stored(text, document="new"))
        assert before is not None
        assert before.document_id == f"d{number}"
    assert shown.repeated_by(stored(" ".join(words(60, seed=99)), document="new")) is None
    assert shown.repeated_by(stored("too short to tell", document="new")) is None
