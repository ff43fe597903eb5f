"""Keeps knowledge in step with a table: rows that are added, changed and deleted.

Run it: `python examples/notes_in_sqlite.py`. It makes its own database in a temporary folder and
checks what it finds. It needs the default models (`ragmem models pull`).
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from ragmem import Agent
from ragmem.types import SourceDescription

NOTES = {
    "query": "SELECT id, title, body, updated_at FROM notes",
    "key": "id",
    "template": "# {title}\n\n{body}",
    "title": "title",
    "cursor": "updated_at",
    "name": "notes",
}


def change(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.db"
        change(
            path,
            """
            CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT, updated_at TEXT);
            INSERT INTO notes VALUES
                (1, 'Kettle', 'The kettle is under warranty for three years.', '2024-05-01'),
                (2, 'Garden', 'The tomatoes are watered every morning.', '2024-05-02');
            """,
        )
        with Agent.open(Path(folder) / "store") as agent:
            knowledge = agent.knowledge
            notes = SourceDescription(location=f"sqlite:///{path}", options=NOTES)
            assert knowledge.add(notes).added == 2

            change(
                path,
                """
                UPDATE notes SET body = 'The kettle is under warranty for five years.',
                    updated_at = '2024-06-01' WHERE id = 1;
                DELETE FROM notes WHERE id = 2;
                INSERT INTO notes VALUES (3, 'Bicycle', 'The bicycle is blue.', '2024-06-02');
                """,
            )
            report = knowledge.add(notes)
            assert (report.added, report.updated, report.deleted) == (1, 1, 1)
            best = knowledge.search("How long is the kettle's warranty?").hits[0]
            assert "five years" in best.text
            print(f"{best.document_title}: {best.text}")


if __name__ == "__main__":
    main()
