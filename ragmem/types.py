"""Pure values that travel between the rooms: frozen, slotted, touching nothing outside.

Identity belongs to storage: a `Chunk` is a span of text, a `StoredChunk` is that span with the ids
the store gave it. Offsets are always Python string offsets (code points) into `Document.text`,
start inclusive, end exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Scalar = str | int | float | bool
MetadataValue = Scalar | tuple[str, ...]
Metadata = Mapping[str, MetadataValue]

FloatMatrix = npt.NDArray[np.float32]
"""One row a text, one column a dimension, float32."""
FloatVector = npt.NDArray[np.float32]
"""One value a dimension, float32."""

TextFormat = Literal["plain", "markdown", "code"]
"""Prose; Markdown with headings, tables, lists and fences; source code."""

PUBLIC: frozenset[str] = frozenset()
"""The access list of a document that everyone in its tenant may see."""

EVERYONE = "everyone"
"""The principal that opens a document to its whole tenant again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Who is asking. It comes from the caller, never from text.

    A document is visible when its tenant is the scope's and its access list is empty or shares a
    principal with the scope.
    """

    tenant: str = "default"
    user: str | None = None
    agent: str | None = None
    session: str | None = None
    groups: frozenset[str] = frozenset()

    @property
    def principals(self) -> frozenset[str]:
        """The names under which access lists may admit the caller, such as `user:ana`."""
        named = (("user", self.user), ("agent", self.agent), ("session", self.session))
        own = {f"{kind}:{name}" for kind, name in named if name is not None}
        return frozenset(own | {f"group:{name}" for name in self.groups})

    def sees(self, *, tenant: str, acl: frozenset[str]) -> bool:
        """Whether a document of this tenant with this access list is visible."""
        return tenant == self.tenant and (not acl or bool(acl & self.principals))


# --- from a source to a document -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """A source as a person names it.

    Attributes:
        location: a path, a glob or a URI.
        connector: the connector's name; None to choose by the location.
        options: the connector's own options.
    """

    location: str
    connector: str | None = None
    options: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceItem:
    """One thing a connector found.

    Attributes:
        uri: where it is; unique within the source.
        fingerprint: changes whenever the content may have changed; cheap to compute (time and
            size, an ETag). An empty one means "unknown": the content is fetched and hashed.
        size_bytes: the size, where the source tells it.
    """

    uri: str
    fingerprint: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedItem:
    """One thing a connector found and will not fetch, with a reason a person can act on."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """What a connector fetched: content and what is known about it.

    Attributes:
        uri: the item's URI.
        name: a file name, whose suffix tells the format.
        content: the bytes; or a string where the source holds text rather than a file: then only
            the name tells the format, and nothing is guessed or decoded.
        title: a title, where the source tells a better one than the content does.
        modified_at: when the content last changed, where the source tells it.
        metadata: what filters may ask about.
        acl: principals who may see it, empty for everyone in the tenant; None where the source
            says nothing about it.
    """

    uri: str
    name: str
    content: bytes | str
    title: str | None = None
    modified_at: datetime | None = None
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What somebody said in a conversation.

    Attributes:
        id: unique within the conversation.
        actor: who said it, as the source names them.
        at: when, with a time zone.
        reply_to: the id of the utterance it answers, where the source tells.
    """

    id: str
    actor: str
    text: str
    at: datetime
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation of the past.

    Attributes:
        id: unique within the source and the same in every export of it.
        utterances: in the order they were said.
    """

    id: str
    title: str
    utterances: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSpan:
    """Where a page (or slide, or sheet) of the original lies in the text; pages count from 1."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """What a parser made of the bytes.

    Attributes:
        text: the whole text; every citation is a slice of it.
        text_format: how the text is structured.
        title: the document's own title, empty when it has none.
        pages: in order, not overlapping; empty where the format has no pages.
        language: an ISO 639-1 code for prose or a lower-case language name for code; empty when
            unknown.
        media_type: what the bytes turned out to be.
        metadata: what the format itself tells (author, dates, subject).
        warnings: what was left out or repaired, for the report.
    """

    text: str
    text_format: TextFormat
    title: str = ""
    pages: tuple[PageSpan, ...] = ()
    language: str = ""
    media_type: str = "text/plain"
    metadata: Metadata = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as the store holds it.

    Attributes:
        uri: where it is; the first in the order of text where exact copies of it are elsewhere.
        metadata: those of all its URIs: where they differ, a field holds each of its values.
        other_uris: where the copies are.
    """

    id: str
    uri: str
    text: str
    text_format: TextFormat
    title: str
    pages: tuple[PageSpan, ...]
    language: str
    media_type: str
    metadata: Metadata
    tenant: str
    acl: frozenset[str]
    other_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """A document in a listing: all but its text."""

    id: str
    uri: str
    title: str
    language: str
    media_type: str
    characters: int
    chunks: int
    metadata: Metadata
    acl: frozenset[str]
    other_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDocument:
    """A document handed over by the program itself rather than found by a connector.

    Attributes:
        acl: principals who may see it, empty for everyone in the tenant; None keeps what was said
            of it before.
    """

    uri: str
    text: str
    title: str = ""
    text_format: TextFormat = "plain"
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] | None = None


# --- chunks and the indexes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A span of a document that is embedded and found as one.

    Attributes:
        start, end: offsets into the document's text.
        text: exactly `document.text[start:end]`.
        heading_path: the headings above it, outermost first.
        page: the page its first character lies on, None without pages.
        tokens: the length of `text` in the embedder's tokens.
        context: what stands before the text when it is embedded and indexed (a title, the heading
            path, a table's header row) and is not part of the span.
    """

    start: int
    end: int
    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    tokens: int = 0
    context: str = ""

    @property
    def embedded_text(self) -> str:
        """What the embedder reads."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """A chunk with its identity.

    Attributes:
        other_uris: where exact copies of its document are.
        signature: its document's, by which near-duplicates are known; empty for none.
    """

    id: str
    document_id: str
    document_uri: str
    document_title: str
    metadata: Metadata
    chunk: Chunk
    other_uris: tuple[str, ...] = ()
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What an index is told about one chunk; it holds nothing the store does not.

    Attributes:
        chunk_id: the key; adding an entry whose key is there replaces it.
        title: the document's title and file name words, for the lexical index.
        text: the embedded text, context included.
        language: the document's language, for stemming.
        metadata, tenant, acl: the document's, for filtering before ranking.
    """

    chunk_id: str
    document_id: str
    tenant: str
    acl: frozenset[str]
    title: str
    text: str
    language: str
    metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A chunk that an index proposes; higher scores are better."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVectors:
    """A text's tokens as the embedder sees them before pooling.

    Attributes:
        vectors: shape (tokens, dimensions), float32, one row a token, as the encoder gives them.
        offsets: shape (tokens, 2), start and end of each token in the text, in characters.
    """

    vectors: FloatMatrix
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermWeights:
    """A sparse vector: the terms of a learned vocabulary that say something about a text.

    Attributes:
        terms: shape (n,), ascending numbers of terms.
        weights: shape (n,), float32, how much each says, above zero.
    """

    terms: npt.NDArray[np.uint32]
    weights: FloatVector


# --- search and answers --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a search or an answer, as the trace shows it.

    Attributes:
        name: of a search, in this order: `understand`, `embed`, `lexical`, `dense` (`lexical.2`
            for a further wording, `lexical.unfiltered` for what set the scale of a filtered list),
            `fused`, the sources' (`sparse`, `graph`, `feedback`, `neighbours`), `combined`, `read`,
            `reranked`, `enlarged`; of an answer then `pack`, `select`, `corrective` (after each
            further search), `generate`, `ground`, `quote`.
        seconds: wall time.
        scores: by chunk id, what this stage gave, best first.
        details: settings and counts that explain the scores (weights, minima and maxima, tokens,
            model names).
    """

    name: str
    seconds: float
    scores: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How a result came about: the stages in the order they ran."""

    stages: tuple[Stage, ...] = ()

    def stage(self, name: str) -> Stage:
        """The first stage of this name.

        Raises:
            KeyError: no stage has this name.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that a search found.

    Attributes:
        score: the final score; hits are sorted by it, best first.
        scores: every component by stage name (`dense`, `lexical`, `fused`, `reranked`, ...).
        other_uris: where exact copies of the document are.
        near_duplicates: documents that are nearly the same and say nearly the same here; their
            hits were left out.
        matched: where the hit was enlarged, the chunks that were found in it, best first, and
            their offsets in the document.
    """

    document_uri: str
    document_title: str
    chunk_id: str
    text: str
    start: int
    end: int
    score: float
    scores: Mapping[str, float]
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    metadata: Metadata = field(default_factory=dict)
    context: str = ""
    other_uris: tuple[str, ...] = ()
    near_duplicates: tuple[str, ...] = ()
    matched: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def text_in_context(self) -> str:
        """What a model reads to score it."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """Hits, best first, and how they came about."""

    hits: tuple[Hit, ...]
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where an answer's statement stands: `quote == document.text[start:end]`, always."""

    uri: str
    title: str
    quote: str
    start: int
    end: int
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer and what it rests on.

    Attributes:
        text: what to show.
        supported: whether the documents support it; False means "not found", without citations.
        citations: the evidence, in the order the text uses it.
        trace: every stage, from the search to the grounding check.
    """

    text: str
    supported: bool
    citations: tuple[Citation, ...]
    trace: Trace


# --- chat ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation with a chat model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a chat model generated.

    Attributes:
        text: the generated text.
        prompt_tokens, completion_tokens: counted by the model's own tokenizer.
        finish_reason: `stop` when the model ended by itself, `length` when it was cut off.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: Literal["stop", "length"]


# --- reports -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """What went wrong with one item, or why it was left out."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync did: every item found is in exactly one of the first six.

    Attributes:
        added, updated, unchanged, deleted: numbers of items that are documents.
        failed: items that could not be read.
        skipped: items that were left out on purpose.
        warnings: documents that were ingested with something repaired or left out.
        copies: how many of those added or updated are exact copies of another document, stored
            once with it.
        chunks: chunks written.
        embedded: texts that the embedder read; cached ones do not count.
        seconds: wall time by stage, `total` included.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: tuple[ItemReport, ...] = ()
    skipped: tuple[ItemReport, ...] = ()
    warnings: tuple[ItemReport, ...] = ()
    copies: int = 0
    chunks: int = 0
    embedded: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def discovered(self) -> int:
        """How many items the source listed."""
        documents = self.added + self.updated + self.unchanged
        return documents + len(self.failed) + len(self.skipped)

    @property
    def complete(self) -> bool:
        """Whether nothing failed and nothing was skipped."""
        return not self.failed and not self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """One step of a running sync, for progress bars and callbacks.

    Attributes:
        stage: what just happened to `uri`; `committed` means it is safe in the store, `waiting`
            that it is tried again in a moment. `contexts` (written by a model for one document's
            chunks), `embedded` and `indexed` are steps on the way and have no URI.
        done, total: items handled and items found so far, or chunks in the steps inside a group.
        reason: why it failed, is skipped or waits; empty otherwise.
    """

    stage: Literal[
        "discovered",
        "parsed",
        "contexts",
        "embedded",
        "committed",
        "indexed",
        "unchanged",
        "failed",
        "skipped",
        "deleted",
        "waiting",
    ]
    uri: str
    done: int
    total: int
    reason: str = ""
