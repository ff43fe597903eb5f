"""Looks over an installation: packages, models, the store.

Documents and indexes stay as they are: what is missing is told, and made by the next opening.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from ragmem.connecting import check_connectors
from ragmem.errors import RagmemError, StoreCorrupt, StoreMissing
from ragmem.opening import indexes_current
from ragmem.parts import Parts, Replacements
from ragmem.settings import Settings
from ragmem.store.chunks import all_chunk_ids
from ragmem.store.index_ops import count_pending
from ragmem.store.stamp import check_stamp, read_stamp
from ragmem.store.store import open_store

_LIBRARIES = ("chromadb", "tantivy", "onnxruntime", "xllamacpp", "sqlalchemy", "pypdfium2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    healthy: bool
    text: str


def examine(
    store: Path, *, settings: Settings, replacements: Replacements | None = None
) -> list[Finding]:
    """Look at everything an agent would use.

    Args:
        store: the store's folder; one that is not there yet is no problem.
        settings: what would be used.
        replacements: parts of the caller's own.
    """
    findings = [_python(), *(_library(name) for name in _LIBRARIES), *_top_level_names()]
    findings += _connectors()
    parts = Parts(store, settings, replacements=replacements)
    try:
        findings += [_embedder(parts), _chat(parts), _store(parts)]
    finally:
        parts.close()
    return findings


def _python() -> Finding:
    return Finding(
        healthy=True,
        text=f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"ragmem {version('ragmem')}",
    )


def _library(name: str) -> Finding:
    try:
        return Finding(healthy=True, text=f"{name} {version(name)}")
    except PackageNotFoundError:
        return Finding(healthy=False, text=f"{name} is not installed: pip install ragmem")


def _top_level_names() -> list[Finding]:
    """Whether another distribution has overwritten a package of ours; two have generic names."""
    owners = packages_distributions()
    findings = []
    for name in ("ragmem", "connectors", "evals"):
        others = sorted(set(owners.get(name, ())) - {"ragmem"})
        text = f"the package {name} is ragmem's own"
        if others:
            text = (
                f"the package {name} is also installed by {', '.join(others)}; uninstall that, "
                "then: pip install --force-reinstall --no-deps ragmem"
            )
        findings.append(Finding(healthy=not others, text=text))
    return findings


def _connectors() -> list[Finding]:
    checked = check_connectors()
    whole = ", ".join(name for name, problem in checked.items() if not problem)
    broken = [Finding(healthy=False, text=problem) for problem in checked.values() if problem]
    return [Finding(healthy=True, text=f"connectors: {whole}"), *broken]


def _embedder(parts: Parts) -> Finding:
    try:
        vector = parts.embedder.embed_query("a probe")
    except RagmemError as error:
        return Finding(healthy=False, text=f"embedding model: {error}")
    return Finding(
        healthy=True, text=f"embedding model {parts.embedder.model_id}, {len(vector)} dimensions"
    )


def _chat(parts: Parts) -> Finding:
    try:
        chat = parts.chat
    except RagmemError as error:
        return Finding(healthy=False, text=f"chat model: {error}")
    if chat is None:
        return Finding(healthy=True, text="no chat model: answers quote the documents")
    return Finding(healthy=True, text=f"chat model {chat.model_id}")


def _store(parts: Parts) -> Finding:
    """Whether every index holds exactly the chunks of the database."""
    try:
        store = open_store(parts.folder, url=parts.settings.database_url, read_only=True)
        try:
            with store.reading() as connection:
                stamp = read_stamp(connection)
                stored = all_chunk_ids(connection)
                pending = count_pending(connection)
                current = indexes_current(connection, parts)
            if stamp is not None:
                check_stamp(stamp, parts.stamp)
            if stored and not current:
                raise StoreCorrupt(
                    "an index is missing or is not the database's; the next opening builds all, "
                    f"or: ragmem reindex --store {parts.folder}"
                )
            if pending:
                text = f"store {parts.folder}: {pending} changes wait for the next opening"
                return Finding(healthy=True, text=text)
            if stored:
                _compare(stored, parts)
        finally:
            store.close()
    except StoreMissing:
        return Finding(healthy=True, text=f"no store at {parts.folder} yet")
    except RagmemError as error:
        return Finding(healthy=False, text=f"store {parts.folder}: {error}")
    return Finding(
        healthy=True, text=f"store {parts.folder}: {len(stored)} chunks, the same in every index"
    )


def _compare(stored: set[str], parts: Parts) -> None:
    indexes = {"dense": parts.dense, "lexical": parts.lexical, "sparse": parts.sparse}
    for name, index in indexes.items():
        if index is None:
            continue
        held = index.chunk_ids()
        if held != stored:
            raise StoreCorrupt(
                f"the {name} index misses {len(stored - held)} chunks and has "
                f"{len(held - stored)} too many: ragmem reindex --store {parts.folder}"
            )
