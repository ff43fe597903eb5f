"""A worker process: reads documents from its standard input and answers what they say.

Started by `process`; `python -m ragmem.parsing.worker` makes no sense by hand. What keeps it in
bounds is set here, before the first hostile byte arrives. It is no sandbox: it bounds what a file
can cost and keeps a crash from spreading, and it holds no secrets.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from mmap import PAGESIZE
from typing import BinaryIO

from ragmem.errors import ParseError
from ragmem.types import RawDocument

from .language import load_model
from .parser import DocumentParser
from .transfer import Answer, frame_of, raw_of, read_frame, write_frame

_MOST_DOCUMENTS = 10_000
_MOST_RESIDENT_BYTES = 256 * 1024 * 1024
_OPEN_FILES = 64
_GRACE_SECONDS = 5.0


def main(arguments: str) -> None:
    """Answer until the input ends.

    Args:
        arguments: JSON with `limits` (the parser's), `memory_bytes`, `timeout_seconds` (the
            processor's) and `longest_seconds` (the clock's).
    """
    settings = json.loads(arguments)
    requests, answers = _own_streams()
    parser = DocumentParser(**settings["limits"])
    load_model()  # writes a file, which is forbidden from here on
    _confine(settings["memory_bytes"])
    write_frame(answers, {"ready": True})
    documents = 0
    while (frame := read_frame(requests, most_bytes=sys.maxsize)) is not None:
        documents += 1
        _set_alarms(
            processor_seconds=settings["timeout_seconds"],
            wall_seconds=settings["longest_seconds"] + _GRACE_SECONDS,
        )
        answer = _read(parser, raw_of(*frame), spent=documents >= _MOST_DOCUMENTS)
        del frame
        write_frame(answers, *frame_of(answer))
        _set_alarms(processor_seconds=0, wall_seconds=0)
    # Nothing is left to save, and taking the libraries apart takes longer than reading a page.
    os._exit(0)


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's streams, out of the reach of libraries that print."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    with suppress(OSError):  # a pipe of Windows
        os.set_blocking(2, False)  # who floods it loses words instead of waiting for ever
    return requests, answers


def _confine(memory_bytes: int) -> None:
    """Bound memory; write no files and no memory dumps."""
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    if own := _pages()[0]:
        # What Python itself takes of the address space, most of it never touched, comes on top.
        limits[resource.RLIMIT_AS] = own * PAGESIZE + memory_bytes
    for limit, most in limits.items():
        # Not every system lets every limit be set.
        with suppress(OSError, ValueError):
            hard = resource.getrlimit(limit)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))


def _set_alarms(*, processor_seconds: float, wall_seconds: float) -> None:
    """Have the system end this process after a while, whoever is left to do it; 0 for never."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, processor_seconds)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds)


def _read(parser: DocumentParser, raw: RawDocument, *, spent: bool) -> Answer:
    try:
        document = parser.parse(raw)
    except Exception as error:  # noqa: BLE001 - whatever a library raises costs one document
        if _lacked_memory(error):
            return Answer(failure="memory", spent=True)
        if isinstance(error, ParseError):
            return Answer(failure="refused", message=str(error), spent=spent or _is_large())
        return Answer(failure="unforeseen", message=f"{error!r}", spent=True)
    return Answer(document=document, spent=spent or _is_large())


def _lacked_memory(error: BaseException | None) -> bool:
    """Whether an error is for want of memory, or was raised because of one that was."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_large() -> bool:
    """Whether this process holds so much memory that it should give it back."""
    # Not the peak that `getrusage` tells: it begins with that of the program that started this one.
    return _pages()[1] * PAGESIZE > _MOST_RESIDENT_BYTES


def _pages() -> list[int]:
    """The sizes of this process in pages, zeros where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return [int(size) for size in statm.read().split()]
    except OSError:
        return [0, 0]


if __name__ == "__main__":
    main(sys.argv[1])
