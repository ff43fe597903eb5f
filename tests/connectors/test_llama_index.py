"""The LlamaIndex connector, over LlamaIndex's own readers and real files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.readers import SimpleDirectoryReader, StringIterableReader
from llama_index.core.readers.base import BaseReader, ResourcesReaderMixin
from llama_index.core.schema import Document, MediaResource

from connectors.llama_index import LlamaIndexConnector
from ragmem.connecting import connect
from ragmem.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)
from ragmem.types import RawDocument, SkippedItem, SourceDescription, SourceItem

FOLDER_READER = "llama-index:llama_index.core.readers.SimpleDirectoryReader"


class GivesReader(BaseReader):
    """Gives the documents it was made with, one at a time."""

    def __init__(self, *documents: Any) -> None:
        self.documents = documents
        self.given = 0

    def lazy_load_data(self, *args: Any, **load_kwargs: Any) -> Iterable[Document]:
        return self._each()

    def _each(self) -> Iterator[Document]:
        for document in self.documents:
            if isinstance(document, Exception):
                raise document
            self.given += 1
            yield document


class ShelfReader(BaseReader, ResourcesReaderMixin):
    """Gives a document a resource; some resources cannot be read."""

    def __init__(self, **shelf: Any) -> None:
        self.shelf = shelf

    def load_data(self, *args: Any, **load_kwargs: Any) -> list[Document]:
        raise AssertionError("resources are read one by one")

    def list_resources(self, *args: Any, **kwargs: Any) -> list[str]:
        return list(self.shelf)

    def get_resource_info(self, resource_id: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {}

    def load_resource(self, resource_id: str, *args: Any, **kwargs: Any) -> list[Document]:
        if isinstance(self.shelf[resource_id], Exception):
            raise self.shelf[resource_id]
        print("reading", resource_id)  # noqa: T201
        return [Document(text=text, id_=resource_id) for text in self.shelf[resource_id]]


def of(*documents: Any, **options: Any) -> LlamaIndexConnector:
    return LlamaIndexConnector.of(GivesReader(*documents), name="given", **options)


def split(connector: LlamaIndexConnector) -> tuple[list[SourceItem], list[SkippedItem]]:
    found = list(connector.discover())
    return (
        [item for item in found if isinstance(item, SourceItem)],
        [item for item in found if isinstance(item, SkippedItem)],
    )


def fetched(connector: LlamaIndexConnector) -> list[RawDocument]:
    return [connector.fetch(item) for item in split(connector)[0]]


def ends(connector: LlamaIndexConnector) -> list[str]:
    return [item.uri.removeprefix(connector.source_uri + "/") for item in split(connector)[0]]


# --- a folder, as a user would -------------------------------------------------------------------


def test_a_folder_that_changes(tmp_path: Path) -> None:
    for name in ("kettle.txt", "garden.txt", "books.txt"):
        (tmp_path / name).write_text(f"About {name}.")
    connector = LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": str(tmp_path)})

    def listing() -> dict[str, str]:
        return {item.uri.rpartition("/")[2]: item.fingerprint for item in split(connector)[0]}

    before = listing()
    assert listing() == before
    (tmp_path / "kettle.txt").write_text("Claimed.")
    (tmp_path / "garden.txt").unlink()
    (tmp_path / "new.txt").write_text("New.")
    after = listing()
    assert sorted(after) == ["books.txt", "kettle.txt", "new.txt"]
    assert after["books.txt"] == before["books.txt"]
    assert after["kettle.txt"] != before["kettle.txt"]
    connector.close()


def test_a_file_becomes_a_document(tmp_path: Path) -> None:
    (tmp_path / "garden.md").write_text("# Garden\n\nWater it.")
    (tmp_path / "page.html").write_text("<h1>Page</h1>")
    garden, page = fetched(
        LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": str(tmp_path)})
    )
    assert garden.content == "# Garden\n\nWater it."
    assert (garden.name, page.name) == ("garden.md", "page.html")
    assert garden.metadata["file_path"] == str(tmp_path / "garden.md")
    assert garden.modified_at is not None


def test_binary_files_are_not_taken_for_text(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 4)
    (tmp_path / "b.bin").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "c.txt").write_text("text\x00 with a stray byte")
    items, skipped = split(
        LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": str(tmp_path)})
    )
    assert len(items) == 1
    assert [item.reason.split(" is a binary")[0] for item in skipped] == [
        str(tmp_path / "a.pdf"),
        str(tmp_path / "b.bin"),
    ]


def test_an_emptied_folder_is_an_error_and_no_deletion(tmp_path: Path) -> None:
    connector = LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": str(tmp_path)})
    with pytest.raises(TransientSourceError, match="No files found"):
        list(connector.discover())


def test_texts_that_nothing_identifies_are_known_by_their_content() -> None:
    def texts(*each: str) -> set[str]:
        reader = StringIterableReader()
        connector = LlamaIndexConnector.of(reader, name="texts", load={"texts": list(each)})
        return {item.uri for item in split(connector)[0]}

    before = texts("one", "two", "two")
    assert len(before) == 3
    assert texts("two", "three", "two") & before == before - texts("one")


# --- identity ------------------------------------------------------------------------------------


def test_what_identifies_a_document() -> None:
    random = "0f0e0d0c-0b0a-4908-8706-050403020100"
    assert ends(
        of(
            Document(text="a", id_="chosen id/1"),
            Document(text="b", metadata={"url": "https://x/y?z"}),
            Document(text="c", id_=random, metadata={"page_id": random, "url": "https://n"}),
            Document(text="d", metadata={"source": "s", "file_path": "/f.txt"}),
        )
    ) == ["chosen%20id/1", "https%3A//x/y%3Fz", random, "/f.txt"]


def test_pages_of_one_file_are_items_of_their_own() -> None:
    pages = [Document(text=t, metadata={"file_path": "a.pdf", "page_label": t}) for t in "12"]
    parts = [Document(text=t, metadata={"file_path": "b.csv"}) for t in "xyz"]
    connector = of(*pages, *parts)
    assert ends(connector) == [
        "a.pdf?page=1",
        "a.pdf?page=2",
        "b.csv",
        "b.csv?part=2",
        "b.csv?part=3",
    ]
    assert [raw.name for raw in fetched(connector)] == ["a.pdf.txt"] * 2 + ["b.csv.txt"] * 3


def test_identity_by_name() -> None:
    random = "0f0e0d0c-0b0a-4908-8706-050403020100"
    documents = [Document(text="a", id_=random, metadata={"team": "x", "nr": 1, "url": "u"})]
    assert ends(of(*documents, identity="id_")) == [random]
    assert ends(of(*documents, identity=("team", "nr"))) == ["x/1"]
    items, (skipped,) = split(of(Document(text="b"), *documents, identity="nr"))
    assert len(items) == 1
    assert "no metadata field 'nr'" in skipped.reason


def test_the_same_page_twice_is_told() -> None:
    page = {"file_path": "a.pdf", "page_label": "1"}
    items, (skipped,) = split(
        of(Document(text="a", metadata=page), Document(text="b", metadata=page))
    )
    assert len(items) == 1
    assert "identity" in skipped.reason


# --- what a document becomes ---------------------------------------------------------------------


def test_metadata_are_made_flat() -> None:
    (raw,) = fetched(
        of(
            Document(
                text="nul\x00 and \ud800",
                id_="1",
                metadata={
                    "title": "Kettle",
                    "tags": ["red", "steel"],
                    "nested": {"b": [1, None]},
                    "mixed": [1, "a"],
                    "none": None,
                    "nan": float("nan"),
                    "huge": 2**70,
                    "day": date(2024, 5, 1),
                    "last_modified_date": "2024-05-02",
                    "sold": True,
                },
            )
        )
    )
    assert raw.content == "nul and \ufffd"
    assert raw.title == "Kettle"
    assert raw.modified_at == datetime(2024, 5, 2, tzinfo=UTC)
    assert raw.metadata == {
        "title": "Kettle",
        "tags": ("red", "steel"),
        "nested": '{"b": [1, null]}',
        "mixed": '[1, "a"]',
        "huge": str(2**70),
        "day": "2024-05-01",
        "last_modified_date": "2024-05-02",
        "sold": True,
    }


def test_metadata_changes_count_and_reading_times_do_not() -> None:
    def fingerprint(**metadata: str) -> str:
        return split(of(Document(text="a", id_="1", metadata=metadata)))[0][0].fingerprint

    assert fingerprint(team="x") != fingerprint(team="y")
    assert fingerprint(last_accessed_date="2024") == fingerprint(last_accessed_date="2025")


def test_what_has_no_text_or_too_much_is_skipped() -> None:
    items, skipped = split(
        of(
            Document(image_resource=MediaResource(data=b"cat"), id_="cat"),
            Document(text=" ", id_="blank"),
            Document(text="x" * 100, id_="long"),
            "no document",
            Document(text="fine", id_="fine"),
            max_file_bytes=50,
        )
    )
    assert len(items) == 1
    reasons = [item.reason for item in skipped]
    assert "image" in reasons[0]
    assert "no text" in reasons[1]
    assert "50 allowed" in reasons[2]
    assert "gave a str" in reasons[3]


# --- readers that stream and readers that fail ---------------------------------------------------


def test_a_reader_that_streams_is_read_one_document_at_a_time() -> None:
    reader = GivesReader(*(Document(text=str(n), id_=str(n)) for n in range(10)))
    connector = LlamaIndexConnector.of(reader, name="given")
    found = connector.discover()
    for n in range(3):
        item = next(found)
        assert isinstance(item, SourceItem)
        assert connector.fetch(item).content == str(n)
    assert reader.given == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError("no route"), TransientSourceError),
        (KeyError("x"), TransientSourceError),
        (ImportError("No module named 'notion'"), PermanentSourceError),
        (TypeError("missing argument"), PermanentSourceError),
    ],
)
def test_what_was_read_before_an_error_stays(error: Exception, kind: type[SourceError]) -> None:
    found = of(Document(text="a", id_="1"), error).discover()
    assert isinstance(next(found), SourceItem)
    with pytest.raises(kind, match="GivesReader"):
        next(found)


def test_one_resource_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reader = ShelfReader(a=["one"], b=OSError("gone"), c=[], d=["two"])
    connector = LlamaIndexConnector.of(reader, name="shelf")
    found = []
    listing = connector.discover()
    for _ in range(3):
        found.append(next(listing))
    assert [type(item) for item in found] == [SourceItem, SourceItem, SkippedItem]
    with pytest.raises(TransientSourceError, match=r"1 resources.*b: ShelfReader failed.*gone"):
        next(listing)
    assert capsys.readouterr().out == ""


def test_documents_can_be_fetched_without_a_listing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    connector = LlamaIndexConnector.of(SimpleDirectoryReader(str(tmp_path)), name="folder")
    (item,) = split(connector)[0]
    connector.close()
    assert connector.fetch(item).content == "text"
    with pytest.raises(PermanentSourceError, match="any more"):
        connector.fetch(SourceItem(uri=f"{connector.source_uri}/other"))


# --- naming a reader -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "llama-index:SimpleDirectoryReader",
        "llama-index:os.path;import x",
        "llama-index:llama_index.core.readers.NoReader",
        "llama-index:no_such_package.Reader",
        "llama-index:os.PathLike",
        "llama-index:os.system",
    ],
)
def test_what_is_no_reader_is_unknown(location: str) -> None:
    with pytest.raises(UnknownSource):
        LlamaIndexConnector(location)
    with pytest.raises(UsageError):
        LlamaIndexConnector.of(object(), name="x")


def test_arguments_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="input_folder"):
        LlamaIndexConnector(FOLDER_READER, arguments={"input_folder": "x"})
    with pytest.raises(UsageError, match=r"\$\{NAME\}"):
        LlamaIndexConnector(FOLDER_READER, load={"api_key": "hunter2"})
    with pytest.raises(UsageError, match="NOT_SET_HERE"):
        LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": "${NOT_SET_HERE}"})


def test_it_is_found_by_its_scheme_and_arguments_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("text")
    monkeypatch.setenv("NOTES_FOLDER", str(tmp_path))
    options = {"arguments": {"input_dir": "${NOTES_FOLDER}", "required_exts": [".txt"]}}
    connector: Any = connect(
        SourceDescription(location=FOLDER_READER, options=options), defaults={}
    )
    assert [raw.content for raw in fetched(connector)] == ["text"]
    assert str(tmp_path) not in connector.source_uri
    other = LlamaIndexConnector(FOLDER_READER, arguments={"input_dir": str(tmp_path)})
    assert other.source_uri != connector.source_uri
