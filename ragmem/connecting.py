"""Chooses the connector for a location and checks its options, among those installed.

Connectors are found through the entry points `ragmem.connectors`, so that another package can bring
one. What a connector takes as options is what its `__init__` says; nothing is listed twice.

A location goes to the connector that is named; else to one that recognizes it as its own (a vault
of notes, `git@host:path`); else to one with its scheme; else, being a path, to `files`. Of several
that would take it ragmem's own come first, then those of other packages, by name.
"""

from __future__ import annotations

import inspect
import reprlib
import types
import typing
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from ragmem.errors import RagmemError, UnknownSource, UsageError
from ragmem.ingestion.locations import scheme_of, shown
from ragmem.ports import Connector
from ragmem.types import SourceDescription

_GROUP = "ragmem.connectors"
_FILES = "files"
_OURS = "connectors."
_LISTS = (tuple, list, frozenset, set)
_WORDS: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list",
    list: "a list",
    frozenset: "a list",
    set: "a list",
    dict: "a mapping",
}

ConnectorClass = Any
"""A class whose instances are `Connector`s: `kind(location, **options)`."""


def check_connectors() -> dict[str, str]:
    """The installed connectors by name, each with what keeps it from being loaded, if anything."""
    found: dict[str, str] = {}
    for name, entry_point in sorted(_installed().items()):
        try:
            _loaded(entry_point)
        except UsageError as error:
            found[name] = str(error)
        else:
            found[name] = ""
    return found


def connector_name(source: SourceDescription) -> str:
    """The name of the connector for a source.

    Raises:
        UnknownSource: no connector takes it.
        UsageError: the connector's package is broken.
    """
    return _chosen(source)[0]


def takes_text(source: SourceDescription, option: str) -> bool:
    """Whether a connector's option may be a text: what is written is then taken as it stands.

    Raises:
        UnknownSource: no connector takes the source.
        UsageError: the connector's package is broken.
    """
    kind, _ = _option_types(_chosen(source)[1]).get(option, (None, False))
    return str in _alternatives(kind)


def connect(source: SourceDescription, *, defaults: Mapping[str, object]) -> Connector:
    """Make the connector for a source.

    Args:
        source: what to connect to.
        defaults: options that a connector gets where it takes them and the source says nothing.

    Raises:
        UnknownSource: no connector takes it, or nothing is there.
        UsageError: the connector has no such option, or a value is of the wrong type.
        RagmemError: whatever else the connector raises.
    """
    name, kind = _chosen(source)
    try:
        accepted = _option_types(kind)
        given = {key: value for key, value in defaults.items() if key in accepted}
        given |= _checked(name, source, accepted)
        connector: Connector = kind(source.location, **given)
    except RagmemError:
        raise
    except Exception as error:  # it may be anyone's, and raise anything
        raise UsageError(
            f"the connector {name} cannot be made for {shown(source.location)}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return connector


def _installed() -> dict[str, EntryPoint]:
    """The connectors by name, in the order in which they are asked."""
    found = sorted(
        entry_points(group=_GROUP), key=lambda each: (not each.value.startswith(_OURS), each.name)
    )
    by_name: dict[str, EntryPoint] = {}
    for each in found:
        by_name.setdefault(each.name, each)
    return by_name


def _chosen(source: SourceDescription) -> tuple[str, ConnectorClass]:
    if not source.location.strip():
        raise UnknownSource("the source is empty; name a file, a folder, a glob or a URI")
    installed = _installed()
    if source.connector is not None:
        if source.connector not in installed:
            raise UnknownSource(
                f"no connector is called {source.connector!r}; installed are "
                f"{', '.join(sorted(installed))}"
            )
        return source.connector, _loaded(installed[source.connector])
    location = source.location
    scheme = scheme_of(location)
    broken: list[str] = []
    by_scheme: tuple[str, ConnectorClass] | None = None
    for name, entry_point in installed.items():
        try:
            kind = _loaded(entry_point)
            if _recognizes(name, kind, location):
                return name, kind
            if by_scheme is None and scheme in kind.schemes:
                by_scheme = (name, kind)
        except UsageError as error:
            # A broken package must not keep people from their own files.
            broken.append(str(error))
    if by_scheme is not None:
        return by_scheme
    if scheme is None:
        return _FILES, _loaded(installed[_FILES])
    raise UnknownSource(
        f"no connector is installed for {scheme}: (in {shown(location)}); give a file, a folder, "
        "a glob, or install a package that brings the connector; a path with a colon in it that "
        "is not there yet begins with ./" + "".join(f"; {problem}" for problem in broken)
    )


def _loaded(entry_point: EntryPoint) -> ConnectorClass:
    try:
        kind = entry_point.load()
    except Exception as error:  # importing anyone's package may raise anything
        name = f"{entry_point.name} ({entry_point.value})"
        raise _broken(name, "be loaded", error) from error
    if not isinstance(getattr(kind, "schemes", None), frozenset | set):
        raise UsageError(
            f"the connector {entry_point.name} ({entry_point.value}) cannot be used: it has no "
            "`schemes`, a frozenset of URI schemes"
        )
    return kind


def _recognizes(name: str, kind: ConnectorClass, location: str) -> bool:
    recognizes = getattr(kind, "recognizes", None)
    if recognizes is None:
        return False
    try:
        return bool(recognizes(location))
    except Exception as error:  # anyone's code may raise anything
        raise _broken(name, "tell its locations", error) from error


def _broken(connector: str, what: str, error: Exception) -> UsageError:
    return UsageError(f"the connector {connector} cannot {what}: {type(error).__name__}: {error}")


def _option_types(kind: ConnectorClass) -> dict[str, tuple[Any, bool]]:
    """Each option's type, and whether it must be given, from the signature."""
    hints = typing.get_type_hints(kind.__init__)
    return {
        name: (hints.get(name, Any), option.default is option.empty)
        for name, option in inspect.signature(kind.__init__).parameters.items()
        if option.kind is option.KEYWORD_ONLY
    }


def _checked(
    name: str, source: SourceDescription, accepted: Mapping[str, tuple[Any, bool]]
) -> dict[str, object]:
    """The given options as the types that the connector declares."""
    options = source.options or {}
    checked: dict[str, object] = {}
    problems = [
        f"{key} is missing"
        for key, (_, needed) in accepted.items()
        if needed and key not in options
    ]
    for key, value in options.items():
        if key not in accepted:
            problems.append(f"there is no {key}")
            continue
        kind = accepted[key][0]
        try:
            checked[key] = _as(kind, value)
        except ValidationError:
            problems.append(f"{key} is {reprlib.repr(value)}, expected {_in_words(kind)}")
    if problems:
        known = ", ".join(sorted(accepted)) or "none"
        raise UsageError(
            f"wrong options for {shown(source.location)}: {'; '.join(problems)}; "
            f"the options of the connector {name} are {known}"
        )
    return checked


def _as(kind: Any, value: object) -> object:
    """A value as a type.

    Raises:
        ValidationError: it is of another.
    """
    among = _alternatives(kind)
    takes_several = any(typing.get_origin(each) in _LISTS for each in among)
    if isinstance(value, str) and takes_several and str not in among:
        value = [value]  # one where several may be: `ignore: "*.tmp"`
    try:
        adapter = TypeAdapter[object](kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # a type with a configuration of its own
        adapter = TypeAdapter[object](kind)
    return adapter.validate_python(value)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)


def _in_words(kind: Any) -> str:
    """A type as people say it who write YAML."""
    words: list[str] = []
    for each in _alternatives(kind):
        origin = typing.get_origin(each) or each
        if origin is Literal:
            words.append("one of " + ", ".join(str(value) for value in typing.get_args(each)))
        elif origin in _LISTS and str in typing.get_args(each):
            words.append("a list of texts")
        elif origin is not types.NoneType:
            words.append(_WORDS.get(origin, str(each)))
    return " or ".join(words)
