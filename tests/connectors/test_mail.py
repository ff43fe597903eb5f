"""Mailboxes on disk: mbox files in all their dialects, Maildirs and their folders."""

import mailbox
import os
import shutil
from email.message import EmailMessage
from pathlib import Path

import pytest

from connectors.mail import MailConnector
from connectors.mail_mbox import scan_mbox
from ragmem.connecting import connect
from ragmem.errors import SourceError, TransientSourceError, UnknownSource, UsageError
from ragmem.types import SkippedItem, SourceDescription, SourceItem


def letter(number: int, text: str = "", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Ana <ana@example.org>"
    made["Subject"] = f"Letter {number}"
    made["Message-ID"] = f"<{number}@example.org>"
    for name, value in headers.items():
        del made[name]
        made[name.replace("_", "-")] = value
    made.set_content(f"Text {number}. {text}")
    return made


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    path = tmp_path / "archive.mbox"
    box = mailbox.mbox(path)
    for number in range(5):
        box.add(letter(number, "\nFrom me to you,\n>From the start: yes\n"))
    box.close()
    return path


def listed(source: MailConnector) -> list[SourceItem]:
    return [item for item in source.discover() if isinstance(item, SourceItem)]


def known(source: MailConnector) -> dict[str, str]:
    return {item.uri.partition("#")[2]: item.fingerprint for item in listed(source)}


def content(source: MailConnector, item: SourceItem) -> bytes:
    raw = source.fetch(item)
    assert isinstance(raw.content, bytes)
    assert raw.name.endswith(".eml")
    return raw.content


# --- mbox -----------------------------------------------------------------------------------------


def test_messages_come_as_they_were_sent(mbox: Path) -> None:
    source = MailConnector(str(mbox))
    items = listed(source)
    assert [item.uri for item in items] == [
        f"{mbox.as_uri().replace('file', 'mbox', 1)}#{number}@example.org" for number in range(5)
    ]
    for number, item in enumerate(items):
        read = content(source, item)
        assert read.startswith(b"From: Ana <ana@example.org>\nSubject: Letter %d\n" % number)
        assert b"\nFrom me to you,\n" in read
    source.close()


def test_items_may_be_read_while_they_are_listed(mbox: Path) -> None:
    source = MailConnector(str(mbox))
    for number, item in enumerate(source.discover()):
        assert isinstance(item, SourceItem)
        assert b"Text %d." % number in content(source, item)
    source.close()


def test_moving_flagging_and_compacting_change_no_fingerprint(mbox: Path) -> None:
    source = MailConnector(str(mbox))
    before = known(source)
    box = mailbox.mbox(mbox)
    first, second, *_ = box.keys()
    box.remove(second)
    box.add(letter(9))
    flagged = box[first]
    flagged.add_flag("RAF")
    box[first] = flagged
    box.close()
    after = known(source)
    assert after.keys() == {*before, "9@example.org"} - {"1@example.org"}
    assert all(after[key] == before[key] for key in before.keys() & after.keys())
    source.close()


DIALECTS = {
    "thunderbird": "From - Mon Mar 02 10:00:00 2026\nX-Mozilla-Keys:\nSubject: {0}\n\nText.\n",
    "takeout": "From 17@xxx Mon Mar 02 10:00:00 +0000 2026\nX-A: 1\nSubject: {0}\n\nText.\n\n",
    "zone": "From ana@example.org  Mon Mar  2 10:00:00 CET 2026\nSubject: {0}\n\nText.\n\n",
    "bare": "From ana@example.org\nSubject: {0}\n\nText.\n\n",
    "windows": "From ana Mon Mar  2 10:00:00 2026\r\nSubject: {0}\r\n\r\nText.\r\n\r\n",
    "git": "From 1f0c Mon Sep 17 00:00:00 2001\nFrom: a@b\nSubject: {0}\n\nText.\n--\n2.1\n\n",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects(tmp_path: Path, dialect: str) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes("".join(DIALECTS[dialect].format(n) for n in range(3)).encode())
    source = MailConnector(str(path))
    items = listed(source)
    assert len(items) == len({item.uri for item in items}) == 3
    assert [b"Subject: %d" % n in content(source, item) for n, item in enumerate(items)] == [
        True
    ] * 3
    source.close()


def test_sentences_are_no_envelopes(tmp_path: Path) -> None:
    text = (
        "From a@b Mon Mar  2 10:00:00 2026\nSubject: one\n\n"
        "From here on\nit went well.\n\nFrom there, too.\n\nFrom 10:00 to 2026\nwe slept.\n\n"
        "From now on\nnote: x\n"
    )
    path = tmp_path / "a.mbox"
    path.write_text(text)
    source = MailConnector(str(path))
    (item,) = listed(source)
    assert content(source, item).decode() == text.partition("\n")[2]
    source.close()


@pytest.mark.parametrize("block", [7, 64, 4096])
def test_blocks_of_any_size_cut_the_same(
    mbox: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    with mbox.open("rb") as stream:
        whole = list(scan_mbox(stream, size=mbox.stat().st_size))
        monkeypatch.setattr("connectors.mail_mbox._BLOCK_BYTES", block)
        monkeypatch.setattr("connectors.mail_mbox._AHEAD_BYTES", 128)
        monkeypatch.setattr("connectors.mail_mbox._HEAD_BYTES", 300)
        pieces = list(scan_mbox(stream, size=mbox.stat().st_size))
    assert [(each.start, each.length) for each in pieces] == [(m.start, m.length) for m in whole]
    assert sum(each.length for each in whole) == mbox.stat().st_size


def test_what_is_deleted_hidden_repeated_or_large(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    box = mailbox.mbox(path)
    box.add(letter(0, Subject="DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"))
    box.add(letter(1))
    box.add(letter(2, X_Mozilla_Status="0009"))
    box.add(letter(1, "again"))
    box.add(letter(3, "long " * 500))
    nameless = letter(4)
    del nameless["Message-ID"]
    box.add(nameless)
    box.close()
    source = MailConnector(str(path), max_file_bytes=1500)
    found = list(source.discover())
    names = [each.uri.partition("#")[2] for each in found]
    assert names[:3] == ["1@example.org", "1@example.org;2", "3@example.org"]
    assert names[3].startswith("sha256:")
    assert isinstance(found[2], SkippedItem)
    assert "more than the 1,500 allowed" in found[2].reason
    source.close()


def test_a_message_on_its_way_waits_for_the_next_run(mbox: Path) -> None:
    source = MailConnector(str(mbox))
    listing = source.discover()
    next(listing)
    with mbox.open("a") as stream:
        stream.write("cut off, now complete.\n\nFrom a@b Mon Mar  2 10:00:00 2026\nSubject: x\n\n")
    assert len(list(listing)) == 3  # the fourth was the last and may not have been whole
    assert len(listed(source)) == 6
    source.close()


def test_a_rewritten_file_deletes_nothing(mbox: Path) -> None:
    source = MailConnector(str(mbox))
    listing = source.discover()
    items = [next(listing) for _ in range(3)]
    data = mbox.read_bytes()
    with mbox.open("r+b") as stream:
        stream.write(data[400:])
        stream.truncate()
    assert isinstance(items[2], SourceItem)
    with pytest.raises(TransientSourceError, match="rewritten while it was read"):
        source.fetch(items[2])
    with pytest.raises(TransientSourceError, match="nothing is taken as deleted"):
        list(listing)
    mbox.write_text("no mail")
    with pytest.raises(TransientSourceError, match="no mbox"):
        listed(source)
    mbox.unlink()
    with pytest.raises(TransientSourceError, match="not there any more"):
        listed(source)
    source.close()


def test_a_replaced_file_is_read_as_it_was(mbox: Path, tmp_path: Path) -> None:
    source = MailConnector(str(mbox))
    items = listed(source)
    other = tmp_path / "other"
    other.write_text("From x Mon Mar  2 10:00:00 2026\nSubject: other\n\nOther.\n")
    other.rename(mbox)
    assert b"Text 4." in content(source, items[4])
    source.close()
    assert len(listed(source)) == 1
    source.close()


def test_an_empty_mbox_is_an_empty_mailbox(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.touch()
    source = MailConnector(str(path))
    assert listed(source) == []
    source.close()


# --- Maildir --------------------------------------------------------------------------------------


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    box = mailbox.Maildir(root)
    for number in range(3):
        box.add(letter(number))
    for name in ("Sent", "Archive.2025", "Entw&APw-rfe"):
        box.add_folder(name).add(letter(7))
    return root


def test_folders_have_the_names_that_people_read(maildir: Path) -> None:
    source = MailConnector(str(maildir))
    folders = [source.fetch(item).metadata["folder"] for item in listed(source)]
    assert folders == ["Archive/2025", "Entwürfe", "INBOX", "INBOX", "INBOX", "Sent"]
    assert len(listed(MailConnector(str(maildir), folders=("Sent", "Archive/2025")))) == 2
    with pytest.raises(TransientSourceError, match="no folder Nope; it has Archive/2025"):
        listed(MailConnector(str(maildir), folders=("Nope",)))


def test_reading_and_flagging_is_no_change(maildir: Path) -> None:
    source = MailConnector(str(maildir))
    before = listed(source)
    moved = sorted((maildir / "new").iterdir())
    moved[0].rename(maildir / "cur" / f"{moved[0].name}:2,S")
    moved[1].rename(maildir / "cur" / f"{moved[1].name}:2,ST")
    moved[2].rename(maildir / "cur" / f"{moved[2].name}:2,RS")
    # What was listed before is found where it is now.
    assert all(content(source, item).startswith(b"From: Ana") for item in before)
    after = listed(source)
    assert len(before) == 6
    assert len(after) == 5
    assert set(after) < set(before)


def test_links_pipes_and_large_files(maildir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (maildir / "cur" / "link:2,").symlink_to(secret)
    os.mkfifo(maildir / "cur" / "pipe:2,")
    (maildir / "cur" / "large:2,").write_text("x" * 5000)
    (maildir / "cur" / "empty:2,").touch()
    source = MailConnector(str(maildir), max_file_bytes=2000)
    reasons = {
        each.uri.partition("#")[2]: each.reason
        for each in source.discover()
        if isinstance(each, SkippedItem)
    }
    assert {name: text[:11] for name, text in reasons.items()} == {
        "link": "not a regul",
        "pipe": "not a regul",
        "large": "the message",
        "empty": "the message",
    }


def test_a_message_or_a_maildir_that_is_gone(maildir: Path) -> None:
    source = MailConnector(str(maildir))
    items = listed(source)
    for path in (maildir / "new").iterdir():
        path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        source.fetch(next(item for item in items if "/" not in item.uri.partition("#")[2]))
    (maildir / "tmp").rmdir()
    with pytest.raises(TransientSourceError, match="INBOX lacks tmp"):
        listed(source)


@pytest.mark.parametrize("lost", ["cur", "new", "tmp"])
def test_a_maildir_that_lost_a_folder_is_no_folder_of_files(maildir: Path, lost: str) -> None:
    shutil.rmtree(maildir / lost)
    for location in (str(maildir), f"maildir:{maildir}", maildir.as_uri()):
        source = connect(SourceDescription(location=location), defaults={})
        assert isinstance(source, MailConnector)
        found: list[SourceItem | SkippedItem] = []
        with pytest.raises(TransientSourceError, match=f"INBOX lacks {lost}, so nothing is taken"):
            found.extend(source.discover())
        assert len(found) == 3


def test_what_is_left_of_a_maildir_is_named(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    assert not MailConnector.recognizes(str(tmp_path))
    with pytest.raises(UnknownSource, match="no Maildir: it lacks cur, new"):
        MailConnector(f"maildir:{tmp_path}")


def test_a_folder_in_a_maildir_that_lost_a_part(maildir: Path) -> None:
    shutil.rmtree(maildir / ".Sent" / "cur")
    (maildir / "sieve" / "tmp").mkdir(parents=True)
    source = MailConnector(str(maildir))
    found: list[SourceItem | SkippedItem] = []
    with pytest.raises(TransientSourceError, match="Sent lacks cur, so nothing is taken"):
        found.extend(source.discover())
    assert len(found) == 5
    assert len(listed(MailConnector(str(maildir), folders=("INBOX",)))) == 3


# --- choosing -------------------------------------------------------------------------------------


def test_mailboxes_are_recognized(mbox: Path, maildir: Path, tmp_path: Path) -> None:
    apple = tmp_path / "Inbox.mbox"
    apple.mkdir()
    (apple / "mbox").write_bytes(mbox.read_bytes())
    for location in (mbox, maildir, apple, mbox.as_uri(), f"mbox:{mbox}", f"maildir://{maildir}"):
        source = connect(SourceDescription(location=str(location)), defaults={})
        assert isinstance(source, MailConnector)
        assert len(listed(source)) > 4
        source.close()
    plain = tmp_path / "plain.mbox"
    plain.write_text("not a mailbox")
    for location in (tmp_path, plain, tmp_path / "none.mbox"):
        assert not MailConnector.recognizes(str(location))


def test_what_is_no_mailbox_is_refused(mbox: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("text")
    for location, reason in (
        (str(tmp_path), "no Maildir"),
        (f"mbox:{plain}", "does not begin with 'From '"),
        ("mbox:/nowhere/at/all", "no such file"),
        ("mbox://server/path", "three slashes"),
    ):
        with pytest.raises(UnknownSource, match=reason):
            MailConnector(location)
    with pytest.raises(UsageError, match="one folder"):
        MailConnector(str(mbox), folders=("Sent",))
