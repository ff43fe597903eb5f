"""The definitions of a source file, found by keywords and indentation.

Works alike for the languages that indent what belongs to a definition, which formatted code in
nearly every language does. It is no parser: what it takes for a definition only decides where
chunks begin and which lines stand above them.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^[^\S\n]*+\S[^\n]*", re.MULTILINE)
_KEYWORD_DEFINITION = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub|"
    r"pub\([^()]*\)|unsafe|extern|inline|virtual|override|sealed|partial|open|data|suspend|"
    r"declare)\s++)*+"
    r"(?:class|def|function|func|fn|fun|struct|enum|trait|impl|interface|module|mod|namespace|"
    r"protocol|object|record|union|extension|defmodule|defp)\b"
)
_CONTROL = re.compile(
    r"(?:\}\s*)?(?:if|else|elif|for|foreach|while|switch|match|catch|try|do|return|with|case|when|"
    r"unless|until|loop|using|lock|select|finally|except|throw|await|yield)\b"
)
_LEADING = re.compile(r"@|#\[|//|/\*|\*|--\s|#(?!\s*(?:if|else|elif|endif|define|include)\b)|'''|;")
_CONTINUES = re.compile(r"[{})\]#]|end\b")
_TITLE_CHARACTERS = 120
_MAX_LEVEL = 6


def definition_spans(text: str) -> list[tuple[int, int, int, str]]:
    """Cut source code where definitions begin and end.

    Args:
        text: source code in any language.

    Returns:
        (start, end, level, title) in order: whole lines, comments and decorators with the
        definition below them. `title` is the definition's own line, `level` counts the enclosing
        definitions from 1; code after a definition's end has its level and no title, code before
        the first definition the level 0.
    """
    lines = [match.span() for match in _LINE.finditer(text)]
    openings: list[tuple[int, int, str]] = []
    enclosing: list[int] = []
    for index, (start, end) in enumerate(lines):
        code = text[start:end].lstrip()
        indent = len(text[start:end].expandtabs(4)) - len(code.expandtabs(4))
        following = (
            text[lines[index + 1][0] : lines[index + 1][1]] if index + 1 < len(lines) else ""
        )
        if _is_definition(code.rstrip(), following.strip()):
            while enclosing and enclosing[-1] >= indent:
                enclosing.pop()
            enclosing.append(indent)
            first = _first_leading_line(text, lines, index, openings[-1][0] if openings else -1)
            title = code.rstrip().rstrip("{:(").rstrip()[:_TITLE_CHARACTERS]
            openings.append((first, min(len(enclosing), _MAX_LEVEL), title))
        elif (
            enclosing
            and indent <= enclosing[-1]
            and not (_CONTINUES.match(code) or _LEADING.match(code))
        ):
            while enclosing and enclosing[-1] >= indent:
                enclosing.pop()
            openings.append((index, min(len(enclosing) + 1, _MAX_LEVEL), ""))
    return _spans(lines, openings)


def _spans(
    lines: list[tuple[int, int]], openings: list[tuple[int, int, str]]
) -> list[tuple[int, int, int, str]]:
    """The stretches between openings, each given as (line, level, title)."""
    if not lines:
        return []
    if not openings or openings[0][0] > 0:
        openings = [(0, 0, ""), *openings]
    stops = [opening[0] for opening in openings[1:]] + [len(lines)]
    return [
        (lines[first][0], lines[stop - 1][1], level, title)
        for (first, level, title), stop in zip(openings, stops, strict=True)
    ]


def _is_definition(code: str, following: str) -> bool:
    """Whether a line without its indentation opens a definition."""
    if _KEYWORD_DEFINITION.match(code):
        return not code.endswith(";")
    if "(" not in code or _CONTROL.match(code) or not (code[0].isalpha() or code[0] in "_~"):
        return False
    return code.endswith("{") or (following == "{" and code.endswith(")"))


def _first_leading_line(text: str, lines: list[tuple[int, int]], index: int, taken: int) -> int:
    """The first of the comment and decorator lines right above a definition."""
    first = index
    while first - 1 > taken and lines[first - 1][1] + 1 == lines[first][0]:
        start, end = lines[first - 1]
        if not _LEADING.match(text[start:end].lstrip()):
            break
        first -= 1
    return first
