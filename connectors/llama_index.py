"""LlamaIndex readers: the hundreds on LlamaHub, and any `BaseReader` of your own.

A reader lists nothing and knows no changes: it gives everything at each run. So everything is read
at each run, but only what changed is parsed and embedded again. What identifies a document stands
in `llama_documents`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, UsageError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .file_reasons import incomplete, too_large
from .llama_documents import Reading, reading_of
from .llama_readers import (
    ReaderRun,
    check_arguments,
    check_secrets,
    class_path_of,
    filled_in,
    reader_class,
)
from .llama_spool import Spool

_MEBIBYTE = 1024 * 1024


class LlamaIndexConnector:
    """Reads whatever a LlamaIndex reader reads.

    A document is known again by the first of these that it has: the metadata fields named by
    `identity`; an id that its reader chose; where it came from (`file_path`, `url` and the like);
    its content. Several documents of one origin, such as the pages of a file, are items of their
    own, told apart by page label, else by their order.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"llama-index"})

    def __init__(
        self,
        location: str | Path,
        *,
        arguments: dict[str, Any] | None = None,
        load: dict[str, Any] | None = None,
        identity: str | tuple[str, ...] | None = None,
        name: str | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Find the reader's class; its module is imported, nothing is read yet.

        Args:
            location: `llama-index:PACKAGE.MODULE.CLASS`.
            arguments: what the class is made with, anew for each run. Secrets are written as
                `${NAME}` of an environment variable, here and in `load`.
            load: what `lazy_load_data` or `load_data` is called with.
            identity: the metadata fields that tell one document from another; `id_` for the id
                that the reader gives.
            name: tells sources of one class apart and lets the arguments change; by default a hash
                of the arguments does.
            max_file_bytes: documents with more text are left out.

        Raises:
            UnknownSource: there is no such class, or it is no reader.
            UsageError: the class does not take the arguments, a secret is written out, or a
                variable is not set.
        """
        path = class_path_of(str(location))
        check_secrets({**(arguments or {}), **(load or {})})
        made_with: dict[str, Any] = filled_in(arguments or {})
        kind = reader_class(path)
        check_arguments(kind, made_with)
        written = json.dumps([arguments or {}, load or {}], sort_keys=True, default=str)
        self._set_up(
            lambda: kind(**made_with),
            class_path=path,
            name=name or hashlib.sha256(written.encode()).hexdigest()[:12],
            load=filled_in(load or {}),
            identity=identity,
            max_file_bytes=max_file_bytes,
        )

    @classmethod
    def of(
        cls,
        reader: Any,
        *,
        name: str,
        load: Mapping[str, Any] | None = None,
        identity: str | tuple[str, ...] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> LlamaIndexConnector:
        """A connector over a reader that the program made.

        Args:
            reader: a `BaseReader`; one that lists files when it is made sees no files made later.
            name: names the source for good: what is read under it later replaces what was.
            load, identity, max_file_bytes: as for the class.

        Raises:
            UsageError: it is no reader.
        """
        from llama_index.core.readers.base import BaseReader

        if not isinstance(reader, BaseReader):
            raise UsageError(f"got a {type(reader).__name__}; expected a LlamaIndex BaseReader")
        connector = cls.__new__(cls)
        connector._set_up(
            lambda: reader,
            class_path=f"{type(reader).__module__}.{type(reader).__qualname__}",
            name=name,
            load=load or {},
            identity=identity,
            max_file_bytes=max_file_bytes,
        )
        return connector

    def _set_up(
        self,
        make: Callable[[], Any],
        *,
        class_path: str,
        name: str,
        load: Mapping[str, Any],
        identity: str | tuple[str, ...] | None,
        max_file_bytes: int,
    ) -> None:
        self._make = make
        self._load = load
        self._reader_name = class_path.rpartition(".")[2]
        self._source_uri = f"llama-index:{class_path}#{quote(name, safe='')}"
        self._identity = (identity,) if isinstance(identity, str) else tuple(identity or ())
        self._max_file_bytes = max_file_bytes
        self._spool: Spool | None = None

    @property
    def source_uri(self) -> str:
        """The reader's class and the source's name."""
        return self._source_uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """Read everything, one document after the other.

        Raises:
            SourceError: the reader failed, or failed for some of its resources; raised after all
                that could be read.
        """
        self.close()
        spool = self._spool = Spool()
        run = ReaderRun(make=self._make, load=self._load, name=self._reader_name)
        for nth, document in enumerate(run.documents(), start=1):
            try:
                reading = reading_of(document, identity=self._identity)
            except PermanentSourceError as error:
                yield SkippedItem(uri=f"{self._source_uri}?document={nth}", reason=str(error))
            else:
                yield self._listed(reading, spool)
        for resource in run.empty:
            uri = f"{self._source_uri}/{quote(resource, safe='/')}"
            yield SkippedItem(
                uri=uri, reason="the reader gave no document for it; it may have told why"
            )
        if run.failures:
            raise incomplete("resources could not be read", run.failures, worth_waiting=True)

    def _listed(self, reading: Reading, spool: Spool) -> SourceItem | SkippedItem:
        nth = spool.count(reading.identity)
        path = quote(reading.identity, safe="/")
        if reading.page:
            path += f"?page={quote(reading.page, safe='')}"
        elif nth > 1:
            path += f"?part={nth}"
        uri = f"{self._source_uri}/{path}"
        if not reading.text.strip():
            return SkippedItem(uri=uri, reason="the document has no text, only an image or nothing")
        size = len(reading.text.encode())
        if size > self._max_file_bytes:
            reason = too_large(size, self._max_file_bytes, what="text")
            return SkippedItem(uri=uri, reason=reason)
        if not spool.add(path, reading):
            reason = (
                "another document of the source has the same identity and page; name `identity`"
            )
            return SkippedItem(uri=f"{uri}&again={nth}", reason=reason)
        return SourceItem(uri=uri, fingerprint=reading.fingerprint, size_bytes=size)

    def fetch(self, item: SourceItem) -> RawDocument:
        """Give what was read.

        Raises:
            PermanentSourceError: the reader did not give it in this run.
        """
        if self._spool is None:
            for _ in self.discover():
                pass
        path = item.uri.removeprefix(f"{self._source_uri}/")
        reading = self._spool.get(path) if self._spool else None
        if reading is None:
            raise PermanentSourceError("the reader does not give it any more")
        return reading.as_raw(item.uri)

    def close(self) -> None:
        """Let go of what was read."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None
