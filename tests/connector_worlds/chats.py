"""A Slack export as it was downloaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export_layouts import pack, slack

from connectors.chats import ChatExportConnector


@contextmanager
def opened(folder: Path) -> Iterator[ChatExportConnector]:
    yield ChatExportConnector(pack(folder / "Team Slack export.zip", slack()))
