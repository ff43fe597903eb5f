"""A small IMAP server that tests start; `dovecot_server` starts a real one with the same methods.

It speaks what a reading client needs of IMAP4rev1, notes every command that a client sends, and
misbehaves where a test asks for it.
"""

from __future__ import annotations

import base64
import re
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

USER, PASSWORD = "ana", 's3cret "\\ x'


class ImapServer(Protocol):
    """A server with one account."""

    port: int
    commands: list[str]

    def deliver(self, folder: str, raw: bytes, *, deleted: bool = False) -> None:
        """Put a message into a folder, named as IMAP names it."""

    def remove(self, folder: str, part: bytes) -> None:
        """Take the messages that hold these bytes away."""

    def renumber(self, folder: str) -> None:
        """Change UIDVALIDITY."""

    def seen(self) -> int:
        """How many messages are marked as read."""


def message(number: int, text: str = "", *, sender: str = "Ben <ben@example.org>") -> bytes:
    """A small message."""
    return (
        f"From: {sender}\r\nTo: ana@example.org\r\nSubject: Message {number}\r\n"
        f"Date: Mon, 02 Mar 2026 10:00:{number % 60:02} +0000\r\n"
        f"Message-ID: <{number}@example.org>\r\n"
        f"\r\nText of message {number}. {text}\r\n"
    ).encode()


def fetched_bodies(commands: list[str]) -> list[int]:
    """The UIDs whose bodies were asked for, in order."""
    sets = [match[1] for each in commands if (match := re.search(r"UID FETCH (\S+) .*BODY", each))]
    return [int(uid) for each in sets for uid in each.split(",")]


# --- the small server -----------------------------------------------------------------------------


@dataclass
class Kept:
    """A message on the server."""

    raw: bytes
    deleted: bool = False
    received: str = "02-Mar-2026 10:00:00 +0000"
    read: bool = False


@dataclass
class Folder:
    """A folder on the server."""

    validity: int = 7
    next_uid: int = 1
    messages: dict[int, Kept] = field(default_factory=dict)


class SmallServer(socketserver.ThreadingTCPServer):
    """The server in Python."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.port = int(self.server_address[1])
        self.tls = tls
        self.commands: list[str] = []
        self.folders: dict[str, Folder] = {"INBOX": Folder()}
        self.capabilities = "IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2"
        self.token = "token"
        # Given a command, what to answer instead of the truth; None for the truth, b"" to hang up.
        self.disturb: Callable[[str], bytes | None] = lambda command: None

    def deliver(self, folder: str, raw: bytes, *, deleted: bool = False) -> None:
        place = self.folders.setdefault(folder, Folder())
        place.messages[place.next_uid] = Kept(raw=raw, deleted=deleted)
        place.next_uid += 1

    def remove(self, folder: str, part: bytes) -> None:
        place = self.folders[folder]
        place.messages = {uid: kept for uid, kept in place.messages.items() if part not in kept.raw}

    def renumber(self, folder: str) -> None:
        place = self.folders[folder]
        place.validity += 1
        place.messages = dict(enumerate(place.messages.values(), start=101))

    def seen(self) -> int:
        return sum(each.read for place in self.folders.values() for each in place.messages.values())


class _Session(socketserver.StreamRequestHandler):
    """One client."""

    disable_nagle_algorithm = True
    server: SmallServer

    def handle(self) -> None:
        self.folder = Folder()
        self.signed_in = False
        with suppress(OSError):
            if self.server.tls is not None and "STARTTLS" not in self.server.capabilities:
                self._encrypt()
            self._send("* OK ready")
            while line := self.rfile.readline():
                if not self._answer(line.decode().rstrip("\r\n")):
                    break
        # The server itself only knows the socket as it was before encryption.
        self.rfile.close()
        self.request.close()

    def _encrypt(self) -> None:
        assert self.server.tls is not None
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")

    def _send(self, line: str | bytes) -> None:
        data = line.encode() if isinstance(line, str) else line
        self.request.sendall(data + b"\r\n")

    def _answer(self, line: str) -> bool:
        tag, _, command = line.partition(" ")
        self.server.commands.append(command)
        disturbed = self.server.disturb(command)
        if disturbed is not None:
            if disturbed:
                self._send(disturbed.replace(b"TAG", tag.encode()))
            return bool(disturbed) and b"* BYE" not in disturbed
        name = command.partition(" ")[0].upper()
        if name == "UID":
            name += command.split(" ")[1].upper()
        if name in ("SELECT", "STORE", "UIDSTORE", "EXPUNGE", "APPEND"):
            self._send(f"{tag} BAD a reader does not write")
            return True
        handler: Callable[[str, str], str] = getattr(self, f"_{name.lower()}", self._unknown)
        self._send(f"{tag} {handler(tag, command)}")
        if name == "STARTTLS":
            self._encrypt()
        return name != "LOGOUT"

    def _unknown(self, tag: str, command: str) -> str:
        return f"BAD unknown command {command}"

    def _capability(self, tag: str, command: str) -> str:
        self._send(f"* CAPABILITY {self.server.capabilities}")
        return "OK done"

    def _starttls(self, tag: str, command: str) -> str:
        return "OK begin"

    def _logout(self, tag: str, command: str) -> str:
        self._send("* BYE see you")
        return "OK done"

    def _login(self, tag: str, command: str) -> str:
        return self._admit(_words(command)[1:] == [USER, PASSWORD])

    def _authenticate(self, tag: str, command: str) -> str:
        mechanism = command.split(" ")[1]
        self._send("+ ")
        given = base64.b64decode(self.rfile.readline()).decode()
        if mechanism == "PLAIN":
            return self._admit(given == f"\0{USER}\0{PASSWORD}")
        if given == f"user={USER}\x01auth=Bearer {self.server.token}\x01\x01":
            return self._admit(True)
        self._send("+ " + base64.b64encode(b'{"status":"400"}').decode())
        self.rfile.readline()
        return "NO [EXPIRED] token expired"

    def _admit(self, right: bool) -> str:
        self.signed_in = right
        return "OK welcome" if right else "NO [AUTHENTICATIONFAILED] wrong password"

    def _list(self, tag: str, command: str) -> str:
        pattern = re.escape(_words(command)[2]).replace(r"\*", ".*").replace("%", "[^/]*")
        self._send(r'* LIST (\Noselect \HasChildren) "/" Archive')
        for name in self.server.folders:
            if re.fullmatch(pattern, name):
                self._send(f'* LIST (\\HasNoChildren) "/" "{name}"')
        return "OK done"

    def _examine(self, tag: str, command: str) -> str:
        name = _words(command)[1]
        if not self.signed_in or name not in self.server.folders:
            return "NO [NONEXISTENT] no such folder"
        self.folder = self.server.folders[name]
        self._send(f"* {len(self.folder.messages)} EXISTS")
        self._send(f"* OK [UIDVALIDITY {self.folder.validity}] ok")
        return "OK [READ-ONLY] done"

    def _uidsearch(self, tag: str, command: str) -> str:
        words = command.split(" ")
        low, _, high = words[2].partition(":")
        uids = list(self.folder.messages)[int(low) - 1 : None if high == "*" else int(high)]
        since = datetime.strptime(words[5], "%d-%b-%Y") if "SINCE" in words else datetime.min
        found = [
            str(uid)
            for uid in uids
            if not ("UNDELETED" in words and self.folder.messages[uid].deleted)
            and datetime.strptime(self.folder.messages[uid].received[:11], "%d-%b-%Y") >= since
        ]
        self._send("* SEARCH " + " ".join(found))
        return "OK done"

    def _uidfetch(self, tag: str, command: str) -> str:
        uids = [int(each) for each in command.split(" ")[2].split(",")]
        for number, (uid, kept) in enumerate(list(self.folder.messages.items()), start=1):
            if uid not in uids:
                continue
            if "RFC822.SIZE" in command:
                self._send(f"* {number} FETCH (UID {uid} RFC822.SIZE {len(kept.raw)})")
                continue
            kept.read |= "BODY[]" in command
            head = f'* {number} FETCH (INTERNALDATE "{kept.received}" BODY[] {{{len(kept.raw)}}}'
            # The UID after the literal, as some servers have it, and news nobody asked for.
            self._send(head.encode() + b"\r\n" + kept.raw + f" UID {uid})".encode())
            self._send(f"* {number} FETCH (FLAGS (\\Recent))")
        return "OK done"


def _words(command: str) -> list[str]:
    found = re.findall(r'"((?:\\.|[^"\\])*)"|(\S+)', command)
    return [bare or re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in found]


@contextmanager
def small_server(*, tls: ssl.SSLContext | None = None) -> Iterator[SmallServer]:
    """The server in Python, running."""
    with SmallServer(tls=tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
