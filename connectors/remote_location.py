"""What a remote location names: a store, a folder, file or glob in it, and the URIs of its files.

A location is a URI: `%20` is a space and `%3F` a question mark that is no wildcard; characters
that need no escape in a shell may stand as they are. Nothing here asks the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ragmem.errors import UnknownSource, UsageError

from .file_reasons import IGNORED_FOLDERS, is_hidden_name, outside

_MAGIC = re.compile(r"[*?\[]")
_ESCAPED_MAGIC = re.compile(r"%(2A|3F|5B)", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+(?::\d{1,5})?")
_NAME = re.compile(r"[\w.-]+")
_NO_BUCKET = re.compile("[@:;]")
_SECRETS = re.compile(
    r"sig(nature)?|x-(amz|goog)-(signature|credential|security-token)|.*(token|secret|passw).*"
    r"|api_?key|key|auth",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RemoteLocation:
    """A place in a store.

    Attributes:
        scheme: `s3`, `sftp`, ...
        base: the store's own URI without a slash at its end, such as `s3://bucket`.
        store: the store's name as its scheme writes it, decoded: a bucket, `user@host:22`, a path.
        prefix: what every key of the place begins with; of a glob, the part before its wildcards.
        pattern: the whole glob, decoded; empty without wildcards.
        is_url: whether keys stand as they are written in the URI, queries included.
    """

    scheme: str
    base: str
    store: str
    prefix: str
    pattern: str = ""
    is_url: bool = False

    @property
    def uri(self) -> str:
        """The location's own URI; read again, it names the same place."""
        if self.is_url:
            return self.item_uri(self.prefix)
        path = quote(self.pattern, safe="/*?[]!") if self.pattern else quote(self.prefix)
        return f"{self.base}/{path}".rstrip("/")

    @property
    def folder(self) -> str:
        """The prefix up to its last slash."""
        return self.prefix[: self.prefix.rfind("/") + 1]

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        from fsspec.utils import glob_translate

        return re.compile(glob_translate(self.pattern), re.DOTALL)

    def admits(self, key: str) -> bool:
        """Whether a file is meant: it lies in the place and is not hidden there."""
        if self.pattern:
            is_there = self._matcher.match(key) is not None
        else:
            is_there = not self.prefix or key.startswith(self.prefix.rstrip("/") + "/")
        named_itself = key == self.prefix and not self.pattern
        return named_itself or (is_there and not _is_ignored(self.path_of(key)))

    def path_of(self, key: str) -> str:
        """The path of a file within the place."""
        if self.is_url:
            return unquote(key.partition("?")[0])
        named_itself = key == self.prefix
        start = self.folder if self.pattern or named_itself else self.prefix
        return key[len(start) :].lstrip("/")

    def item_uri(self, key: str) -> str:
        """The URI of a file."""
        quoted = key if self.is_url else quote(key, errors="replace")
        return f"{self.base}/{quoted}"

    def key_of(self, uri: str) -> str:
        """The key of a file from its URI.

        Raises:
            PermanentSourceError: it does not lie in this place.
        """
        rest = uri.removeprefix(f"{self.base}/")
        key = rest if self.is_url else unquote(rest)
        if not uri.startswith(f"{self.base}/") or not self.admits(key):
            raise outside(self.uri)
        return key


def locate(location: str) -> RemoteLocation:
    """Read a location.

    Raises:
        UnknownSource: it names no place of its scheme.
        UsageError: it holds a password.
    """
    scheme, mark, rest = location.partition("://")
    scheme = scheme.lower()
    if not mark or not rest.strip("/"):
        kind = scheme.partition(":")[0]
        raise UnknownSource(f"a {kind} location names nothing; expected {kind}://PLACE/PATH")
    if scheme == "zip":
        return _archive(rest)
    netloc, _, path = rest.partition("/")
    if scheme in ("http", "https"):
        return _web_file(location)
    if scheme == "github":
        owner, name, ref = _repository(netloc)
        base = f"github://{owner}:{name}" + (f"@{quote(ref, safe='')}" if ref else "")
        return _placed(scheme, base, f"{owner}:{name}@{ref}", path)
    if scheme == "sftp":
        user, host = _login(netloc)
        base = f"sftp://{quote(user, safe='')}@{host}" if user else f"sftp://{host}"
        return _placed(scheme, base, f"{user}@{host}" if user else host, path)
    if _NO_BUCKET.search(unquote(netloc)):
        raise UsageError(
            f"a {scheme}:// location holds no credentials: give {scheme}://NAME/PATH, and the "
            "credentials by the environment or the provider's own files"
        )
    return _placed(scheme, f"{scheme}://{quote(netloc, safe='')}", netloc, path)


def _placed(scheme: str, base: str, store: str, path: str) -> RemoteLocation:
    """A location from its raw path, in which wildcards count only unescaped."""
    magic = _MAGIC.search(path)
    if magic is None:
        return RemoteLocation(scheme=scheme, base=base, store=store, prefix=unquote(path))
    escaped = _ESCAPED_MAGIC.sub(lambda found: f"[{unquote(found[0])}]", path)
    return RemoteLocation(
        scheme=scheme,
        base=base,
        store=store,
        prefix=unquote(path[: magic.start()]),
        pattern=unquote(escaped),
    )


def _archive(rest: str) -> RemoteLocation:
    """An archive on this disk is the first part of the path that is a file."""
    parts = rest.split("/")
    for end in range(1, len(parts) + 1):
        path = Path(unquote("/".join(parts[:end]))).expanduser()
        if path.is_file():
            whole = path.resolve()
            return _placed("zip", f"zip://{quote(str(whole))}", str(whole), "/".join(parts[end:]))
    raise UnknownSource(f"zip://{rest}: no such archive; expected zip://PATH.zip or a file in it")


def _web_file(location: str) -> RemoteLocation:
    split = urlsplit(location)
    if split.username is not None or split.password is not None:
        raise UsageError("the URL holds a login; files behind one cannot be read by http")
    if any(_SECRETS.fullmatch(name) for name, _ in parse_qsl(split.query)):
        raise UsageError(
            f"https://{split.hostname}{split.path} is a signed URL: it holds a credential and "
            "expires; give the file's own place, such as s3://BUCKET/KEY"
        )
    folder, _, name = split.path.rpartition("/")
    if not split.hostname or not name:
        raise UnknownSource(f"{location}: expected http(s)://HOST/PATH/FILE")
    base = f"{split.scheme}://{split.netloc}{folder}"
    key = f"{name}?{split.query}" if split.query else name
    return RemoteLocation(scheme=split.scheme, base=base, store=base, prefix=key, is_url=True)


def _repository(netloc: str) -> tuple[str, str, str]:
    owner_and_name, at, ref = netloc.partition("@")
    owner, _, name = unquote(owner_and_name).partition(":")
    expected = "github://OWNER:REPOSITORY@REF/PATH (an @ in REF as %40)"
    if "@" in ref or ":" in unquote(ref):
        raise UsageError(
            f"a github:// location holds no login: give {expected}, and the token by GITHUB_TOKEN"
        )
    if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name)) or (at and not ref):
        raise UnknownSource(f"no repository on GitHub; expected {expected}")
    return owner, name, unquote(ref)


def _login(netloc: str) -> tuple[str, str]:
    quoted, _, host = netloc.rpartition("@")
    user = unquote(quoted)
    if "@" in quoted or ":" in user or ";" in user:
        raise UsageError(
            "an sftp:// location holds no password: give sftp://USER@HOST/PATH, and use an SSH "
            "agent, a key in ~/.ssh, or the environment variable SFTP_PASSWORD"
        )
    port = host.partition(":")[2]
    if not _HOST.fullmatch(host) or int(port or 22) > 65535:
        raise UnknownSource("no host; expected sftp://USER@HOST/PATH or sftp://USER@HOST:PORT/PATH")
    return user, host.lower().removesuffix(":22")


def _is_ignored(path: str) -> bool:
    parts = path.split("/")
    hidden = any(is_hidden_name(part) and part not in (".", "..") for part in parts)
    return hidden or not IGNORED_FOLDERS.isdisjoint(parts)
