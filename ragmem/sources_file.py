"""A YAML file that describes many sources, for `ragmem ingest --config`.

    sources:
      - source: docs/                 # a path (from the file's folder), a glob or a URI
        connector: files              # by default the source tells
        options: {ignore: ["*.tmp"]}  # the connector's own
        tenant: default
        acl: [group:staff]
        metadata:
          add: {team: search}
          rename: {author: written_by}
          keep: [name, author]        # by default all
          drop: [suffix]
        allow_mass_delete: false

Unknown keys fail, and so do keys that are there twice. What a connector takes as options is checked
when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragmem.errors import UsageError
from ragmem.ingestion.checks import check_metadata
from ragmem.ingestion.locations import anchored
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.ingestion.recipes import SourceRequest
from ragmem.types import SourceDescription

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from yaml import Node

_Place = tuple[int | str, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Mapping(_Strict):
    keep: list[str] | None = None
    drop: list[str] = Field(default_factory=list)
    rename: dict[str, str] = Field(default_factory=dict)
    add: dict[str, object] = Field(default_factory=dict)


class _Source(_Strict):
    source: str = Field(min_length=1)
    connector: str | None = None
    options: dict[str, object] = Field(default_factory=dict)
    tenant: str = "default"
    acl: list[str] = Field(default_factory=list)
    metadata: _Mapping = Field(default_factory=_Mapping)
    allow_mass_delete: bool = False


class _File(_Strict):
    sources: list[_Source] = Field(min_length=1)


# By how deep a key lies: `sources`, `sources.0.acl`, `sources.0.metadata.add`.
_MODELS: dict[int, type[_Strict]] = {1: _File, 3: _Source, 4: _Mapping}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """One source of a file."""

    request: SourceRequest
    allow_mass_delete: bool


def read_sources_file(path: Path) -> list[ListedSource]:
    """The sources that a file describes, in its order.

    Raises:
        UsageError: it cannot be read, or a key or a value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"the sources file {path} cannot be read: {error}") from error
    root, written = _composed(text, path)
    try:
        parsed = _File.model_validate(written)
    except ValidationError as error:
        problems = [_problem(each, root) for each in error.errors()]
        raise UsageError(f"wrong sources in {path}: {'; '.join(problems)}") from error
    listed: list[ListedSource] = []
    for number, source in enumerate(parsed.sources):
        try:
            listed.append(_listed(source, path.parent))
        except UsageError as error:
            place = _spoken(("sources", number), root)
            raise UsageError(f"wrong sources in {path}: {place}: {error}") from error
    return listed


def read_yaml(text: str) -> object:
    """A YAML value; dates stay the texts that were written, for options and JSON know no others.

    Raises:
        yaml.YAMLError: it is none, or a key is there twice.
    """
    return _composed_value(text)[1]


def _composed(text: str, path: Path) -> tuple[Node | None, object]:
    import yaml

    try:
        return _composed_value(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else f"{path}"
        problem = error.problem or error.context
        raise UsageError(f"the sources file is no YAML: {place}: {problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"the sources file {path} is no YAML: {error}") from error


def _composed_value(text: str) -> tuple[Node | None, object]:
    """The tree, which knows the lines, and the value."""
    import yaml

    loader = yaml.SafeLoader(text)
    # On this loader only.
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _refuse_twins(root)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _refuse_twins(root: Node) -> None:
    """Refuse keys that are there twice: YAML would silently take the last."""
    import yaml

    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = set[str]()
            for key, value in node.value:
                waiting.append(value)
                name = str(key.value)
                if name in keys:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {name!r} is there twice", problem_mark=key.start_mark
                    )
                keys.add(name)


def _problem(error: ErrorDetails, root: Node | None) -> str:
    place = error["loc"]
    if not place:
        return "expected `sources:` and a list of sources below it"
    if error["type"] == "extra_forbidden":
        known = ", ".join(_MODELS[len(place)].model_fields)
        return f"{_spoken(place, root)}: there is no such key; known are {known}"
    return f"{_spoken(place, root)}: {error['msg']}"


def _spoken(place: _Place, root: Node | None) -> str:
    """Where something is: `line 3, sources[0].acl`."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"line {_line(place, root)}, {steps.removeprefix('.')}"


def _line(place: _Place, root: Node | None) -> int:
    """The line of the innermost part of a place that is written in the file."""
    import yaml

    node, line = root, 1
    for step in place:
        inner: list[tuple[Node, Node]] = []  # what is written, and what it leads to
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            inner = [(each, each) for each in node.value[step : step + 1]]
        elif isinstance(node, yaml.MappingNode):
            inner = [pair for pair in node.value if pair[0].value == step]
        if not inner:
            break
        written, node = inner[0]
        line = written.start_mark.line + 1
    return line


def _listed(source: _Source, folder: Path) -> ListedSource:
    mapping = source.metadata
    return ListedSource(
        request=SourceRequest(
            source=SourceDescription(
                location=anchored(source.source, folder=folder),
                connector=source.connector,
                options=source.options,
            ),
            tenant=source.tenant,
            acl=frozenset(source.acl),
            mapping=MetadataMapping(
                keep=None if mapping.keep is None else frozenset(mapping.keep),
                drop=frozenset(mapping.drop),
                rename=mapping.rename,
                add=check_metadata(mapping.add),  # type: ignore[arg-type] # that is what it checks
            ),
        ),
        allow_mass_delete=source.allow_mass_delete,
    )
