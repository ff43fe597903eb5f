"""Brings a database to the newest schema; Alembic loads only when there is something to do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from ragmem.errors import StoreMismatch

NEWEST_REVISION = "0004"
"""The revision that `ragmem.store.schema` describes."""


def revision_of(connection: Connection) -> str | None:
    """The revision a database is at; None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("select version_num from alembic_version")).first()
    return None if row is None else str(row[0])


def is_newest(engine: Engine) -> bool:
    """Whether a database needs no migration."""
    with engine.connect() as connection:
        return revision_of(connection) == NEWEST_REVISION


def is_empty(engine: Engine) -> bool:
    """Whether a database has never held a store."""
    with engine.connect() as connection:
        return revision_of(connection) is None


def upgrade(engine: Engine, *, to: str = NEWEST_REVISION) -> None:
    """Apply every migration up to `to` that the database has not seen.

    Raises:
        StoreMismatch: the database is newer than this ragmem.
    """
    with engine.connect() as connection:
        current = revision_of(connection)
    if current == to:
        return
    if current is not None and current > NEWEST_REVISION:
        raise StoreMismatch(
            f"the store's schema is at revision {current} and this ragmem knows revisions up to "
            f"{NEWEST_REVISION}: upgrade ragmem (pip install -U ragmem)"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        connection.commit()
