"""Runs the git program: without a shell, prompts or hooks, its time and output bounded.

What is asked of a repository belongs to `git_repository`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from ragmem.errors import TransientSourceError, UsageError

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "never",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "log.showSignature": "false",
    "i18n.logOutputEncoding": "UTF-8",
}
# What a person sets so that git can reach a remote; the rest might lead it elsewhere.
_KEPT = (
    "GIT_ASKPASS",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_CONFIG_",
    "GIT_PROXY_",
    "GIT_HTTP_PROXY",
    "GIT_EXEC_PATH",
)
_MAX_ERROR_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


class GitFailed(Exception):
    """Git ended with an error.

    Attributes:
        message: what it wrote to standard error, shortened.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def git_program() -> str:
    """The path of the git program.

    Raises:
        UsageError: there is none.
    """
    program = shutil.which("git")
    if program is None:
        raise UsageError(
            "the program git was not found; install it (apt install git, brew install git, "
            "https://git-scm.com/downloads) and make sure that it is on PATH"
        )
    return program


def local_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git reads only what the variables name, no one's configuration."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    isolation = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    return {**kept, **_QUIET, **isolation, **variables}


def remote_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git reaches remotes as the user has set it up, asking nothing."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("GIT_") or key.startswith(_KEPT)
    }
    kept.setdefault("GIT_ASKPASS", "")
    return {**kept, **_QUIET, **variables}


_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
    "LC_ALL": "C",
}


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout_seconds: float,
    max_bytes: int = 16 * 1024 * 1024,
) -> bytes:
    """Run git and return what it wrote.

    Raises:
        GitFailed: it ended with an error.
        TransientSourceError: it took too long or wrote too much.
    """
    with reading(arguments, environment, timeout_seconds=timeout_seconds) as output:
        content = output.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise TransientSourceError(
                f"git {arguments[0]} wrote more than {max_bytes:,} bytes", worth_waiting=False
            )
    return content


@contextmanager
def reading(
    arguments: Sequence[str], environment: Mapping[str, str], *, timeout_seconds: float
) -> Iterator[IO[bytes]]:
    """Run git and read what it writes while it does.

    Raises:
        GitFailed: it ended with an error, and everything had been read.
        TransientSourceError: it took too long.
    """
    process = start(arguments, environment)
    errors = _Errors(process)
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout_seconds, stop)
    timer.daemon = True
    timer.start()
    assert process.stdout is not None
    try:
        yield process.stdout
        # Without this a full pipe would keep git from ending.
        complete = not process.stdout.read(1)
        if not complete:
            process.kill()
        status = process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        errors.join()
        _close(process)
    if late.is_set():
        raise TransientSourceError(f"git {arguments[0]} took more than {timeout_seconds:.0f} s")
    if complete and status != 0:
        raise GitFailed(errors.text)


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start git with pipes; the caller ends it."""
    settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    # A session of its own has no terminal that ssh could ask for a password.
    return subprocess.Popen(
        [git_program(), "--no-pager", *settings, *arguments],
        env=dict(environment),
        stdin=subprocess.PIPE if "--batch" in arguments else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if "--batch" not in arguments else subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End git, whatever it is doing."""
    process.kill()
    process.wait()
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                continue


class _Errors:
    """Reads standard error beside standard output, keeping its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        while piece := stream.read1(_READ_BYTES):  # type: ignore[attr-defined]
            self._kept = (self._kept + piece)[-_MAX_ERROR_BYTES:]

    def join(self) -> None:
        """Wait until everything was read."""
        self._thread.join(timeout=5)

    @property
    def text(self) -> str:
        """The last lines, on one line."""
        lines = self._kept.decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip() and not line.startswith("hint:")]
        return "; ".join(said[-6:])[:1000]
