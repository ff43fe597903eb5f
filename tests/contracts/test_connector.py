"""What every connector promises, whatever it lists."""

from pathlib import Path

import pytest
from format_files import write_all

from connectors.files import FilesConnector
from ragmem.errors import SourceError
from ragmem.ports import Connector
from ragmem.types import SkippedItem, SourceItem


@pytest.fixture(params=["folder", "glob", "uri"])
def connector(request: pytest.FixtureRequest, tmp_path: Path) -> Connector:
    folder = tmp_path / "documents"
    write_all(folder)
    (folder / "empty.txt").touch()
    locations = {"folder": str(folder), "glob": f"{folder}/*", "uri": folder.as_uri()}
    return FilesConnector(locations[request.param])


def items(connector: Connector) -> list[SourceItem]:
    return [item for item in connector.discover() if isinstance(item, SourceItem)]


def test_each_item_is_listed_once_in_the_same_order(connector: Connector) -> None:
    first, second = list(connector.discover()), list(connector.discover())
    assert first == second
    assert len({item.uri for item in first}) == len(first) > 1


def test_the_source_has_a_stable_uri(connector: Connector) -> None:
    before = connector.source_uri
    list(connector.discover())
    assert connector.source_uri == before
    assert ":" in before


def test_items_can_be_fetched(connector: Connector) -> None:
    for item in items(connector):
        raw = connector.fetch(item)
        assert raw.uri == item.uri
        assert raw.content
        assert raw.name


def test_what_is_skipped_has_a_reason(connector: Connector) -> None:
    skipped = [item for item in connector.discover() if isinstance(item, SkippedItem)]
    assert all(len(item.reason) > 5 for item in skipped)


def test_what_is_not_there_is_a_source_error(connector: Connector) -> None:
    with pytest.raises(SourceError):
        connector.fetch(SourceItem(uri=items(connector)[0].uri + ".gone"))
