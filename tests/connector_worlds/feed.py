"""A feed of two entries, one with a page of its own and one without."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web_server import Answer, page, serving

from connectors.feed import FeedConnector


@contextmanager
def opened(folder: Path) -> Iterator[FeedConnector]:
    feed = b"""<rss version="2.0"><channel><title>Ducks</title>
      <item><title>One</title><link>/1</link><guid>one</guid></item>
      <item><title>Two</title><guid isPermaLink="false">two</guid>
        <description>Ducks can dive.</description></item></channel></rss>"""
    with serving() as server:
        server.answers = {
            "/feed": Answer(body=feed, content_type="application/rss+xml", etag='"1"'),
            "/1": page("Ducks swim on the pond all day."),
        }
        yield FeedConnector(
            f"feed+{server.url('/feed')}", allow_hosts=(server.host,), requests_per_second=1000
        )
