"""Parses source code with tree-sitter, each language by the grammar that its own wheel carries.

What the nodes of a tree mean for cutting belongs to `syntax_nodes`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node

_MAX_BYTES = 4 * 1024 * 1024
_MAX_PROGRESS_CALLS = 60_000
_MAX_ERROR_SHARE = 0.25

# By language the grammars that may read it, the likeliest first: `module:function`. Suffixes do not
# tell C from C++ headers, nor TypeScript with JSX from TypeScript.
_GRAMMARS: Final = {
    "bash": ("tree_sitter_bash:language",),
    "c": ("tree_sitter_c:language", "tree_sitter_cpp:language"),
    "cpp": ("tree_sitter_cpp:language",),
    "csharp": ("tree_sitter_c_sharp:language",),
    "go": ("tree_sitter_go:language",),
    "java": ("tree_sitter_java:language",),
    "javascript": ("tree_sitter_javascript:language",),
    "php": ("tree_sitter_php:language_php",),
    "python": ("tree_sitter_python:language",),
    "ruby": ("tree_sitter_ruby:language",),
    "rust": ("tree_sitter_rust:language",),
    "typescript": (
        "tree_sitter_typescript:language_typescript",
        "tree_sitter_typescript:language_tsx",
    ),
}


def parsed(source: bytes, language: str) -> Node | None:
    """The syntax tree of source code.

    Args:
        source: UTF-8.
        language: as parsers name it.

    Returns:
        The root; None where no grammar knows the language, or too little of the text is in it.
    """
    if language not in _GRAMMARS or len(source) > _MAX_BYTES:
        return None
    best: tuple[int, Node] | None = None
    for grammar in _GRAMMARS[language]:
        root = _root(source, grammar)
        if root is None:
            continue
        errors = _error_bytes(root)
        if best is None or errors < best[0]:
            best = errors, root
        if not errors:
            break
    if best is None or best[0] > _MAX_ERROR_SHARE * len(source):
        return None
    return best[1]


def _root(source: bytes, grammar: str) -> Node | None:
    """The tree that one grammar gives; None where it does not come to an end."""
    from tree_sitter import Language, Parser

    module, _, function = grammar.partition(":")
    parser = Parser(Language(getattr(importlib.import_module(module), function)()))
    # Garbage may keep the error recovery busy for long. The parser calls back after a fixed number
    # of steps, so that counting the calls stops it at the same place each time.
    calls = 0

    def stops(_offset: int, _has_error: bool) -> bool:
        nonlocal calls
        calls += 1
        return calls > _MAX_PROGRESS_CALLS

    def read(offset: int, _point: object) -> bytes:
        return source[offset : offset + 65536]

    try:
        return parser.parse(read, encoding="utf8", progress_callback=stops).root_node
    except ValueError:
        return None


def _error_bytes(root: Node) -> int:
    """How much of the text lies in nodes that the grammar could not read."""
    if not root.has_error:
        return 0
    total, pending = 0, [root]
    while pending:
        node = pending.pop()
        if node.is_error:
            # Whole statements inside were understood again; single words tell nothing.
            again = [c for c in node.children if c.is_named and c.end_point.row > c.start_point.row]
            inner = sum(child.end_byte - child.start_byte for child in again)
            total += max(1, node.end_byte - node.start_byte - inner)
        elif node.is_missing:
            total += 1
        pending += [child for child in node.children if child.has_error or child.is_missing]
    return total
