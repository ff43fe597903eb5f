"""What `ragmem ingest` prints of its runs: lines for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ragmem.cli.ingest_arguments import Wanted
from ragmem.cli.output import print_text, remark
from ragmem.ingestion.locations import shown
from ragmem.types import ItemReport, SyncReport

_COUNTS = ("discovered", "added", "updated", "unchanged", "deleted", "copies", "chunks")
_LISTS = ("failed", "skipped", "warnings")

Remark = tuple[str, ItemReport]
"""What is said of an item: that it failed, was skipped, or a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A source and what its sync did; one that could not even begin failed as a whole."""

    wanted: Wanted
    report: SyncReport

    @classmethod
    def not_begun(cls, wanted: Wanted, reason: str) -> Ran:
        """Tell why there was no sync."""
        failed = ItemReport(uri=shown(wanted.source.location), reason=reason)
        return cls(wanted=wanted, report=SyncReport(failed=(failed,)))

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.report.seconds.get("total", 0.0)


def as_json(ran: Sequence[Ran]) -> dict[str, object]:
    """The sums over all sources, and each source."""
    reports = [each.report for each in ran]
    return {
        **{name: sum(getattr(report, name) for report in reports) for name in _COUNTS},
        **{name: [item for each in reports for item in getattr(each, name)] for name in _LISTS},
        "seconds": round(sum(each.seconds for each in ran), 3),
        "sources": [_source_as_json(each) for each in ran],
    }


def _source_as_json(ran: Ran) -> dict[str, object]:
    return {
        "source": shown(ran.wanted.source.location),
        "connector": ran.wanted.source.connector,
        "tenant": ran.wanted.request.tenant,
        **{name: getattr(ran.report, name) for name in (*_COUNTS, *_LISTS)},
        "seconds": {name: round(each, 3) for name, each in ran.report.seconds.items()},
    }


def print_report(ran: Ran, *, said: Collection[Remark] = ()) -> None:
    """Print a line of counts, then each remark that was not said before."""
    location = shown(ran.wanted.source.location)
    if not ran.report.seconds:  # it could not begin
        for item in ran.report.failed:
            print_text(f"not synced: {remark(location, item.reason)}")
        return
    print_text(f"{location}: {_counted([ran])}")
    for label, item in remarks(ran.report):
        if (label, item) not in said:
            print_text(f"  {label} {remark(item.uri, item.reason)}")


def print_sums(ran: Sequence[Ran]) -> None:
    """Print the counts over several sources."""
    print_text(f"{len(ran)} sources: {_counted(ran)}")


def remarks(report: SyncReport) -> list[Remark]:
    """All that is said of items."""
    return [
        *(("failed", item) for item in report.failed),
        *(("skipped", item) for item in report.skipped),
        *(("warning", item) for item in report.warnings),
    ]


def _counted(ran: Sequence[Ran]) -> str:
    def total(name: str) -> int:
        return sum(getattr(each.report, name) for each in ran)

    copies = f" ({total('copies')} of them copies)" if total("copies") else ""
    failed = sum(len(each.report.failed) for each in ran)
    skipped = sum(len(each.report.skipped) for each in ran)
    return (
        f"{total('added')} added, {total('updated')} updated{copies}, "
        f"{total('unchanged')} unchanged, {total('deleted')} deleted, {failed} failed, "
        f"{skipped} skipped; {total('chunks')} chunks in "
        f"{sum(each.seconds for each in ran):.1f} s"
    )
