"""Which natural language a text is in."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SAMPLES = 9
_SAMPLE_CHARACTERS = 200
_FEWEST_LETTERS = 24
# Of close relatives (Russian, Bulgarian) a short text leaves both likely; names and tables stay
# below 0.3.
_LEAST_PROBABILITY = 0.45
_LETTERLESS = re.compile(r"[\W\d_]+")


@functools.cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def load_model() -> None:
    """Load what detection needs: for a moment the library keeps it in a temporary file."""
    _identifier()


def detect_language(text: str) -> str:
    """The ISO 639-1 code of a text's language, empty when it is short or the guess is unsure.

    Samples from all over the text are looked at, so that a foreign preface or a bibliography does
    not decide alone.
    """
    step = max(0, len(text) - _SAMPLE_CHARACTERS) // (_SAMPLES - 1)
    if step <= _SAMPLE_CHARACTERS:
        samples = [text]
    else:
        samples = [text[n * step : n * step + _SAMPLE_CHARACTERS] for n in range(_SAMPLES)]
    sample = _LETTERLESS.sub(" ", " ".join(samples)).strip()
    # Languages written without spaces say as much in a third of the letters.
    letters = sum(3 if letter >= "\u2e80" else 1 for letter in sample if letter != " ")
    if letters < _FEWEST_LETTERS:
        return ""
    code, probability = _identifier().classify(sample)
    return str(code) if len(code) == 2 and probability >= _LEAST_PROBABILITY else ""
