"""Texts to measure with: a data set's, a file's, or those that come with every Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ragmem.types import TextDocument

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")


def read_texts(data: Path | None, *, words: int, limit: int | None = None) -> list[TextDocument]:
    """Documents from a JSON-lines file, a text file or Python's own reference.

    Args:
        data: lines of objects with `text` and perhaps `title`; or any text file, which is cut into
            documents; None for the reference that `help()` shows.
        words: the length of a document where a text must be cut.
        limit: the most documents.
    """
    if data is not None and data.suffix == ".jsonl":
        return list(islice(_records(data), limit))
    text = _python_reference() if data is None else data.read_text("utf-8", "replace")
    return list(islice(_cut(text, words, "python" if data is None else data.name), limit))


def questions_from(documents: list[TextDocument], *, count: int) -> list[str]:
    """A sentence of 5 to 25 words from each document that has one."""
    found = []
    for document in documents:
        for sentence in _SENTENCE_END.split(document.text):
            if 5 <= len(sentence.split()) <= 25:
                found.append(" ".join(sentence.split()))
                break
    return found[:count]


def _records(path: Path) -> Iterator[TextDocument]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            record = json.loads(line)
            if record["text"].strip():
                yield TextDocument(
                    uri=f"bench:{number}", title=record.get("title") or "", text=record["text"]
                )


def _cut(text: str, words: int, name: str) -> Iterator[TextDocument]:
    """Paragraphs gathered until they hold this many words."""
    gathered: list[str] = []
    held = number = 0
    for paragraph in [*text.split("\n\n"), None]:
        if gathered and (paragraph is None or held >= words):
            yield TextDocument(uri=f"bench:{name}:{number}", text="\n\n".join(gathered))
            gathered, held, number = [], 0, number + 1
        if paragraph is not None and paragraph.strip():
            gathered.append(paragraph)
            held += len(paragraph.split())


def _python_reference() -> str:
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))
