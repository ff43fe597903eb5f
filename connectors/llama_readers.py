"""LlamaIndex readers: found by name, made with arguments, and asked for documents piece by piece.

Naming a class imports its module, which runs the code there. Only a class that a person wrote into
a command or a configuration is ever named, never one from retrieved text.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ragmem.errors import (
    PermanentSourceError,
    RagmemError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)

from .placeholders import check_secret, filled

_LOCATION = re.compile(r"llama-index:(?://)?((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)")


def class_path_of(location: str) -> str:
    """The class that a location names.

    Raises:
        UnknownSource: it names none.
    """
    match = _LOCATION.fullmatch(location.strip())
    if match is None:
        raise UnknownSource(
            f"{location!r} names no reader; write llama-index:PACKAGE.MODULE.CLASS, such as "
            "llama-index:llama_index.core.readers.SimpleDirectoryReader"
        )
    return match[1]


def reader_class(path: str) -> type:
    """The reader's class; its module is imported.

    Raises:
        UnknownSource: there is no such class, or it is no reader.
    """
    from llama_index.core.readers.base import BaseReader

    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnknownSource(
            f"the reader {path} cannot be imported: {error}; install the package that brings it, "
            "such as llama-index-readers-NAME"
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseReader)):
        raise UnknownSource(f"{path} is no LlamaIndex reader; expected a subclass of BaseReader")
    return found


def check_arguments(kind: type, arguments: Mapping[str, object]) -> None:
    """Refuse constructor arguments that the class does not take, and written-out secrets.

    Raises:
        UsageError: an argument is wrong or missing.
    """
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        raise UsageError(f"wrong arguments for {kind.__name__}: {error}") from error


def check_secrets(arguments: Mapping[str, object]) -> None:
    """Refuse secrets that are written out.

    Raises:
        UsageError: one is.
    """
    for name, value in arguments.items():
        if isinstance(value, str):
            check_secret(name, value)
        elif isinstance(value, Mapping):
            check_secrets(value)


def filled_in(value: object) -> Any:
    """The value with `${NAME}` filled in wherever it holds text.

    Raises:
        UsageError: a variable is not set.
    """
    if isinstance(value, str):
        return filled(value)
    if isinstance(value, Mapping):
        return {key: filled_in(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled_in(each) for each in value]
    return value


@contextmanager
def as_source_errors(reader: str) -> Iterator[None]:
    """Tell what a reader raises as an error of ours; readers are anyone's and raise anything."""
    try:
        # Some print what they pass over, where a command's results belong.
        with redirect_stdout(sys.stderr):
            yield
    except RagmemError:
        raise
    except ImportError as error:
        raise PermanentSourceError(f"{reader} needs a package: {error}") from error
    except (TypeError, NotImplementedError) as error:
        raise PermanentSourceError(
            f"{reader} cannot be called like this: {error}; look at its arguments"
        ) from error
    except Exception as error:
        raise TransientSourceError(f"{reader} failed: {type(error).__name__}: {error}") from error


@dataclass(slots=True)
class ReaderRun:
    """One run of a reader.

    Attributes:
        failures: resources that could not be read; the others were.
        empty: resources that gave no document.
    """

    make: Callable[[], Any]
    load: Mapping[str, Any]
    name: str
    failures: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def documents(self) -> Iterator[Any]:
        """Everything the reader gives, in pieces where it can.

        Resource by resource, so that one that fails is one that fails; else lazily; else at once.

        Raises:
            SourceError: the reader failed.
        """
        from llama_index.core.readers.base import BaseReader, ResourcesReaderMixin

        with as_source_errors(self.name):
            reader = self.make()
        # Arguments say what to load, which resources would pass over.
        if isinstance(reader, ResourcesReaderMixin) and not self.load:
            yield from self._resources(reader)
        elif type(reader).lazy_load_data is not BaseReader.lazy_load_data:
            with as_source_errors(self.name):
                documents = iter(reader.lazy_load_data(**self.load))
            yield from self._each(documents)
        else:
            with as_source_errors(self.name):
                documents = iter(reader.load_data(**self.load))
            yield from self._each(documents)

    def _each(self, documents: Iterator[Any]) -> Iterator[Any]:
        while True:
            with as_source_errors(self.name):
                document = next(documents, None)
            if document is None:
                return
            yield document

    def _resources(self, reader: Any) -> Iterator[Any]:
        with as_source_errors(self.name):
            resources = [str(each) for each in reader.list_resources()]
        for resource in resources:
            try:
                with as_source_errors(self.name):
                    documents = list(reader.load_resource(resource))
            except SourceError as error:
                self.failures.append(f"{resource}: {error}")
                continue
            if not documents:
                self.empty.append(resource)
            yield from documents
