"""Every error that ragmem raises on purpose, in one tree.

    RagmemError
    |-- UsageError                  the call was wrong; nothing was done
    |   |-- UnknownSource           no connector takes this URI, or nothing is there
    |   |-- UnknownDocument         no document with this URI in the caller's scope
    |   `-- QuestionTooLong         the question does not fit the model's context
    |-- MissingExtra                an optional package is not installed
    |-- StoreError
    |   |-- StoreMissing            there is no store
    |   |-- StoreLocked             another process holds the store
    |   |-- StoreMismatch           the store was built with other models or a newer format
    |   `-- StoreCorrupt            the store's files contradict each other
    |-- SourceError                 one item of a source; the run goes on
    |   |-- PermanentSourceError    stays out until the item changes
    |   |   `-- ParseError          the bytes cannot be read as the format they claim
    |   `-- TransientSourceError    may work when tried again
    `-- ModelError
        |-- UnknownModel            the registry has no such name
        |-- ModelUnavailable        not on this machine and not reachable
        |-- ChecksumMismatch        the file is not the one that was asked for
        `-- GenerationError         the engine failed or its output is unusable

Messages say what was got, what was expected and what to do about it.
"""

from __future__ import annotations


class RagmemError(Exception):
    """The root: catching it catches everything ragmem raises on purpose."""


class UsageError(RagmemError, ValueError):
    """The call was wrong and nothing was done."""


class UnknownSource(UsageError):
    """No connector takes this URI, or nothing is there."""


class UnknownDocument(UsageError, LookupError):
    """No document with this URI is visible in the caller's scope."""


class QuestionTooLong(UsageError):
    """The question does not fit the model's context.

    Attributes:
        tokens: the question's length in the model's tokens.
        limit: the most tokens a question may have.
    """

    def __init__(self, *, tokens: int, limit: int) -> None:
        super().__init__(
            f"the question has {tokens:,} tokens and at most {limit:,} fit the model's context; "
            "shorten it, or add the long text as a document and ask about it"
        )
        self.tokens = tokens
        self.limit = limit


class MissingExtra(RagmemError, ImportError):
    """An optional package is not installed.

    Attributes:
        package: the package that could not be imported.
        extra: the extra of ragmem that brings it.
    """

    def __init__(self, *, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'ragmem[{extra}]'")
        self.package = package
        self.extra = extra


class StoreError(RagmemError):
    """The store cannot do what was asked."""


class StoreMissing(StoreError):
    """There is no store."""


class StoreLocked(StoreError):
    """Another process holds the store."""


class StoreMismatch(StoreError):
    """The store was built with other models, or by a newer ragmem."""


class StoreCorrupt(StoreError):
    """The store's files contradict each other."""


class SourceError(RagmemError):
    """One item of a source failed; the rest of the run goes on."""


class PermanentSourceError(SourceError):
    """The item stays out until it changes."""


class ParseError(PermanentSourceError):
    """The bytes cannot be read as the format they claim to be."""


class TransientSourceError(SourceError):
    """The item may work when tried again.

    Attributes:
        retry_after_seconds: how long the source asked to be left alone; None where it said nothing.
        worth_waiting: whether seconds may make it work, so that this run tries again; otherwise
            the next run does.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        worth_waiting: bool = True,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.worth_waiting = worth_waiting


class ModelError(RagmemError):
    """A model cannot be had or cannot be used."""


class UnknownModel(ModelError, LookupError):
    """The registry has no model of this name."""


class ModelUnavailable(ModelError):
    """The model is not on this machine and could not be reached."""


class ChecksumMismatch(ModelError):
    """The file is not the one that was asked for.

    Attributes:
        expected: the SHA-256 that the registry names, in hexadecimal.
        actual: the SHA-256 of what was received, in hexadecimal.
    """

    def __init__(self, *, what: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{what}: expected sha256 {expected}, got {actual}; the file was deleted, "
            "fetch it again or check where it comes from"
        )
        self.expected = expected
        self.actual = actual


class GenerationError(ModelError):
    """The chat model's engine failed or its output is unusable."""
