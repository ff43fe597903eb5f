"""Files on an SSH server.

Asked through paramiko itself: fsspec's wrapper trusts any unknown host unless told otherwise, knows
no known_hosts file, and shares one channel between threads, which paramiko does not allow.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragmem.errors import MissingExtra, SourceError, TransientSourceError

from .file_reasons import IRREGULAR, LINK
from .remote_location import RemoteLocation
from .remote_store import Body, Entry, check_size, vanished

if TYPE_CHECKING:
    from paramiko import SFTPAttributes, SFTPClient, SSHClient

_PASSWORD = "SFTP_PASSWORD"
_TIMEOUT_SECONDS = 30.0
_PIECE_BYTES = 1024 * 1024


class SftpStore:
    """One connection; each reading thread has a channel of its own in it."""

    def __init__(self, location: RemoteLocation) -> None:
        """Name the place; the connection is made when it is listed."""
        self._location = location
        self._lock = threading.Lock()
        self._client: SSHClient | None = None
        self._free: list[SFTPClient] = []

    def entries(self) -> Iterator[Entry]:
        """List the files, folder by folder; links are not followed.

        Raises:
            TransientSourceError: no connection, or a folder cannot be listed.
        """
        start = self._location.prefix
        if self._location.pattern:
            start = self._location.folder
        with self._channel() as channel, _mapped(self._location, start):
            named = channel.stat(_path(start))
        if not stat.S_ISDIR(named.st_mode or 0):
            yield _entry(start, named)
            return
        waiting = [start.rstrip("/")]
        while waiting:
            folder = waiting.pop()
            # The channel goes back between folders: items are fetched in between.
            with self._channel() as channel, _mapped(self._location, folder):
                found = sorted(channel.listdir_attr(_path(folder)), key=lambda one: one.filename)
            inner: list[str] = []
            for each in found:
                key = f"{folder}/{each.filename}" if folder else each.filename
                if stat.S_ISDIR(each.st_mode or 0):
                    if not each.filename.startswith("."):
                        inner.append(key)
                else:
                    yield _entry(key, each)
            waiting += reversed(inner)

    def read(self, key: str, max_bytes: int) -> Body:
        """Read one file, up to a byte over the limit.

        Raises:
            PermanentSourceError: it is larger than allowed.
            TransientSourceError: it vanished, changed while it was read, or may not be read.
        """
        with self._channel() as channel, _mapped(self._location, key, vanishes=True):
            status = channel.lstat(_path(key))
            if key != self._location.prefix and stat.S_ISLNK(status.st_mode or 0):
                raise TransientSourceError("was replaced by a link", worth_waiting=False)
            content = bytearray()
            with channel.open(_path(key), "rb") as stream:
                stream.prefetch(min(stream.stat().st_size or 0, max_bytes + 1))
                while len(content) <= max_bytes and (piece := stream.read(_PIECE_BYTES)):
                    content += piece
                after = stream.stat()
        check_size(len(content), max_bytes)
        if after.st_size != len(content):
            raise TransientSourceError("changed while being read; run again when it is finished")
        time = after.st_mtime
        modified = datetime.fromtimestamp(time, tz=UTC) if time is not None else None
        return Body(content=bytes(content), modified_at=modified)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            client, self._client = self._client, None
            self._free.clear()
        if client is not None:
            client.close()

    @contextmanager
    def _channel(self) -> Iterator[SFTPClient]:
        with self._lock:
            if self._client is None:
                self._client = _connected(self._location)
            client = self._client
            channel = self._free.pop() if self._free else None
        if channel is None:
            with _mapped(self._location, ""):
                channel = client.open_sftp()
            underlying = channel.get_channel()
            if underlying is not None:
                underlying.settimeout(_TIMEOUT_SECONDS)
        try:
            yield channel
        except TransientSourceError as error:
            channel.close()
            if error.worth_waiting:
                # The connection may be broken: the next try makes a new one.
                self.close()
            raise
        except BaseException:
            # What was asked ahead may still come in on it; nobody must read that as an answer.
            channel.close()
            raise
        with self._lock:
            if self._client is client:
                self._free.append(channel)


def _connected(location: RemoteLocation) -> SSHClient:
    try:
        import paramiko
    except ImportError as error:
        raise MissingExtra(package="paramiko", extra="sftp", purpose="reading sftp://") from error
    user, _, address = location.store.rpartition("@")
    host, _, port = address.partition(":")
    own = _own_settings(host, paramiko.SSHConfig)
    identities: Any = [str(Path(one).expanduser()) for one in own.get("identityfile", ())]
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    where = f"sftp://{location.store}"
    try:
        client.connect(
            own.get("hostname", host),
            port=int(port or own.get("port", 22)),
            username=user or own.get("user"),
            password=os.environ.get(_PASSWORD),
            key_filename=identities or None,
            timeout=_TIMEOUT_SECONDS,
            banner_timeout=_TIMEOUT_SECONDS,
            auth_timeout=_TIMEOUT_SECONDS,
        )
    except paramiko.BadHostKeyException as error:
        message = (
            f"{where} shows another host key than ~/.ssh/known_hosts has: either the server was "
            f"set up anew or somebody stands in between; find out before changing the entry"
        )
        raise _refused(client, message) from error
    except paramiko.AuthenticationException as error:
        message = (
            f"{where} refuses the login ({error}); use an SSH agent, a key in ~/.ssh, or the "
            f"environment variable {_PASSWORD}"
        )
        raise _refused(client, message) from error
    except paramiko.SSHException as error:
        client.close()
        if "not found in known_hosts" in str(error):
            told = f"-p {port} {host}" if port else host
            message = (
                f"the host key of {where} is not known; check it and add it: "
                f"ssh-keyscan {told} >> ~/.ssh/known_hosts"
            )
            raise TransientSourceError(message, worth_waiting=False) from error
        raise TransientSourceError(f"{where} cannot be reached: {error}") from error
    except (OSError, EOFError) as error:
        client.close()
        raise TransientSourceError(f"{where} cannot be reached: {error}") from error
    return client


def _refused(client: SSHClient, message: str) -> TransientSourceError:
    client.close()
    return TransientSourceError(message, worth_waiting=False)


def _own_settings(host: str, reader: Callable[[], Any]) -> dict[str, Any]:
    """What the user's own ~/.ssh/config says about a host."""
    settings = Path("~/.ssh/config").expanduser()
    if not settings.is_file():
        return {}
    config = reader()
    with settings.open(encoding="utf-8") as stream:
        config.parse(stream)
    return dict(config.lookup(host))


@contextmanager
def _mapped(location: RemoteLocation, key: str, *, vanishes: bool = False) -> Iterator[None]:
    import paramiko

    where = location.item_uri(key)
    try:
        yield
    except SourceError:
        raise
    except FileNotFoundError as error:
        if vanishes:
            raise vanished(where) from error
        raise TransientSourceError(f"{where} does not exist", worth_waiting=False) from error
    except PermissionError as error:
        raise TransientSourceError(f"{where} may not be read", worth_waiting=False) from error
    except UnicodeDecodeError as error:
        raise TransientSourceError(
            f"{where} holds a name that is no UTF-8; rename it", worth_waiting=False
        ) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise TransientSourceError(f"{where} could not be read: {error or 'no answer'}") from error


def _entry(key: str, status: SFTPAttributes) -> Entry:
    mode = status.st_mode
    problem = ""
    if mode is not None and stat.S_ISLNK(mode):
        problem = LINK
    elif mode is not None and not stat.S_ISREG(mode):
        problem = IRREGULAR
    is_known = status.st_mtime is not None and status.st_size is not None
    return Entry(
        key=key,
        fingerprint=f"{status.st_mtime}-{status.st_size}" if is_known else "",
        size_bytes=status.st_size,
        problem=problem,
    )


def _path(key: str) -> str:
    """The path on the server: `~/` is the login's own folder."""
    if key == "~" or key.startswith("~/"):
        return key[2:] or "."
    return f"/{key}"
