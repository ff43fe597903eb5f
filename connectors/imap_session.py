"""A connection to an IMAP server: encrypted, read-only, opened again after it broke.

Python's own `imaplib` speaks the protocol: five commands are needed, and every installation has it.
Retries are the sync engine's business.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from ragmem.errors import TransientSourceError

from .imap_account import Credentials, ImapAccount
from .imap_replies import FetchedMessage, Reply, folder_names, messages, numbers, refusal, sizes
from .mail_folders import encoded_folder

# Keeps each answer well below the longest line that imaplib takes.
_SEARCHED_AT_ONCE = 20_000
_MOST_LITERAL_SLACK = 1024 * 1024


class _TooLarge(OSError):  # imaplib would replace an error of its own kind
    """The server announced more bytes than anybody asked for."""


class _Plain(imaplib.IMAP4):
    """A connection that takes no literal beyond a limit."""

    most_bytes = 0

    def read(self, size: int) -> bytes:
        if size > self.most_bytes:
            raise _TooLarge(f"the server announced {size:,} bytes, more than are allowed")
        return super().read(size)


class _Encrypted(_Plain, imaplib.IMAP4_SSL):
    """The same over TLS from the beginning."""


class ImapSession:
    """Speaks with one server; commands open the connection where there is none."""

    def __init__(
        self, account: ImapAccount, *, timeout_seconds: float, max_message_bytes: int
    ) -> None:
        self._account = account
        self._timeout_seconds = timeout_seconds
        self._most_bytes = max_message_bytes + _MOST_LITERAL_SLACK
        self._connection: _Plain | None = None
        self._folder: str | None = None
        self._validity = 0
        self._count = 0

    def folders(self, pattern: str) -> list[str]:
        """The names of the folders that match a pattern of LIST, as the server writes them."""
        return folder_names(self._ask("to list the folders", "list", '""', _quoted(pattern)))

    def examine(self, folder: str) -> int:
        """Open a folder for reading only, afresh.

        Returns:
            Its UIDVALIDITY: while that stays the same, a UID names the same message.

        Raises:
            TransientSourceError: there is no such folder, or the server cannot be reached.
        """
        self._folder = None
        with self._speaking() as connection:
            status, answer = connection.select(_quoted(folder), readonly=True)
            if status != "OK":
                raise refusal(f"to open the folder {folder}", answer, advice="check its name")
            count = answer[-1] or b"0"
            _, validity = connection.response("UIDVALIDITY")
        if not validity or not validity[-1] or not validity[-1].isdigit():
            raise TransientSourceError(
                f"the server tells no UIDVALIDITY for {folder}, so that messages cannot be told "
                "apart",
                worth_waiting=False,
            )
        self._folder, self._validity, self._count = folder, int(validity[-1]), int(count)
        return self._validity

    def search(self, criteria: str) -> list[int]:
        """The UIDs in the open folder that meet the criteria, ascending."""
        found: set[int] = set()
        # From the end: what is deleted meanwhile then moves nothing out of a range to come.
        for high in range(self._count, 0, -_SEARCHED_AT_ONCE):
            low = max(1, high - _SEARCHED_AT_ONCE + 1)
            last = "*" if high == self._count else str(high)
            reply = self._ask("to search", "uid", "SEARCH", f"{low}:{last} {criteria}")
            found.update(numbers(reply))
        return sorted(found)

    def open(self, folder: str, validity: int) -> None:
        """Have a folder open in which UIDs mean what they meant.

        Raises:
            TransientSourceError: the server numbers the messages anew since.
        """
        if self._connection is None or self._folder != folder:
            self.examine(folder)
        if self._validity != validity:
            raise TransientSourceError(
                f"the server has numbered the messages of {folder} anew; run again",
                worth_waiting=False,
            )

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """The sizes in bytes of those messages that are still there."""
        return sizes(self._ask("to tell sizes", "uid", "FETCH", _set(uids), "(UID RFC822.SIZE)"))

    def messages(self, uids: Sequence[int]) -> dict[int, FetchedMessage]:
        """The messages that are still there; reading marks none as read."""
        fields = "(UID INTERNALDATE BODY.PEEK[])"
        return messages(self._ask("to send messages", "uid", "FETCH", _set(uids), fields))

    def close(self) -> None:
        """Say goodbye."""
        connection, self._connection = self._connection, None
        self._folder = None
        if connection is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                connection.logout()
            with suppress(OSError):
                connection.shutdown()

    # --- the connection ---

    def _ask(self, action: str, command: str, *arguments: str) -> Reply:
        with self._speaking() as connection:
            call: Callable[..., tuple[str, Reply]] = getattr(connection, command)
            status, answer = call(*arguments)
            if status != "OK":
                raise refusal(action, answer)
            return answer

    @contextmanager
    def _speaking(self) -> Iterator[_Plain]:
        """The connection; whatever breaks it closes it and is mapped."""
        try:
            if self._connection is None:
                credentials = self._account.credentials()
                self._connection = self._connected()
                self._signed_in(self._connection, credentials)
            yield self._connection
        except (OSError, imaplib.IMAP4.error) as error:
            self._drop()
            self._raise(error)
        except TransientSourceError:
            if self._connection is not None and self._connection.state == "NONAUTH":
                self._drop()
            raise

    def _connected(self) -> _Plain:
        account, timeout = self._account, self._timeout_seconds
        if account.scheme == "imaps":
            tls = ssl.create_default_context()
            connection: _Plain = _Encrypted(
                account.host, account.port, ssl_context=tls, timeout=timeout
            )
        else:
            connection = _Plain(account.host, account.port, timeout=timeout)
            if not account.is_loopback:
                self._connection = connection
                if "STARTTLS" not in connection.capabilities:
                    raise TransientSourceError(
                        f"{account.host} offers no encryption at port {account.port}, so no "
                        "password is sent; use imaps://",
                        worth_waiting=False,
                    )
                connection.starttls(ssl_context=ssl.create_default_context())
        connection.most_bytes = self._most_bytes
        return connection

    def _signed_in(self, connection: _Plain, credentials: Credentials) -> None:
        user, secret = self._account.user, credentials.secret
        advice = f"check the user and {credentials.variable}"
        try:
            if credentials.is_token:
                # A refusal comes as a challenge, which is answered with nothing.
                answers = iter([f"user={user}\x01auth=Bearer {secret}\x01\x01".encode()])
                connection.authenticate("XOAUTH2", lambda _: next(answers, b""))
            elif "AUTH=PLAIN" in connection.capabilities:
                connection.authenticate("PLAIN", lambda _: f"\0{user}\0{secret}".encode())
            else:
                connection.login(_quoted(user), secret)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            answer = error.args[0] if error.args else ""
            raise refusal(f"to sign in {user}", answer, advice=advice) from error
        except UnicodeEncodeError as error:
            raise TransientSourceError(
                f"{self._account.host} takes only ASCII in users and passwords",
                worth_waiting=False,
            ) from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._folder = None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown()

    def _raise(self, error: Exception) -> NoReturn:
        where = f"{self._account.host}:{self._account.port}"
        if isinstance(error, ssl.SSLCertVerificationError):
            raise TransientSourceError(
                f"the certificate of {where} is not trusted: {error.verify_message}",
                worth_waiting=False,
            ) from error
        if isinstance(error, TimeoutError):
            raise TransientSourceError(
                f"{where} did not answer within {self._timeout_seconds:g} seconds"
            ) from error
        if isinstance(error, _TooLarge):
            raise TransientSourceError(f"{where}: {error}", worth_waiting=False) from error
        if isinstance(error, imaplib.IMAP4.abort):
            mapped = refusal("to go on", str(error))
            raise TransientSourceError(
                f"the connection to {where} broke off: {error}",
                retry_after_seconds=mapped.retry_after_seconds,
            ) from error
        if isinstance(error, imaplib.IMAP4.error):
            raise refusal("to go on", str(error)) from error
        raise TransientSourceError(f"the connection to {where} failed: {error}") from error


def _quoted(text: str) -> str:
    """A name as a quoted string in modified UTF-7."""
    escaped = re.sub(r'(["\\])', r"\\\1", encoded_folder(text))
    return f'"{escaped}"'


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))
