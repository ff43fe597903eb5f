"""What becomes of a row: its template, its columns' parts, and the document they make."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, UsageError
from ragmem.types import MetadataValue, RawDocument

from .database_values import (
    canonical,
    key_text,
    metadata_of,
    principals_of,
    text_of,
    time_of,
)
from .file_reasons import too_large
from .storable_text import storable

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SUFFIXES = {"markdown": ".md", "plain": ".txt"}

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{column}` in it; `{{` and `}}` are braces. Nothing else is special."""

    text: str

    def __post_init__(self) -> None:
        for match in _FIELD.finditer(self.text):
            if match[0] in ("{", "}") or match[1] == "":
                raise UsageError(
                    f"the template {self.text[:60]!r} has {match[0]!r} at {match.start()}; write "
                    "{COLUMN} for a column, {{ and }} for braces"
                )

    @property
    def columns(self) -> list[str]:
        """The columns it names."""
        return [match[1] for match in _FIELD.finditer(self.text) if match[1]]

    def of(self, row: Row) -> str:
        """The text of a row; NULL is empty."""
        return _FIELD.sub(
            lambda match: text_of(row[match[1]]) if match[1] else match[0][0], self.text
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """How rows are read; the fields are the connector's options of these names."""

    key: tuple[str, ...]
    template: Template | None
    title: Template | None
    cursor: str | None
    modified_at: str | None
    metadata: tuple[str, ...] | None
    acl: str | None
    text_format: Literal["markdown", "plain"]
    max_bytes: int

    def check(self, columns: list[str]) -> None:
        """Refuse a query that lacks a column.

        Raises:
            PermanentSourceError: a column is missing, or two have one name.
        """
        for name in dict.fromkeys(self._named()):
            if name not in columns:
                raise PermanentSourceError(
                    f"the query gives no column {name!r}; it gives {', '.join(columns)}"
                )
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise PermanentSourceError(
                f"the query gives more than one column {twice[0]!r}; rename one with AS"
            )

    def _named(self) -> Iterator[str]:
        yield from self.key
        yield from (name for name in (self.cursor, self.modified_at, self.acl) if name)
        yield from self.metadata or ()
        for template in (self.template, self.title):
            if template is not None:
                yield from template.columns

    @property
    def settings(self) -> str:
        """Names everything that a row's document depends on but the row."""
        return repr(self)

    def path(self, row: Row) -> str | None:
        """The row's key as the end of its URI, None where a part of it is NULL."""
        if any(row[name] is None for name in self.key):
            return None
        return "/".join(quote(key_text(row[name]), safe="") for name in self.key)

    def fingerprint(self, row: Row, *, salt: str) -> str:
        """Changes with the row, or with its cursor where there is one; empty for a NULL cursor."""
        if self.cursor is None:
            seen = canonical(list(row.items()))
        elif row[self.cursor] is None:
            return ""
        else:
            seen = canonical(row[self.cursor])
        return hashlib.sha256(f"{salt}\0{seen}".encode()).hexdigest()[:32]

    def document(self, uri: str, row: Row) -> RawDocument:
        """The document of a row.

        Raises:
            PermanentSourceError: it has no text or too much, or a value is none of the expected.
        """
        text = self._text(row)
        if not text.strip():
            raise PermanentSourceError("the row has no text: its columns are empty")
        size = len(text.encode())
        if size > self.max_bytes:
            raise PermanentSourceError(too_large(size, self.max_bytes, what="row's text"))
        name = "-".join(storable(key_text(row[part])).replace("/", "-") for part in self.key)
        return RawDocument(
            uri=uri,
            name=name + _SUFFIXES[self.text_format],
            content=text,
            title=(self.title.of(row).strip() or None) if self.title else None,
            modified_at=time_of(row[self.modified_at], column=self.modified_at)
            if self.modified_at
            else None,
            metadata=self._metadata(row),
            acl=principals_of(row[self.acl], column=self.acl) if self.acl else None,
        )

    def _text(self, row: Row) -> str:
        if self.template is not None:
            return self.template.of(row)
        lines = ((name, text_of(value)) for name, value in row.items() if name != self.acl)
        return "\n".join(f"{storable(name)}: {text}" for name, text in lines if text)

    def _metadata(self, row: Row) -> dict[str, MetadataValue]:
        names = self.metadata
        wanted = [name for name in row if name != self.acl] if names is None else names
        values = {
            storable(name): metadata_of(row[name], asked_for=names is not None) for name in wanted
        }
        return {name: value for name, value in values.items() if value is not None}
