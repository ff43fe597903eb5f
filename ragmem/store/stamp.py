"""What a store was built with, and the refusal to go on with anything else."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ragmem.errors import StoreMismatch
from ragmem.store.insert import check_key
from ragmem.store.schema import FORMAT_VERSION, settings_stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The models and the format that a store's contents depend on.

    Attributes:
        embedding_model: the embedder's `model_id`.
        dimensions: the length of its vectors.
        format_version: the format of the store folder.
    """

    embedding_model: str
    dimensions: int
    format_version: int = FORMAT_VERSION


def read_stamp(connection: Connection) -> Stamp | None:
    """The stamp; None in a store that has never been opened for writing."""
    rows = connection.execute(select(settings_stamp.c.key, settings_stamp.c.value))
    values = {row.key: row.value for row in rows}
    if "embedding_model" not in values:
        return None
    return Stamp(
        embedding_model=values["embedding_model"],
        dimensions=int(values["dimensions"]),
        format_version=int(values["format_version"]),
    )


def write_stamp(connection: Connection, stamp: Stamp) -> None:
    """Replace the stamp.

    Raises:
        UsageError: the model's id is too long.
    """
    check_key("model id", stamp.embedding_model)
    values = {
        "embedding_model": stamp.embedding_model,
        "dimensions": str(stamp.dimensions),
        "format_version": str(stamp.format_version),
    }
    connection.execute(delete(settings_stamp).where(settings_stamp.c.key.in_(values)))
    connection.execute(
        insert(settings_stamp), [{"key": key, "value": value} for key, value in values.items()]
    )


def check_stamp(found: Stamp, wanted: Stamp) -> None:
    """Refuse a store that this process would misread.

    Raises:
        StoreMismatch: another embedding model, or a format newer than this ragmem's.
    """
    if found.format_version > wanted.format_version:
        raise StoreMismatch(
            f"the store has format {found.format_version} and this ragmem reads formats up to "
            f"{wanted.format_version}: upgrade ragmem (pip install -U ragmem)"
        )
    if found.embedding_model != wanted.embedding_model:
        raise StoreMismatch(
            f"the store was embedded with {found.embedding_model} and the settings ask for "
            f"{wanted.embedding_model}: their vectors cannot be compared. Open it with the old "
            "model, or embed everything again: ragmem reindex --embed --store DIR"
        )
