"""Where corpora are kept between runs, and bringing one into its store.

A kept store is found again by everything that may change what is in it. Settings that only change
how it is searched share it, so that comparing them ingests nothing twice.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragmem import Agent, Settings

from .beir_data import BeirData
from .retrieval import Progress, ingest

SEARCH_ONLY = frozenset(
    {
        "candidates",
        "collapse_near_duplicates",
        "context_tokens",
        "corrective_searches",
        "corrective_seconds",
        "database_url",  # never used here: a corpus does not belong into anybody's database
        "date_fields",
        "date_languages",
        "dense_weight",
        "diversity",
        "enlarge",
        "enlarge_characters",
        "enlarge_sentences",
        "feedback_weight",
        "fusion",
        "graph",
        "graph_weight",
        "late_interaction_weight",
        "least_sufficiency",
        "listwise_passage_tokens",
        "listwise_step",
        "listwise_window",
        "models",
        "neighbours_weight",
        "question_sentences",
        "rerank_candidates",
        "reranker",
        "sparse_weight",
        "threads",
        "understanding",
    }
)
"""Settings that leave a store as it is; one that is not named here gets a store of its own."""


def store_key(data: BeirData, settings: Settings) -> str:
    """Names what a store holds: a corpus, as these settings make it.

    The documents' ids belong to it: one that has left the corpus would still be found in an older
    store. Texts, parsers and chunkers do not: a store is brought in step with them when it is
    opened.
    """
    stored = settings.model_dump(mode="json", exclude=set(SEARCH_ONLY))
    facets = [stored, [document.id for document in data.corpus]]
    return hashlib.sha256(json.dumps(facets, sort_keys=True).encode()).hexdigest()[:16]


class CorpusStores:
    """The stores of one run, each brought in step with its corpus once."""

    def __init__(self, folder: Path | None = None, *, progress: Progress) -> None:
        """Keep stores in `folder`; in the platform's cache otherwise."""
        self._folder = folder or kept_folder()
        self._progress = progress
        self._left_out: dict[Path, int] = {}

    @contextmanager
    def open(
        self, data: BeirData, settings: Settings, *, at: Path | None = None
    ) -> Iterator[Agent]:
        """An agent over the corpus, ingested with these settings and searched with them.

        Args:
            at: this folder, whatever the settings.
        """
        folder = at or self._folder / store_key(data, settings)
        own = settings.model_copy(update={"database_url": None})
        with Agent.open(folder, settings=own) as agent:
            if folder not in self._left_out:
                self._left_out[folder] = self._bring_in_step(agent, data, folder)
            yield agent

    def left_out(self, data: BeirData, settings: Settings, *, at: Path | None = None) -> int:
        """How many of the corpus's documents an opened store could not ingest."""
        return self._left_out[at or self._folder / store_key(data, settings)]

    def ingest_seconds(self, data: BeirData, settings: Settings) -> float | None:
        """How long it took to ingest the corpus, where all of it was done in one go."""
        record = _record(self._folder / store_key(data, settings))
        return float(json.loads(record.read_text())["seconds"]) if record.is_file() else None

    def _bring_in_step(self, agent: Agent, data: BeirData, folder: Path) -> int:
        """Ingest what is new; returns how many documents had to be left out."""
        began_empty = not agent.knowledge.status().documents
        report = ingest(agent, data, progress=self._progress)
        if began_empty:
            _record(folder).write_text(json.dumps({"seconds": report.seconds["total"]}))
        elif report.added + report.updated:
            _record(folder).unlink(missing_ok=True)  # it was of other documents or code
        if report.failed:
            first = report.failed[0]
            sys.stderr.write(
                f"evals: {len(report.failed)} of {len(data.corpus)} documents could not be "
                f"ingested and cannot be found, for instance {first.uri}: {first.reason}\n"
            )
        return len(report.failed)


def kept_folder() -> Path:
    """Where corpora are kept; it may be deleted at any time."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ragmem", appauthor=False)) / "evals"


def _record(folder: Path) -> Path:
    """Where the time that ingesting took is noted: beside the store, which holds its own files."""
    return folder.with_name(f"{folder.name}.ingest.json")
