"""Blending again what a search found, with other weights, without searching again.

A search is run once a question with neutral settings; its trace holds every list of scores that
was blended. Two things are left out: what reranking would do afterwards, and that sources which
start from the fused scores would propose otherwise under other weights. This is for choosing; what
was chosen is judged by real searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from ragmem import Agent, ScoreList, Settings, Trace, fuse

from ..beir_data import BeirData
from ..retrieval import Progress, Run, document_of, in_order

NEUTRAL: Mapping[str, object] = {
    "fusion": "min_max_convex",
    "dense_weight": 0.5,
    "reranker": "none",
    "diversity": 0.0,
    "enlarge": "none",
}
"""What the lists are collected with: the trace then tells each list's own weight and floor."""

CHUNKS_A_QUESTION = 100  # as many as each index proposes in a search of a user's

_DENSE_WEIGHTS = tuple(tenth / 10 for tenth in range(11))
_FACTORS = (0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The lists of every question, and which document each chunk belongs to.

    Attributes:
        lists: by question; a list's weight is that of its wording beside the question's own, or a
            source's beside dense and lexical together.
        documents: by chunk; chunks that no search returned are missing, and are not ranked.
    """

    lists: Mapping[str, tuple[ScoreList, ...]]
    documents: Mapping[str, str]

    @property
    def sources(self) -> set[str]:
        """The sources whose weight can be tuned, of those that proposed anything."""
        names = {each.name for lists in self.lists.values() for each in lists}
        return {name for name in names if _weight_of(name) in Settings.model_fields}


def collect(agent: Agent, data: BeirData, *, progress: Progress) -> Collected:
    """Search once for every question.

    Args:
        agent: opened with `NEUTRAL` settings; its store holds the corpus.
    """
    lists: dict[str, tuple[ScoreList, ...]] = {}
    documents: dict[str, str] = {}
    for number, (query_id, text) in enumerate(data.queries.items(), start=1):
        found = agent.knowledge.search(text, k=CHUNKS_A_QUESTION)
        lists[query_id] = _blended_lists(found.trace)
        documents |= {hit.chunk_id: document_of(hit.document_uri) for hit in found.hits}
        progress("collecting", number, len(data.queries))
    return Collected(lists=lists, documents=documents)


def grids(base: Settings, sources: Iterable[str]) -> list[list[Settings]]:
    """What is searched, from nothing to everything; each grid begins with the settings as they are.

    The settings as they are; every dense weight; these with every fusion; these with half and twice
    the weight of each source, one source at a time.
    """
    weights = [base.model_copy(update={"dense_weight": weight}) for weight in _DENSE_WEIGHTS]
    methods = get_args(Settings.model_fields["fusion"].annotation)
    fusions = [each.model_copy(update={"fusion": name}) for each in weights for name in methods]
    found = [[base], [base, *weights], [base, *weights, *fusions]]
    names = [_weight_of(source) for source in sorted(sources)]
    if names:
        weighted = [
            each.model_copy(update={name: getattr(base, name) * factor})
            for each in weights
            for name in names
            for factor in _FACTORS
        ]
        found.append([*found[-1], *filter(_allowed, weighted)])
    return [list(dict.fromkeys(grid)) for grid in found]


def blend(collected: Collected, settings: Settings) -> Run:
    """The documents of every question as these settings would rank them before reranking."""
    run: Run = {}
    for query_id, lists in collected.lists.items():
        fused = fuse([_weighted(each, settings) for each in lists], method=settings.fusion)
        known = (collected.documents.get(chunk_id) for chunk_id in fused.scores)
        run[query_id] = in_order((each for each in known if each is not None), query_id=query_id)
    return run


def overrides(settings: Settings, base: Settings) -> dict[str, object]:
    """The settings that differ."""
    return {
        name: getattr(settings, name)
        for name in Settings.model_fields
        if getattr(settings, name) != getattr(base, name)
    }


def _blended_lists(trace: Trace) -> tuple[ScoreList, ...]:
    """The lists that went into the last fusion of a search with neutral settings."""
    names = {stage.name for stage in trace.stages}
    details = trace.stage("combined" if "combined" in names else "fused").details
    shares = cast(Mapping[str, float], details["weights"])
    bounds = cast(Mapping[str, Sequence[float]], details["bounds"])
    return tuple(
        ScoreList(
            name=name,
            scores=trace.stage(name).scores,
            weight=share / _share_of_the_whole(name, shares),
            floor=bounds[name][0],
        )
        for name, share in shares.items()
    )


def _share_of_the_whole(name: str, shares: Mapping[str, float]) -> float:
    """What a list's weight is beside: the question's own list, or, for a source, both of them."""
    index = _index_of(name)
    return shares[index] if index else shares["dense"] + shares["lexical"]


def _index_of(name: str) -> str:
    """The index that a list is of: wordings are called `dense.2`; empty for a source."""
    index = name.split(".")[0]
    return index if index in ("dense", "lexical") else ""


def _weight_of(source: str) -> str:
    """The setting that weighs a source of candidates beside dense and lexical together."""
    return f"{source}_weight"


def _allowed(settings: Settings) -> bool:
    """Whether every value is within its bounds; a changed copy is not checked by itself."""
    try:
        Settings(**settings.model_dump())
    except ValueError:
        return False
    return True


def _weighted(found: ScoreList, settings: Settings) -> ScoreList:
    index = _index_of(found.name)
    weight = found.weight
    if index:
        weight *= settings.dense_weight if index == "dense" else 1.0 - settings.dense_weight
    else:
        weight = float(getattr(settings, _weight_of(found.name), weight))
    return ScoreList(name=found.name, scores=found.scores, weight=weight, floor=found.floor)
