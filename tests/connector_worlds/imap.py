"""An account on a small IMAP server: two folders, one message marked as deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imap_server
import pytest

from connectors.imap import ImapConnector


@contextmanager
def opened(folder: Path) -> Iterator[ImapConnector]:
    with imap_server.small_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAP_PASSWORD", imap_server.PASSWORD)
        for number in range(4):
            server.deliver("INBOX", imap_server.message(number), deleted=number == 1)
        server.deliver("Sent", imap_server.message(9))
        url = f"imap://{imap_server.USER}@127.0.0.1:{server.port}/"
        connector = ImapConnector(url, folders=("*",), timeout_seconds=5)
        yield connector
        connector.close()
