"""Reading feeds and the pages of their entries."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from web_server import Answer, WebServer, page, redirect

from connectors.feed import FeedConnector
from connectors.feed_entries import Feed, read_feed
from ragmem.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)
from ragmem.types import RawDocument, SourceItem

HOME = "https://site.example/blog/feed.xml"

RSS2 = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">
 <channel><title>Ducks &amp; geese</title><link>https://site.example/</link>
  <atom:link rel="self" href="https://site.example/feed"/>
  <item><media:title>not this</media:title>
   <title>Duck &lt;b&gt;news&lt;/b&gt; &amp;amp; more</title>
   <link>/blog/1?utm_source=feed</link><guid isPermaLink="false">id-1</guid>
   <pubDate>Tue, 03 Mar 2026 10:00:00 +0100</pubDate><dc:creator>Ana Lind</dc:creator>
   <category>Birds</category><category>Water</category><category>Birds</category>
   <description>Short.</description>
   <content:encoded><![CDATA[<p>The <i>whole</i> text.</p>]]></content:encoded></item>
  <item><guid>https://site.example/2</guid><description>Second</description></item>
 </channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://site.example/atom/">
 <title type="text">Atom ducks</title>
 <entry><id>urn:1</id><title type="html">One &amp;lt;3</title><link rel="edit" href="/edit"/>
  <link href="one.html"/><author><name>Bo</name><email>bo@x</email></author>
  <author><name>Cy</name></author><category term="t1" label="Tag one"/>
  <published>2026-03-03T10:00:00Z</published><updated>2026-03-04T11:30:00.5+02:00</updated>
  <summary>Short &lt; long</summary>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">All <b>of</b> it</div></content>
 </entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
 <channel rdf:about="https://site.example/"><title>RDF ducks</title></channel>
 <item rdf:about="https://site.example/r1"><title>First</title><link>https://site.example/r1</link>
  <dc:date>2026-03-03</dc:date><dc:subject>Birds</dc:subject><description>Text</description></item>
</rdf:RDF>"""


def read(text: str, **options: Any) -> Feed:
    return read_feed(text.encode(), base=HOME, **options)


# --- the formats ---


def test_rss() -> None:
    feed = read(RSS2)
    first, second = feed.entries
    assert feed.title == "Ducks & geese"
    assert (first.id, first.link) == ("id-1", "https://site.example/blog/1")
    assert first.title == "Duck news & more"
    assert first.published == datetime.fromisoformat("2026-03-03T10:00:00+01:00")
    assert (first.authors, first.tags) == (("Ana Lind",), ("Birds", "Water"))
    assert first.html == "<p>The <i>whole</i> text.</p>"
    assert second.link == second.id == "https://site.example/2"


def test_atom() -> None:
    (entry,) = read(ATOM).entries
    assert (entry.id, entry.link) == ("urn:1", "https://site.example/atom/one.html")
    assert (entry.authors, entry.tags) == (("Bo", "Cy"), ("Tag one",))
    assert entry.published == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert entry.updated == datetime.fromisoformat("2026-03-04T11:30:00.500+02:00")
    assert "All <b>of</b> it" in entry.html


def test_rdf() -> None:
    feed = read(RDF)
    (entry,) = feed.entries
    assert feed.title == "RDF ducks"
    assert (entry.id, entry.tags) == ("https://site.example/r1", ("Birds",))
    assert entry.published == datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize("version", ["0.91", "0.92", "2.0"])
def test_old_rss_without_ids(version: str) -> None:
    item = "<item><description>x</description></item>"
    text = f'<rss version="{version}"><channel>{item}</channel></rss>'
    (entry,) = read(text).entries
    assert entry.id
    assert not entry.link
    assert read(text).entries == (entry,)


def test_broken_markup_is_repaired() -> None:
    feed = read("\n\n<rss><channel><title>A&nbsp;& B</title><item><title>x<title></item><item>")
    assert len(feed.entries) >= 1
    assert feed.title.startswith("A")


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("<?xml version='1.0' encoding='iso-8859-1'?>{}".encode("latin-1"), "utf-8"),
        (b"{}", "iso-8859-1"),
        (b"\xef\xbb\xbf{}", "utf-8"),
        (b"{}", "nonsense"),
    ],
)
def test_charsets(content: bytes, charset: str) -> None:
    text = "<rss><channel><title>Gänse</title></channel></rss>"
    encoded = text.encode("latin-1" if b"8859" in content or "8859" in charset else "utf-8")
    feed = read_feed(content.replace(b"{}", encoded), base=HOME, charset=charset)
    assert feed.title == "Gänse"


def test_links_that_lead_nowhere_are_none() -> None:
    for link in (
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://u:p@x/",
        "http://[",
        "mailto:a",
    ):
        (entry,) = read(f"<rss><item><link>{link}</link><title>x</title></item></rss>").entries
        assert not entry.link


@pytest.mark.parametrize("text", ["", "no", "<html><body/></html>", "{}", "\x00", "<urlset/>"])
def test_what_is_no_feed(text: str) -> None:
    with pytest.raises(PermanentSourceError, match="no RSS or Atom feed"):
        read(text)


def test_entities_are_not_expanded() -> None:
    bomb = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 15))
    began = time.monotonic()
    feed = read(
        f'<!DOCTYPE rss [<!ENTITY l0 "lol"><!ENTITY f SYSTEM "file:///etc/passwd">{bomb}]>'
        "<rss><channel><title>&f;</title><item><title>&l14;</title></item></channel></rss>"
    )
    assert time.monotonic() - began < 1
    assert "root:" not in repr(feed)
    assert len(repr(feed)) < 1000


# --- the connector ---


class Remembered(dict[str, str]):
    """Notes that last as long as the test."""

    def read(self, key: str) -> str | None:
        return self.get(key)

    def write(self, key: str, value: str) -> None:
        self[key] = value


Connect = Callable[..., FeedConnector]


@pytest.fixture
def connect(server: WebServer) -> Iterator[Connect]:
    made: list[FeedConnector] = []

    def connect(location: str = "", **options: Any) -> FeedConnector:
        options = {"requests_per_second": 10_000, "timeout_seconds": 2, **options}
        location = location or server.url("/feed")
        made.append(FeedConnector(location, allow_hosts=(server.host,), **options))
        return made[-1]

    yield connect
    for connector in made:
        connector.close()


def feed(*items: str, etag: str = "") -> Answer:
    body = f"<rss><channel><title>Ducks</title>{''.join(items)}</channel></rss>"
    return Answer(body=body.encode(), content_type="application/rss+xml", etag=etag)


def item(name: str, text: str = "", link: str = "") -> str:
    linked = f"<link>{link}</link>" if link else ""
    return (
        f"<item><guid isPermaLink='false'>{name}</guid><title>{name}</title>{linked}"
        f"<description>{text}</description></item>"
    )


def read_all(connector: FeedConnector) -> dict[str, RawDocument]:
    return {found.uri: connector.fetch(found) for found in connector.discover()}


def test_entries_with_the_text_of_their_pages(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/feed": Answer(body=RSS2.replace("https://site.example", server.url("")).encode()),
        "/blog/1": page("The page says a great deal more about ducks.", title="Page title"),
    }
    connector = connect()
    first, second = connector.discover()
    raw = connector.fetch(first)
    assert first.uri == raw.uri == f"{connector.source_uri}#id-1"
    assert raw.metadata["link"] == server.url("/blog/1")
    assert "a great deal more" in str(raw.content)
    assert raw.title == "Duck news & more"
    assert raw.metadata["tags"] == ("Birds", "Water")
    assert raw.metadata["author"] == ("Ana Lind",)
    assert raw.metadata["feed"] == "Ducks & geese"
    assert raw.metadata["text_from"] == "page"
    assert raw.metadata["published_at"] == "2026-03-03T10:00:00+01:00"
    assert raw.modified_at == datetime(2026, 3, 3, 9, tzinfo=UTC)
    assert "Second" in str(connector.fetch(second).content)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(status=404), "404"),
        (Answer(status=403), "403"),
        (redirect("http://169.254.169.254/"), "no public address"),
        (page("tiny"), "says less"),
        (page("x" * 200, head='<meta name="robots" content="noindex">'), "noindex"),
        (Answer(body=b"x" * 99_999), "longer than"),
        (Answer(body=b"png", content_type="image/png"), "no parser"),
    ],
)
def test_what_the_feed_holds_where_the_page_does_not_help(
    answer: Answer, why: str, server: WebServer, connect: Connect
) -> None:
    server.answers = {"/feed": feed(item("one", "The feed tells this about it.", "/1"))}
    server.answers["/1"] = answer
    connector = connect(suffixes=frozenset({".html"}), max_file_bytes=5000)
    (raw,) = read_all(connector).values()
    assert "The feed tells this" in str(raw.content)
    assert raw.metadata["text_from"] == "feed"
    assert why in str(raw.metadata["page_problem"])


def test_without_full_text_no_page_is_read(server: WebServer, connect: Connect) -> None:
    server.answers = {"/feed": feed(item("one", "Told.", "/1"))}
    (raw,) = read_all(connect(full_text=False)).values()
    assert raw.content == "<html><body>Told.</body></html>"
    assert server.paths() == ["/feed"]


def test_a_page_that_may_come_later_is_tried_again(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/feed": feed(item("one", "", "/1"), item("two", "Told.", "/2"), item("three")),
        "/1": Answer(status=503, headers={"Retry-After": "4"}),
        "/2": Answer(status=404),
    }
    connector = connect()
    one, two, three = connector.discover()
    with pytest.raises(TransientSourceError) as caught:
        connector.fetch(one)
    assert caught.value.retry_after_seconds == 4
    assert connector.fetch(two).metadata["text_from"] == "feed"
    with pytest.raises(PermanentSourceError, match="no text"):
        connector.fetch(three)


def test_entries_are_told_apart_by_their_ids(server: WebServer, connect: Connect) -> None:
    def listed(*items: str) -> dict[str, str]:
        server.answers["/feed"] = feed(*items)
        own = f"feed+{server.url('/feed')}#"
        return {each.uri.removeprefix(own): each.fingerprint for each in connect().discover()}

    before = listed(item("a", "x", "/a"), item("b", "x", "/b"), item("b", "y"), item("c/#?ü", "z"))
    assert list(before) == ["a", "b", "c%2F%23%3F%C3%BC"]
    after = listed(item("a", "x", "/a"), item("b", "x", "/moved"), item("d", "x", "/a"))
    assert list(after) == ["a", "b", "d"]
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]


def test_no_entry_has_an_address_of_another_source(server: WebServer, connect: Connect) -> None:
    other = "http://good.example/policy.html"
    server.answers["/feed"] = feed(
        item(other, "forged", other),
        f"<item><link>{other}?2</link><description>forged</description></item>",
    )
    connector = connect(full_text=False)
    documents = read_all(connector)
    assert [raw.metadata["link"] for raw in documents.values()] == [other, f"{other}?2"]
    assert list(documents) == [
        f"{connector.source_uri}#http%3A%2F%2Fgood.example%2Fpolicy.html{query}"
        for query in ("", "%3F2")
    ]


def test_an_unchanged_feed_is_not_sent_again(server: WebServer, connect: Connect) -> None:
    server.answers["/feed"] = feed(item("a", "x", "/a"), item("b", "x"), etag='"1"')
    notes = Remembered()
    connector = connect()
    connector.use_notes(notes)
    first = list(connector.discover())
    again = connect()
    again.use_notes(notes)
    assert list(again.discover()) == first
    assert [each.status for each in server.asked] == [200, 304]
    assert again.fetch(first[1]).content
    notes["feed"] = '{"content": "broken"}'
    assert list(again.discover()) == first
    assert again.lists_only_news


@pytest.mark.parametrize("status", [404, 500])
def test_a_feed_that_is_not_there(status: int, server: WebServer, connect: Connect) -> None:
    server.answers["/feed"] = Answer(status=status)
    with pytest.raises(SourceError, match=str(status)):
        list(connect().discover())


def test_a_file_that_holds_a_feed(server: WebServer, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "ducks.rss"
    path.write_text(
        f"<rss><channel>{item('a', 'x')}{item('b', 'y', server.url('/b'))}</channel></rss>"
    )
    server.answers["/b"] = page("The text of the page b.")
    connector = connect(str(path))
    assert connector.source_uri == path.as_uri()
    assert FeedConnector.recognizes(str(path))
    documents = read_all(connector)
    assert list(documents) == [f"{path.as_uri()}#a", f"{path.as_uri()}#b"]
    path.unlink()
    with pytest.raises(TransientSourceError, match="No such file"):
        list(connector.discover())


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("feed://Site.Example/x", "feed+https://site.example/x"),
        ("feed:http://site.example/x", "feed+http://site.example/x"),
        ("feed+https://site.example/x", "feed+https://site.example/x"),
        ("FEED+http://site.example", "feed+http://site.example/"),
        ("https://site.example/x", "feed+https://site.example/x"),
    ],
)
def test_locations(location: str, uri: str) -> None:
    assert FeedConnector(location).source_uri == uri


@pytest.mark.parametrize(
    "location",
    ["nothing.rss", "feed:", "feed://", "ftp://x", "feed://u:pw@x/", "feed://u:pw", "feed:u:pw@x"],
)
def test_locations_that_are_none(location: str) -> None:
    with pytest.raises(UnknownSource) as caught:
        FeedConnector(location)
    assert "pw" not in str(caught.value)


def test_options_out_of_range() -> None:
    with pytest.raises(UsageError, match="requests_per_second"):
        FeedConnector(HOME, requests_per_second=0)


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("https://x/feed", True), ("https://x/blog/feed/", True), ("https://x/rss.xml", True),
        ("https://x/a.atom?x=1", True), ("https://x/feeds/all.xml", True), ("https://x/", False),
        ("https://x/feedback", False), ("https://x/sitemap.xml", False), ("nothing.rss", False),
        ("https://x/" + "a" * 5000 + ".rss", True), ("a" * 5000, False),
    ],
)  # fmt: skip
def test_locations_that_are_unmistakable(location: str, ours: bool) -> None:
    assert FeedConnector.recognizes(location) is ours


def test_an_unknown_entry() -> None:
    with pytest.raises(PermanentSourceError, match="does not name"):
        FeedConnector(HOME).fetch(SourceItem(uri="https://site.example/1"))
