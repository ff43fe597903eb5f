"""Reads pages with manners: in scope, allowed, not too often, and only when they changed.

Which pages are read, and in what order, is for the connectors to say.
"""

from __future__ import annotations

from collections.abc import Callable

from ragmem.errors import PermanentSourceError
from ragmem.ports import Notes

from .file_reasons import no_parser
from .guarded_http import GuardedHttp, Reply, Validators, shown_url
from .web_notes import read_note, write_note
from .web_page import Page, page_of, suffix_of_reply
from .web_robots import Manners


class OutOfScope(PermanentSourceError):
    """The address, or one that it redirects to, does not belong to the source."""


class PageReader:
    """Reads pages over HTTP.

    Args:
        http: makes the requests.
        manners: asked before each request.
        admits: whether an address may be asked for, redirects included.
        suffixes: the formats that a parser exists for; None for any.
        max_file_bytes: the longest page or file.
        respect_robots: whether pages may keep themselves out.
        notes: what earlier runs remember.
    """

    def __init__(
        self,
        http: GuardedHttp,
        manners: Manners,
        *,
        admits: Callable[[str], bool],
        suffixes: frozenset[str] | None,
        max_file_bytes: int,
        respect_robots: bool,
        notes: Notes,
    ) -> None:
        self._http = http
        self._manners = manners
        self._admits = admits
        self._suffixes = suffixes
        self._max_bytes = max_file_bytes
        self._respect_robots = respect_robots
        self._notes = notes
        # Notes of a run that read otherwise, or could read other formats, do not hold.
        self._reading = f"{respect_robots} {sorted(suffixes) if suffixes is not None else None}"

    def visit(self, url: str) -> Page:
        """Read a page, or learn that it is as the notes say.

        Returns:
            The page; without its document where it is unchanged.

        Raises:
            SourceError: it cannot be read.
        """
        note = read_note(self._notes, url, reading=self._reading)
        if note is None:
            return self.read(url)
        reply = self._get(url, note.validators)
        return note.page if reply.is_unchanged else self._noted(url, reply)

    def noted(self, url: str) -> Page | None:
        """A page as the notes have it."""
        note = read_note(self._notes, url, reading=self._reading)
        return None if note is None else note.page

    def read(self, url: str) -> Page:
        """Read a page whatever the notes say.

        Raises:
            SourceError: it cannot be read.
        """
        return self._noted(url, self._get(url, None))

    def content(self, url: str, *, max_bytes: int) -> bytes:
        """The bytes at an address, of whatever type.

        Raises:
            SourceError: they cannot be read.
        """
        return self._http.get(url, max_bytes=max_bytes, before_hop=self._manners.before).content

    def _get(self, url: str, validators: Validators | None) -> Reply:
        return self._http.get(
            url,
            max_bytes=self._max_bytes,
            validators=validators,
            before_hop=self._before_hop,
            wants_body=self._is_readable,
        )

    def _noted(self, url: str, reply: Reply) -> Page:
        if not self._is_readable(reply):
            kind = suffix_of_reply(reply).strip() or reply.media_type
            page = Page(address=reply.url, reason=no_parser(kind))
        else:
            page = page_of(reply, respect_robots=self._respect_robots)
        write_note(self._notes, url, reply, page, reading=self._reading)
        return page

    def _before_hop(self, url: str) -> None:
        if not self._admits(url):
            raise OutOfScope(f"{shown_url(url)} lies outside of the source; add it by itself")
        self._manners.before(url)

    def _is_readable(self, reply: Reply) -> bool:
        return self._suffixes is None or suffix_of_reply(reply) in self._suffixes
