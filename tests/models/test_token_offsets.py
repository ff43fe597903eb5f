"""Token spans of what a model read, as spans of the text that was given."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragmem.models.token_offsets import offsets_within

Spans = Sequence[tuple[int, int]]


@pytest.mark.parametrize(
    ("spans", "before", "length", "kept", "offsets"),
    [
        ([(0, 3), (4, 7)], 0, 7, [True, True], [[0, 3], [4, 7]]),
        ([(0, 5), (6, 9)], 6, 3, [False, True], [[0, 3]]),  # a prompt of six characters
        ([(4, 9)], 6, 3, [True], [[0, 3]]),  # a token over the prompt's end
        ([(0, 3)], -2, 5, [True], [[2, 5]]),  # two characters were stripped
        ([(0, 0), (0, 3)], 0, 3, [True, True], [[0, 0], [0, 3]]),
        ([(5, 9)], 0, 7, [True], [[5, 7]]),
        ([], 4, 3, [], []),
    ],
)
def test_offsets_are_those_in_the_text(
    spans: Spans, before: int, length: int, kept: list[bool], offsets: list[list[int]]
) -> None:
    found = offsets_within(spans, before=before, length=length)
    assert (found[0].tolist(), found[1].tolist()) == (kept, offsets)
    assert found[1].shape == (len(offsets), 2)
