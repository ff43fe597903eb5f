"""Tells whether the indexes in a store's folder are those that follow its database.

Both note the same random id. They differ when the folder is another one than the last (two folders
over one database), was restored from a backup, or was deleted in part. What is done about it is
decided where stores are opened.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from ragmem.store.schema import settings_stamp
from ragmem.store.store import Store

_KEY = "index_id"
_FILE = "indexes.json"
_FORMAT = 1


def indexes_belong(connection: Connection, folder: Path) -> bool:
    """Whether the indexes in this folder were the last to follow this database."""
    noted = connection.execute(
        select(settings_stamp.c.value).where(settings_stamp.c.key == _KEY)
    ).scalar()
    return noted is not None and noted == _id_in(folder)


def claim_indexes(store: Store) -> None:
    """Note a new id in both: what is in the folder now follows the database.

    Any other folder over the same database stops belonging to it. A kill between the two notes
    leaves ids that differ, and so the same as before.
    """
    index_id = uuid.uuid4().hex
    with store.writing() as connection:
        connection.execute(delete(settings_stamp).where(settings_stamp.c.key == _KEY))
        connection.execute(insert(settings_stamp).values(key=_KEY, value=index_id))
    noted = json.dumps({"format": _FORMAT, "id": index_id})
    (store.folder / _FILE).write_text(noted, encoding="utf-8")


def _id_in(folder: Path) -> str | None:
    try:
        noted = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return str(noted["id"]) if noted["format"] == _FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or cut off by a kill
