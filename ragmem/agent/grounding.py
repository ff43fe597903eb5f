"""Checking that a generated sentence says what the evidence says, and nothing more.

Strict on purpose: what is refused here is replaced by a quotation, which costs fluency; what is
wrongly let through costs the user's trust. Choosing the evidence is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragmem.agent.evidence import Evidence
from ragmem.agent.question_kind import answers_kind
from ragmem.ports import Embedder
from ragmem.retrieval.terms import STOPWORDS, content_words, words

# Function words that change what a sentence claims, so that they must be in the evidence too.
_TELLING_TEXT = (
    "after all before between both into more most only other over should some under until"
)
_TELLING = frozenset(_TELLING_TEXT.split())
_NUMBER_TEXT = "two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_NUMBER_TEXT.split(), start=2)}
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot|fail(?:s|ed)?|lack(?:s|ed)?)"
    r"\b|n['’]t\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"[,;:()–—]\s*|\b(?:but|although|though|while|whereas|however|and)\b", re.IGNORECASE
)
_OPEN_QUESTION = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)
_INFLECTION = re.compile(r"(?<=...)(?:ing|ed|es|e|ly)$")
_ADJACENT_CHARACTERS = 8
_LESS_RELEVANT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the check found about one sentence.

    Attributes:
        reason: why it was refused, or what it is supported by; for people.
        evidence: the sentence, or the two adjacent ones, that support it; empty when refused.
        similarity: the cosine of the sentence and the evidence that came nearest to supporting it.
    """

    sentence: str
    supported: bool
    reason: str
    evidence: tuple[Evidence, ...] = ()
    similarity: float = 0.0


class GroundingCheck:
    """Checks sentences against evidence.

    A sentence is supported when one evidence sentence under its title, or two adjacent ones, hold
    all its content words but for inflection, all its numbers and capitalized words, the numbers
    and the names each in the same order; when both or neither are negated; and when their vectors
    are similar. From two sentences all words must come in the same order. A sentence that only says
    the question again is refused, and so is one that a quotation of the best evidence outdoes: it
    rests on less relevant evidence, gives other numbers, or lacks the date, number or name that is
    asked for and that the best evidence has.

    Known limit: a number or name that the same evidence sentence ties to something else is
    not told apart unless the order changes.
    """

    def __init__(self, embedder: Embedder, *, least_similarity: float = 0.3) -> None:
        self._embedder = embedder
        self._least_similarity = least_similarity

    def check(self, sentence: str, *, question: str, evidence: Sequence[Evidence]) -> Verdict:
        """Check one sentence.

        Args:
            sentence: one sentence of the model's.
            question: what was asked.
            evidence: the sentences that the model was shown.
        """
        refusal = _says_nothing(sentence, question)
        if refusal:
            return Verdict(sentence=sentence, supported=False, reason=refusal)
        judged = [(window, _mismatch(sentence, window)) for window in _windows(evidence)]
        fitting = [window for window, mismatch in judged if mismatch is None]
        if not fitting:
            nearest = min(
                (each for _, each in judged if each is not None), default=(0, "no evidence")
            )
            return Verdict(sentence=sentence, supported=False, reason=nearest[1])
        fewest = min(map(len, fitting))
        fitting = [window for window in fitting if len(window) == fewest]
        best = max(evidence, key=lambda each: each.score)
        outdone = [_outdone(sentence, question, window, best) for window in fitting]
        if all(outdone):
            return Verdict(sentence=sentence, supported=False, reason=str(outdone[0]))
        fitting = [window for window, why in zip(fitting, outdone, strict=True) if why is None]
        texts = [" ".join(each.text for each in window) for window in fitting]
        vectors = self._embedder.embed_documents([sentence, *texts])
        similarities = [float(value) for value in vectors[1:] @ vectors[0]]
        closest = max(range(len(fitting)), key=similarities.__getitem__)
        supported = similarities[closest] >= self._least_similarity
        return Verdict(
            sentence=sentence,
            supported=supported,
            reason="covered" if supported else "the vectors are not similar",
            evidence=fitting[closest] if supported else (),
            similarity=similarities[closest],
        )


def _says_nothing(sentence: str, question: str) -> str | None:
    claim = frozenset(content_words(sentence)) - STOPWORDS
    if not claim:
        return "it has no content"
    if sentence.rstrip().endswith("?"):
        return "it asks instead of answering"
    if _OPEN_QUESTION.search(question) and claim <= frozenset(content_words(question)):
        return "it only repeats the question"
    return None


def _outdone(
    sentence: str, question: str, window: Sequence[Evidence], best: Evidence
) -> str | None:
    """Why a quotation of the best evidence answers better than a sentence it supports."""
    # After other words the sentence's own first word may be a name too.
    if answers_kind(question, f"it says {sentence}") < best.kind:
        return "it lacks what is asked for"
    behind = best.score - max(each.score for each in window)
    if behind <= 0.0:
        return None
    if behind > _LESS_RELEVANT:
        return "there is more relevant evidence"
    asked = set(_numbers(question))
    said, quoted = set(_numbers(sentence)) - asked, set(_numbers(best.text)) - asked
    return (
        "the best evidence gives other numbers" if said and quoted and not said & quoted else None
    )


def _windows(evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, ...]]:
    """Each sentence, and each two that follow one another in a document."""
    for each in evidence:
        yield (each,)
    in_order = sorted(evidence, key=lambda each: (each.document_uri, each.start))
    for left, right in pairwise(in_order):
        if (
            left.document_uri == right.document_uri
            and 0 <= right.start - left.end <= _ADJACENT_CHARACTERS
        ):
            yield (left, right)


def _mismatch(sentence: str, window: Sequence[Evidence]) -> tuple[int, str] | None:
    """How many words this evidence does not support, and which; None when all agree."""
    text = " ".join(each.text for each in window)
    held = _tokens(f"{window[0].document_title}. {text}")
    stems = {_stem(token) for token in held}
    content = [token for token in _tokens(sentence) if _claims(token)]
    numbers, names = _numbers(sentence), _names(sentence)
    missing = [
        token
        for token in dict.fromkeys([*numbers, *names, *content])
        if token not in held and (token in numbers or token in names or _stem(token) not in stems)
    ]
    if missing:
        return len(missing), f"not in the evidence: {', '.join(missing)}"
    if not (_in_order(numbers, held) and _in_order(names, held)):
        return 1, "names or numbers in another order than in the evidence"
    # Across two sentences any word could be tied to any other; only the order tells.
    if len(window) > 1 and not _in_order(map(_stem, content), map(_stem, held)):
        return 1, "words in another order than in the evidence"
    if bool(_NEGATION.search(sentence)) != _negated(text, frozenset(content)):
        return 1, "negated differently than the evidence"
    return None


def _claims(token: str) -> bool:
    return token not in STOPWORDS or token in _TELLING


def _tokens(text: str) -> list[str]:
    return [_NUMBER_WORDS.get(word, word) for word in words(text.replace("%", " percent"))]


def _numbers(text: str) -> list[str]:
    return [token for token in _tokens(text) if any(character.isdigit() for character in token)]


def _names(text: str) -> list[str]:
    """Capitalized words, the first of the sentence included, folded."""
    capitalized = " ".join(
        part for part in re.findall(r"[^\W_]+", text) if part[0].isupper() and not part.isdigit()
    )
    return [token for token in _tokens(capitalized) if token not in STOPWORDS]


def _in_order(wanted: Iterable[str], available: Iterable[str]) -> bool:
    """Whether `wanted`, repetitions left out, is a subsequence of `available`."""
    rest = iter(available)
    return all(token in rest for token in dict.fromkeys(wanted))


def _negated(text: str, claim: frozenset[str]) -> bool:
    """Whether the clauses that share most words with the claim hold a negation."""
    clauses = [clause for clause in _CLAUSE_END.split(text) if clause.strip()] or [text]
    shared = [len(claim & frozenset(_tokens(clause))) for clause in clauses]
    return any(
        _NEGATION.search(clause) is not None
        for clause, count in zip(clauses, shared, strict=True)
        if count == max(shared)
    )


def _stem(word: str) -> str:
    """The word without an inflection and the doubled consonant before it."""
    stem = _INFLECTION.sub("", word)
    return stem[:-1] if stem != word and len(stem) > 3 and stem[-1] == stem[-2] else stem
