"""What every connector promises, whatever it lists."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import connector_worlds
import pytest

from ragmem.connecting import connect
from ragmem.errors import SourceError
from ragmem.ports import Closes, Connector
from ragmem.types import SkippedItem, SourceDescription, SourceItem

NEEDS_OPTIONS = frozenset({"database", "llama_index"})
WORLDS = [module.name for module in pkgutil.iter_modules(connector_worlds.__path__)]


@pytest.fixture(params=WORLDS)
def connector(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connector]:
    world = importlib.import_module(f"connector_worlds.{request.param}")
    with world.opened(tmp_path) as connector:
        yield connector
        if isinstance(connector, Closes):
            connector.close()


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


def test_the_source_uri_is_a_location_again(
    connector: Connector, request: pytest.FixtureRequest
) -> None:
    if request.node.callspec.params["connector"] in NEEDS_OPTIONS:
        pytest.skip("what is read stands in its options")
    again = connect(SourceDescription(location=connector.source_uri), defaults={})
    assert type(again) is type(connector)
    assert again.source_uri == connector.source_uri


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


def test_closing_is_not_the_end(connector: Connector) -> None:
    before = list(connector.discover())
    if isinstance(connector, Closes):
        connector.close()
        connector.close()
    assert list(connector.discover()) == before
