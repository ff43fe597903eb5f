"""What commands print: JSON for programs, text for people, progress on standard error."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import unquote

from ragmem.types import Trace

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(value: Mapping[str, object], *, indent: int | None = 2) -> None:
    """Print one JSON object on standard output, on one line where nothing is indented."""
    print_text(json.dumps(to_json(value), ensure_ascii=False, indent=indent))


def print_text(text: str) -> None:
    """Print a line on standard output, whatever characters the terminal can show."""
    if sys.stdout.isatty():
        text = printable(text)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """A text that commands nothing: sources choose names and reasons, terminals obey escapes."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """The same without line breaks, so that no reason looks like a line of ours."""
    return " ".join(printable(text).split())


def remark(uri: str, reason: str) -> str:
    """What is said of an item, in a line that names it once."""
    return one_line(f"{uri}: {reason.removeprefix(f'{uri}: ')}")


def print_trace(trace: Trace) -> None:
    """Print the stages of a trace, one a line."""
    for stage in trace.stages:
        print_text(f"{stage.name:9} {stage.seconds * 1000:7.1f} ms  {dict(stage.details)}")


def print_wrapped(text: str, *, indent: str = "") -> None:
    """Print a paragraph, wrapped to the terminal; in one line where the output is no terminal."""
    if sys.stdout.isatty():
        width = max(40, min(100, shutil.get_terminal_size().columns))
        text = textwrap.fill(
            text, width=width, initial_indent=indent, subsequent_indent=" " * len(indent)
        )
        print_text(text)
    else:
        print_text(indent + text)


def name_of(uri: str) -> str:
    """What to call a document that has no title: its file name."""
    return unquote(uri.rsplit("/", 1)[-1])


def to_json(value: object) -> object:
    """A value made of what JSON has; sets are sorted, unknown kinds become their text."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(each) for each in value)
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if hasattr(value, "item"):
        return to_json(value.item())  # a NumPy scalar
    return str(value)


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on standard error; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)

        def update(done: int, total: int, description: str) -> None:
            progress.update(task, completed=done, total=total, description=description)

        yield update
