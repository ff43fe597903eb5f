"""`${NAME}` in what a person writes about a source: filled in from the environment.

So passwords stay out of commands, configuration files and the store. What a connector does with
the result is its own business.
"""

from __future__ import annotations

import os
import re

from ragmem.errors import UsageError

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)|pwd|(^|[\W_])pw$|secret|(api|private|account)_?key|"
    r"access_?key(?!_?id)|(^|[\W_])token$|(?-i:Token)$|credential",
    re.IGNORECASE,
)
_PLACE_NAME = re.compile(r"(file|path)$", re.IGNORECASE)


def filled(text: str) -> str:
    """The text with every `${NAME}` replaced by that environment variable.

    Raises:
        UsageError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return os.environ[match[1]]
        except KeyError:
            raise UsageError(
                f"the environment variable {match[1]} is not set; it is asked for by {match[0]}"
            ) from None

    return _PLACEHOLDER.sub(value, text)


def is_secret(name: str) -> bool:
    """Whether a value of that name is a secret, and not the place of one."""
    return bool(_SECRET_NAME.search(name)) and not _PLACE_NAME.search(name)


def check_secret(name: str, value: str) -> None:
    """Refuse a secret that is written out where it would be stored and shown.

    Args:
        name: what the value is for, such as `password`.
        value: as it was written, placeholders not yet filled in.

    Raises:
        UsageError: the name is that of a secret and the value holds more than placeholders.
    """
    if is_secret(name) and _PLACEHOLDER.sub("", value):
        raise UsageError(
            f"{name} is written out; put it into an environment variable and write ${{NAME}} "
            f"in its place, such as ${{{_variable(name)}}}"
        )


def _variable(name: str) -> str:
    return re.sub(r"\W+", "_", name).upper()
