"""Where a model's tokens stand in the text that was given, once its prompt is taken away.

Pure arithmetic on what tokenizers report; who tokenizes is elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def offsets_within(
    spans: Sequence[tuple[int, int]], *, before: int, length: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which tokens belong to the text itself, and where they are.

    Args:
        spans: start and end of each token in what the model read, in characters.
        before: how many characters stood before the text's first; negative where the text began
            with characters that were cut.
        length: of the text.

    Returns:
        Shape (len(spans),), whether the token belongs to the text, and the offsets of those that
        do, shape (kept, 2).
    """
    offsets = np.array(spans, dtype=np.int64).reshape(-1, 2) - before
    # Without anything before, a token of no width at the start belongs to the text as well.
    kept = (offsets[:, 1] > 0) | (before <= 0)
    return kept, np.clip(offsets[kept], 0, length)
