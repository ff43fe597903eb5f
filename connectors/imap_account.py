"""Which IMAP account a URL names, and its password or token from the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from ragmem.errors import TransientSourceError, UsageError

_PORTS = {"imaps": 993, "imap": 143}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORM = "imaps://user@host[:port]/Folder (an @ in the user as %40)"
_HOST = re.compile(r"[\w.:%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proves who somebody is.

    Attributes:
        secret: the password or the token; never shown.
        is_token: whether it is an OAuth access token.
        variable: the environment variable that it stood in, for messages.
    """

    secret: str
    is_token: bool
    variable: str

    def __repr__(self) -> str:
        return f"Credentials(variable={self.variable!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapAccount:
    """A person's account at a server.

    Attributes:
        folder: the folder that the URL names, empty for none.
    """

    scheme: str
    user: str
    host: str
    port: int
    folder: str

    @classmethod
    def from_url(cls, url: str) -> ImapAccount:
        """Read an IMAP URL.

        Raises:
            UsageError: it names no account, or holds a password.
        """
        # What is wrong is told without the URL, for a password may be the reason.
        try:
            split = urlsplit(url)
            port = split.port
        except ValueError as error:
            raise UsageError(f"no IMAP URL; expected {_FORM}") from error
        scheme = split.scheme.lower()
        if scheme not in _PORTS:
            raise UsageError(f"no IMAP URL; expected {_FORM}")
        user, folder = unquote(split.username or ""), unquote(split.path.removeprefix("/"))
        if split.password is not None or re.search("[:;]", user):
            raise UsageError(
                "an IMAP URL must not hold a password or `;AUTH=`; put the password into the "
                "environment variable IMAP_PASSWORD"
            )
        if not user or not split.hostname:
            raise UsageError(f"the IMAP URL names no user or no host; expected {_FORM}")
        if split.query or split.fragment:
            raise UsageError("write ? as %3F and # as %23 in the name of a folder in an IMAP URL")
        if _CONTROL.search(user + split.hostname + folder):
            raise UsageError("control characters in the user, host or folder of an IMAP URL")
        if not _HOST.fullmatch(split.hostname):
            raise UsageError(f"no name of a host after the @ of the IMAP URL; expected {_FORM}")
        return cls(
            scheme=scheme,
            user=user,
            host=split.hostname,
            port=port or _PORTS[scheme],
            folder=folder.rstrip("/"),
        )

    @property
    def url(self) -> str:
        """The account's URL, without a folder and without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{quote(self.user, safe='')}@{host}{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, so that nothing travels unencrypted."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def credentials(self) -> Credentials:
        """What the environment holds: for this user, for this host, or for all.

        Raises:
            TransientSourceError: it holds nothing.
        """
        names = [f"{self.user}_{self.host}", self.host, ""]
        for name in names:
            suffix = re.sub(r"[^A-Z0-9]+", "_", f"_{name}".upper()).rstrip("_")
            for kind in ("IMAP_OAUTH_TOKEN", "IMAP_PASSWORD"):
                variable = kind + suffix
                if not (secret := os.environ.get(variable)):
                    continue
                if _CONTROL.search(secret):
                    raise TransientSourceError(
                        f"{variable} holds a line break or another control character",
                        worth_waiting=False,
                    )
                return Credentials(secret=secret, is_token="TOKEN" in kind, variable=variable)
        host = re.sub(r"[^A-Z0-9]+", "_", self.host.upper())
        raise TransientSourceError(
            f"no password for {self.user} at {self.host}: set the environment variable "
            f"IMAP_PASSWORD_{host} or IMAP_PASSWORD (or IMAP_OAUTH_TOKEN)",
            worth_waiting=False,
        )
