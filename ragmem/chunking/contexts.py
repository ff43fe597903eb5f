"""What stands before a chunk's text when it is embedded: title, heading path, table header row.

It is bounded to a share of the budget, so that a long title never crowds out the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ragmem.chunking.blocks import Span
from ragmem.chunking.units import Section, Unit

_PATH_SHARE = 0.25
_HEADER_SHARE = 0.33
_JOIN_TOKENS = 2
_MAX_CHARACTERS_PER_TOKEN = 16


class Contexts:
    """The contexts of one document's chunks, and their lengths."""

    def __init__(
        self,
        text: str,
        title: str,
        sections: Sequence[Section],
        headers: Iterable[Span],
        *,
        count: Callable[[Sequence[str]], list[int]],
        chunk_tokens: int,
        names: bool = True,
    ) -> None:
        """Count and shorten every title and header row in one go.

        Args:
            text: the document's text.
            title: the document's title, perhaps empty.
            sections: the document's sections.
            headers: the header rows of its tables.
            count: counts the tokens of many texts.
            chunk_tokens: the budget that contexts take a share of.
            names: whether title and headings stand there, and not only a table's header row.
        """
        self._title = " ".join(title.split())
        self._sections = sections
        self._path_tokens = int(chunk_tokens * _PATH_SHARE)
        named = {self._title, *(name for s in sections for name in s.path)} if names else set()
        known = sorted(named - {""})
        spans = sorted(set(headers))
        rows = [text[start:end].strip() for start, end in spans]
        limits = [self._path_tokens] * len(known)
        limits += [int(chunk_tokens * _HEADER_SHARE)] * len(rows)
        short = _shortened([*known, *rows], limits, count)
        self._names = dict(zip(known, short, strict=False))
        self._headers = dict(zip(spans, short[len(known) :], strict=True))
        self._lines: dict[tuple[str, ...], tuple[str, int]] = {}

    def tokens(self, unit: Unit) -> int:
        """About how many tokens the context of a chunk that begins with this unit has."""
        length = self._line(self._path(unit))[1]
        if unit.header is not None and unit.continues_table:
            length += self._headers[unit.header][1] + _JOIN_TOKENS
        return length

    def text(self, unit: Unit, first_line: str) -> str:
        """The context of a chunk that begins with this unit.

        Args:
            unit: the chunk's first unit that is not overlap.
            first_line: the chunk's first line; a title standing there is not repeated.
        """
        path = self._path(unit)
        names = (self._title, *path)
        if _begins_with(first_line, names[0]) or (path and _same(path[0], names[0])):
            names = path
            line = self._fitted(names)[0]
        else:
            line = self._line(path)[0]
        if unit.header is not None and unit.continues_table:
            return f"{line}\n{self._headers[unit.header][0]}".lstrip("\n")
        return line

    def _path(self, unit: Unit) -> tuple[str, ...]:
        section = self._sections[unit.section]
        return section.parents if unit.opens else section.path

    def _line(self, path: tuple[str, ...]) -> tuple[str, int]:
        if path not in self._lines:
            repeated = bool(path) and _same(path[0], self._title)
            self._lines[path] = self._fitted(path if repeated else (self._title, *path))
        return self._lines[path]

    def _fitted(self, names: tuple[str, ...]) -> tuple[str, int]:
        """As many of the names as fit, the last counting most, then the first."""
        order = [len(names) - 1, *range(len(names) - 1)] if names else []
        kept: list[int] = []
        length = 0
        for index in order:
            name, tokens = self._names.get(names[index], ("", 0))
            if name and length + tokens <= self._path_tokens:
                kept.append(index)
                length += tokens + _JOIN_TOKENS
        return " > ".join(self._names[names[index]][0] for index in sorted(kept)), length


def _shortened(
    texts: Sequence[str], limits: Sequence[int], count: Callable[[Sequence[str]], list[int]]
) -> list[tuple[str, int]]:
    """Texts cut at a word to their limits, with their lengths in tokens."""
    cut = [
        text[: limit * _MAX_CHARACTERS_PER_TOKEN] for text, limit in zip(texts, limits, strict=True)
    ]
    counts = count(cut) if cut else []
    for index, (text, limit) in enumerate(zip(cut, limits, strict=True)):
        if counts[index] > limit:
            kept = text[: len(text) * limit // (counts[index] + 1)]
            cut[index] = kept[: kept.rfind(" ")] if " " in kept else kept
    counts = count(cut) if cut else []
    return [
        (text, tokens) if tokens <= limit else ("", 0)
        for text, tokens, limit in zip(cut, counts, limits, strict=True)
    ]


def _begins_with(line: str, name: str) -> bool:
    """Whether a line shows a name first; a title that is a paragraph may be stored cut short."""
    return bool(name) and _bare(line).startswith(name.casefold())


def _same(one: str, other: str) -> bool:
    return _bare(one) == other.casefold()


def _bare(line: str) -> str:
    return " ".join(line.strip("#*= \t\r").split()).casefold()
