"""Web addresses: the form that is asked for, the form that tells pages apart, and what is in scope.

Nothing here talks to the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urljoin, urlsplit, urlunsplit

from ragmem.errors import PermanentSourceError

from .guarded_http import checked_url

_LONGEST = 2048
_MOST_LINKS = 5_000
# Most links need no repair, and pages have hundreds of them.
_CLEAN = re.compile(r"https?://[a-z0-9.-]+\.[a-z]{2,20}/[\w!$&()*+,;=:@/~?.-]*", re.ASCII)
_TRACKING = re.compile(
    r"utm_\w+|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_[ce]id|_ga|_gl"
    r"|phpsessid|jsessionid|sessionid|sid",
    re.IGNORECASE,
)
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?;]*", re.IGNORECASE)
_INDEX = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def plain_address(url: str, *, base: str = "") -> str:
    """An address in the form that is asked for and stored.

    Fragments, default ports, and parameters that only track people are gone; escapes are uniform.

    Args:
        url: an absolute address, or one relative to `base`.

    Raises:
        PermanentSourceError: it is no http or https address, holds a login, or is far too long.
    """
    try:
        whole = urljoin(base, url.strip()).partition("#")[0]
        is_clean = _CLEAN.fullmatch(whole) is not None and "/." not in whole
        split = urlsplit(whole if is_clean else checked_url(whole))
    except ValueError as error:
        raise PermanentSourceError(f"{url[:80]!r} is no web address") from error
    path = _SESSION.sub("", _ESCAPE.sub(_uniform, split.path)) or "/"
    fields = [
        part
        for part in _ESCAPE.sub(_uniform, split.query).split("&")
        if part and not _TRACKING.fullmatch(part.partition("=")[0])
    ]
    address = urlunsplit((split.scheme, split.netloc, path, "&".join(fields), ""))
    if len(address) > _LONGEST:
        raise PermanentSourceError(f"an address of {len(address):,} characters")
    return address


def resolved(hrefs: Iterable[object], base: str = "") -> tuple[str, ...]:
    """Absolute addresses of links, each once; what is no web address is passed over."""
    found: dict[str, None] = {}
    for href in hrefs:
        try:
            found[plain_address(str(href), base=base)] = None
        except PermanentSourceError:
            continue
        if len(found) >= _MOST_LINKS:
            break
    return tuple(found)


def address_key(address: str) -> str:
    """What addresses of one page have in common: not the scheme, `www.`, nor an index page."""
    split = urlsplit(address)
    path = _INDEX.sub("/", split.path) if not split.query else split.path
    return f"{_site(split.netloc)}{path}?{'&'.join(sorted(split.query.split('&')))}"


def suffix_of(address: str) -> str:
    """The lower-case suffix of the file that an address names, empty where there is none."""
    stem, dot, suffix = urlsplit(address).path.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem and suffix.isalnum() and len(suffix) < 9 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which addresses belong to a source.

    Attributes:
        site: the host of the location, with its port where that is unusual.
        folder: the path that everything on that host has to begin with.
        other_hosts: hosts that belong to it as a whole.
        include, exclude: globs over path and query, `*` standing for slashes too.
    """

    site: str
    folder: str = "/"
    other_hosts: frozenset[str] = field(default_factory=frozenset)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def holds_host(self, address: str) -> bool:
        """Whether an address is on a host of the source."""
        host = _site(urlsplit(address).netloc)
        return host == self.site or host in self.other_hosts

    def contains(self, address: str) -> bool:
        """Whether an address lies in the folder, or on one of the other hosts."""
        split = urlsplit(address)
        is_outside = not f"{split.path}/".startswith(self.folder)
        return self.holds_host(address) and not (_site(split.netloc) == self.site and is_outside)

    def admits(self, address: str) -> bool:
        """Whether an address belongs to the source, the patterns included."""
        split = urlsplit(address)
        rest = f"{split.path}?{split.query}" if split.query else split.path
        is_meant = (not self.include or _any(self.include, rest)) and not _any(self.exclude, rest)
        return is_meant and self.contains(address)


def scope_of(
    location: str,
    *,
    whole_host: bool,
    other_hosts: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> Scope:
    """The scope of a location: its folder and what is below, or its whole host."""
    split = urlsplit(location)
    folder, _, page = split.path.rpartition("/")
    if "." not in page and page:
        folder = f"{folder}/{page}"
    return Scope(
        site=_site(split.netloc),
        folder="/" if whole_host else f"{folder}/",
        other_hosts=frozenset(_site(host) for host in other_hosts),
        include=include,
        exclude=exclude,
    )


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _site(netloc: str) -> str:
    return netloc.lower().removeprefix("www.")


def _uniform(escape: re.Match[str]) -> str:
    """An escape in upper case, or the character where it need not be escaped."""
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()
