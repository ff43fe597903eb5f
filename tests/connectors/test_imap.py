"""Reading an IMAP account: each message once, and what a server can do to its clients."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import dovecot_server
import imap_server
import pytest
from dovecot_server import Dovecot
from imap_server import PASSWORD, USER, ImapServer, SmallServer, fetched_bodies, message

from connectors.imap import ImapConnector
from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import SourceItem

SERVERS = ["small", "dovecot"] if dovecot_server.has_dovecot() else ["small"]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMAP_OAUTH_TOKEN", "IMAP_PASSWORD_127_0_0_1"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMAP_PASSWORD", PASSWORD)


@pytest.fixture
def small() -> Iterator[SmallServer]:
    with imap_server.small_server() as server:
        yield server


@pytest.fixture(scope="module")
def running_dovecot() -> Iterator[Dovecot]:
    with dovecot_server.dovecot() as server:
        yield server


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> ImapServer:
    if request.param == "small":
        small: SmallServer = request.getfixturevalue("small")
        return small
    running: Dovecot = request.getfixturevalue("running_dovecot")
    running.empty()
    return running


class Connect(Protocol):
    def __call__(self, server: ImapServer, folder: str = "", **options: object) -> ImapConnector:
        """A connector to a server, which is closed after the test."""


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def made(server: ImapServer, folder: str = "", **options: object) -> ImapConnector:
            url = f"imap://{USER}@127.0.0.1:{server.port}/{folder}"
            source = ImapConnector(url, timeout_seconds=5, **options)  # type: ignore[arg-type]
            stack.callback(source.close)
            return source

        yield made


def listed(source: ImapConnector) -> list[SourceItem]:
    return [item for item in source.discover() if isinstance(item, SourceItem)]


def synced(source: ImapConnector, known: dict[str, str]) -> list[str]:
    """What a sync does: list, read what is new in turns, and forget what is gone."""
    texts: list[str] = []
    seen: dict[str, str] = {}
    for item in source.discover():
        assert isinstance(item, SourceItem)
        seen[item.uri] = item.fingerprint
        if known.get(item.uri) != item.fingerprint:
            content = source.fetch(item).content
            assert isinstance(content, bytes)
            texts.append(content.decode())
    source.close()
    known.clear()
    known.update(seen)
    return texts


def test_each_message_is_read_once(connect: Connect, server: ImapServer) -> None:
    for number in range(75):
        server.deliver("INBOX", message(number))
    server.deliver("INBOX", message(75), deleted=True)
    source, known = connect(server), dict[str, str]()
    texts = synced(source, known)
    assert [f"Subject: Message {n}\r\n" in text for n, text in enumerate(texts)] == [True] * 75
    bodies = fetched_bodies(server.commands)
    assert len(bodies) == len(set(bodies)) == 75
    # 1 + 2 + 4 + 8 + 16 + 32 + the rest: few round trips, nothing in vain.
    assert sum("BODY.PEEK[]" in command for command in server.commands) == 7
    server.commands.clear()
    assert synced(source, known) == []
    assert fetched_bodies(server.commands) == []
    server.deliver("INBOX", message(80))
    server.deliver("INBOX", message(81))
    server.remove("INBOX", b"Message 3\r\n")
    assert ["Message 80" in text or "Message 81" in text for text in synced(source, known)] == [
        True,
        True,
    ]
    assert len(fetched_bodies(server.commands)) == 2
    assert len(known) == 76
    assert server.seen() == 0
    assert not any(each.startswith(("SELECT", "UID STORE")) for each in server.commands)


def test_a_new_uidvalidity_reads_everything_again(connect: Connect, server: ImapServer) -> None:
    server.deliver("INBOX", message(1))
    server.deliver("INBOX", message(2))
    source, known = connect(server), dict[str, str]()
    assert len(synced(source, known)) == 2
    before = set(known)
    server.renumber("INBOX")
    with pytest.raises(TransientSourceError, match="anew"):
        source.fetch(SourceItem(uri=min(before)))
    assert len(synced(source, known)) == 2
    assert before.isdisjoint(known)


def test_folders_by_name_by_pattern_and_all(connect: Connect, server: ImapServer) -> None:
    for folder in ("INBOX", "Sent", "Archiv &- B&APw-cher"):
        server.deliver(folder, message(1))

    def found(*names: str) -> list[object]:
        source = connect(server, folders=names)
        folders = [source.fetch(item).metadata["folder"] for item in listed(source)]
        source.close()
        return list(folders)

    assert found() == ["INBOX"]
    assert found("Sent", "INBOX") == ["Sent", "INBOX"]
    assert found("Archiv & Bücher") == ["Archiv & Bücher"]
    assert found("Arch*") == ["Archiv & Bücher"]
    assert found("*") == ["Archiv & Bücher", "INBOX", "Sent"]
    source = connect(server, "Archiv%20&%20B%C3%BCcher")
    assert [source.fetch(item).metadata["mailbox"] for item in listed(source)] == [USER]
    source.close()
    for wrong in ("Nope", "Nope*"):
        source = connect(server, folders=(wrong,))
        with pytest.raises(TransientSourceError, match="folder"):
            listed(source)
        source.close()


def test_only_what_came_since_a_day(connect: Connect, server: ImapServer) -> None:
    server.deliver("INBOX", message(1))
    for since, count in (("2026-03-02", 1), ("2099-01-01", 0)):
        source = connect(server, since=since)
        assert len(listed(source)) == count
        source.close()


def test_what_is_too_large_is_not_transferred(connect: Connect, server: ImapServer) -> None:
    server.deliver("INBOX", message(1))
    server.deliver("INBOX", message(2, "long " * 1000))
    server.deliver("INBOX", message(3))
    source = connect(server, max_file_bytes=2000)
    first, large, last = listed(source)
    assert b"Message 1" in bytes_of(source, first)
    with pytest.raises(PermanentSourceError, match="more than the 2,000 allowed"):
        source.fetch(large)
    assert b"Message 3" in bytes_of(source, last)
    assert len(fetched_bodies(server.commands)) == 2
    source.close()


def bytes_of(source: ImapConnector, item: SourceItem) -> bytes:
    content = source.fetch(item).content
    assert isinstance(content, bytes)
    return content


def test_a_message_that_went_meanwhile(connect: Connect, server: ImapServer) -> None:
    server.deliver("INBOX", message(1))
    server.deliver("INBOX", message(2))
    source = connect(server)
    items = listed(source)
    server.remove("INBOX", b"Message 2\r\n")
    source.close()
    with pytest.raises(TransientSourceError, match="not on the server any more"):
        source.fetch(items[1])
    assert b"Message 1" in bytes_of(source, items[0])
    source.close()


def test_wrong_credentials(
    connect: Connect, server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAP_PASSWORD", "wrong")
    source = connect(server)
    with pytest.raises(
        TransientSourceError, match=r"refused to sign in ana.*check the user"
    ) as got:
        listed(source)
    assert not got.value.worth_waiting
    assert "wrong\\" not in str(got.value)
    monkeypatch.delenv("IMAP_PASSWORD")
    with pytest.raises(TransientSourceError, match="IMAP_PASSWORD_127_0_0_1"):
        listed(source)
    monkeypatch.setenv("IMAP_PASSWORD", f"{PASSWORD}\r\nx LOGOUT")
    with pytest.raises(TransientSourceError, match="line break"):
        listed(source)
    monkeypatch.setenv("IMAP_PASSWORD_127_0_0_1", PASSWORD)
    assert listed(source) == []
    source.close()


def test_a_token_and_its_expiry(
    connect: Connect, small: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAP_OAUTH_TOKEN", "token")
    small.deliver("INBOX", message(1))
    source = connect(small)
    assert len(listed(source)) == 1
    source.close()
    small.token = "newer"
    with pytest.raises(TransientSourceError, match="expired; get a new one") as got:
        listed(source)
    assert not got.value.worth_waiting


def test_login_without_sasl_quotes_what_it_sends(connect: Connect, small: SmallServer) -> None:
    small.capabilities = "IMAP4rev1"
    assert listed(connect(small)) == []
    assert any(command.startswith('LOGIN "ana"') for command in small.commands)


@pytest.mark.parametrize(
    ("answer", "waiting", "seconds"),
    [
        (b"TAG NO [UNAVAILABLE] try later", True, None),
        (b"TAG NO [INUSE] locked", True, None),
        (b"TAG NO [LIMIT] too many", True, None),
        (b"TAG NO Request is throttled. Suggested Backoff Time: 2500 milliseconds", True, 2.5),
        (b"TAG NO [NOPERM] no", False, None),
        (b"TAG BAD what", False, None),
        (b"* BYE going down", True, None),
        (b"rubbish", True, None),
        (b"* 1 FETCH (UID 1 BODY[] {99999999999}", False, None),
        (b"", True, None),
    ],
)
def test_refusals_and_breaks_are_errors_that_tell_whether_waiting_helps(
    connect: Connect, small: SmallServer, answer: bytes, waiting: bool, seconds: float | None
) -> None:
    for number in range(3):
        small.deliver("INBOX", message(number))
    source = connect(small)
    items = listed(source)
    small.disturb = lambda command: answer if "BODY" in command else None
    with pytest.raises(TransientSourceError) as got:
        source.fetch(items[1])
    assert got.value.worth_waiting is waiting
    assert got.value.retry_after_seconds == seconds
    small.disturb = lambda command: None
    assert b"Message 1" in bytes_of(source, items[1])
    source.close()


def test_a_break_while_listing_is_no_empty_folder(connect: Connect, small: SmallServer) -> None:
    small.deliver("INBOX", message(1))
    small.deliver("Sent", message(2))
    small.disturb = lambda command: b"* BYE bye" if 'EXAMINE "Sent"' in command else None
    source = connect(small, folders=("INBOX", "Sent"))
    found: list[object] = []
    with pytest.raises(TransientSourceError, match="bye"):
        found.extend(source.discover())
    small.disturb = lambda command: b"" if "SEARCH" in command else None
    with pytest.raises(TransientSourceError, match="EOF"):
        listed(source)
    small.disturb = lambda command: b"TAG NO [INUSE] later" if "SEARCH" in command else None
    with pytest.raises(TransientSourceError, match="later"):
        listed(source)


def test_a_silent_server_is_given_up(small: SmallServer) -> None:
    small.disturb = lambda command: b"* OK patience" if "EXAMINE" in command else None
    source = ImapConnector(f"imap://ana@127.0.0.1:{small.port}", timeout_seconds=0.2)
    with pytest.raises(TransientSourceError, match="did not answer within"):
        listed(source)


def test_large_folders_are_searched_in_pieces(
    connect: Connect, small: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.imap_session._SEARCHED_AT_ONCE", 10)
    for number in range(25):
        small.deliver("INBOX", message(number))
    source = connect(small)
    assert [int(item.uri.rpartition("=")[2]) for item in listed(source)] == list(range(1, 26))
    searched = [each.split(" ")[2] for each in small.commands if "SEARCH" in each]
    assert searched == ["16:*", "6:15", "1:5"]
    source.close()


def test_nothing_listens(connect: Connect, small: SmallServer) -> None:
    source = connect(small)
    small.server_close()
    small.server_close()
    with pytest.raises(TransientSourceError, match="failed"):
        ImapConnector("imap://ana@127.0.0.1:1/", timeout_seconds=1).discover().__next__()
    source.close()


# --- encryption -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout",
         str(path), "-out", str(path.with_suffix(".crt"))],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_tls_is_verified(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with imap_server.small_server(tls=context) as server:
        server.deliver("INBOX", message(1))
        source = ImapConnector(f"imaps://{USER}@127.0.0.1:{server.port}/", timeout_seconds=5)
        with pytest.raises(TransientSourceError, match="is not trusted") as got:
            listed(source)
        assert not got.value.worth_waiting
        assert server.commands == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (item,) = listed(source)
        assert b"Message 1" in bytes_of(source, item)
        source.close()


def test_no_password_travels_unencrypted(
    connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.imap_account.ImapAccount.is_loopback", False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with imap_server.small_server(tls=context) as server:
        server.capabilities += " STARTTLS"
        source = connect(server)
        assert listed(source) == []
        source.close()
        names = [command.partition(" ")[0] for command in server.commands]
        assert names.index("STARTTLS") < names.index("AUTHENTICATE")
    with imap_server.small_server() as server:
        with pytest.raises(TransientSourceError, match="offers no encryption"):
            listed(connect(server))
        assert {command.partition(" ")[0] for command in server.commands} == {"CAPABILITY"}
