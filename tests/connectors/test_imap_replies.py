"""Answers as servers differ in writing them."""

from datetime import UTC, datetime

from connectors.imap_replies import folder_names, messages, numbers, refusal, sizes


def test_the_uid_may_stand_anywhere_and_the_body_be_quoted() -> None:
    received = b'INTERNALDATE " 2-Mar-2026 10:00:00 +0100"'
    found = messages(
        [
            (b"1 (UID 5 " + received + b" BODY[] {3}", b"abc"),
            b")",
            b"9 (FLAGS (\\Seen) UID 99)",
            (b"2 (BODY[] {3}", b"def"),
            b" UID 6)",
            b'3 (UID 7 BODY[] "a \\"quoted\\" text")',
            b"4 (UID 8 BODY[] NIL)",
            None,
        ]
    )
    assert {uid: message.content for uid, message in found.items()} == {
        5: b"abc",
        6: b"def",
        7: b'a "quoted" text',
    }
    assert found[5].received == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert found[6].received is None


def test_numbers_and_sizes() -> None:
    assert numbers([b"1 2 3", b"", None, b"4 (MODSEQ 5)"]) == [1, 2, 3, 4]
    assert sizes([b"1 (RFC822.SIZE 10 UID 3)", b"2 (UID 4 FLAGS ())"]) == {3: 10}


def test_folders_that_can_be_opened() -> None:
    assert folder_names(
        [
            b'(\\HasNoChildren) "/" INBOX',
            b'(\\Noselect) "/" Archive',
            b'(\\HasNoChildren) NIL "with \\"quotes\\" in it"',
            b'() "\\\\" "a\\\\b"',
            (b'() "/" {4}', b"lit\xc3"),
            b"",
        ]
    ) == ["INBOX", 'with "quotes" in it', "a\\b", "lit\ufffd"]


def test_what_a_server_says_is_shown_on_one_harmless_line() -> None:
    error = refusal("to go on", [b"[UNAVAILABLE] \x1b[31mred\r\n" + b"x" * 999])
    assert str(error).startswith("the IMAP server refused to go on: [UNAVAILABLE] [31mred xxx")
    assert len(str(error)) < 400
    assert error.worth_waiting
