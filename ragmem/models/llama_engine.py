"""One running llama.cpp engine and the way to talk to it.

The engine listens on the loopback interface under a random key: what its Python bindings leave out
(tokenizing, counting a conversation, stopping when the caller goes away) its HTTP interface has.
What is asked, and what the answers mean, is `llama_cpp.py`'s business.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import sys
import threading
import time
import urllib.parse
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ragmem.errors import GenerationError, ModelError

Json = dict[str, Any]

_SILENT = -1
_PROMPT_CACHE_MIB = 256
_HANG_UP_SECONDS = 10.0
_POLL_SECONDS = 0.05


class LlamaEngine:
    """A model in memory with its threads; thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int,
        parallel: int,
        prompt_threads: int,
        generation_threads: int,
    ) -> None:
        """Load the model and start its threads.

        Args:
            path: a GGUF file.
            context_tokens: the context of each of the parallel conversations.
            parallel: how many conversations are generated side by side.
            prompt_threads: threads that read prompts.
            generation_threads: threads that generate.

        Raises:
            ModelError: llama.cpp cannot load the file.
        """
        xllamacpp = _import_xllamacpp()
        key = secrets.token_urlsafe(32)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens * parallel
        params.n_parallel = parallel
        params.cpuparams.n_threads = generation_threads
        params.cpuparams_batch.n_threads = prompt_threads
        params.cache_ram_mib = _PROMPT_CACHE_MIB
        params.warmup = False
        params.verbosity = _SILENT
        params.api_keys = [key]
        params.ui = False
        # One a conversation, and some for counting while all conversations run.
        params.n_threads_http = parallel + 2
        try:
            server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {path}: {error}") from error
        address = urllib.parse.urlsplit(server.listening_address)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._line = _Line(address.hostname or "127.0.0.1", address.port, headers)
        # The engine's threads end when the last reference goes, at the latest at exit.
        self._stop = weakref.finalize(self, _stop, self._line, [server])

    def close(self) -> None:
        """Hang up on running calls, stop the engine's threads and free its memory."""
        self._stop()

    def ask(self, path: str, body: Mapping[str, object]) -> Json:
        """Send one request; an interrupted one is given up by the engine too.

        Raises:
            GenerationError: the engine refused, failed or is gone.
        """
        return self.ask_each(path, [body])[0]

    def ask_each(self, path: str, bodies: Sequence[Mapping[str, object]]) -> list[Json]:
        """Send requests one after the other over one connection."""
        with self._line.connection() as connection:
            return [_read(self._line.send(connection, path, body)) for body in bodies]

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[Json]:
        """Send one request and read its events; closing the iterator makes the engine stop.

        Raises:
            GenerationError: the engine refused, failed or is gone.
        """
        with self._line.connection() as connection:
            response = self._line.send(connection, path, {**body, "stream": True})
            if response.status != http.client.OK:
                _read(response)
            while line := _read_line(response):
                kind, _, content = line.partition(b":")
                if kind in (b"data", b"error") and content.strip() != b"[DONE]":
                    yield _checked(content)


class _Line:
    """The connections to one engine."""

    def __init__(self, host: str, port: int | None, headers: Mapping[str, str]) -> None:
        self._host, self._port, self._headers = host, port, headers
        self._open: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self._host, self._port)
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            connection.close()
            with self._lock:
                self._open.discard(connection)

    def send(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: Mapping[str, object] | None = None,
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        try:
            connection.request(method, path, content, dict(self._headers))
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error

    def hang_up(self) -> None:
        """End every running call, and wait until the engine has noticed."""
        with self._lock:
            for connection in self._open:
                if connection.sock is not None:
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _HANG_UP_SECONDS
        while self._busy() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _busy(self) -> bool:
        with self.connection() as connection, suppress(GenerationError, ValueError):
            slots = json.loads(self.send(connection, "/slots").read())
            return any(slot["is_processing"] for slot in slots)
        return False


def _stop(line: _Line, held: list[Any]) -> None:
    # An engine that is stopped while it serves a call waits for that call for ever.
    line.hang_up()
    held.clear()


def _read(response: http.client.HTTPResponse) -> Json:
    try:
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _gone(error) from error
    answer = _checked(content)
    if response.status != http.client.OK:
        raise GenerationError(f"llama.cpp answered with status {response.status}")
    return answer


def _read_line(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.readline()
    except (OSError, http.client.HTTPException) as error:
        raise _gone(error) from error


def _checked(content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise GenerationError(f"llama.cpp sent no JSON: {content[:80]!r}") from error
    if not isinstance(answer, dict):
        raise GenerationError(f"llama.cpp sent no JSON object: {content[:80]!r}")
    if "error" in answer:
        reason = answer["error"]
        message = reason.get("message", reason) if isinstance(reason, dict) else reason
        raise GenerationError(f"llama.cpp failed: {message}")
    return answer


def _gone(error: Exception) -> GenerationError:
    return GenerationError(f"llama.cpp's engine stopped answering: {error!r}")


def _import_xllamacpp() -> ModuleType:
    """Import the engine with OpenMP threads that give their core away soon when they wait.

    With the default, measured on two busy cores, a token took seconds: each thread spun for the
    other one, which had no core. The setting is read once, while the library loads.
    """
    variable = "GOMP_SPINCOUNT"
    ours = "xllamacpp" not in sys.modules and not (
        {variable, "OMP_WAIT_POLICY"} & os.environ.keys()
    )
    if ours:
        os.environ[variable] = "100"
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelError(f"llama.cpp cannot run here: {error}") from error
    finally:
        if ours:
            del os.environ[variable]
    return xllamacpp  # type: ignore[no-any-return]
