"""Sockets that go only where the guard lets them and stop when the time is over.

This is the layer below HTTP: what is asked for and how answers are read is `guarded_http`'s.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from ragmem.errors import TransientSourceError

from .guarded_addresses import HostGuard


class Deadline(threading.local):
    """When the request that this thread is busy with has to be over, on the monotonic clock."""

    at: float = float("inf")

    def cap(self, timeout: float | None) -> float:
        """A timeout that does not reach beyond the deadline.

        Raises:
            TransientSourceError: the time is over.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TransientSourceError("the time for the whole answer was over before its end")
        return left if timeout is None else min(timeout, left)


class TimedStream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, waiting no longer than is left."""
        return self._stream.read(max_bytes, self._deadline.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write, waiting no longer than is left."""
        self._stream.write(buffer, self._deadline.cap(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Encrypt the connection, checking the certificate against the name that was asked for."""
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.cap(timeout))
        return TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What is known about the connection."""
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.SyncBackend):
    """Connects to exactly the addresses that were checked."""

    def __init__(self, guard: HostGuard, deadline: Deadline) -> None:
        self._guard = guard
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the pool never gives one
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - nor these
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers.

        Raises:
            SourceError: the host is refused or cannot be found.
            httpcore.ConnectError, httpcore.ConnectTimeout: no address answers.
        """
        *others, last = self._guard.addresses(host, port)
        for address in others:
            try:
                return self._connected(address, port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connected(last, port, timeout)

    def _connected(self, address: str, port: int, timeout: float | None) -> TimedStream:
        stream = super().connect_tcp(address, port, self._deadline.cap(timeout))
        return TimedStream(stream, self._deadline)


def guarded_pool(guard: HostGuard, deadline: Deadline) -> httpcore.ConnectionPool:
    """A pool of connections that the guard watches over; safe to share between threads.

    Certificates are checked against `SSL_CERT_FILE` or `SSL_CERT_DIR` where set, else against the
    certifi bundle. Proxy variables are not looked at.
    """
    return httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(),
        network_backend=GuardedBackend(guard, deadline),
        max_keepalive_connections=8,
        keepalive_expiry=30.0,
    )
