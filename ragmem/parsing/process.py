"""One worker process as the parser sees it: start, ask, kill. What it runs is `worker`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from ragmem.errors import TransientSourceError
from ragmem.types import RawDocument

from .transfer import Answer, Failure, Malformed, answer_of, read_frame, request_of, write_frame

_START_SECONDS = 60.0
# On a busy machine a document waits for the processor, which is not its fault. Windows does not
# end a process by the processor's time: there the clock decides.
_PATIENCE = 5.0 if os.name == "posix" else 1.0
_TAIL_CHARACTERS = 400
_KEPT_VARIABLES = frozenset(
    {
        "PATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "LANG", "LANGUAGE", "TZ",
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "TEMP", "TMP", "TMPDIR",
    }
)  # fmt: skip
_ENDED_BY_OTHERS = frozenset({"SIGTERM", "SIGINT", "SIGHUP"})
_WORDS_OF_MEMORY = ("memory allocation of", "bad_alloc", "MemoryError", "out of memory")
_Result = TypeVar("_Result")


class WorkerProcess:
    """A running worker; one thread uses it at a time."""

    def __init__(
        self, *, limits: dict[str, int], timeout_seconds: float, memory_bytes: int
    ) -> None:
        """Start it.

        Args:
            limits: the arguments of the `DocumentParser` it runs.
            timeout_seconds: how much of a processor's time a document may take.
            memory_bytes: how much memory it may take beside Python itself.

        Raises:
            TransientSourceError: it cannot be started.
        """
        self._longest_seconds = timeout_seconds * _PATIENCE
        settings = {
            "limits": limits,
            "timeout_seconds": timeout_seconds,
            "longest_seconds": self._longest_seconds,
            "memory_bytes": memory_bytes,
        }
        self._most_text_bytes = 4 * limits["max_characters"]
        self._overdue = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-B", "-m", "ragmem.parsing.worker", json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if os.name == "posix" else subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        except OSError as error:
            raise _not_started(str(error)) from error
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        if self._process.stderr is not None:
            os.set_blocking(self._process.stderr.fileno(), False)
        try:
            greeting = self._within(_START_SECONDS, lambda: self._receive(most_bytes=0))
        except Malformed:
            greeting = None
        except BaseException:
            self.kill()
            raise
        if greeting is None:
            raise _not_started(self._ending())

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, raw: RawDocument) -> Answer:
        """Have a document read; it may come to an end over it.

        Raises:
            TransientSourceError: somebody ended it.
        """
        try:
            frame = self._within(self._longest_seconds, lambda: self._exchange(raw))
            answer = None if frame is None else answer_of(*frame)
        except Malformed as error:
            self.kill()
            failure: Failure = "slow" if self._overdue else "crashed"
            return Answer(failure=failure, message=f"malformed answer: {error}", spent=True)
        except BaseException:
            self.kill()
            raise
        if answer is None:
            return self._death()
        self._drained()
        return replace(answer, spent=True) if self._overdue else answer

    def kill(self) -> None:
        """End it and forget it; nothing in it is worth saving."""
        self._kill_all()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Let go of its pipes, which another process of the same program may still use."""
        for stream in (self._requests, self._answers, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # words that were never sent
                    stream.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # not this process's child: nothing to wait for

    def _exchange(self, raw: RawDocument) -> tuple[dict[str, object], bytes] | None:
        # A worker that ends before it has heard everything may still have said why.
        with suppress(OSError):
            write_frame(self._requests, *request_of(raw))
        return self._receive(most_bytes=self._most_text_bytes)

    def _receive(self, *, most_bytes: int) -> tuple[dict[str, object], bytes] | None:
        return read_frame(self._answers, most_bytes=most_bytes)

    def _within(self, seconds: float, work: Callable[[], _Result]) -> _Result:
        """Do something that ends at the latest when the process does, which it does in time."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return work()
        finally:
            timer.cancel()
            timer.join()

    def _expire(self) -> None:
        self._overdue = True
        self._kill_all()

    def _kill_all(self) -> None:
        """End the process and whatever it started: a child would keep the answers open for ever."""
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session of its own
        self._process.kill()

    def _death(self) -> Answer:
        """What to say of a document whose worker ended over it."""
        how = self._ending()
        if how.split(":")[0] in _ENDED_BY_OTHERS:
            raise TransientSourceError(
                f"the process that read it was ended from outside ({how})", worth_waiting=False
            )
        failure: Failure = "crashed"
        if self._overdue or how.startswith(("SIGPROF", "SIGALRM")):
            failure = "slow"
        elif any(words in how for words in _WORDS_OF_MEMORY):
            failure = "memory"
        return Answer(failure=failure, message=how, spent=True)

    def _ending(self) -> str:
        """How the process ended and its last words."""
        try:
            status = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._kill_all()  # it let go of its answers, but not of life
            status = self._process.wait()
        self._kill_all()
        how = f"exit status {status}"
        with suppress(ValueError):  # a signal without a name
            how = signal.Signals(-status).name if status < 0 else how
        words = " ".join(self._drained().decode("utf-8", "replace").split())[-_TAIL_CHARACTERS:]
        self.forget()
        return f"{how}: {words}" if words else how

    def _drained(self) -> bytes:
        """What it wrote to its standard error since the last time."""
        words = b""
        if self._process.stderr is not None:
            with suppress(BlockingIOError):
                while more := os.read(self._process.stderr.fileno(), 65_536):
                    words = (words + more)[-65_536:]
        return words


def _not_started(reason: str) -> TransientSourceError:
    return TransientSourceError(
        f"no process for reading files could be started ({reason})", worth_waiting=False
    )


def _environment() -> dict[str, str]:
    """What Python needs to find itself and ragmem; keys and passwords stay here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _KEPT_VARIABLES or name.startswith("LC_")
    }
    # Not the current folder: documents may lie there, and one of them be named json.py.
    own = str(Path(__file__).parents[2])
    places = [place for place in sys.path if place and Path(place).is_absolute()]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([*places, own])),
        "OPENBLAS_NUM_THREADS": "1",
    }
