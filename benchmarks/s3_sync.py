"""A bucket of ten thousand objects, listed and fetched twice through the connector.

An S3 server (moto) on this machine counts what it is asked: the second pass must read no body.
Run it with `python benchmarks/s3_sync.py`; it needs the development extra.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unittest.mock import patch

from figures import Figure, arguments, show, tell

from connectors.remote import RemoteFilesConnector
from ragmem.types import SourceItem

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from s3_server import BUCKET, CREDENTIALS, S3Server, s3_server

_ROUND = 200


@dataclass(frozen=True)
class Pass:
    """What one look over the bucket took; `versions` is what the next is compared with."""

    seconds: float
    listings: int
    bodies: int
    versions: dict[str, str]


def look(server: S3Server, connector: RemoteFilesConnector, known: dict[str, str]) -> Pass:
    """List the bucket and fetch, several at a time, what is not known in its version."""
    server.asked.clear()
    started = time.perf_counter()
    versions: dict[str, str] = {}
    with ThreadPoolExecutor(connector.parallel_fetches) as threads:
        listing = iter(connector.discover())
        while found := list(islice(listing, _ROUND)):
            items = [each for each in found if isinstance(each, SourceItem)]
            versions |= {each.uri: each.fingerprint for each in items}
            new = [each for each in items if known.get(each.uri) != each.fingerprint]
            for raw in threads.map(connector.fetch, new):
                assert raw.content
    connector.close()
    return Pass(
        seconds=time.perf_counter() - started,
        listings=server.asked["list"],
        bodies=server.asked["get"],
        versions=versions,
    )


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--objects", type=int, default=10_000)
    options = parser.parse_args()
    with patch.dict(os.environ, CREDENTIALS), s3_server() as server:
        tell(f"{options.objects:,} objects")
        server.fill(options.objects)
        connector = RemoteFilesConnector(f"s3://{BUCKET}/docs/", endpoint_url=server.url)
        first = look(server, connector, {})
        second = look(server, connector, first.versions)
        server.put("docs/00000.md", "changed")
        third = look(server, connector, second.versions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    show(
        "s3_sync",
        [
            Figure("objects listed", len(first.versions), "", aim=str(options.objects)),
            Figure("first pass", first.seconds, "s"),
            Figure("first pass, bodies read", first.bodies, "", aim=str(options.objects)),
            Figure("second pass", second.seconds, "s"),
            Figure("second pass, listing requests", second.listings, ""),
            Figure("second pass, bodies read", second.bodies, "", aim="0"),
            Figure("after one change, bodies read", third.bodies, "", aim="1"),
            Figure("peak memory, server included", peak, "MiB"),
        ],
        as_json=options.as_json,
    )
    if (first.bodies, second.bodies, third.bodies) != (options.objects, 0, 1):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
