"""Mail on an IMAP server, each message read once.

Folders are opened for reading only and listed by UID; a message's UID and its folder's UIDVALIDITY
name it for ever, so that only new ones are fetched, several at a time. Nothing is marked as read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from typing import ClassVar
from urllib.parse import quote, unquote

from ragmem.errors import PermanentSourceError, TransientSourceError, UsageError
from ragmem.types import MetadataValue, RawDocument, SkippedItem, SourceItem

from .file_reasons import too_large
from .imap_account import ImapAccount
from .imap_replies import FetchedMessage
from .imap_session import ImapSession
from .mail_folders import decoded_folder

_MEBIBYTE = 1024 * 1024
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_ITEM = re.compile(r"/(?P<folder>[^;]*);UIDVALIDITY=(?P<validity>\d+)/;UID=(?P<uid>\d+)")
_MOST_AT_ONCE = 32
_MOST_BYTES_AT_ONCE = 16 * _MEBIBYTE


class ImapConnector:
    """Lists and reads the messages of an IMAP account.

    The password stands in the environment: `IMAP_PASSWORD_MAIL_EXAMPLE_ORG` for the server
    `mail.example.org`, or `IMAP_PASSWORD`; an OAuth token likewise in `IMAP_OAUTH_TOKEN`.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"imap", "imaps"})

    def __init__(
        self,
        location: str,
        *,
        folders: tuple[str, ...] = (),
        since: str | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
        timeout_seconds: float = 60.0,
    ) -> None:
        """Note what to read.

        Args:
            location: `imaps://user@host[:port]/Folder`; with `imap://` the server must offer
                STARTTLS unless it is on this machine.
            folders: names of folders, `*` and `%` standing for any (`*` alone for all); empty for
                the one in the URL, else the inbox.
            since: a day such as `2026-01-31`; what the server received before is left out.
            max_file_bytes: larger messages are not read.
            timeout_seconds: how long to wait for each answer.

        Raises:
            UsageError: the URL names no account or holds a password, or an option is wrong.
        """
        account = ImapAccount.from_url(location)
        if folders and account.folder:
            raise UsageError("folders stand in the URL and in the option; leave one of them out")
        if any(re.search(r"[\x00-\x1f\x7f]", name) for name in folders):
            raise UsageError("control characters in the name of a folder")
        if timeout_seconds <= 0:
            raise UsageError(f"timeout_seconds is {timeout_seconds:g}, expected more than 0")
        self._account = account
        self._folders = folders or (account.folder or "INBOX",)
        self._criteria = "UNDELETED" + ("" if since is None else f" SINCE {_day(since)}")
        self._max_file_bytes = max_file_bytes
        self._session = ImapSession(
            account, timeout_seconds=timeout_seconds, max_message_bytes=max_file_bytes
        )
        self._listed: dict[tuple[str, int], list[int]] = {}
        self._fetched: dict[int, FetchedMessage] = {}
        self._fetched_in = ("", 0)
        self._at_once = 1
        self._expected = 0

    @property
    def source_uri(self) -> str:
        """The account's URL and the folder that was named in it."""
        return f"{self._account.url}/{quote(self._account.folder)}"

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the messages by folder and UID; those marked as deleted are taken as gone.

        Raises:
            TransientSourceError: the server cannot be reached, does not let the user in, or has no
                such folder.
        """
        self._listed.clear()
        self._fetched.clear()
        for folder in self._opened_folders():
            validity = self._session.examine(folder)
            uids = self._session.search(self._criteria)
            self._listed[folder, validity] = uids
            for uid in uids:
                yield SourceItem(
                    uri=f"{self._account.url}/{quote(folder)};UIDVALIDITY={validity}/;UID={uid}",
                    fingerprint=f"{validity}-{uid}",
                )

    def _opened_folders(self) -> list[str]:
        """The folders to read, patterns replaced by what the server has."""
        found: dict[str, None] = {}
        for name in self._folders:
            if not re.search(r"[*%]", name):
                found[name] = None
                continue
            matching = sorted(decoded_folder(each) for each in self._session.folders(name))
            if not matching:
                raise TransientSourceError(
                    f"no folder matches {name}, so nothing is taken as deleted",
                    worth_waiting=False,
                )
            found.update(dict.fromkeys(matching))
        return list(found)

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one message; those listed after it come along where they are new as well.

        Raises:
            PermanentSourceError: the message is too large, or the URI names none.
            TransientSourceError: it is not there any more, or the server cannot be reached.
        """
        match = _ITEM.fullmatch(item.uri.removeprefix(self._account.url))
        if match is None:
            raise PermanentSourceError(f"no message of {self.source_uri}")
        folder, validity, uid = unquote(match["folder"]), int(match["validity"]), int(match["uid"])
        if self._fetched_in != (folder, validity) or uid not in self._fetched:
            self._fetch_batch(folder, validity, uid)
        message = self._fetched.pop(uid, None)
        if message is None or not message.content.strip():
            raise TransientSourceError(
                "the message is not on the server any more", worth_waiting=False
            )
        metadata: dict[str, MetadataValue] = {"folder": folder, "mailbox": self._account.user}
        return RawDocument(
            uri=item.uri,
            name="message.eml",
            content=message.content,
            modified_at=message.received,
            metadata=metadata,
        )

    def _fetch_batch(self, folder: str, validity: int, uid: int) -> None:
        """Fetch a message and, while all that follow are asked for, ever more of those.

        Whoever skips some is asked for singly again, so that next to nothing is fetched in vain.
        """
        goes_on = self._fetched_in == (folder, validity) and uid == self._expected
        self._at_once = min(2 * self._at_once, _MOST_AT_ONCE) if goes_on else 1
        listed = self._listed.get((folder, validity), [])
        start = bisect_left(listed, uid)
        batch = listed[start : start + self._at_once] or [uid]
        if batch[0] != uid:
            batch = [uid]
        self._fetched.clear()
        self._session.open(folder, validity)
        sizes = self._session.sizes(batch)
        self._refuse_too_large(sizes.get(uid, 0))
        wanted: list[int] = []
        total = 0
        for each in batch:
            size = sizes.get(each, 0)
            total += size
            if size > self._max_file_bytes or (wanted and total > _MOST_BYTES_AT_ONCE):
                break
            wanted.append(each)
        self._fetched = self._session.messages(wanted)
        self._fetched_in = (folder, validity)
        following = bisect_left(listed, wanted[-1] + 1)
        self._expected = listed[following] if following < len(listed) else 0

    def _refuse_too_large(self, size: int) -> None:
        if size > self._max_file_bytes:
            raise PermanentSourceError(too_large(size, self._max_file_bytes, what="message"))

    def close(self) -> None:
        """Say goodbye to the server."""
        self._fetched.clear()
        self._session.close()


def _day(text: str) -> str:
    """A day as IMAP writes it, whatever the locale.

    Raises:
        UsageError: the text is no day.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"since is {text!r}, expected a day such as 2026-01-31") from error
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
