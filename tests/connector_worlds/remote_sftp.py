"""A folder on an SSH server, with a link that leads out of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from sftp_server import PASSWORD, USER, sftp_server

from connectors.remote import RemoteFilesConnector


@contextmanager
def opened(folder: Path) -> Iterator[RemoteFilesConnector]:
    docs = folder / "served" / "docs"
    (docs / "sub").mkdir(parents=True)
    for name in ("a.md", "b c#?%20.txt", "sub/ü.md"):
        (docs / name).write_text(f"text of {name}")
    (docs / "out.md").symlink_to("/etc/hostname")
    (folder / ".ssh").mkdir()
    with sftp_server(folder / "served") as server:
        (folder / ".ssh/known_hosts").write_text(server.known_hosts)
        environment = {"HOME": str(folder), "SFTP_PASSWORD": PASSWORD}
        with patch.dict(os.environ, environment):
            os.environ.pop("SSH_AUTH_SOCK", None)
            connector = RemoteFilesConnector(f"sftp://{USER}@127.0.0.1:{server.port}/docs")
            yield connector
            connector.close()
