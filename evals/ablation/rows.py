"""The rows of the ablation table: which settings are measured, and what each is compared with.

Adding a technique is adding a line here; nothing else in the ablation knows any technique.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ragmem import Settings

from ..command_line import with_overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One configuration.

    Attributes:
        name: as the table shows it; unique.
        base: the row it starts from and is compared with; None for the defaults.
        overrides: what differs from the base.
        needs_chat: whether a chat model generates while it is ingested or searched.
    """

    name: str
    base: str | None
    overrides: Mapping[str, object] = field(default_factory=dict)
    needs_chat: bool = False


DEFAULT = "default"
PLAIN = "plain fusion"

# Opening these models is left to whoever measures: where one is not on the machine, the table says
# so.
_CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"
_SPARSE_ENCODER = "prithivida/Splade_PP_en_v1"

ROWS: tuple[Row, ...] = (
    Row(name=DEFAULT, base=None),
    Row(
        name=PLAIN,
        base=DEFAULT,
        overrides={
            "graph": False,
            "neighbours_weight": 0.0,
            "question_sentences": False,
            "reranker": "none",
        },
    ),
    Row(name="default without graph", base=DEFAULT, overrides={"graph": False}),
    Row(name="default without neighbours", base=DEFAULT, overrides={"neighbours_weight": 0.0}),
    Row(
        name="default without question sentences",
        base=DEFAULT,
        overrides={"question_sentences": False},
    ),
    Row(name="default without word features", base=DEFAULT, overrides={"reranker": "none"}),
    Row(name="default without headings", base=DEFAULT, overrides={"contextual_headers": False}),
    Row(
        name="default with near-duplicates",
        base=DEFAULT,
        overrides={"collapse_near_duplicates": False},
    ),
    Row(name="plain + reciprocal rank", base=PLAIN, overrides={"fusion": "reciprocal_rank"}),
    Row(name="plain + distribution-based", base=PLAIN, overrides={"fusion": "distribution_based"}),
    Row(name="plain + question sentences", base=PLAIN, overrides={"question_sentences": True}),
    Row(name="plain + neighbours", base=PLAIN, overrides={"neighbours_weight": 0.35}),
    Row(name="plain + graph", base=PLAIN, overrides={"graph": True}),
    Row(name="plain + feedback", base=PLAIN, overrides={"feedback_weight": 0.5}),
    Row(name="plain + word features", base=PLAIN, overrides={"reranker": "features"}),
    Row(name="plain + late interaction", base=PLAIN, overrides={"reranker": "late_interaction"}),
    Row(name="plain + cross-encoder", base=PLAIN, overrides={"reranker": _CROSS_ENCODER}),
    Row(name="plain + listwise", base=PLAIN, overrides={"reranker": "listwise"}, needs_chat=True),
    Row(name="plain + diversity", base=PLAIN, overrides={"diversity": 0.3}),
    Row(name="plain + learned sparse", base=PLAIN, overrides={"sparse_model": _SPARSE_ENCODER}),
    Row(name="plain + spelling", base=PLAIN, overrides={"understanding": ("spelling",)}),
    Row(name="plain + dates", base=PLAIN, overrides={"understanding": ("dates",)}),
    *(
        Row(
            name=f"plain + {technique.replace('_', ' ')}",
            base=PLAIN,
            overrides={"understanding": (technique,)},
            needs_chat=True,
        )
        for technique in ("self_query", "multi_query", "hyde", "step_back", "decompose")
    ),
    Row(
        name="plain + sentence window",
        base=PLAIN,
        overrides={"chunking": "sentences", "enlarge": "sentences"},
    ),
    Row(
        name="plain + small to big",
        base=PLAIN,
        overrides={"chunk_tokens": 63, "enlarge": "section"},
    ),
    Row(name="plain + semantic chunks", base=PLAIN, overrides={"chunking": "semantic"}),
    Row(name="plain + late chunking", base=PLAIN, overrides={"late_chunking": True}),
    Row(
        name="plain + written context",
        base=PLAIN,
        overrides={"write_context": True},
        needs_chat=True,
    ),
    # Everything that runs offline without a chat model and does not exclude something else here.
    Row(
        name="all together",
        base=DEFAULT,
        overrides={"understanding": ("spelling",), "late_chunking": True},
    ),
)


def settings_of(name: str, rows: Sequence[Row] = ROWS) -> Settings:
    """The settings of a row: the defaults, then the overrides of its bases, then its own.

    Raises:
        UsageError: an override names no setting or has a wrong value.
    """
    by_name = {row.name: row for row in rows}
    chain: list[Row] = []
    row: Row | None = by_name[name]
    while row is not None:
        chain.append(row)
        row = by_name[row.base] if row.base is not None else None
    overrides: dict[str, object] = {}
    for each in reversed(chain):
        overrides |= each.overrides
    return with_overrides(overrides, named=f"the row {name!r}")
