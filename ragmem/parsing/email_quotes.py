"""Folding what a message repeats: quoted earlier messages and long signatures.

Works on lines of Markdown, where quotes begin with `>`: bodies in HTML are rendered before. A fold
leaves a visible line in the text, so that nobody takes what is left for the whole.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

_QUOTED = re.compile(r"^ {0,3}>(?!From )")
_LONGEST_MATCHED = 400
_KEPT_LINES = 5
_LONGEST_SIGNATURE = 5
_SIGNATURE = re.compile(r"^-- ?$")
_WROTE = (
    r"wrote|writes|schrieb\b.*|schreibt|a écrit|escribió|escribio|ha scritto|escreveu|schreef\b.*|"
    r"skrev\b.*|pisze|napisał(?:\(a\)|a)?|napsal(?:\(a\)|a)?|пишет|"
    r"написал(?:\(а\)|а)?|kirjoitti|yazdı|ha escrit|a scris|írta|έγραψε|"
    r"写道|寫道|のメール|書きました|작성"
)
_ATTRIBUTION = re.compile(rf"^\S.*(?:{_WROTE})\s*[:：]\s*$", re.IGNORECASE)
_MOMENT_OR_ADDRESS = re.compile(r"\d|@")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_CLOCK = re.compile(r"\d\d?[:h]\d\d")
_ORIGINAL = re.compile(
    r"^[-_*]{2,}\s*(?:original message|original appointment|ursprüngliche nachricht|"
    r"originalnachricht|message d['’]origine|mensaje original|messaggio originale|"
    r"mensagem original|oorspronkelijk bericht|ursprungligt meddelande|oprindelig meddelelse|"
    r"opprinnelig melding|alkuperäinen viesti|wiadomość oryginalna|původní zpráva|"
    r"исходное сообщение|orijinal mesaj|原始邮件|原始郵件|元のメッセージ|원본 메시지)\s*[-_*]{2,}$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"^(?:[-_*]{2,}\s*)?(?:begin forwarded message|forwarded message|weitergeleitete nachricht|"
    r"anfang der weitergeleiteten nachricht|message transféré|message transmis|"
    r"mensaje reenviado|messaggio inoltrato|mensagem encaminhada|doorgestuurd bericht|"
    r"vidarebefordrat meddelande|videresendt (?:besked|melding)|пересылаемое сообщение|"
    r"转发的邮件|転送されたメッセージ)(?: by .{1,100})?\s*(?:[-_*]{2,}|:)\s*$",
    re.IGNORECASE,
)
_BLOCK_FIELDS = (
    re.compile(r"^\W{0,3}(?:From|Von|De|Da|Van|Från|Fra|Od|От|Kimden|发件人|差出人)\W{0,3}[:：]"),
    re.compile(
        r"^\W{0,3}(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado(?: el)?|Fecha|Inviato|Data|Enviada|"
        r"Verzonden|Skickat|Sendt|Wysłano|Отправлено|Дата|Gönderme Tarihi|发送时间|送信日時)"
        r"\W{0,3}[:：]"
    ),
    re.compile(
        r"^\W{0,3}(?:Subject|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp|Ämne|Emne|Temat|Тема|"
        r"Konu|主题|主旨|件名)\W{0,3}[:：]"
    ),
)
_BLOCK_FIELD_LINES = 6
_BLOCK_LINES = 2 * _BLOCK_FIELD_LINES  # rendered HTML may part them by blank lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A text after folding, and how many lines of quotes it lost."""

    text: str
    quoted_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Lines that belong together; a quote begins with the line that says whose it is, if any.

    Attributes:
        attributed: whether a mailer wrote that line, rather than an author who cites.
    """

    lines: list[str]
    quoted: bool
    attributed: bool = False


def fold_repetitions(text: str, *, is_reply: bool, is_forward: bool) -> Folded:
    """Leave out quoted earlier messages and long signatures.

    A quote after which the author goes on keeps its last lines, for the answer to be understood.
    A message of nothing but a quote, and what is forwarded, stay whole.

    Args:
        text: the body.
        is_reply: whether the headers say that the message answers one; otherwise only quotes that
            say whose words they are count as repetition.
        is_forward: whether the subject says that the message passes one on.
    """
    lines = text.split("\n")
    end = next((at for at, line in enumerate(lines) if _FORWARDED.match(_core(line))), len(lines))
    passed_on, lines = lines[end:], lines[:end]
    runs = _runs(lines, tail_is_quoted=not is_forward, is_reply=is_reply)
    own = [at for at, run in enumerate(runs) if _says_something(run)]
    if not own:
        return Folded(text=text)
    kept: list[str] = []
    left_out = 0
    for at, run in enumerate(runs):
        if not run.quoted:
            kept += _signed(run.lines)
        elif not (is_reply or run.attributed):
            kept += run.lines
        else:
            rest, dropped = _fold(run.lines, answered=at < own[-1])
            kept += rest
            left_out += dropped
    folded = re.sub(r"\n{3,}", "\n\n", "\n".join(kept + passed_on)).strip("\n")
    return Folded(text=folded, quoted_lines=left_out)


def _says_something(run: _Run) -> bool:
    return not run.quoted and _count(_without_signature(run.lines)[0]) > 0


def _runs(lines: list[str], *, tail_is_quoted: bool, is_reply: bool) -> list[_Run]:
    """The lines parted into the author's own and quoted ones, in order."""
    runs: list[_Run] = []
    own: list[str] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            own.append(lines[at])
            at += 1
            continue
        opening = _attribution(lines, at)
        quote_at = _next_filled(lines, at + opening)
        said = " ".join(map(_core, lines[at : at + opening]))
        if quote_at < len(lines) and _QUOTED.match(lines[quote_at]) and (opening or quote_at == at):
            end = _quote_end(lines, quote_at)
            mailers_own = bool(_ADDRESS.search(said) or _CLOCK.search(said))
            runs += [
                _Run(lines=own, quoted=False),
                _Run(lines=lines[at:end], quoted=True, attributed=mailers_own),
            ]
            own, at = [], end
            continue
        unmarked = is_reply and _ADDRESS.search(said)
        if tail_is_quoted and (unmarked or _begins_original(lines, at, is_reply=is_reply)):
            return [
                *runs,
                _Run(lines=own, quoted=False),
                _Run(lines=lines[at:], quoted=True, attributed=True),
            ]
        own.append(lines[at])
        at += 1
    return [*runs, _Run(lines=own, quoted=False)]


def _attribution(lines: list[str], at: int) -> int:
    """How many lines (up to three, as mailers wrap it) say who wrote what follows; 0 for none."""
    joined = ""
    for taken, line in enumerate(lines[at : at + 3], start=1):
        if not line.strip() or _QUOTED.match(line):
            return 0
        joined = f"{joined} {_core(line)}".strip()[:_LONGEST_MATCHED]
        if joined.endswith((":", "：")) and _ATTRIBUTION.match(joined):
            return taken if _MOMENT_OR_ADDRESS.search(joined) else 0
    return 0


def _next_filled(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _quote_end(lines: list[str], at: int) -> int:
    """Where a quote ends; blank lines inside belong to it."""
    end = at
    while at < len(lines):
        if _QUOTED.match(lines[at]):
            end = at + 1
        elif lines[at].strip():
            break
        at += 1
    return end


def _begins_original(lines: list[str], at: int, *, is_reply: bool) -> bool:
    """Whether an earlier message begins here as Outlook puts it: a rule, or a block of headers."""
    line = _core(lines[at])
    if _ORIGINAL.match(line):
        return True
    sender, *others = _BLOCK_FIELDS
    if not (is_reply and sender.match(line)):
        return False
    following = [_core(each) for each in lines[at + 1 : at + _BLOCK_LINES] if each.strip()]
    return all(
        any(field.match(each) for each in following[:_BLOCK_FIELD_LINES]) for field in others
    )


def _core(line: str) -> str:
    """What is matched of a line, for a line may be as long as a message."""
    return line.strip()[:_LONGEST_MATCHED]


def _fold(lines: list[str], *, answered: bool) -> tuple[list[str], int]:
    """A quote with a marker for what is left out of it, and how many lines that is."""
    filled = [line for line in lines if line.strip(" >")]
    opening: list[str] = []
    kept: list[str] = []
    if answered:
        opening = list(itertools.takewhile(lambda line: not _QUOTED.match(line), filled))
        kept = filled[max(len(opening), len(filled) - _KEPT_LINES) :]
    dropped = len(filled) - len(opening) - len(kept)
    if answered and dropped <= 1:
        return lines, 0
    marker = f"[… {dropped} quoted line{'s' if dropped > 1 else ''} left out]"
    return [*opening, "", marker, "", *kept, ""], dropped


def _without_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    start = next((at for at, line in enumerate(lines) if _SIGNATURE.match(line)), len(lines))
    return lines[:start], lines[start:]


def _signed(lines: list[str]) -> list[str]:
    """The author's lines, a long signature replaced by a marker."""
    text, signature = _without_signature(lines)
    length = _count(signature[1:])
    if length <= _LONGEST_SIGNATURE:
        return lines
    return [*text, "", f"[… {length} signature lines left out]", ""]


def _count(lines: list[str]) -> int:
    return sum(1 for line in lines if line.strip())
