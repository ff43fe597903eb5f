"""Folding: what repeats an earlier message is left out, what says something new is not."""

import pytest

from ragmem.parsing.parser import DocumentParser
from ragmem.types import ParsedDocument, RawDocument

HEAD = (
    "From: Ana <ana@example.org>\nSubject: Re: Lunch\nIn-Reply-To: <b@x>\n"
    "Date: Mon, 02 Mar 2026 10:00:00 +0100\n"
)


def parsed(content: str) -> ParsedDocument:
    raw = RawDocument(uri="a", name="a.eml", content=content.encode())
    return DocumentParser().parse(raw)


def body(content: str) -> str:
    """The text below the headers."""
    return parsed(content).text.partition("+0100\n\n")[2]


def reply(text: str, *, html: bool = False, head: str = HEAD) -> str:
    kind = "html" if html else "plain"
    return f"{head}Content-Type: text/{kind}; charset=utf-8\n\n{text}"


ATTRIBUTIONS = [
    "On Mon, Mar 2, 2026 at 9:00 AM Ben Long-Name\n<ben@example.org> wrote:",
    "Am 02.03.26 um 09:00 schrieb Ben:",
    "Am Montag, dem 02.03.2026 schrieb Ben <ben@example.org> per Telefon:",
    "Le lun. 2 mars 2026 à 09:00, Ben <ben@example.org> a écrit :",
    "El lun, 2 mar 2026 a las 9:00, Ben (<ben@example.org>) escribió:",
    "Il giorno lun 2 mar 2026 alle ore 09:00 Ben <ben@example.org> ha scritto:",
    "Em seg., 2 de mar. de 2026 às 09:00, Ben <ben@example.org> escreveu:",
    "Op ma 2 mrt 2026 om 09:00 schreef Ben <ben@example.org>:",
    "Den mån 2 mars 2026 kl 09:00 skrev Ben <ben@example.org>:",
    "pon., 2 mar 2026 o 09:00 Ben <ben@example.org> napisał(a):",
    "пн, 2 мар. 2026 г. в 09:00, Ben <ben@example.org>:\n> пишет\n",
    "Ben <ben@example.org> 于2026年3月2日周一 写道：",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_a_quote_at_the_end_is_folded(attribution: str) -> None:
    quoted = "> Lunch at noon?\n>\n> > Hungry.\n> Ben\n"
    folded = body(reply(f"Yes, gladly.\n\n{attribution}\n\n{quoted}"))
    assert folded.startswith("Yes, gladly.\n\n")
    assert "quoted lines left out]" in folded
    assert "noon" not in folded


def test_answers_between_keep_what_they_answer() -> None:
    questions = "".join(f"> line {n}\n" for n in range(9))
    text = f"On 2 March Ben wrote:\n{questions}> When?\n\nAt noon.\n\n> Where?\n\nHere.\n\n> Ben\n"
    document = parsed(reply(text))
    assert body(reply(text)) == (
        "On 2 March Ben wrote:\n\n[… 5 quoted lines left out]\n\n> line 5\n> line 6\n> line 7\n"
        "> line 8\n> When?\n\nAt noon.\n\n> Where?\n\nHere.\n\n[… 1 quoted line left out]"
    )
    assert document.metadata["quoted_lines_left_out"] == 6


@pytest.mark.parametrize(
    "original",
    [
        "-----Original Message-----\nFrom: Ben\n\nLunch?",
        "-----Ursprüngliche Nachricht-----\nLunch?",
        "________________________________\nFrom: Ben\nSent: Monday\nTo: Ana\nSubject: L\n\nLunch?",
        "Von: Ben <b@x>\nGesendet: Montag\nAn: Ana\nBetreff: L\n\nLunch?",
        "*From:* Ben\n*Date:* Monday\n*To:* Ana\n*Subject:* L\n\nLunch?",
        "De : Ben\nEnvoyé : lundi\nÀ : Ana\nObjet : L\n\nLunch?",
    ],
)
def test_outlook_puts_the_earlier_message_below(original: str) -> None:
    folded = body(reply(f"Yes.\n\n{original}\n"))
    assert folded.startswith("Yes.")
    assert folded.endswith("left out]")
    assert "Lunch" not in folded


HTML_QUOTES = {
    "gmail": '<div class="gmail_quote"><div class="gmail_attr">On Mon, 2 Mar 2026 Ben &lt;<a>b@x'
    "</a>&gt; wrote:<br></div><blockquote><p>Lunch?</p></blockquote></div>",
    "apple": '<blockquote type="cite"><div>On 2 March, Ben wrote:</div><p>Lunch?</p></blockquote>',
    "yahoo": '<div class="yahoo_quoted"><div>On Monday Ben &lt;b@x&gt; wrote:</div>Lunch?</div>',
    "outlook": '<div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Ben<br><b>Sent:</b> 2 '
    "March<br><b>To:</b> Ana<br><b>Subject:</b> L</p></div><p>Lunch?</p>",
    "thunderbird": '<div class="moz-cite-prefix">Am 02.03.26 um 09:00 schrieb Ben:<br></div>'
    '<blockquote type="cite">Lunch?</blockquote>',
}


@pytest.mark.parametrize("mailer", HTML_QUOTES)
def test_quotes_in_html_are_folded(mailer: str) -> None:
    folded = body(reply(f"<div>Yes.</div>{HTML_QUOTES[mailer]}", html=True))
    assert folded.startswith("Yes.\n\n[…")
    assert "Lunch" not in folded


@pytest.mark.parametrize(
    "text",
    [
        "> only\n> a quote",
        "-- \nAna\n\n> signature and quote",
        "FYI\n\n---------- Forwarded message ---------\nFrom: Ben\n\n> Lunch?\n",
        "FYI\n\nBegin forwarded message:\n\n> From: Ben\n>\n> Lunch?",
        "On 2 March I wrote:\nnothing at all.",
        "From: Berlin\nDate: Monday\nTo: Munich",
    ],
)
def test_what_is_no_repetition_stays(text: str) -> None:
    assert body(reply(text)) == text.strip()


def test_a_quote_in_a_message_that_answers_nothing_stays() -> None:
    head = "From: a@b\nSubject: Poem\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n"
    for text in (
        "I like this:\n\n> Tyger Tyger\n> burning bright",
        "In 1794 Blake wrote:\n\n> Tyger Tyger",
    ):
        assert body(reply(text, head=head)) == text
    text = "Yes.\n\nOn Mon, 2 Mar 2026 at 9:00, Ben wrote:\n> Lunch?"
    assert body(reply(text, head=head)) == "Yes.\n\n[… 2 quoted lines left out]"
    forward = head.replace("Poem", "WG: Lunch")
    text = "See below.\n\nVon: Ben\nGesendet: Montag\nAn: Ana\nBetreff: Lunch\n\nLunch?"
    assert body(reply(text, head=forward)) == text


def test_long_signatures_are_folded_short_ones_kept() -> None:
    assert body(reply("Yes.\n\n-- \nAna\nTel. 1")) == "Yes.\n\n-- \nAna\nTel. 1"
    long = "\n".join(f"line {n}" for n in range(9))
    assert body(reply(f"Yes.\n-- \n{long}")) == "Yes.\n\n[… 9 signature lines left out]"
    html = "<div>Yes.</div><div class='gmail_signature'>" + long.replace("\n", "<br>") + "</div>"
    assert body(reply(html, html=True)) == "Yes.\n\n[… 9 signature lines left out]"
