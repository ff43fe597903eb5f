from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from ragmem.chunking.edges import hard_edges, local_maxima, openings
from ragmem.chunking.units import HEADING, SENTENCE, Section, Unit


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(1, 9)), max_size=40),
    st.integers(0, 30),
)
def test_local_maxima_are_those_of_the_definition(
    rows: list[tuple[int, int, int]], reach: int
) -> None:
    scores = [(rank, key) for rank, key, _ in rows]
    sums = [0, *accumulate(weight for _, _, weight in rows)]
    expected = [
        index
        for index in range(1, len(rows))
        if all(
            scores[other] < scores[index] or (other > index and scores[other] == scores[index])
            for other in range(1, len(rows))
            if other != index and abs(sums[other] - sums[index]) <= reach
        )
    ]
    assert local_maxima(scores, sums, 0, len(rows), reach=reach) == expected


def test_sections_are_edges_when_both_sides_weigh_enough() -> None:
    # Levels and weights: an outer section of 5 + (40 + 10), another of 60.
    shape = [(1, 5), (2, 40), (2, 10), (1, 60)]
    sections = [Section(level=level) for level, _ in shape]
    units = [
        Unit(
            kind="heading", start=i, end=i, rank=HEADING, section=i, opens=True, weight=shape[i][1]
        )
        for i in range(4)
    ]
    sums = [0, *accumulate(weight for _, weight in shape)]
    opened = openings(units, sections, sums)
    assert [(one.before, one.inside) for one in opened] == [(0, 55), (5, 40), (40, 10), (55, 60)]
    assert hard_edges(units, sums, opened, tiny=20) == [3]
    assert hard_edges(units, sums, opened, tiny=5) == [1, 2, 3]


def test_wide_gaps_are_edges() -> None:
    units = [
        Unit(kind="prose", start=at, end=at + 5, rank=SENTENCE, section=0, weight=1)
        for at in (0, 10, 9000)
    ]
    assert hard_edges(units, [0, 1, 2, 3], [], tiny=20) == [2]
