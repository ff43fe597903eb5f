"""Which terms of a dictionary are nearly a given word: pure functions over terms and counts.

How an index enumerates its terms, and which of them somebody may see, is the index's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

MOST_SUGGESTIONS = 3

_SHORTEST = 4
_SHORTEST_FOR_TWO = 8
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def edits_allowed(word: str) -> int:
    """How many typing errors a word of this length is trusted to have."""
    if len(word) < _SHORTEST or not word.isalpha():
        return 0
    return 1 if len(word) < _SHORTEST_FOR_TWO else 2


def distance(one: str, other: str, *, limit: int) -> int:
    """How many letters must be added, left out, changed or swapped with the next.

    The restricted edit distance with transpositions: Damerau, "A technique for computer detection
    and correction of spelling errors" (CACM 1964), computed as Wagner and Fischer do (JACM 1974).

    Returns:
        The distance, or `limit` + 1 where it is larger than that.
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            swapped = i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted
            row.append(min(cost, earlier[j - 2] + 1) if swapped else cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def likest(
    forms: Collection[str],
    beginning: Callable[[str], Iterable[str]],
    *,
    edits: int,
    count: Callable[[str], int],
) -> list[str]:
    """The terms nearest to one of the forms of a word.

    Args:
        forms: what analysis made of the word.
        beginning: the dictionary's terms that begin with a letter.
        edits: terms farther away than this are not meant.
        count: in how many entries a term stands that may be seen; one in none is not there.

    Returns:
        Those at the least distance, at most `MOST_SUGGESTIONS`: with the word's first letter
        before others, then the more frequent first.
    """
    letters = {form[0] for form in forms}
    terms = {term for letter in letters for term in beginning(letter)}
    terms.update(start for form in forms for start in _other_beginnings(form))
    for near in _by_distance(forms, terms, edits=edits):
        found = [(term[0] not in letters, -count(term), term) for term in near]
        held = sorted(each for each in found if each[1])
        if held:
            return [term for _, _, term in held[:MOST_SUGGESTIONS]]
    return []


def _by_distance(
    forms: Collection[str], terms: Collection[str], *, edits: int
) -> Iterator[list[str]]:
    """The terms one edit away, then those two away."""
    near: dict[str, int] = {}
    for form in forms:
        letters, length = set(form), len(form)
        for term in terms:
            # One edit changes which letters there are by at most two: few terms are left to weigh.
            if abs(len(term) - length) <= edits and len(letters.symmetric_difference(term)) <= (
                2 * edits
            ):
                away = distance(form, term, limit=edits)
                if away <= edits and len(term) >= _SHORTEST and term.isalpha():
                    near[term] = min(away, near.get(term, away))
    for away in range(1, edits + 1):
        yield [term for term, found in near.items() if found == away]


def _other_beginnings(word: str) -> Iterator[str]:
    """Every word that one error at its first letter could have turned into this one."""
    rest = word[1:]
    yield rest
    yield rest[:1] + word[:1] + rest[1:]
    for letter in _ALPHABET:
        yield letter + rest
        yield letter + word
