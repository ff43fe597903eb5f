"""Bodies of bounded size: decompression that stops at a limit, counted after it.

Nothing here talks to the network.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from ragmem.errors import PermanentSourceError, TransientSourceError

from .file_reasons import too_long

GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def bounded(parts: Iterable[bytes], *, max_bytes: int) -> bytes:
    """Join parts of a body.

    Raises:
        PermanentSourceError: it is longer than allowed.
    """
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > max_bytes:
            raise too_long(max_bytes)
    return bytes(body)


def gunzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip in pieces of at most a mebibyte, however much they were packed.

    Raises:
        PermanentSourceError: it is not gzip.
        TransientSourceError: the end is missing.
    """
    inflater = zlib.decompressobj(_GZIP)
    seen = False
    try:
        for part in parts:
            rest = part
            while rest:
                seen = True
                if inflater.eof:
                    if not rest.startswith(GZIP_MAGIC):
                        return  # padding behind the last member
                    inflater = zlib.decompressobj(_GZIP)
                yield inflater.decompress(rest, _PIECE_BYTES)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise PermanentSourceError(f"cannot be unpacked as gzip: {error}") from error
    if seen and not inflater.eof:
        raise TransientSourceError("the end of the packed body is missing")
