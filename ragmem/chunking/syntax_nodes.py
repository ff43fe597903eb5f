"""What the nodes of syntax trees mean for cutting: definitions and their names, bodies, clauses.

The names of nodes are those of the grammars in `syntax_grammars`, of all languages together: where
two languages share a name, it means the same in both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node

_TITLE_CHARACTERS = 120
_MAX_WRAPPERS = 6
_BODY = re.compile(r"\{.*\}", re.DOTALL)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DEFINITIONS: Final = _words(
    """
    function_definition class_definition function_declaration generator_function_declaration
    class_declaration abstract_class_declaration method_definition method_declaration
    constructor_declaration compact_constructor_declaration destructor_declaration
    interface_declaration enum_declaration record_declaration annotation_type_declaration
    struct_declaration namespace_declaration file_scoped_namespace_declaration
    operator_declaration conversion_operator_declaration indexer_declaration
    type_alias_declaration internal_module module type_declaration
    function_item struct_item enum_item trait_item impl_item mod_item union_item macro_definition
    namespace_definition trait_declaration concept_definition
    class method singleton_method singleton_class
    """
)
"""Nodes that are definitions by themselves."""

_WITH_BODY: Final = _words(
    "struct_specifier class_specifier union_specifier enum_specifier property_declaration"
)
"""Nodes that are definitions where they have a body, else only mention one."""

_FUNCTION_VALUES: Final = _words(
    "arrow_function function_expression generator_function class function"
)
"""Values that make what they are assigned to a definition."""

_WRAPPERS: Final = _words(
    """
    decorated_definition export_statement ambient_declaration template_declaration type_definition
    declaration field_declaration lexical_declaration variable_declaration variable_declarator
    expression_statement assignment_expression public_field_definition field_definition pair
    """
)
"""Nodes around a definition that belong to it."""

_CONTAINERS: Final = _words(
    """
    block statement_block compound_statement statement_list body_statement block_body then do
    do_block do_group begin class_body class_static_block interface_body enum_body
    enum_body_declarations constructor_body annotation_type_body object_type switch_body
    switch_block switch_block_statement_group declaration_list field_declaration_list
    enumerator_list enum_variant_list enum_member_declaration_list enum_declaration_list match_block
    accessor_list linkage_specification preproc_if preproc_ifdef preproc_else preproc_elif
    const_declaration var_declaration var_spec_list import_spec_list interface_type ERROR
    dictionary list set object array hash initializer_list literal_value
    array_creation_expression else_clause case_statement expression_case type_case default_case
    switch_case switch_default switch_section case_item else elsif rescue ensure when
    """
)
"""Nodes whose children follow one another: statements, members, entries."""

_CLAUSES: Final = _words(
    """
    else_clause elif_clause except_clause except_group_clause finally_clause catch_clause
    case_clause else elsif rescue ensure when else_if_clause case_item
    preproc_else preproc_elif preproc_elifdef
    """
)
"""Nodes that go on with a statement and that a chunk may begin with."""

LEADING: Final = _words(
    """
    comment line_comment block_comment doc_comment attribute_item inner_attribute_item
    access_specifier
    """
)
"""Nodes that belong to what stands below them."""

TRANSPARENT: Final = _words("statement_list enum_body_declarations")
"""Nodes that only stand for all their children."""

_ANNOTATION = re.compile(r"(?:@[\w.]+(?:\([^()]*\))?|\[[^\[\]]*\]|#\[[^\[\]]*\])\s*+")


def holds_a_sequence(node: Node) -> bool:
    """Whether a chunk may begin with any of the node's children."""
    return node.type in _CONTAINERS


def continues_a_statement(node: Node) -> bool:
    """Whether the node is a clause of the statement around it."""
    return node.type in _CLAUSES


def definition_title(node: Node) -> str:
    """What a definition is called in its own words, such as `class Garden`.

    Args:
        node: any node.

    Returns:
        One line; empty where the node is no definition.
    """
    outer: Node | None = None
    inner: Node | None = node
    for _ in range(_MAX_WRAPPERS):
        if inner is None:
            return ""
        if inner.type in DEFINITIONS and inner.is_named:
            return _title(inner, inner)
        if inner.type in _WITH_BODY:
            if inner.child_by_field_name("body") is None and not _accessors(inner):
                return ""
            return _title(inner, outer or inner)
        if inner.type in _FUNCTION_VALUES:
            return _title(inner, outer) if outer is not None else ""
        if inner.type not in _WRAPPERS:
            return ""
        # `export` and `template` say nothing of what is defined.
        outer = outer if outer is not None or _says_nothing(inner) else inner
        inner = _wrapped(inner)
    return ""


def _says_nothing(node: Node) -> bool:
    return node.type in (
        "export_statement",
        "template_declaration",
        "decorated_definition",
        "expression_statement",
        "ambient_declaration",
    )


def _accessors(node: Node) -> bool:
    return node.child_by_field_name("accessors") is not None


def _wrapped(node: Node) -> Node | None:
    """The definition, or the next wrapper, inside a wrapper."""
    for child in reversed(node.named_children):
        if child.type in DEFINITIONS | _WITH_BODY | _FUNCTION_VALUES | _WRAPPERS:
            return child
    return None


def _title(inner: Node, outer: Node) -> str:
    """The text from a definition's beginning to the end of its name."""
    name = inner.child_by_field_name("name")
    if name is None and outer.id != inner.id:
        name = _assigned(outer)
    if name is None:
        name = inner.child_by_field_name("declarator") or inner.child_by_field_name("type")
        while name is not None and (deeper := _declared(name)) is not None:
            name = deeper
    if name is None and inner.type == "type_declaration":
        name = inner.named_children[0].child_by_field_name("name") if inner.named_children else None
    text = outer.text or b""
    start, end = outer.start_byte, name.end_byte if name is not None else outer.end_byte
    words = text[: max(0, end - start)].decode("utf-8", "replace")
    if name is None:
        words = words.partition("\n")[0].rstrip().rstrip("{:(").rstrip()
    words = _BODY.sub(" ", words)
    while match := _ANNOTATION.match(words):
        words = words[match.end() :]
    return " ".join(words.split())[:_TITLE_CHARACTERS]


def _assigned(node: Node) -> Node | None:
    """What a function or class without a name is assigned to."""
    at: Node | None = node
    while at is not None:
        for field in ("left", "key", "name", "property"):
            if (name := at.child_by_field_name(field)) is not None:
                return name
        at = next((child for child in at.named_children if child.type in _WRAPPERS), None)
    return node.child_by_field_name("declarator")


def _declared(node: Node) -> Node | None:
    """The declarator inside a declarator."""
    inner = node.child_by_field_name("declarator")
    if inner is None and node.type in ("reference_declarator", "parenthesized_declarator"):
        inner = node.named_children[-1] if node.named_children else None
    return inner
