"""What is remembered of a page between runs, so that an unchanged one is not sent again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from ragmem.ports import Notes

from .guarded_http import Reply, Validators
from .web_page import Page

_VERSION = 1


class NoNotes:
    """Notes of a run that keeps none."""

    def read(self, key: str) -> str | None:  # noqa: ARG002 - nothing was written
        """Nothing."""
        return None

    def write(self, key: str, value: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNote:
    """A page as it was, and what its server calls that version."""

    validators: Validators
    page: Page


def read_note(notes: Notes, url: str, *, reading: str) -> PageNote | None:
    """The note on an address, None where there is none from a run that read as this one does."""
    text = notes.read(_key(url))
    if text is None:
        return None
    try:
        noted = json.loads(text)
        if (noted["version"], noted["reading"]) != (_VERSION, _token(reading)):
            return None
        page = noted["page"]
        return PageNote(
            validators=Validators(**noted["validators"]),
            page=Page(**{**page, "links": tuple(page["links"])}),
        )
    except (ValueError, KeyError, TypeError):
        return None  # another version's, or damaged: read the page again


def write_note(notes: Notes, url: str, reply: Reply, page: Page, *, reading: str) -> None:
    """Remember a page, where its server can tell later whether it changed."""
    validators = reply.validators
    if not validators.headers():
        return
    kept = {
        "address": page.address,
        "canonical": page.canonical,
        "links": page.links,
        "fingerprint": page.fingerprint,
        "reason": page.reason,
    }
    noted = {
        "version": _VERSION,
        "reading": _token(reading),
        "validators": asdict(validators),
        "page": kept,
    }
    notes.write(_key(url), json.dumps(noted).replace("\\u0000", ""))


def _token(reading: str) -> str:
    return hashlib.sha256(reading.encode()).hexdigest()[:16]


def _key(url: str) -> str:
    return f"page {url}"
