"""Messages: headers, the text without repetitions, attachments, and whatever mailers break."""

import base64
import random
from email.message import EmailMessage

import pytest
from format_files import FACT, all_formats, encrypted_pdf, message, pdf

from ragmem.errors import ParseError
from ragmem.parsing.parser import DocumentParser
from ragmem.types import ParsedDocument, RawDocument

HEAD = (
    "From: Ana <Ana@example.org>\nTo: Ben <ben@example.org>\nSubject: Re: Lunch\n"
    "Date: Mon, 02 Mar 2026 10:00:00 +0100\nMessage-ID: <c@x>\nIn-Reply-To: <b@x>\n"
    "References: <a@x>\n <b@x>\n"
)


def parsed(content: bytes | str) -> ParsedDocument:
    raw = content.encode() if isinstance(content, str) else content
    return DocumentParser().parse(RawDocument(uri="a", name="a.eml", content=raw))


# --- headers --------------------------------------------------------------------------------------


def test_people_dates_and_the_thread_are_metadata() -> None:
    document = parsed(HEAD + 'Cc: C@x.org, "D, E" <d@x.org>\n\nYes.')
    assert document.metadata == {
        "author": "Ana <ana@example.org>",
        "from": "ana@example.org",
        "to": ("ben@example.org",),
        "cc": ("c@x.org", "d@x.org"),
        "subject": "Re: Lunch",
        "sent_at": "2026-03-02T10:00:00+01:00",
        "created_at": "2026-03-02T10:00:00+01:00",
        "message_id": "c@x",
        "in_reply_to": "b@x",
        "thread": "a@x",
    }
    assert "Cc: c@x.org, D, E <d@x.org>" in document.text
    assert document.warnings == ()


@pytest.mark.parametrize(
    ("headers", "thread"),
    [
        ("Message-ID: <c@x>", "c@x"),
        ("Message-ID: <c@x>\nIn-Reply-To: <b@x>", "b@x"),
        ("In-Reply-To: Your message of Monday <b@x>\nReferences:", "b@x"),
        ("Message-ID: bare@x", "bare@x"),
        ("Message-ID: no id at all", None),
    ],
)
def test_the_thread_is_its_first_message(headers: str, thread: str | None) -> None:
    assert parsed(f"From: a@b\n{headers}\n\nText.").metadata.get("thread") == thread


@pytest.mark.parametrize(
    ("date", "sent_at"),
    [
        ("Mon, 02 Mar 2026 10:00:00 +0100 (CET)", "2026-03-02T10:00:00+01:00"),
        ("2 Mar 2026 10:00 -0000", "2026-03-02T10:00:00+00:00"),
        ("2026-03-02T10:00:00+05:30", "2026-03-02T10:00:00+05:30"),
        ("Mon, 02 Mar 26 10:00:00 PST", "2026-03-02T10:00:00-08:00"),
        ("Fri, 01 Jan 1904 00:00:00 +0000", "2026-03-03T08:00:00+00:00"),
        ("Mon, 99 Foo 2026 10:00:00", "2026-03-03T08:00:00+00:00"),
        ("02 Mar 2026 10:00:00 +9999999999999", "2026-03-03T08:00:00+00:00"),
    ],
)
def test_dates_good_and_wrong(date: str, sent_at: str) -> None:
    received = "Received: from a by b; Tue, 3 Mar 2026 08:00:00 +0000"
    document = parsed(f"From: a@b\nDate: {date}\n{received}\n\nText.")
    assert document.metadata["sent_at"] == sent_at
    assert bool(document.warnings) == ("-03-03" in sent_at)


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        (b"=?iso-8859-1?q?Gr=FC=DFe?=", "Grüße"),
        (b"=?utf-8?B?R3LDvA==?= =?utf-8?B?w59l?=", "Grüße"),
        (b"=?utf-8?B?R3L?=", "Gr"),
        (b"=?nonsense?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"folded\n over\n\tlines", "folded over lines"),
        ("=?gb2312?b?" + base64.b64encode("你好镕".encode("gb18030")).decode() + "?=", "你好镕"),
    ],
)
def test_subjects_in_any_encoding(subject: bytes | str, title: str) -> None:
    raw = subject.encode() if isinstance(subject, str) else subject
    document = parsed(b"From: a@b\nSubject: " + raw + b"\n\nText.")
    assert document.title == document.metadata["subject"] == title


def test_a_message_without_a_subject_is_named_after_its_sender() -> None:
    attached = EmailMessage()
    attached["From"] = "Ana <ana@example.org>"
    attached.set_content("See there.")
    attached.add_attachment("# Other title", filename="a.md")
    assert parsed(bytes(attached)).title == "Message from Ana <ana@example.org>"


def test_ten_thousand_recipients() -> None:
    people = ",\n ".join(f'"P, {n}" <p{n}@example.org>' for n in range(10_000))
    document = parsed(f"From: a@b\nTo: {people}\n\nText.")
    recipients = document.metadata["to"]
    assert isinstance(recipients, tuple)
    assert len(recipients) == 200
    assert "and 9,980 others" in document.text
    assert document.warnings == ("of 10,000 recipients in To the first 200 were kept",)


def test_people_without_proper_addresses() -> None:
    document = parsed("From: Doe, John <jd@x.org>\nTo: undisclosed-recipients:;\nCc: Ben\n\nText.")
    assert document.metadata["from"] == "jd@x.org"
    assert document.metadata["cc"] == ("ben",)
    assert "to" not in document.metadata


# --- the text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-2022-jp", "日本語のメールです"),
        ("gb2312", "简体中文的邮件"),
        ("koi8-r", "Привет, как дела сегодня?"),
        ("windows-1252", "“Grüße” für 5 €"),
        ("utf-7", "Grüße"),
    ],
)
def test_charsets_as_declared(charset: str, text: str) -> None:
    head = f"From: a@b\nContent-Type: text/plain; charset={charset}\n\n"
    document = parsed(head.encode() + text.encode(charset))
    assert document.text.endswith(text)
    assert document.warnings == ()


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "nonsense", "rot13", "punycode", ""])
def test_a_charset_that_is_a_lie(charset: str) -> None:
    head = f'From: a@b\nContent-Type: text/plain; charset="{charset}"\n\n'
    assert parsed(head.encode() + "Grüße €".encode()).text.endswith("Grüße €")


def test_bytes_that_are_no_charset_are_replaced_with_a_warning() -> None:
    document = parsed(
        b"From: a@b\nContent-Type: text/plain; charset=x\n\nSch\xf6ne Gr\xfc\xdfe\x81\x8d"
    )
    assert document.text.endswith("Schöne Grüße\ufffd\ufffd")
    assert "2 bytes could not be read" in document.warnings[0]


def test_base64_with_rubbish() -> None:
    head = "From: a@b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    document = parsed(f"{head}SGVs!!!!bG8g\n$$d29ybGQ")
    assert document.text.endswith("Hello world")
    assert document.warnings == ("damaged base64 was repaired as far as possible",)


def test_flowed_text_is_joined() -> None:
    text = "A long \nparagraph \nflows.\n\n>> quoted \n>> text\n-- \nAna"
    head = "From: a@b\nContent-Type: text/plain; format=flowed\n\n"
    assert parsed(head + text).text.endswith("A long paragraph flows.\n\n>> quoted text\n-- \nAna")


def test_html_alone_is_rendered() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Hi"
    mail.set_content("<h2>News</h2><p>All well.</p>", subtype="html")
    assert parsed(bytes(mail)).text == "# Hi\n\n## News\n\nAll well."


def test_a_plain_text_that_only_points_to_the_html_gives_way() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Hi"
    mail.set_content("Please view this message as HTML.")
    mail.add_alternative("<p>" + "All that there is to say. " * 9 + "</p>", subtype="html")
    assert "All that there is" in parsed(bytes(mail)).text
    assert "Please view" not in parsed(bytes(mail)).text


# --- attachments ----------------------------------------------------------------------------------


def test_alternatives_are_read_once_and_attachments_named() -> None:
    document = parsed(message())
    assert document.text.count(FACT) == 1
    assert document.metadata["attachments"] == ("photos.zip",)
    assert len(document.warnings) == 1
    assert document.warnings[0].startswith("attachment 'photos.zip' was not read: ")
    assert document.metadata["created_at"] == "2026-03-02T10:00:00+00:00"


@pytest.mark.parametrize("suffix", sorted(set(all_formats()) - {"eml"}))
def test_attachments_go_through_the_parsers(suffix: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Files"
    mail.set_content("See there.")
    mail.add_attachment(
        all_formats()[suffix],
        maintype="application",
        subtype="octet-stream",
        filename=f"bäricht.{suffix}",
    )
    document = parsed(bytes(mail))
    assert f"\n\n## Attachment: bäricht.{suffix}\n\n" in document.text
    assert FACT in document.text
    assert document.metadata["attachments"] == (f"bäricht.{suffix}",)
    assert [line for line in document.text.split("\n") if line.startswith(("# ", "## "))] == [
        "# Files",
        f"## Attachment: bäricht.{suffix}",
    ] or suffix in ("py", "rst", "md")


def attached(*files: tuple[str, str, bytes]) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Files"
    mail.set_content("See there.")
    for name, kind, data in files:
        main, _, sub = kind.partition("/")
        mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return mail


def test_attachments_that_cannot_be_read_are_named_with_the_reason() -> None:
    document = parsed(
        bytes(
            attached(
                ("winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22"),
                ("secret.pdf", "application/pdf", encrypted_pdf()),
                ("broken.pdf", "application/pdf", pdf([[FACT]])[:100]),
                ("a.png", "image/png", b"\x89PNG"),
                ("b.jpg", "image/jpeg", b"\xff\xd8\xff"),
                ("smime.p7m", "application/pkcs7-mime", b"0"),
                ("empty.txt", "text/x-nothing", b""),
            )
        )
    )
    reasons = ["container", "password", "cut off", "encrypted", "empty", "2 images"]
    assert len(document.warnings) == len(reasons)
    for reason, warning in zip(reasons, document.warnings, strict=True):
        assert reason in warning
    assert document.warnings[-1] == "2 images were not read: a.png, b.jpg"
    assert document.text == "# Files\n\nSee there."


def test_messages_in_messages() -> None:
    inner = attached(("report.pdf", "application/pdf", pdf([[FACT]])))
    inner.replace_header("Subject", "Inner")
    inner["From"] = "Carl <carl@example.org>"
    outer = EmailMessage()
    outer["From"] = "a@example.org"
    outer["Subject"] = "Outer"
    outer.set_content("See below.")
    outer.add_attachment(inner)
    text = parsed(bytes(outer)).text
    assert "## Attached message: Inner\n\nFrom: Carl <carl@example.org>\n\nSee there." in text
    assert "#### Attachment: report.pdf" in text
    assert FACT in text


def test_a_message_encoded_or_attached_as_a_file() -> None:
    inner = base64.encodebytes(b"From: c@x\nSubject: Inner\n\n" + FACT.encode()).decode()
    for kind in ("message/rfc822", 'application/octet-stream; name="a.eml"'):
        document = parsed(
            "From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: "
            f"{kind}\nContent-Transfer-Encoding: base64\n\n{inner}\n--x--\n"
        )
        assert "## Attached message: Inner" in document.text
        assert FACT in document.text


def test_signatures_of_signed_messages_are_no_attachments() -> None:
    document = parsed(
        "From: a@b\nContent-Type: multipart/signed; boundary=x\n\n--x\n\nText.\n--x\n"
        "Content-Type: application/pgp-signature; name=signature.asc\n\nxyz\n--x--\n"
    )
    assert document.warnings == ()
    assert "attachments" not in document.metadata


# --- hostile and broken ---------------------------------------------------------------------------


def nested(depth: int) -> str:
    parts = (f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return "From: a@b\nSubject: deep\n" + "".join(parts) + "\nText.\n"


def test_bombs_are_bounded() -> None:
    assert "nested" in parsed(nested(60)).warnings[0]
    with pytest.raises(ParseError, match="nested too deeply"):
        parsed(nested(3000))
    chain = "From: a@b\nSubject: s\nContent-Type: message/rfc822\n\n"
    document = parsed(chain * 9 + "From: c@d\nSubject: end\n\nText.")
    assert any("5 deep" in warning for warning in document.warnings)
    with pytest.raises(ParseError, match="nested too deeply"):
        parsed(chain * 5000 + "Text.")
    part = "--x\nContent-Type: application/pdf; name=a.pdf\n\nhello\n"
    document = parsed("From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n" + part * 5000)
    assert len(document.warnings) < 5
    assert document.metadata["attachments"] == ("a.pdf",) * 100


def test_attached_text_is_bounded() -> None:
    mail = bytes(attached(*[(f"{n}.txt", "text/plain-x", b"word " * 999) for n in range(9)]))
    document = DocumentParser(max_characters=20_000).parse(
        RawDocument(uri="a", name="a.eml", content=mail)
    )
    assert document.text.count("## Attachment") == 3
    assert len(document.warnings) == 6


def test_a_multipart_without_an_end_and_contradicting_names() -> None:
    document = parsed(
        "From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nCut off.\n--x\n"
        "Content-Type: text/csv; name*0*=utf-8''r%C3%A9; name*=x; name=\"../../b.csv\"\n"
        "Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nYSxiCjEsMgo="
    )
    assert "Cut off." in document.text
    assert "| a | b |" in document.text


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\temp\\passwd", "/passwd"])
def test_names_of_attachments_are_no_paths(name: str) -> None:
    mail = attached(("placeholder.txt", "text/x-plain", b"Text."))
    content = bytes(mail).replace(b'"placeholder.txt"', b'"' + name.encode() + b'"')
    assert parsed(content).metadata["attachments"] == ("passwd",)


def test_noise_never_gets_through() -> None:
    seed = random.Random(7)
    mails = [message(), bytes(attached(("a.pdf", "application/pdf", pdf([[FACT]])))), HEAD.encode()]
    for turn in range(150):
        noisy = bytearray(mails[turn % len(mails)][:3000])
        for _ in range(seed.randrange(1, 40)):
            noisy[seed.randrange(len(noisy))] = seed.choice(
                b"\x00\x80\xff\r\n\"=?;:<>()*' " + noisy
            )
        try:
            document = parsed(bytes(noisy))
        except ParseError:
            continue
        assert document.text.strip()
