"""Which hosts may be talked to: public addresses, and what was allowed by name.

A name is resolved here and nowhere else, so that what was checked is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from ragmem.errors import PermanentSourceError, TransientSourceError, UsageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""The numeric addresses of a host name, best first."""

# Clouds tell secrets to their own machines here, although Python calls the addresses global:
# Azure's host agent, and Oracle's older metadata service among the IETF's own assignments.
_CLOUD_AGENTS = (
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv4Network("192.0.0.0/24"),
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system's resolver tells them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to a machine on the public internet.

    An IPv6 address that carries an IPv4 address is as public as that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    if any(address in network for network in _CLOUD_AGENTS):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
    )


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside an IPv4-mapped, 6to4, NAT64 or IPv4-compatible one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class HostGuard:
    """Turns a host into the addresses that may be connected to.

    Args:
        allow_hosts: `host` or `host:port`, to be reached wherever they are.
        resolver: finds the addresses of a name.

    Raises:
        UsageError: an entry of `allow_hosts` names no host.
    """

    def __init__(self, allow_hosts: Sequence[str] = (), *, resolver: Resolver = resolve) -> None:
        self._allowed = frozenset(_host_and_port(entry) for entry in allow_hosts)
        self._resolver = resolver

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host once and refuse it unless it is public or was allowed.

        Raises:
            PermanentSourceError: an address is not public.
            TransientSourceError: the name cannot be resolved now.
        """
        try:
            found = [ipaddress.ip_address(each) for each in self._resolver(host, port)]
        except socket.gaierror as error:
            raise TransientSourceError(
                f"the host {host} cannot be found ({error.strerror}); check name and network",
                worth_waiting=error.errno != socket.EAI_NONAME,
            ) from error
        except UnicodeError as error:
            raise PermanentSourceError(f"{host[:80]!r} is no host name") from error
        if not found:
            raise TransientSourceError(f"the host {host} has no address")
        if not self._is_allowed(host, port):
            for address in found:
                if not is_public(address):
                    name = f"[{host}]" if ":" in host else host
                    raise PermanentSourceError(
                        f"{host} is at {address}, which is no public address; if it is meant to "
                        f"be read, allow it by name: allow_hosts: ['{name}:{port}']"
                    )
        return [str(address) for address in found]

    def check(self, host: str, port: int) -> None:
        """Refuse a host unless it is public or was allowed; of what was allowed nothing is asked.

        Raises:
            PermanentSourceError: an address is not public.
            TransientSourceError: the name cannot be resolved now.
        """
        if not self._is_allowed(host, port):
            self.addresses(host, port)

    def _is_allowed(self, host: str, port: int) -> bool:
        name = _plain(host)
        return (name, None) in self._allowed or (name, port) in self._allowed


def _host_and_port(entry: str) -> tuple[str, int | None]:
    try:
        split = urlsplit(f"//{entry}")
        host, port = split.hostname, split.port
        if not host or split.netloc != entry or "@" in entry or entry.endswith(":"):
            raise ValueError(entry)
        name = host if ":" in host else host.encode("idna").decode()
    except ValueError as error:
        raise UsageError(
            f"allow_hosts: {entry!r} is not 'host' or 'host:port' (IPv6 in brackets)"
        ) from error
    return _plain(name), port


def _plain(host: str) -> str:
    return host.lower().strip("[]").removesuffix(".")
