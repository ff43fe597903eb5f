"""Chooses the connector for a location and checks its options, among those installed.

Connectors are found through the entry points `ragmem.connectors`, so that another package can bring
one. What a connector takes as options is what its `__init__` says; nothing is listed twice.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from ragmem.errors import UnknownSource, UsageError
from ragmem.ports import Connector
from ragmem.types import SourceDescription

_GROUP = "ragmem.connectors"
_FILES = "files"
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_DRIVE = re.compile(r"^[a-z]:[\\/]", re.IGNORECASE)

ConnectorClass = Any
"""A class whose instances are `Connector`s: `kind(location, **options)`."""


def connector_names() -> list[str]:
    """The names of the installed connectors."""
    return sorted(entry_points(group=_GROUP).names)


def connect(source: SourceDescription, *, defaults: Mapping[str, object]) -> Connector:
    """Make the connector for a source.

    Args:
        source: what to connect to.
        defaults: options that a connector gets where it takes them and the source says nothing.

    Raises:
        UnknownSource: no connector takes it, or nothing is there.
        UsageError: the connector has no such option, or a value is of the wrong type.
    """
    name, kind = _chosen(source)
    options = _checked(name, kind, source.options or {})
    accepted = _option_types(kind)
    given = {key: value for key, value in defaults.items() if key in accepted}
    connector: Connector = kind(source.location, **{**given, **options})
    return connector


def _chosen(source: SourceDescription) -> tuple[str, ConnectorClass]:
    installed = {each.name: each for each in entry_points(group=_GROUP)}
    if source.connector is not None:
        if source.connector not in installed:
            raise UnknownSource(
                f"no connector is called {source.connector!r}; installed are "
                f"{', '.join(sorted(installed))}"
            )
        return source.connector, _loaded(installed[source.connector])
    location = source.location
    scheme = _scheme_of(location)
    broken: list[str] = []
    by_scheme: tuple[str, ConnectorClass] | None = None
    for name, entry_point in sorted(installed.items()):
        try:
            kind = _loaded(entry_point)
        except UsageError as error:
            # A broken package must not keep people from their own files.
            broken.append(str(error))
            continue
        recognizes = getattr(kind, "recognizes", None)
        if recognizes is not None and recognizes(location):
            return name, kind
        if scheme is not None and scheme in kind.schemes:
            by_scheme = (name, kind)
    if scheme is None:
        return _FILES, _loaded(installed[_FILES])
    if by_scheme is not None:
        return by_scheme
    raise UnknownSource(
        f"no connector is installed for {scheme}:// (in {location}); give a file, a folder, "
        "a glob, or install a package that brings the connector"
        + "".join(f"; {problem}" for problem in broken)
    )


def _scheme_of(location: str) -> str | None:
    match = None if _DRIVE.match(location) else _SCHEME.match(location)
    if match is None or Path(location).exists():
        return None
    return match[1].lower()


def _loaded(entry_point: EntryPoint) -> ConnectorClass:
    try:
        return entry_point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the connector {entry_point.name} ({entry_point.value}) cannot be loaded: {error}"
        ) from error


def _option_types(kind: ConnectorClass) -> dict[str, tuple[Any, Any]]:
    """Each option's type and default, from the signature."""
    hints = typing.get_type_hints(kind.__init__)
    return {
        name: (hints.get(name, Any), ... if option.default is option.empty else option.default)
        for name, option in inspect.signature(kind.__init__).parameters.items()
        if option.kind is option.KEYWORD_ONLY
    }


def _checked(name: str, kind: ConnectorClass, options: Mapping[str, object]) -> dict[str, object]:
    """The given options as the types that the connector declares."""
    types = _option_types(kind)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    try:
        model = create_model("Options", __config__=config, **types)(**options)  # type: ignore[call-overload]
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
        known = ", ".join(sorted(types)) or "none"
        raise UsageError(
            f"wrong options for the connector {name}: {problems}; its options are {known}"
        ) from error
    return {key: getattr(model, key) for key in options}
