"""Text that needs little: plain text, source code, Markdown, and other markup turned into it.

reStructuredText, AsciiDoc, Org and LaTeX are not rendered: their headings and code blocks are
rewritten as Markdown's, so that structure is found, and everything else stays as it was written.
"""

from __future__ import annotations

import re

from ragmem.types import ParsedDocument

from .assembly import clean_text, fence
from .encoding import decode_text

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:(.+)$", re.MULTILINE)
_QUOTED = re.compile(r"(['\"]?)(.+)\1")
_LATEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph")
_BRACED = r"\{((?:[^{}]|\{[^{}]*\})+)\}"
_LATEX = re.compile(rf"^[ \t]*\\({'|'.join(_LATEX_LEVELS)})\*?(?:\[[^\]]*\])?{_BRACED}(.*)$")
_LATEX_TITLE = re.compile(r"\\title(?:\[[^\]]*\])?\{([^{}]+)\}")
_MARKED_HEADING = {
    ".adoc": re.compile(r"^(={1,6})[ \t]+(\S.*)$"),
    ".asciidoc": re.compile(r"^(={1,6})[ \t]+(\S.*)$"),
    ".org": re.compile(r"^(\*{1,6})[ \t]+(\S.*)$"),
}
_RULE = re.compile(r"^([=\-`:.'\"~^_*+#<>])\1+[ \t]*$")
_RST_CODE = re.compile(
    r"^([ \t]*)\.\.[ \t]+(?:code-block|code|sourcecode)::[ \t]*([\w+#-]*)[ \t]*$"
)


def parse_plain(content: bytes) -> ParsedDocument:
    """Parse plain text.

    Raises:
        ParseError: the bytes are not text.
    """
    text, warnings = decode_text(content)
    return ParsedDocument(text=text, text_format="plain", warnings=warnings)


def parse_code(content: bytes, *, language: str) -> ParsedDocument:
    """Parse source code, which stays as it is.

    Raises:
        ParseError: the bytes are not text.
    """
    text, warnings = decode_text(content)
    return ParsedDocument(text=text, text_format="code", language=language, warnings=warnings)


def parse_markdown(content: bytes) -> ParsedDocument:
    """Parse Markdown, which stays as it is; a title may stand in its front matter.

    Raises:
        ParseError: the bytes are not text.
    """
    text, warnings = decode_text(content)
    text = clean_text(text)
    front = _FRONT_MATTER.match(text)
    named = _FRONT_TITLE.search(front[1]) if front else None
    title = _QUOTED.fullmatch(named[1].strip()) if named else None
    return ParsedDocument(
        text=text,
        text_format="markdown",
        title=title[2] if title else "",
        media_type="text/markdown",
        warnings=warnings,
    )


def parse_markup(content: bytes, *, suffix: str) -> ParsedDocument:
    """Parse reStructuredText, AsciiDoc, Org or LaTeX into Markdown structure.

    Raises:
        ParseError: the bytes are not text.
    """
    text, warnings = decode_text(content)
    lines = clean_text(text).split("\n")
    title = ""
    if suffix in _MARKED_HEADING:
        converted = _marked_headings(lines, _MARKED_HEADING[suffix])
        media_type = "text/x-org" if suffix == ".org" else "text/asciidoc"
    elif suffix == ".tex":
        converted = _latex_headings(lines)
        named = _LATEX_TITLE.search(text)
        title = named[1] if named else ""
        media_type = "text/x-tex"
    else:
        converted = _rst_code(_rst_headings(lines))
        media_type = "text/x-rst"
    return ParsedDocument(
        text="\n".join(converted),
        text_format="markdown",
        title=title,
        media_type=media_type,
        warnings=warnings,
    )


def _marked_headings(lines: list[str], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{'#' * len(match[1])} {match[2]}" if (match := pattern.match(line)) else line
        for line in lines
    ]


def _latex_headings(lines: list[str]) -> list[str]:
    def level(name: str) -> int:
        return max(1, _LATEX_LEVELS.index(name) - 1)

    result: list[str] = []
    for line in lines:
        match = _LATEX.match(line)
        result.append(f"{'#' * level(match[1])} {match[2].strip()}" if match else line)
        if match and match[3].strip():
            result.append(match[3].strip())
    return result


def _rst_headings(lines: list[str]) -> list[str]:
    """Underlined headings as `#` ones; styles get levels in the order they first appear."""
    styles: list[tuple[str, bool]] = []
    result: list[str] = []
    position = 0
    while position < len(lines):
        overlined = _is_overlined(lines, position)
        at = position + 1 if overlined else position
        rule = lines[at + 1].rstrip() if at + 1 < len(lines) else ""
        if overlined or _is_underlined(lines[at], rule, above=result[-1] if result else ""):
            style = (rule[0], overlined)
            if style not in styles:
                styles.append(style)
            result.append(f"{'#' * min(6, styles.index(style) + 1)} {lines[at].strip()}")
            position = at + 2
        else:
            result.append(lines[position])
            position += 1
    return result


def _is_overlined(lines: list[str], position: int) -> bool:
    if position + 2 >= len(lines) or not _RULE.match(lines[position]):
        return False
    over, title, under = (line.rstrip() for line in lines[position : position + 3])
    return over == under and bool(title.strip()) and len(title.strip()) <= len(over)


def _is_underlined(title: str, rule: str, *, above: str) -> bool:
    plain = title.strip() and not title[0].isspace() and not _RULE.match(title)
    return bool(plain and _RULE.match(rule) and len(rule) >= len(title.rstrip())) and (
        not above.strip()
    )


def _rst_code(lines: list[str]) -> list[str]:
    """`code-block` directives and `::` paragraphs as fenced code."""
    result: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        directive = _RST_CODE.match(line)
        literal = line.rstrip().endswith("::") and not line.lstrip().startswith("..")
        position += 1
        if not directive and not literal:
            result.append(line)
            continue
        block, end = _indented(lines, position, len(line) - len(line.lstrip()))
        if not block:
            result.append(line)
            continue
        if line.strip() != "::" and not directive:
            result.append(line.rstrip()[:-1])
        if result and result[-1].strip():
            result.append("")
        result += fence("\n".join(block), directive[2] if directive else "").split("\n")
        position = end
    return result


def _indented(lines: list[str], start: int, outside: int) -> tuple[list[str], int]:
    """The block indented deeper than `outside`, without its options, and where it ends."""
    end = start
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > outside
    ):
        end += 1
    block = lines[start:end]
    while block and (not block[0].strip() or re.match(r"^[ \t]+:[\w-]+:", block[0])):
        block.pop(0)
    while block and not block[-1].strip():
        block.pop()
        end -= 1
    indent = min((len(line) - len(line.lstrip()) for line in block if line.strip()), default=0)
    return [line[indent:] for line in block], end
