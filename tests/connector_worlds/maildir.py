"""A Maildir with a folder, a message that is too large and one marked as deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.mail import MailConnector

MESSAGE = "From: ana@example.org\nSubject: Lunch\n\nNoon."


@contextmanager
def opened(folder: Path) -> Iterator[MailConnector]:
    root = folder / "mail"
    for place in (root, root / ".Sent"):
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True)
    (root / "cur" / "1.a:2,S").write_text(MESSAGE)
    (root / "cur" / "2.a:2,ST").write_text(MESSAGE)
    (root / "new" / "3.a").write_text(MESSAGE + "x" * 2000)
    (root / ".Sent" / "cur" / "4.a").write_text(MESSAGE)
    yield MailConnector(root.as_uri().replace("file", "maildir", 1), max_file_bytes=1000)
