"""The measured part of a document: written between two markers, the rest left as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ragmem import UsageError

from ..intervals import Metric
from .comparing import Figure, RowFigures
from .kept import Kept

BEGIN = "<!-- measured:begin -->"
END = "<!-- measured:end -->"

_MEASURES = {"ndcg@10": "nDCG@10", "recall@5": "recall@5"}


def update(path: Path, measured: str) -> None:
    """Put the measured part between the markers; a document that is not there is made.

    Raises:
        UsageError: the document has not both markers once, in this order.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else f"{BEGIN}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end or BEGIN in old + after or END in before + after:
        raise UsageError(f"{path} needs one line {BEGIN} and, after it, one line {END}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{BEGIN}\n\n{measured}\n{END}{after}", encoding="utf-8")


def measured_part(kept: Kept, rows: Sequence[RowFigures], *, plot: str) -> str:
    """The table, the plot and what they mean, as Markdown.

    Args:
        plot: the plot's file, from the document's folder.
    """
    shown = [each for each in rows if each.by_set]
    missing = [each for each in rows if not each.by_set]
    parts = [_table(kept, shown), _legend(kept)]
    if missing:
        parts.append("Not measured here:\n")
        parts.append("".join(f"- {_name(each)}: {each.not_measured}\n" for each in missing))
    if any(each.mean for each in shown):
        parts.append(f"![Mean over the sets against the median latency of a search]({plot})\n")
    return "\n".join(parts)


def _table(kept: Kept, rows: Sequence[RowFigures]) -> str:
    sets = list(kept.sets.values())
    measures = [f"{each.name}, {_MEASURES.get(each.measure, each.measure)}" for each in sets]
    header = ["configuration", "compared with", *measures, "mean", "p50 ms", "ingest s"]
    lines = [header, ["---", "---", *["---:"] * (len(header) - 2)]]
    for each in rows:
        milliseconds = f"{each.milliseconds.value:.1f}" if each.milliseconds else ""
        ingest = "" if each.ingest_seconds is None else f"{each.ingest_seconds:.0f}"
        figures = [_cell(each.by_set.get(judged.name)) for judged in sets]
        mean = _cell(each.mean, with_interval=True)
        base = each.row.base or ""
        lines.append([_name(each), base, *figures, mean, milliseconds, ingest])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _legend(kept: Kept) -> str:
    sizes = ", ".join(
        f"{each.name} ({each.questions} questions, {each.documents} documents)"
        for each in kept.sets.values()
    )
    machine = f"{os.cpu_count()} cores, {kept.versions.get('machine', '')}"
    return (
        f"In hundredths. Below each value stands the paired difference to the row it is compared "
        f"with, with its 95% interval, bold where that leaves out zero. The mean counts every set "
        f"the same; its intervals resample questions within their sets. `p50 ms` is the median of "
        f"`search(k=10)` over all sets ({machine}); `ingest s` is given where something else is "
        f"stored than by default. Many rows are compared at once: one in forty that changes "
        f"nothing looks better.\n\nSets: {sizes}. ragmem {kept.versions.get('ragmem', '')}.\n"
    )


def _name(figures: RowFigures) -> str:
    return figures.row.name


def _cell(figure: Figure | None, *, with_interval: bool = False) -> str:
    if figure is None:
        return "–"
    value = f"{figure.value.value * 100:.1f}"
    if with_interval:
        value += f" [{figure.value.low * 100:.1f}, {figure.value.high * 100:.1f}]"
    return value if figure.difference is None else f"{value}<br>{_difference(figure.difference)}"


def _difference(metric: Metric) -> str:
    low, value, high = (100 * each for each in (metric.low, metric.value, metric.high))
    text = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"**{text}**" if low > 0 or high < 0 else text
