"""The seams: what each replaceable part must do.

One contract suite per Protocol runs over every implementation (`tests/contracts/`).
Implementations raise only errors of `ragmem.errors`. Everything is synchronous; a part that is not
thread-safe says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from ragmem.filters import Filter
from ragmem.query import FirstLook, Proposal, Query, Reranking
from ragmem.types import (
    Candidate,
    Chunk,
    Completion,
    Conversation,
    FloatMatrix,
    FloatVector,
    Hit,
    IndexEntry,
    Message,
    ParsedDocument,
    RawDocument,
    Scope,
    SkippedItem,
    SourceItem,
    TermWeights,
    TokenVectors,
)


class Connector(Protocol):
    """A source of documents. `discover` lists, `fetch` reads; neither changes the source.

    A class found through the entry points also has `schemes`, the URI schemes it takes, and may
    have a class method `recognizes(location: str) -> bool` for locations that are its own whatever
    their scheme. Its `__init__` takes the location, then typed keyword-only options.

    Both methods are called by one thread, in turns: an item may be fetched before the next is
    listed. What else a connector can do is told by the Protocols below.
    """

    @property
    def source_uri(self) -> str:
        """The source's own URI, stable over runs: what the last run is compared with.

        It is stored and shown, so it holds no password.
        """
        ...

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List everything there, each item once.

        Raises:
            SourceError: the source cannot be listed to its end; nothing is deleted then.
        """
        ...

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one item.

        Raises:
            PermanentSourceError: it cannot be read until it changes.
            TransientSourceError: it may be readable later.
        """
        ...


@runtime_checkable
class FetchesInParallel(Protocol):
    """A connector whose `fetch` several threads may call at once, also while it lists."""

    @property
    def parallel_fetches(self) -> int:
        """How many fetches may run at once."""
        ...


@runtime_checkable
class ListsOnlyNews(Protocol):
    """A connector that lists what is new; what it no longer lists is not gone."""

    @property
    def lists_only_news(self) -> bool:
        """Whether documents stay although they are not listed any more."""
        ...


class Notes(Protocol):
    """What a connector wrote down at earlier runs over a source, such as ETags.

    A cache: it may be empty at any time, and a note may be newer than the documents in the store.
    """

    def read(self, key: str) -> str | None:
        """What was last written under a key, None when nothing was."""
        ...

    def write(self, key: str, value: str) -> None:
        """Write down for later runs; texts without NUL."""
        ...


@runtime_checkable
class TakesNotes(Protocol):
    """A connector that keeps notes between runs."""

    def use_notes(self, notes: Notes) -> None:
        """Called before each `discover`."""
        ...


@runtime_checkable
class Closes(Protocol):
    """A connector that holds connections or files while it is used."""

    def close(self) -> None:
        """Called after each run; the next `discover` opens them again."""
        ...


@runtime_checkable
class Watchable(Protocol):
    """A connector over a folder of this machine whose changes can be listened to."""

    @property
    def watched_folder(self) -> Path:
        """The folder that everything of the source lies in."""
        ...

    @property
    def watches_subfolders(self) -> bool:
        """Whether what lies deeper counts as well."""
        ...

    def concerns(self, paths: Collection[Path]) -> bool:
        """Whether changes at these paths below the folder may change what is listed."""
        ...


@runtime_checkable
class HoldsConversations(Protocol):
    """A connector over conversations, which memory may take as past episodes."""

    def conversations(self) -> Iterator[Conversation]:
        """The conversations, each whole, oldest first.

        Raises:
            SourceError: the source cannot be read to its end.
        """
        ...


class Parser(Protocol):
    """Turns bytes into text with structure."""

    @property
    def fingerprint(self) -> str:
        """Names the version and the limits: another fingerprint may read differently."""
        ...

    def parse(self, raw: RawDocument) -> ParsedDocument:
        """Parse one document; a title that the source tells wins over the content's.

        Raises:
            ParseError: the bytes cannot be read, or hold no text.
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens as one particular model does."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out."""
        ...


class Chunker(Protocol):
    """Cuts a document into chunks."""

    @property
    def fingerprint(self) -> str:
        """Names the algorithm and its settings: another fingerprint may cut differently."""
        ...

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document, in order; each `chunk.text == document.text[chunk.start : chunk.end]`."""
        ...


@runtime_checkable
class ReportsChunking(Protocol):
    """A chunker that takes long over a document, or has something to tell about it."""

    def chunk_reporting(
        self, document: ParsedDocument, *, on_progress: Callable[[int, int], None]
    ) -> tuple[list[Chunk], tuple[str, ...]]:
        """As `Chunker.chunk`, with warnings for the report.

        Args:
            document: any parsed document.
            on_progress: called with chunks done and chunks in all.
        """
        ...


class Embedder(TokenCounter, Protocol):
    """Turns texts into vectors of length one. Thread-safe."""

    @property
    def model_id(self) -> str:
        """Names the weights and the settings that change a vector; the embedding cache's key."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, special tokens left out; the rest is cut."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        """Embed texts to be found.

        Returns:
            Shape (len(texts), dimensions), rows in the order of the texts, each of length one.
        """
        ...

    def embed_query(self, text: str) -> FloatVector:
        """Embed a question; shape (dimensions,), length one."""
        ...


@runtime_checkable
class EmbedsTokens(Protocol):
    """An embedder that also gives the vectors of a text's tokens before they are pooled."""

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed every token of each text, special tokens left out.

        A text beyond `max_tokens` is cut; the last offset says where.
        """
        ...


class SparseEncoder(Protocol):
    """Turns texts into weights of terms, such as SPLADE does. Thread-safe."""

    @property
    def model_id(self) -> str:
        """Names the weights of the model; what it gave another one cannot be compared with."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> list[TermWeights]:
        """Encode texts to be found; one result a text."""
        ...

    def encode_query(self, text: str) -> TermWeights:
        """Encode a question."""
        ...


class Index(Protocol):
    """What all indexes have in common: derived from the store, rebuilt at will.

    Changes are visible to searches and safe on disk once `commit` has returned. Adding what is
    there and deleting what is not are no errors, so that replaying a change is safe.
    """

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        ...

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        ...

    def commit(self) -> None:
        """Make all changes so far durable and visible."""
        ...

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index, for checks against the store."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...

    def close(self) -> None:
        """Commit and let go of files and threads."""
        ...


class DenseIndex(Index, Protocol):
    """Finds the vectors nearest to a vector by cosine."""

    def upsert(self, entries: Sequence[IndexEntry], vectors: FloatMatrix) -> None:
        """Add or replace entries.

        Args:
            entries: one a row of `vectors`.
            vectors: shape (len(entries), dimensions), rows of length one.
        """
        ...

    def search(
        self,
        vector: FloatVector,
        *,
        k: int,
        scope: Scope,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The k chunks nearest to the vector among those the scope sees and the filter admits.

        Args:
            exact: compare with every vector, whatever it costs; otherwise some may be missed.

        Returns:
            At most k, best first, scored by cosine similarity in [-1, 1].
        """
        ...

    def vectors(self, chunk_ids: Sequence[str]) -> Mapping[str, FloatVector]:
        """The vectors of these chunks, each of length one; chunks not there are left out."""
        ...


class LexicalIndex(Index, Protocol):
    """Finds chunks by the terms they share with a text, weighed by BM25 or by a model."""

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Add or replace entries."""
        ...

    def search(
        self, text: str, *, k: int, scope: Scope, where: Filter | None = None
    ) -> list[Candidate]:
        """The k best chunks among those the scope sees and the filter admits.

        Args:
            text: any text; nothing in it is query syntax.

        Returns:
            At most k with a score above zero, best first; equal scores ordered by chunk id.
        """
        ...

    def scores(self, text: str, chunk_ids: Sequence[str]) -> Mapping[str, float]:
        """What `search` scores these chunks, those above zero."""
        ...


@runtime_checkable
class SuggestsTerms(Protocol):
    """A lexical index that tells which words it lacks, and which of its own are nearly like one.

    Chunks out of the scope's sight count for nothing: what only they hold is not known nor told.
    """

    def unknown(self, words: Sequence[str], *, scope: Scope) -> list[str]:
        """Those of these words that no visible chunk holds in any form, stop words left out."""
        ...

    def suggest(self, word: str, *, scope: Scope) -> list[str]:
        """A few words of visible chunks that an unknown one may have been meant to be, best first.

        Each finds chunks when it is searched for. There are none for what has digits or is short.
        """
        ...


class Reranker(Protocol):
    """Scores candidates again with a closer look."""

    @property
    def name(self) -> str:
        """What the trace calls it."""
        ...

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """A score for each hit, in the order given; higher is better."""
        ...


@runtime_checkable
class ExplainsScores(Protocol):
    """A reranker that tells what its scores are made of, so that they recompute from a trace."""

    def explain(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """The scores that `rerank` gives, with their parts."""
        ...


class QueryTransform(Protocol):
    """Reads a question before anything is searched: other wordings of it, what it filters by."""

    @property
    def name(self) -> str:
        """What the trace calls it."""
        ...

    def transform(self, query: Query, *, scope: Scope) -> Query:
        """The query with what this transform understood, and a note under its name.

        It never widens `where`: conditions are added to those that are there. What it cannot
        understand, or a model that fails, leaves the query as it is, with a note that says so.

        Args:
            query: as the transforms before left it.
            scope: who is asking; nothing out of its sight may show in the result.
        """
        ...


class CandidateSource(Protocol):
    """Proposes chunks beside the dense and the lexical index, starting from what those found."""

    @property
    def name(self) -> str:
        """What the trace and `Hit.scores` call it."""
        ...

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        """Score chunks, those already found and about k others.

        Only chunks that `look.scope` sees and `look.query.where` admits.
        """
        ...


class ChatModel(TokenCounter, Protocol):
    """Generates text. Thread-safe; calls from several threads run side by side."""

    @property
    def model_id(self) -> str:
        """Names the model and its weights, for traces and results."""
        ...

    @property
    def context_tokens(self) -> int:
        """The most tokens a prompt and its completion may have together."""
        ...

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        json_schema: Mapping[str, object] | None = None,
    ) -> Completion:
        """Generate a reply.

        Args:
            messages: the conversation; untrusted text never has the role `system`.
            max_tokens: the most tokens to generate.
            temperature: 0 takes the likeliest token each time.
            seed: makes sampling repeatable.
            json_schema: the reply is a JSON document valid under it.

        Raises:
            GenerationError: the engine failed, the prompt does not fit, or output under a schema
                was cut off.
        """
        ...

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Generate a reply piece by piece; closing the iterator stops the engine.

        Raises:
            GenerationError: as `chat`.
        """
        ...

    def close(self) -> None:
        """Let go of the engine's memory and threads."""
        ...
