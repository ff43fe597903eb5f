"""Any LlamaIndex node parser as a chunker, with exact offsets.

LlamaIndex keeps each node's text and guesses its place by searching for it, which goes wrong where
text repeats and fails where a parser changes white space. Here nodes are aligned in order, white
space left out of the comparison, and the chunk's text is always the slice of the document.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from ragmem.chunking.blocks import document_blocks
from ragmem.chunking.units import draft_units, page_at
from ragmem.errors import UsageError
from ragmem.ports import TokenCounter
from ragmem.types import Chunk, ParsedDocument

if TYPE_CHECKING:
    from llama_index.core.node_parser import NodeParser

_VERSION = 1
_RUN = re.compile(r"\S+")
_PREVIEW_CHARACTERS = 60


class NodeParserChunker:
    """Cuts documents with a LlamaIndex `NodeParser` or `TextSplitter`.

    The parser alone decides on the sizes: a chunk has no context, and one that is longer than the
    embedder reads is cut off when it is embedded.
    """

    def __init__(self, node_parser: NodeParser, tokens: TokenCounter, *, name: str) -> None:
        """Take a parser.

        Args:
            node_parser: anything with LlamaIndex's `get_nodes_from_documents`.
            tokens: counts as the embedder does.
            name: names the parser and what its own settings do not tell (its tokenizer, its
                model), in the fingerprint and in errors.
        """
        self._parser = node_parser
        self._tokens = tokens
        self._name = name

    @property
    def fingerprint(self) -> str:
        """The name, the class and a digest of the parser's plain settings."""
        kind = type(self._parser)
        settings = {
            key: value
            for key in kind.model_fields
            if isinstance(value := getattr(self._parser, key), str | int | float | bool | None)
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        return f"llama-index/{_VERSION}?name={self._name}&class={kind.__name__}&settings={digest}"

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document.

        Args:
            document: any parsed document.

        Returns:
            One chunk for each of the parser's nodes that is not blank, ordered by place.

        Raises:
            UsageError: the parser failed, or made a node that is no part of the document.
        """
        aligner = _Aligner(document.text)
        spans: set[tuple[int, int]] = set()
        for number, content in enumerate(self._contents(document.text), start=1):
            squeezed = "".join(content.split())
            if squeezed:
                span = aligner.locate(squeezed)
                if span is None:
                    raise UsageError(
                        f"node {number} of the node parser {self._name!r} is no part of the "
                        f"document: {content[:_PREVIEW_CHARACTERS]!r}; a parser that rewrites the "
                        "text cannot give exact citations, use one that only cuts it"
                    )
                spans.add(span)
        return self._chunks(document, sorted(spans))

    def _contents(self, text: str) -> list[str]:
        """The texts of the parser's nodes."""
        from llama_index.core.schema import Document, MetadataMode

        try:
            nodes = self._parser.get_nodes_from_documents([Document(text=text)])
        except Exception as error:  # a third-party parser may raise anything
            raise UsageError(
                f"the node parser {self._name!r} failed: {type(error).__name__}: {error}"
            ) from error
        return [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]

    def _chunks(self, document: ParsedDocument, spans: list[tuple[int, int]]) -> list[Chunk]:
        """Chunks of these spans, with headings, pages and lengths."""
        text = document.text
        units, sections = draft_units(document, document_blocks(document))
        starts = [unit.start for unit in units]
        page_starts = [page.start for page in document.pages]
        page_numbers = [page.number for page in document.pages]
        counts = self._tokens.count_tokens([text[start:end] for start, end in spans])
        return [
            Chunk(
                start=start,
                end=end,
                text=text[start:end],
                heading_path=sections[units[bisect_right(starts, start) - 1].section].path,
                page=page_at(page_starts, page_numbers, start),
                tokens=tokens,
            )
            for (start, end), tokens in zip(spans, counts, strict=True)
        ]


class _Aligner:
    """Finds texts that come in order, overlapping or not, white space left out throughout."""

    def __init__(self, text: str) -> None:
        runs = [match.span() for match in _RUN.finditer(text)]
        self._squeezed = "".join(text.split())
        self._run_starts = [start for start, _ in runs]
        self._sums = [0, *accumulate(end - start for start, end in runs)]
        self._last = -1
        self._reached = 0

    def locate(self, squeezed: str) -> tuple[int, int] | None:
        """The span in the text of the next node, given without white space; None if nowhere."""
        position = self._find(squeezed)
        if position < 0:
            return None
        self._last = position
        self._reached = max(self._reached, position + len(squeezed))
        return self._offset(position), self._offset(position + len(squeezed) - 1) + 1

    def _find(self, squeezed: str) -> int:
        """The likeliest place in the text without white space.

        A parser that leaves nothing out begins a node no later than where the nodes before it
        ended, and overlaps as little as the text admits; one that leaves text out begins after it;
        one that makes several layers starts over.
        """
        length = len(squeezed)
        for place in (
            self._squeezed.rfind(squeezed, self._last + 1, self._reached + length),
            self._squeezed.find(squeezed, self._reached),
            self._squeezed.rfind(squeezed, max(0, self._last), self._reached),
        ):
            if place >= 0:
                return place
        self._reached = 0
        return self._squeezed.find(squeezed)

    def _offset(self, position: int) -> int:
        """Where a character of the text without white space stands in the text."""
        run = bisect_right(self._sums, position) - 1
        return self._run_starts[run] + position - self._sums[run]
