"""The walk against personalised PageRank by dense matrices, and its own formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ragmem.retrieval.graph_walk import DAMPING, Link, shares, specificity, walk


def link(source: str, target: str, weight: float, name: str = "n") -> Link:
    return Link(source=source, target=target, name=name, weight=weight)


def random_graph(seed: int, *, seeds: int, targets: int) -> tuple[dict[str, float], list[Link]]:
    draw = np.random.default_rng(seed)
    masses = {f"s{row}": float(draw.uniform(0.1, 2.0)) for row in range(seeds)}
    weights = draw.uniform(size=(seeds, targets)) * (draw.uniform(size=(seeds, targets)) < 0.5)
    links = [
        link(f"s{row}", f"t{column}", float(weights[row, column]))
        for row, column in np.argwhere(weights > 0).tolist()
    ]
    return masses, links


@pytest.mark.parametrize("seed", range(20))
def test_every_score_is_the_formulas(seed: int) -> None:
    masses, links = random_graph(seed, seeds=5, targets=8)
    weights = np.zeros((5, 8))
    for each in links:
        weights[int(each.source[1:]), int(each.target[1:])] = each.weight
    spread = np.maximum(1.0, np.sqrt(weights.sum(axis=1)))
    start = np.array([masses[f"s{row}"] for row in range(5)])
    expected = (DAMPING * start[:, None] * weights / spread[:, None]).max(axis=0)
    found = walk(masses, links)
    for column in range(8):
        assert found.scores.get(f"t{column}", 0.0) == pytest.approx(expected[column])
    for row in range(5):
        assert found.scores[f"s{row}"] == pytest.approx((1.0 - DAMPING) * start[row])


@pytest.mark.parametrize("seed", range(20))
def test_with_one_path_to_each_passage_it_is_one_step_of_pagerank(seed: int) -> None:
    """Where no two paths meet and links weigh 1 at most together, nothing is approximated."""
    draw = np.random.default_rng(seed)
    shares_of = draw.dirichlet(np.ones(4), size=3)  # three seeds, four links each, summing to 1
    start = draw.uniform(size=3)
    masses = {f"s{row}": float(start[row]) for row in range(3)}
    links = [
        link(f"s{row}", f"t{row}{column}", float(shares_of[row, column]))
        for row in range(3)
        for column in range(4)
    ]
    names = [*masses, *(each.target for each in links)]
    place = {name: number for number, name in enumerate(names)}
    step = np.zeros((len(names), len(names)))
    for each in links:
        step[place[each.target], place[each.source]] = each.weight
    restart = np.array([masses.get(name, 0.0) for name in names])
    # r + d P r: the first two terms of PageRank's series (1 - d) sum of (d P)^i r, over 1 - d.
    series = (1.0 - DAMPING) * restart + DAMPING * step @ restart
    found = walk(masses, links)
    assert [found.scores[name] for name in names] == pytest.approx(series.tolist())


def test_the_best_path_explains_a_score() -> None:
    links = [link("a", "t", 0.2, "x"), link("a", "t", 0.9, "y"), link("b", "t", 1.0, "z")]
    found = walk({"a": 2.0, "b": 1.0}, links)
    assert found.links["t"] == links[1]
    assert found.scores["t"] == pytest.approx(DAMPING * 2.0 * 0.9)


def test_a_seed_keeps_what_is_more_than_a_link_gives() -> None:
    found = walk({"a": 0.1, "b": 2.0}, [link("a", "b", 1.0)])
    assert found.scores["b"] == pytest.approx((1.0 - DAMPING) * 2.0)
    assert found.links == {}


def test_nothing_to_walk() -> None:
    assert walk({}, []).scores == {}


def test_the_order_of_links_does_not_matter() -> None:
    masses, links = random_graph(3, seeds=4, targets=6)
    links += [link("s0", "t1", 0.5, "m"), link("s0", "t1", 0.5, "k")]
    assert walk(masses, links) == walk(masses, links[::-1])


@pytest.mark.parametrize(("mentions", "expected"), [(0, 1.0), (1, 1.0), (10, 0.5), (100, 0.0)])
def test_frequent_names_tell_less(mentions: int, expected: float) -> None:
    assert specificity(mentions, most=100) == pytest.approx(expected)


def test_the_most_similar_passage_is_meant() -> None:
    found = shares({"a": 0.5, "b": 0.4}, temperature=0.1)
    assert found["a"] == 1.0
    assert found["b"] == pytest.approx(math.exp(-1.0))
    assert shares({}, temperature=0.1) == {}
