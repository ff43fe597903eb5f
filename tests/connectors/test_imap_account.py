"""What names an account and its folders: URLs, options and modified UTF-7."""

import pytest

from connectors.imap import ImapConnector
from connectors.mail_folders import decoded_folder, encoded_folder
from ragmem.errors import UsageError


def test_names_of_folders() -> None:
    for name, coded in {
        "Entwürfe": "Entw&APw-rfe",
        "R&D": "R&-D",
        "日本語": "&ZeVnLIqe-",
        "~peter/mail/台北": "~peter/mail/&U,BTFw-",
        "plain": "plain",
    }.items():
        assert encoded_folder(name) == coded
        assert decoded_folder(coded) == name
    assert decoded_folder("broken &AP- &") == "broken &AP- &"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("imaps://ana:hunter2@example.org/", "must not hold a password"),
        ("imaps://ana%3Ahunter2@example.org/", "must not hold a password"),
        ("imap://ana;AUTH=hunter2@example.org/", "must not hold a password"),
        ("imap://ana%3bAUTH=hunter2@example.org/", "must not hold a password"),
        ("imaps://ana:hunter2/x@example.org/", "no IMAP URL"),
        ("imaps://ana@example.org:hunter2/", "no IMAP URL"),
        ("imaps://ana@example.org;hunter2/", "no name of a host"),
        ("imaps://ana@example.org/?hunter2", "%3F"),
        ("imaps://ana@example.org/#hunter2", "%23"),
        ("imaps://example.org/", "expected imaps://user@"),
        ("imaps:ana:hunter2@example.org", "expected imaps://user@"),
        ("imaps://ana/hunter2@example.org", "expected imaps://user@"),
        ("imaps://ana@example.org:port/", "no IMAP URL"),
        ("imaps://a%0d%0ab@example.org/", "control characters"),
        ("imaps://ana@example.org/a%0aLOGOUT", "control characters"),
        ("imaps://ana@example.org/In?box", "%3F"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as got:
        ImapConnector(url)
    assert "hunter2" not in str(got.value)


def test_options_that_are_refused() -> None:
    url = "imaps://ana%40example.org@example.org"
    for options, reason in (
        ({"since": "last week"}, "expected a day"),
        ({"timeout_seconds": 0}, "more than 0"),
        ({"folders": ("a\r\nb",)}, "control characters"),
    ):
        with pytest.raises(UsageError, match=reason):
            ImapConnector(url, **options)
    with pytest.raises(UsageError, match="leave one"):
        ImapConnector(f"{url}/INBOX", folders=("Sent",))
    assert ImapConnector(f"{url}:993/Sent Items").source_uri == (
        "imaps://ana%40example.org@example.org/Sent%20Items"
    )
