"""Which format a file has: by its first bytes where they tell, else by its suffix.

Only names and magic bytes are looked at here; nothing is parsed.
"""

from __future__ import annotations

from typing import Literal

Family = Literal[
    "plain",
    "markdown",
    "markup",
    "code",
    "html",
    "pdf",
    "docx",
    "pptx",
    "spreadsheet",
    "delimited",
    "json",
    "jsonl",
    "email",
    "epub",
]

_FAMILIES: dict[Family, str] = {
    "plain": ".txt .text .log .vtt .srt .nfo .me",
    "markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "markup": ".rst .rest .adoc .asciidoc .org .tex",
    "html": ".html .htm .xhtml",
    "pdf": ".pdf",
    "docx": ".docx .docm .dotx",
    "pptx": ".pptx .pptm .ppsx .potx",
    "spreadsheet": ".xlsx .xlsm .xltx .xls",
    "delimited": ".csv .tsv .tab",
    "json": ".json .geojson .ipynb",
    "jsonl": ".jsonl .ndjson",
    "email": ".eml",
    "epub": ".epub",
}

CODE_LANGUAGES: dict[str, str] = {
    ".asm": "assembly", ".awk": "awk", ".bash": "bash", ".bat": "batch", ".bib": "bibtex",
    ".c": "c", ".cc": "cpp", ".cfg": "ini", ".clj": "clojure", ".cls": "latex",
    ".cmake": "cmake", ".conf": "ini", ".cpp": "cpp", ".cs": "csharp", ".css": "css",
    ".cu": "cuda", ".cxx": "cpp", ".d": "d", ".dart": "dart", ".diff": "diff",
    ".el": "elisp", ".env": "ini", ".erl": "erlang", ".ex": "elixir", ".exs": "elixir",
    ".f90": "fortran", ".fs": "fsharp", ".go": "go", ".gradle": "groovy", ".graphql": "graphql",
    ".groovy": "groovy", ".h": "c", ".hcl": "hcl", ".hpp": "cpp", ".hs": "haskell",
    ".ini": "ini", ".java": "java", ".jl": "julia", ".js": "javascript", ".jsx": "javascript",
    ".kt": "kotlin", ".kts": "kotlin", ".less": "less", ".lisp": "lisp", ".lua": "lua",
    ".m": "matlab", ".mjs": "javascript", ".mk": "make", ".ml": "ocaml", ".nim": "nim",
    ".nix": "nix", ".nxml": "xml", ".pas": "pascal", ".patch": "diff", ".php": "php",
    ".pl": "perl", ".pm": "perl", ".properties": "ini", ".proto": "protobuf",
    ".ps1": "powershell", ".py": "python", ".pyi": "python", ".pyx": "cython", ".r": "r",
    ".rb": "ruby", ".rs": "rust", ".sass": "sass", ".scala": "scala", ".scm": "scheme",
    ".scss": "scss", ".sh": "bash", ".sol": "solidity", ".sql": "sql", ".sty": "latex",
    ".svelte": "svelte", ".swift": "swift", ".tcl": "tcl", ".tf": "hcl", ".toml": "toml",
    ".ts": "typescript", ".tsx": "typescript", ".v": "verilog", ".vb": "vb", ".vhd": "vhdl",
    ".vim": "vim", ".vue": "vue", ".xml": "xml", ".xsd": "xml", ".xsl": "xml", ".yaml": "yaml",
    ".yml": "yaml", ".zig": "zig", ".zsh": "zsh",
}  # fmt: skip

_BY_SUFFIX: dict[str, Family] = {
    **dict.fromkeys(CODE_LANGUAGES, "code"),
    **{suffix: family for family, names in _FAMILIES.items() for suffix in names.split()},
}

SUPPORTED_SUFFIXES: frozenset[str] = frozenset(_BY_SUFFIX) | {""}
"""Lower-case suffixes with their dot; the empty one stands for names without a suffix."""

CODE_NAMES: dict[str, str] = {
    "makefile": "make",
    "dockerfile": "dockerfile",
    "jenkinsfile": "groovy",
    "rakefile": "ruby",
    "gemfile": "ruby",
}
"""File names without a suffix that are code."""

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_BINARY_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"\x7fELF", "program (ELF)"),
    (b"MZ\x90\x00", "program (Windows)"),
    (b"\xcf\xfa\xed\xfe", "program (Mach-O)"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\x00", "xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"OggS", "Ogg recording"),
    (b"ID3", "MP3 recording"),
    (b"fLaC", "FLAC recording"),
    (b"\x00asm", "WebAssembly program"),
    (b"\xca\xfe\xba\xbe", "Java class"),
    (b"{\\rtf", "RTF document (save it as DOCX or PDF)"),
    (b"%!PS", "PostScript document (convert it to PDF)"),
)


def split_suffix(name: str) -> str:
    """The lower-case suffix of a file name with its dot; a leading dot makes none."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem.strip(".") or suffix.isdigit():
        return ""  # the end of a version number, as in Apache-2.0, is no suffix
    return f".{suffix.lower()}"


def family_of_suffix(suffix: str) -> Family | None:
    """The family that a suffix names, None when there is no parser for it."""
    return _BY_SUFFIX.get(suffix)


def is_pdf(content: bytes) -> bool:
    """Whether a PDF header stands where readers accept one."""
    return b"%PDF-" in content[:1024]


def binary_kind(content: bytes) -> str | None:
    """What the bytes are, where they are of a well-known kind that holds no readable text."""
    if content[:4] == b"RIFF" and content[8:12] in (b"WAVE", b"WEBP", b"AVI "):
        return f"{content[8:12].decode().strip()} file"
    if content[4:8] == b"ftyp":
        return "MP4 or HEIF recording or image"
    return next((kind for magic, kind in _BINARY_MAGIC if content.startswith(magic)), None)


def looks_like_html(content: bytes) -> bool:
    """Whether the beginning is an HTML page's."""
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<?xml"):
        return b"<html" in head
    return head.startswith((b"<!doctype html", b"<html"))
