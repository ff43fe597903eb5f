"""ZIP archives, also those that mean harm."""

import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from connectors.remote import RemoteFilesConnector
from ragmem.errors import PermanentSourceError, TransientSourceError, UnknownSource
from ragmem.types import SkippedItem, SourceItem


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            made.writestr(name, text)
    return path


def items(connector: RemoteFilesConnector) -> dict[str, SourceItem]:
    found = (each for each in connector.discover() if isinstance(each, SourceItem))
    return {each.uri.partition(".zip/")[2]: each for each in found}


def skipped(connector: RemoteFilesConnector) -> dict[str, str]:
    found = (each for each in connector.discover() if isinstance(each, SkippedItem))
    return {each.uri.partition(".zip/")[2]: each.reason for each in found}


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", ["a.md", "sub/b.md", "sub/deep/c.txt"]),
        ("/sub", ["sub/b.md", "sub/deep/c.txt"]),
        ("/sub/b.md", ["sub/b.md"]),
        ("/**/*.md", ["a.md", "sub/b.md"]),
    ],
)
def test_what_a_path_names(tmp_path: Path, inner: str, expected: list[str]) -> None:
    names = ("a.md", "sub/b.md", "sub/deep/c.txt", "__MACOSX/._a.md", ".hidden.md")
    made = archive(tmp_path / "x.zip", **{name: f"text of {name}" for name in names})
    connector = RemoteFilesConnector(f"zip://{made}{inner}")
    assert list(items(connector)) == expected
    assert connector.source_uri == f"zip://{made}{inner}"
    connector.close()


def test_only_changed_members_change(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.zip", **{"a.md": "one", "b.md": "same"})
    connector = RemoteFilesConnector(f"zip://{made}")
    before = items(connector)
    archive(made, **{"b.md": "same", "a.md": "two"})
    after = items(connector)
    assert before["a.md"] != after["a.md"]
    assert before["b.md"] == after["b.md"]
    raw = connector.fetch(after["a.md"])
    assert raw.content == b"two"
    assert raw.modified_at is not None
    connector.close()


def test_names_that_lead_outside_are_skipped(tmp_path: Path) -> None:
    names = ("../out.md", "/etc/passwd.md", "a/../../b.md", "C:/x.md", "fine.md")
    made = archive(tmp_path / "x.zip", **dict.fromkeys(names, "text"))
    connector = RemoteFilesConnector(f"zip://{made}")
    assert set(skipped(connector)) == {"../out.md", "/etc/passwd.md", "a/../../b.md", "C%3A/x.md"}
    assert list(items(connector)) == ["fine.md"]
    with pytest.raises(PermanentSourceError, match="leads out of the archive"):
        connector.fetch(SourceItem(uri=f"zip://{made}/../out.md"))
    connector.close()


def test_doubled_and_linked_members_are_skipped(tmp_path: Path) -> None:
    made = tmp_path / "x.zip"
    link = zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(made, "w") as written, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        written.writestr("a.md", "one")
        written.writestr("a.md", "two")
        written.writestr(link, "/etc/passwd")
        written.writestr("b.md", "fine")
    connector = RemoteFilesConnector(f"zip://{made}")
    reasons = skipped(connector)
    assert "2 members of this name" in reasons["a.md"]
    assert "symbolic link" in reasons["link.md"]
    connector.close()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.zip", **{"bomb.md": "0" * 5_000_000, "a.md": "x"})
    connector = RemoteFilesConnector(f"zip://{made}", max_file_bytes=1_000_000)
    assert "more than the 1,000,000 allowed" in skipped(connector)["bomb.md"]
    with pytest.raises(PermanentSourceError, match="longer than"):
        connector.fetch(SourceItem(uri=f"zip://{made}/bomb.md"))
    connector.close()


def test_a_bomb_that_declares_little(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.zip", **{"bomb.md": "0" * 5_000_000, "a.md": "x"})
    honest = (5_000_000).to_bytes(4, "little")
    raw = made.read_bytes()
    assert raw.count(honest) == 2
    made.write_bytes(raw.replace(honest, (100).to_bytes(4, "little")))
    connector = RemoteFilesConnector(f"zip://{made}", max_file_bytes=1_000_000)
    found = items(connector)
    assert found["bomb.md"].size_bytes == 100
    with pytest.raises(PermanentSourceError, match=r"damaged|declares"):
        connector.fetch(found["bomb.md"])
    assert connector.fetch(found["a.md"]).content == b"x"
    connector.close()


def test_encrypted_and_damaged_members_fail_alone(tmp_path: Path) -> None:
    texts = {"broken.md": "text to be broken", "locked.md": "text", "a.md": "x"}
    made = tmp_path / "x.zip"
    with zipfile.ZipFile(made, "w") as written:
        for name, text in texts.items():
            written.writestr(name, text)
    raw = bytearray(made.read_bytes())
    raw[raw.index(b"to be broken")] ^= 0xFF
    # Bit 0 of the flags, 8 bytes into the central directory's record of the member.
    record = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"locked.md"))
    raw[record + 8] |= 1
    made.write_bytes(raw)
    connector = RemoteFilesConnector(f"zip://{made}")
    assert "encrypted" in skipped(connector)["locked.md"]
    found = items(connector)
    with pytest.raises(PermanentSourceError, match="damaged: Bad CRC"):
        connector.fetch(found["broken.md"])
    assert connector.fetch(found["a.md"]).content == b"x"
    assert zlib.crc32(b"x") == int(found["a.md"].fingerprint[:8], 16)
    connector.close()


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UnknownSource, match="no such archive"):
        RemoteFilesConnector(f"zip://{tmp_path}/none.zip/a.md")
    (tmp_path / "text.zip").write_text("no archive at all")
    with pytest.raises(TransientSourceError, match="cannot be opened as a ZIP archive"):
        list(RemoteFilesConnector(f"zip://{tmp_path}/text.zip").discover())


def test_a_cut_archive_is_not_an_empty_one(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.zip", **{"a.md": "text", "b.md": "text"})
    made.write_bytes(made.read_bytes()[:-30])
    with pytest.raises(TransientSourceError):
        list(RemoteFilesConnector(f"zip://{made}").discover())
