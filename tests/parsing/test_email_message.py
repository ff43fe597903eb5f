"""Messages: one text of several alternatives, forwarded parts, old encodings."""

from email.message import EmailMessage

from format_files import FACT, message

from ragmem.parsing.email_message import parse_email


def test_alternatives_are_read_once_and_attachments_named() -> None:
    document = parse_email(message())
    assert document.text.count(FACT) == 1
    assert document.warnings == ("attachment 'photos.zip' was not read",)
    assert document.metadata["created_at"] == "2026-03-02T10:00:00+00:00"


def test_html_alone_is_rendered() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Hi"
    mail.set_content("<h2>News</h2><p>All well.</p>", subtype="html")
    assert parse_email(bytes(mail)).text == "# Hi\n\n\n\n## News\n\nAll well."


def test_an_encoded_subject_and_charset() -> None:
    content = (
        b"Subject: =?iso-8859-1?q?Gr=FC=DFe?=\nContent-Type: text/plain; charset=iso-8859-1\n"
        b"Content-Transfer-Encoding: 8bit\n\nSch\xf6n\n"
    )
    document = parse_email(content)
    assert document.title == "Grüße"
    assert document.text.endswith("Schön")


def test_a_forwarded_message_is_read() -> None:
    outer = EmailMessage()
    outer["From"] = "a@example.org"
    outer.set_content("See below.")
    outer.add_attachment(message_of("The original."))
    assert "The original." in parse_email(bytes(outer)).text


def message_of(text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Inner"
    mail.set_content(text)
    return mail
