"""What has been measured, in a JSON file that a run which was stopped goes on with.

Every question's value is kept, so that any two configurations can be compared in pairs later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from ragmem import UsageError

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSet:
    """A data set, as the table shows it.

    Attributes:
        measure: what its column shows.
        digest: names its documents, questions and judgements.
    """

    name: str
    measure: str
    documents: int
    questions: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One configuration on one set.

    Attributes:
        key: names the settings, the set and the version that were measured.
        store: names what was ingested; the same for configurations that only search differently.
        values: by measure, one value a question, in the order of the set's judgements.
        milliseconds: of each timed search.
        ingest_seconds: where the corpus was ingested in one go.
        not_measured: why there are no values; empty where there are.
    """

    key: str
    store: str = ""
    values: Mapping[str, list[float]] = field(default_factory=dict)
    milliseconds: list[float] = field(default_factory=list)
    ingest_seconds: float | None = None
    not_measured: str = ""


@dataclass(slots=True, kw_only=True)
class Kept:
    """Everything measured so far.

    Attributes:
        sets: by name, in the order of the columns.
        cells: by set, by configuration.
        versions: of the last run.
    """

    sets: dict[str, JudgedSet] = field(default_factory=dict)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file; nothing where there is none.

        Raises:
            UsageError: it is of another form.
        """
        if not path.is_file():
            return cls()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != _FORMAT:
                raise UsageError(f"{path} has the format {found['format']}; delete it to go on")
            return cls(
                sets={name: JudgedSet(**each) for name, each in found["sets"].items()},
                cells={
                    name: {row: Cell(**cell) for row, cell in cells.items()}
                    for name, cells in found["cells"].items()
                },
                versions=found["versions"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} holds no ablation results; delete it to go on") from error

    def write(self, path: Path) -> None:
        """Write the file; who reads it meanwhile sees the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps({"format": _FORMAT, **asdict(self)}) + "\n", encoding="utf-8")
        fresh.replace(path)

    def cell(self, set_name: str, row: str) -> Cell | None:
        """What was measured, whenever that was."""
        return self.cells.get(set_name, {}).get(row)
