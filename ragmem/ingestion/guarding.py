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
        raise PermanentSourceError(str(error)) from error
    except Exception as error:  # a connector or a parser may raise anything
        reason = f"{whose} failed: {type(error).__name__}: {error}"
        if kind is TransientSourceError:
            # A lost connection may be back in a second; a mistake in the code will not be gone.
            raise TransientSourceError(reason, worth_waiting=isinstance(error, OSError)) from error
        raise kind(reason) from error
