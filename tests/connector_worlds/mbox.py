"""An mbox with a repeated Message-ID, one message without, and one marked as deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.mail import MailConnector

HEADERS = "From: ana@example.org\nSubject: Lunch\n"
MBOX = "".join(
    f"From ana@example.org Mon Mar  2 10:00:0{number} 2026\n{HEADERS}{extra}\nText {number}.\n\n"
    for number, extra in enumerate(
        [
            "Message-ID: <a@x>\n",
            "Message-ID: <a@x>\n",
            "",
            "Message-ID: <b@x>\nX-Mozilla-Status: 0009\n",
        ]
    )
)


@contextmanager
def opened(folder: Path) -> Iterator[MailConnector]:
    path = folder / "archive.mbox"
    path.write_text(MBOX)
    yield MailConnector(str(path), max_file_bytes=1000)
