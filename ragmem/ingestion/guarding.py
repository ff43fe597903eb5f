"""Runs code that may be anyone's, so that its failure is one item's and not the run's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ragmem.errors import (
    PermanentSourceError,
    RagmemError,
    SourceError,
    TransientSourceError,
)

Result = TypeVar("Result")
_LONGEST_REASON = 2000


def guarded(
    whose: str, work: Callable[[], Result], *, kind: type[SourceError] = TransientSourceError
) -> Result:
    """Call a connector, a parser or a chunker.

    Args:
        whose: whose code it is, for the reason.
        work: the code.
        kind: what an unforeseen failure becomes: bytes that a parser cannot read once, it never
            can; a source may answer next time.

    Raises:
        SourceError: the work failed.
    """
    try:
        return work()
    except SourceError:
        raise
    except RagmemError as error:
        raise PermanentSourceError(reason_of(error)) from error
    except Exception as error:  # a connector or a parser may raise anything
        reason = f"{whose} failed: {type(error).__name__}: {reason_of(error)}"
        if kind is TransientSourceError:
            # A lost connection may be back in a second; a mistake in the code will not be gone.
            raise TransientSourceError(reason, worth_waiting=isinstance(error, OSError)) from error
        raise kind(reason) from error


def reason_of(error: BaseException) -> str:
    """What an error says, as every store can hold it and a person would read it."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - it may be anyone's, its words too
        said = "its reason cannot be shown"
    return storable(said)


def storable(reason: str) -> str:
    """A reason without what a database refuses, and not longer than a person reads."""
    said = str(reason).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return said if len(said) <= _LONGEST_REASON else said[: _LONGEST_REASON - 1] + "…"
