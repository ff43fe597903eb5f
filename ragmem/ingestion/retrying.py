"""Tries again what a source refused for a moment: with backoff, and as long as it asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ragmem.errors import TransientSourceError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient a run is.

    Attributes:
        attempts: how often one thing is tried in a run.
        first_seconds: the wait after the first failure; it doubles after each.
        longest_seconds: the longest wait; a source that asks for more is left for the next run.
        patience: after so many things in a row that stayed refused, the source counts as down, and
            what follows is tried once.
    """

    attempts: int = 4
    first_seconds: float = 0.5
    longest_seconds: float = 60.0
    patience: int = 3


class Retrier:
    """Retries for one run over one source; thread-safe."""

    def __init__(self, policy: RetryPolicy, *, stop: threading.Event) -> None:
        """Take a policy; `stop` ends every wait."""
        self._policy = policy
        self._stop = stop
        self._refused_in_a_row = 0

    def call(self, work: Callable[[], Result], *, on_wait: Callable[[float, str], None]) -> Result:
        """Do the work, again while it fails for a moment.

        Args:
            work: what to do.
            on_wait: told the seconds and the reason before each wait.

        Raises:
            SourceError: the last failure.
        """
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

        def wait(state: RetryCallState) -> float:
            error = _failure(state)
            return self._wait_seconds(error, state.attempt_number)

        def tell(state: RetryCallState) -> None:
            on_wait(state.upcoming_sleep, str(_failure(state)))

        down = self._refused_in_a_row >= self._policy.patience
        retrying = Retrying(
            stop=stop_after_attempt(1 if down else self._policy.attempts),
            wait=wait,
            retry=retry_if_exception(self._is_worth_waiting),
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        try:
            result = retrying(work)
        except TransientSourceError as error:
            self._refused_in_a_row += error.worth_waiting
            raise
        self._refused_in_a_row = 0
        return result

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _is_worth_waiting(self, error: BaseException) -> bool:
        if self._stop.is_set() or not isinstance(error, TransientSourceError):
            return False
        return error.worth_waiting and self._wait_seconds(error, 1) <= self._policy.longest_seconds

    def _wait_seconds(self, error: TransientSourceError, attempt: int) -> float:
        if error.retry_after_seconds is not None:
            return max(0.0, error.retry_after_seconds)
        backoff = self._policy.first_seconds * 2.0 ** (attempt - 1)
        return min(backoff, self._policy.longest_seconds)


def _failure(state: object) -> TransientSourceError:
    error = state.outcome.exception()  # type: ignore[attr-defined]
    assert isinstance(error, TransientSourceError)
    return error
