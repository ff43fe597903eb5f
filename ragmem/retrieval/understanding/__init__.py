"""Reading a question before anything is searched, one technique a module.

`spelling` and `dates` follow rules; the others ask a chat model, as `prompting` does it. What is
searched with the result is `ragmem.retrieval.search`'s business.
"""

from __future__ import annotations

from typing import Literal

DATE_FIELDS = ("sent_at", "published_at", "created_at", "modified_at")
"""The metadata that tell a document's date, as connectors and formats name them."""

DATE_LANGUAGES = ("en", "de", "fr", "es")
"""The languages in which times are read by default."""

Technique = Literal[
    "spelling", "dates", "self_query", "multi_query", "hyde", "step_back", "decompose"
]
