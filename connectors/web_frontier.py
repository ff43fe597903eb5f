"""The addresses that a crawl has yet to visit, nearest first, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from .web_address import Scope, address_key

_KNOWN_PER_PAGE = 20


class Frontier:
    """A queue of addresses in scope.

    Args:
        scope: what is let in.
        depth: how many links an address may be away from where the crawl began.
        max_pages: how many addresses are given out.
    """

    def __init__(self, scope: Scope, *, depth: int, max_pages: int) -> None:
        self._scope = scope
        self._depth = depth
        self._left = max_pages
        # A calendar links to itself for ever; what is remembered stays bounded.
        self._most_known = _KNOWN_PER_PAGE * max_pages + 1_000
        self._known: set[str] = set()
        self._visited: set[str] = set()
        self._waiting: deque[tuple[str, int]] = deque()
        self.cut_off = False

    def add(self, addresses: Iterable[str], *, depth: int) -> None:
        """Queue those addresses that are in scope, near enough and new."""
        if depth > self._depth:
            return
        for address in addresses:
            key = address_key(address)
            if key in self._known or not self._scope.admits(address):
                continue
            if len(self._known) >= self._most_known:
                self.cut_off = True
                return
            self._known.add(key)
            self._waiting.append((address, depth))

    def begin(self, address: str) -> None:
        """Give out the address that everything begins with."""
        self._left -= 1
        self._visited.add(address_key(address))

    def arrived(self, asked: str, *, at: str) -> bool:
        """Remember that an address was read, and where it led.

        Returns:
            Whether no other address had led there.
        """
        asked_key, key = address_key(asked), address_key(at)
        is_new = key not in self._visited
        self._visited |= {asked_key, key}
        return is_new

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """The next address and its depth, until nothing waits or enough were given out."""
        while self._waiting:
            address, depth = self._waiting.popleft()
            if address_key(address) in self._visited:
                continue
            if self._left <= 0:
                self.cut_off = True
                return
            self._left -= 1
            yield address, depth
