"""Texts of others on their way into a prompt: nothing in them may pass for the prompt's own frame.

Which texts go into which prompt, and between which tags, is the business of whoever asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_CONTROL = re.compile(
    r"<(?=\s*+[|｜]|/?(?:s|bos|eos|unk|pad|think|tool_call|tool_response)>"
    r"|(?:start|end)_of_turn>|<?/?SYS>)"
    r"|\[(?=/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\])"
    r"|(?<=[|｜])>"
)
"""What chat templates of llama, Gemma, Mistral, Qwen, DeepSeek and others set apart turns with."""
_HARMLESS = {"<": "＜", "[": "［", ">": "＞"}


def neutralise(text: str, *, tags: Collection[str]) -> str:
    """Defuse what a model could take for our tags or for a chat template's control tokens.

    The bracket that makes it one becomes its full-width twin: readable, but no markup. Other
    markup, comparisons and addresses stay as they are.

    Args:
        text: anything.
        tags: the names of the tags that the text will stand between or beside.
    """
    names = "|".join(map(re.escape, tags))
    tag = re.compile(rf"<(?=\s*+/?\s*+(?:{names})\b)", re.IGNORECASE)
    return _CONTROL.sub(lambda found: _HARMLESS[found[0]], tag.sub("＜", text))
