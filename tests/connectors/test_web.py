"""Walking over sites: what is listed, what is left alone, what is sent a second time."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from web_server import Answer, WebServer, page, redirect, serving

from connectors.web import WebConnector
from ragmem.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)
from ragmem.types import RawDocument, SkippedItem, SourceItem


class Remembered(dict[str, str]):
    """Notes that last as long as the test."""

    def read(self, key: str) -> str | None:
        return self.get(key)

    def write(self, key: str, value: str) -> None:
        self[key] = value


class Walk:
    """One run: each item is fetched when it is listed, unless its fingerprint is known."""

    def __init__(self, connector: WebConnector, known: dict[str, str] | None = None) -> None:
        self.items: dict[str, str] = {}
        self.documents: dict[str, RawDocument] = {}
        self.skipped: dict[str, str] = {}
        self.failed: dict[str, SourceError] = {}
        self.error: SourceError | None = None
        try:
            for found in connector.discover():
                self.take(connector, found, known or {})
        except SourceError as error:
            self.error = error

    def take(
        self, connector: WebConnector, found: SourceItem | SkippedItem, known: dict[str, str]
    ) -> None:
        path = "/" + found.uri.partition("//")[2].partition("/")[2]
        if isinstance(found, SkippedItem):
            self.skipped[path] = found.reason
            return
        assert path not in self.items
        self.items[path] = found.fingerprint
        if found.fingerprint and known.get(path) == found.fingerprint:
            return
        try:
            self.documents[path] = connector.fetch(found)
        except SourceError as error:
            self.failed[path] = error


Connect = Callable[..., WebConnector]


@pytest.fixture
def connect(server: WebServer) -> Iterator[Connect]:
    made: list[WebConnector] = []

    def connect(path: str = "/", **options: Any) -> WebConnector:
        options = {"requests_per_second": 10_000, "timeout_seconds": 2, **options}
        made.append(WebConnector(server.url(path), allow_hosts=(server.host,), **options))
        return made[-1]

    yield connect
    for connector in made:
        connector.close()


def robots(*lines: str) -> Answer:
    return Answer(body="\n".join(lines).encode(), content_type="text/plain")


# --- what is followed ---


def test_links_are_followed_within_the_folder(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/docs/": page("start", "a", "/docs/b#x", "/other", "//else.example/", "mailto:a@b", "#t"),
        "/docs/a": page("page a", "../docs/b?utm_source=x", "javascript:void(0)", "http://[bad"),
        "/docs/b": page("page b", "file:///etc/passwd", "/docs/a?PHPSESSID=1"),
        "/other": page("other"),
    }
    walk = Walk(connect("/docs/"))
    assert list(walk.items) == ["/docs/", "/docs/a", "/docs/b"]
    assert sorted(server.paths()) == ["/docs/", "/docs/a", "/docs/b"]
    assert walk.error is None
    assert list(Walk(connect("/docs")).items) == []  # /docs itself is not there
    assert list(Walk(connect("/docs/a")).items) == ["/docs/a"]


@pytest.mark.parametrize(("depth", "pages"), [(0, 1), (1, 2), (2, 3), (9, 5)])
def test_depth(depth: int, pages: int, server: WebServer, connect: Connect) -> None:
    server.answers = {f"/{at}": page(f"page {at}", f"/{at + 1}") for at in range(1, 5)}
    server.answers["/"] = page("start", "/1")
    walk = Walk(connect(depth=depth))
    assert len(walk.items) == pages
    assert walk.error is None


def test_more_pages_than_allowed_are_no_complete_listing(
    server: WebServer, connect: Connect
) -> None:
    server.answers["/"] = page("start", *(f"/{at}" for at in range(9)))
    server.answers |= {f"/{at}": page(f"page {at}") for at in range(9)}
    walk = Walk(connect(max_pages=4))
    assert len(walk.items) == 4
    assert "max_pages" in str(walk.error)
    assert Walk(connect(max_pages=10)).error is None


def test_a_calendar_without_end_stays_bounded(server: WebServer, connect: Connect) -> None:
    days = iter(range(10**9))

    def day(_: object) -> Answer:
        return page("a day", *(f"/{next(days)}" for _ in range(400)))

    server.answers = {"/": day, **{f"/{at}": day for at in range(50)}}
    walk = Walk(connect(max_pages=5))
    assert len(server.paths()) == 5
    assert "max_pages" in str(walk.error)


def test_patterns_and_other_hosts(server: WebServer, connect: Connect) -> None:
    with serving() as other:
        server.answers = {
            "/": page("start", "/a/1", "/a/2?print=1", "/b/1", other.url("/c")),
            "/a/1": page("page a1"),
            "/a/2?print=1": page("page a2"),
            "/b/1": page("page b1"),
        }
        other.answers["/c"] = page("page c")
        connector = WebConnector(
            server.url(),
            include=("/a/*", "/c"),
            exclude=("*print=*",),
            other_hosts=(other.host,),
            allow_hosts=("127.0.0.1",),
            requests_per_second=10_000,
        )
        assert list(Walk(connector).items) == ["/a/1", "/c"]
        connector.close()


def test_files_and_pictures(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/": page("start", "/a.pdf", "/b", "/c.png", "/d.zip", "/e.txt"),
        "/a.pdf": Answer(body=b"%PDF-1.7 x", content_type="application/pdf"),
        "/b": Answer(body=b"%PDF-1.7 y", content_type="application/pdf"),
        "/c.png": Answer(body=b"png", content_type="image/png"),
        "/d.zip": Answer(
            body=lambda: iter(lambda: b"x" * 9999, b""), content_type="application/zip"
        ),
        "/e.txt": Answer(body=b"plain", content_type="text/plain; charset=utf-8"),
    }
    walk = Walk(connect(suffixes=frozenset({".html", ".pdf", ".txt"})))
    assert {path: raw.name for path, raw in walk.documents.items()} == {
        "/": "127.0.0.1.html",
        "/a.pdf": "a.pdf",
        "/b": "b.pdf",
        "/e.txt": "e.txt",
    }
    assert walk.documents["/b"].content == b"%PDF-1.7 y"
    assert walk.skipped == {"/d.zip": "no parser for .zip files: unpack it"}
    assert "/c.png" not in server.paths()


def test_redirects_and_pages_that_are_gone(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/": page("start", "/old", "/new", "/away", "/meta", "/gone", "/loop"),
        "/old": redirect("/new", 301),
        "/new": page("the new page"),
        "/away": redirect("https://elsewhere.example/"),
        "/meta": redirect("http://169.254.169.254/"),
        "/loop": redirect("/loop"),
        "/gone": Answer(status=410),
    }
    walk = Walk(connect())
    assert set(walk.documents) == {"/", "/new"}
    assert server.paths().count("/new") == 1
    assert list(walk.failed) == ["/loop"]
    assert "in a circle" in str(walk.failed["/loop"])
    assert walk.error is None


# --- one page, many addresses ---


def test_addresses_of_one_page(server: WebServer, connect: Connect) -> None:
    own = '<link rel="canonical" href="/a">'
    server.answers = {
        "/": page("start", "/index.html", "/%61?utm_campaign=1", "/a?x=1", "/a#y", "/a?fbclid=2"),
        "/a": page("page a", head=own),
        "/a?x=1": page("page a", head=own),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/a"]
    assert not walk.skipped
    assert server.paths() == ["/", "/a", "/a?x=1"]


def test_a_redirect_to_another_form_of_the_address(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/": page("start", "/a/index.html", "/b?utm_source=x"),
        "/a/index.html": redirect("/a/", 301),
        "/a/": page("page a"),
        "/b": redirect("/b?sid=1"),
        "/b?sid=1": page("page b"),
    }
    assert [raw.uri for raw in Walk(connect()).documents.values()] == [
        server.url(path) for path in ("/", "/a/", "/b")
    ]


def test_a_canonical_address_that_is_met_later(server: WebServer, connect: Connect) -> None:
    own = '<link rel="canonical" href="/a">'
    server.answers = {
        "/": page("start", "/a?print", "/a"),
        "/a": page("page a", head=own),
        "/a?print": page("page a", head=own),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/a"]
    assert "/a" not in server.paths()


def test_a_canonical_address_that_is_not_true_is_told(server: WebServer, connect: Connect) -> None:
    own = '<link rel="canonical" href="/">'
    server.answers = {
        "/": page("start", "/2", head=own),
        "/2": page("another text", "/3", head=own),
        "/3": page("a third", head='<link rel="canonical" href="https://elsewhere.example/">'),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/3"]
    assert "reads differently" in walk.skipped["/2"]


# --- manners ---


def test_robots_are_heeded(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/robots.txt": robots("User-agent: *", "Disallow: /private*", "Allow: /private-not$"),
        "/": page("start", "/private", "/private-not", "/way"),
        "/private-not": page("public"),
        "/way": redirect("/private/x"),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/private-not"]
    assert set(walk.skipped) == {"/private", "/way"}
    assert "robots.txt" in walk.skipped["/private"]
    assert not any(path.startswith("/private/") for path in server.paths())
    assert walk.error is None
    server.answers["/private"] = page("seen anyway")
    assert "/private" in Walk(connect(respect_robots=False)).documents


def test_robots_for_this_program_alone(server: WebServer, connect: Connect) -> None:
    server.answers["/robots.txt"] = robots("User-agent: ragmem", "Disallow: /", "", "User-agent: *")
    walk = Walk(connect())
    assert isinstance(walk.error, PermanentSourceError)
    assert "robots.txt" in str(walk.error)
    assert not server.paths()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_no_robots_now_means_not_now(status: int, server: WebServer, connect: Connect) -> None:
    server.answers["/robots.txt"] = Answer(status=status, headers={"Retry-After": "3"})
    walk = Walk(connect())
    assert isinstance(walk.error, TransientSourceError)
    assert walk.error.retry_after_seconds == 3
    assert not server.paths()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=403),
        Answer(body=b"\xff\xfe\x00 nonsense\r\n: : :\nDisallow: /"),
        Answer(body=b"User-agent: *\n" + b"#" * 600_000 + b"\nDisallow: /"),
    ],
)
def test_robots_that_say_nothing(answer: Answer, server: WebServer, connect: Connect) -> None:
    server.answers = {"/robots.txt": answer, "/": page("start")}
    assert list(Walk(connect()).documents) == ["/"]


def test_how_often_a_host_is_asked(server: WebServer, connect: Connect) -> None:
    server.answers = {"/": page("start", "/a", "/b"), "/a": page("a"), "/b": page("b")}
    began = time.monotonic()
    Walk(connect(requests_per_second=20))
    assert 0.15 <= time.monotonic() - began < 1  # four requests, robots.txt among them
    server.answers["/robots.txt"] = robots("User-agent: *", "Crawl-delay: 0.2")
    began = time.monotonic()
    Walk(connect(requests_per_second=20))
    assert time.monotonic() - began >= 0.4


def test_pages_that_want_to_be_left_out(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/": page("start", "/a", "/b", "/c", "/d", "/e"),
        "/a": page("a", "/a1", head='<meta name="robots" content="noindex">'),
        "/b": page("b", "/b1", head='<META NAME="Ragmem" CONTENT="NOFOLLOW">'),
        "/c": Answer(body=b"text", content_type="text/plain", headers={"X-Robots-Tag": "none"}),
        "/d": Answer(body=page("d").body, headers={"X-Robots-Tag": "otherbot: noindex"}),
        "/e": Answer(body=b'<a rel="ugc nofollow" href="/e1">text of e</a>'),
        "/a1": page("a1"),
    }
    walk = Walk(connect())
    assert set(walk.documents) == {"/", "/b", "/d", "/e", "/a1"}
    assert set(walk.skipped) == {"/a", "/c"}
    assert "noindex" in walk.skipped["/a"]
    assert not {"/b1", "/e1"} & set(server.paths())


# --- sitemaps ---


def sitemap(*locations: str, kind: str = "url") -> bytes:
    root = {"url": "urlset", "sitemap": "sitemapindex"}[kind]
    listed = "".join(f"<{kind}><loc> {each} </loc></{kind}>" for each in locations)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0"?><{root} xmlns="{space}">{listed}</{root}>'.encode()


def xml(body: bytes) -> Answer:
    return Answer(body=body, content_type="application/xml")


def test_sitemaps_of_sitemaps_even_in_a_circle(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/map/sitemap.xml": xml(
            sitemap(*map(server.url, ("/map/1.xml.gz", "/map/2.txt", "/map/sitemap.xml")),
                    kind="sitemap")
        ),
        "/map/1.xml.gz": xml(gzip.compress(sitemap(server.url("/a"), "https://else.example/x"))),
        "/map/2.txt": Answer(body=f"{server.url('/b')}\nnonsense\n".encode()),
        "/a": page("page a", "/unlisted"),
        "/b": page("page b"),
        "/unlisted": page("unlisted"),
    }  # fmt: skip
    walk = Walk(connect("/map/sitemap.xml"))
    assert list(walk.documents) == ["/a", "/b"]
    assert walk.error is None
    assert "/unlisted" not in server.paths()
    server.answers["/robots.txt"] = robots(f"Sitemap: {server.url('/map/sitemap.xml')}")
    assert list(Walk(connect("/robots.txt")).documents) == ["/a", "/b"]


def test_sitemaps_that_robots_name_add_pages(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/robots.txt": robots(
            f"Sitemap: {server.url('/s.xml')}",
            f"Sitemap: {server.url('/no')}",
            "Sitemap: https://elsewhere.example/s.xml",
        ),
        "/s.xml": xml(sitemap(server.url("/hidden"), server.url("/"))),
        "/": page("start"),
        "/hidden": page("hidden"),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/hidden"]
    assert walk.error is None
    assert list(Walk(connect(use_sitemaps=False)).documents) == ["/"]


def test_a_sitemap_on_another_host_has_to_be_named(server: WebServer, connect: Connect) -> None:
    elsewhere = sitemap("https://elsewhere.example/s.xml", kind="sitemap")
    server.answers["/sitemap.xml"] = xml(elsewhere)
    walk = Walk(connect("/sitemap.xml"))
    assert "other_hosts" in str(walk.error)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (xml(b"<urlset><url><loc>"), "broken"),
        (xml(b"<html><body>no</body></html>"), "no sitemap"),
        (Answer(status=404), "404"),
        (Answer(body=gzip.compress(b" " * 60 * 2**20)), "longer than"),
        (xml(b"\x1f\x8bno gzip"), "unpacked"),
    ],
)
def test_sitemaps_that_cannot_be_read(
    answer: Answer, why: str, server: WebServer, connect: Connect
) -> None:
    server.answers["/sitemap.xml"] = answer
    walk = Walk(connect("/sitemap.xml"))
    assert not walk.items
    assert why in str(walk.error)


def test_a_sitemap_that_wants_to_grow_or_to_look_around(
    server: WebServer, connect: Connect
) -> None:
    bomb = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 12))
    server.answers["/sitemap.xml"] = xml(
        b'<!DOCTYPE urlset [<!ENTITY l0 "lol"><!ENTITY file SYSTEM "file:///etc/passwd">'
        + bomb.encode()
        + b"]><urlset><url><loc>http://x/&l11;</loc></url><url><loc>&file;</loc></url><url><loc>"
        + server.url("/a").encode()
        + b"</loc></url></urlset>"
    )
    server.answers["/a"] = page("page a")
    began = time.monotonic()
    walk = Walk(connect("/sitemap.xml"))
    assert time.monotonic() - began < 2
    assert set(walk.documents) <= {"/a"}


def test_a_giant_sitemap_is_cut_off(server: WebServer, connect: Connect) -> None:
    server.answers["/sitemap.xml"] = xml(sitemap(*(server.url(f"/{at}") for at in range(50_000))))
    server.answers |= {f"/{at}": page(f"page {at}") for at in range(3)}
    walk = Walk(connect("/sitemap.xml", max_pages=3))
    assert len(walk.documents) == 3
    assert "max_pages" in str(walk.error)


# --- what a page says ---


def test_the_main_part_with_what_is_known_of_it(server: WebServer, connect: Connect) -> None:
    menu = "".join(f'<li><a href="/m{at}">Menu entry number {at}</a></li>' for at in range(30))
    text = "".join(
        f"<p>Paragraph {at} tells at length what ducks do in winter.</p>" for at in range(9)
    )
    html = f"""<html lang="en"><head><title>Ducks in winter</title>
      <meta name="author" content="Ana Lind"><meta property="og:site_name" content="Duck News">
      <meta property="article:published_time" content="2026-02-03T10:00:00Z"></head><body>
      <ul>{menu}</ul><div id="all"><article><h1>Ducks in winter</h1>{text}
      <table><tr><th>duck</th><th>eggs</th></tr><tr><td>mallard</td><td>9</td></tr></table>
      <pre><code class="language-python">duck.quack()</code></pre></article></div>
      <footer>All rights reserved by somebody</footer><script>track()</script></body></html>"""
    modified = {"Last-Modified": "Tue, 03 Mar 2026 10:00:00 GMT"}
    server.answers["/"] = Answer(body=html.encode(), headers=modified)
    raw = Walk(connect(depth=0)).documents["/"]
    assert isinstance(raw.content, str)
    assert "Paragraph 8" in raw.content
    assert "<td>mallard</td>" in raw.content
    assert "language-python" in raw.content
    for around in ("Menu entry", "All rights", "track()"):
        assert around not in raw.content
    assert raw.title == "Ducks in winter"
    assert raw.metadata["author"] == "Ana Lind"
    assert raw.metadata["site"] == "Duck News"
    assert raw.metadata["published_at"] == "2026-02-03"
    assert raw.modified_at is not None
    assert raw.content.startswith('<html lang="en">')


def test_pages_of_links_are_kept_whole(server: WebServer, connect: Connect) -> None:
    links = "".join(
        f'<li><a href="/{at}">The story of duck number {at}</a></li>' for at in range(40)
    )
    server.answers["/"] = Answer(body=f"<ul>{links}</ul>".encode())
    raw = Walk(connect(depth=0)).documents["/"]
    assert isinstance(raw.content, str)
    assert raw.content.count("The story of duck") == 40


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        ("Gänse grüßen".encode(), "text/html; charset=iso-8859-1"),
        ("Gänse grüßen".encode("latin-1"), "text/html; charset=utf-8"),
        ("Gänse grüßen".encode("latin-1"), "text/html; charset=nonsense"),
        ("\ufeffGänse grüßen".encode(), "text/html"),
        ("Gänse grüßen".encode("utf-16"), "text/html; charset=utf-16"),
        ("<meta charset=cp850>Gänse grüßen".encode("cp850"), "text/html"),
        ("<?xml version='1.0' encoding='utf-8'?><p>Gänse grüßen".encode(), "application/xhtml+xml"),
        ("Gänse\0 grüßen".encode(), "text/html; charset=base64"),
    ],
)
def test_charsets(body: bytes, declared: str, server: WebServer, connect: Connect) -> None:
    server.answers["/"] = Answer(body=body, content_type=declared)
    content = Walk(connect()).documents["/"].content
    assert isinstance(content, str)
    assert "Gänse grüßen" in content


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 50_000 + b"deep",
        b"<a href='x'>" * 20_000 + b"links",
        b"\xff\xfe" * 1000,
        b"<p>" + b"&amp;" * 100_000,
        b"<table>" * 3_000 + b"tables",
        b"<ul><li>" * 10_000 + b"lists",
        b"<html><head><base href='http://['></head><body><a href='?'>x</a>",
        b"<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x; entity</p>",
    ],
)
def test_hostile_pages(body: bytes, server: WebServer, connect: Connect) -> None:
    server.answers["/"] = Answer(body=body)
    began = time.monotonic()
    walk = Walk(connect(depth=0))
    assert time.monotonic() - began < 3
    assert set(walk.documents) | set(walk.skipped) == {"/"}
    assert "root:" not in str(walk.documents)


def test_pages_without_text_are_skipped(server: WebServer, connect: Connect) -> None:
    server.answers = {
        "/": page("start", "/empty", "/script", "/nothing"),
        "/empty": Answer(body=b""),
        "/script": Answer(body=b"<html><body><div id=app></div><script>x()</script></body></html>"),
        "/nothing": Answer(status=204),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/"]
    assert set(walk.skipped) == {"/empty", "/script", "/nothing"}


# --- the second run ---


def small_site() -> dict[str, Any]:
    return {
        "/": page("the beginning", "/a", "/b.txt", etag='"1"'),
        "/a": page("page a", "/c", etag='"2"'),
        "/b.txt": Answer(
            body=b"text b",
            content_type="text/plain",
            headers={"Last-Modified": "Tue, 03 Mar 2026 10:00:00 GMT"},
            etag='"3"',
        ),
        "/c": page("page c", head='<meta name="robots" content="noindex">', etag='"4"'),
    }


def test_an_unchanged_site_sends_no_bodies(server: WebServer, connect: Connect) -> None:
    server.answers = small_site()
    notes = Remembered()
    connector = connect()
    connector.use_notes(notes)
    first = Walk(connector)
    connector.close()
    server.asked.clear()
    connector.use_notes(notes)
    second = Walk(connector, first.items)
    assert (second.items, second.skipped) == (first.items, first.skipped)
    assert not second.documents
    asked = [each for each in server.asked if each.path != "/robots.txt"]
    assert [each.status for each in asked] == [304] * 4
    assert sum(each.body_bytes for each in asked) == 0


def test_notes_that_are_newer_than_the_store_or_broken(server: WebServer, connect: Connect) -> None:
    server.answers = small_site()
    notes = Remembered()
    connector = connect()
    connector.use_notes(notes)
    first = Walk(connector)
    assert Walk(connector).documents.keys() == first.documents.keys()
    for damaged in ("", "[]", "{}", '{"version": 1, "page": 3, "validators": {}}'):
        notes.update(dict.fromkeys(notes, damaged))
        assert Walk(connector, first.items).items == first.items
    noted = {key: json.loads(value) for key, value in notes.items()}
    assert all(value["version"] == 1 for value in noted.values())


def test_notes_of_a_run_with_other_formats_do_not_hold(server: WebServer, connect: Connect) -> None:
    server.answers = small_site()
    notes = Remembered()
    for formats, listed in ((".html", 2), (".html .txt", 3)):
        connector = connect(suffixes=frozenset(formats.split()))
        connector.use_notes(notes)
        assert len(Walk(connector).documents) == listed


def test_what_is_around_the_text_is_no_change(server: WebServer, connect: Connect) -> None:
    def at(hour: int, text: str) -> Answer:
        menu = "".join(f'<a href="#{hour}{each}">ad {hour} {each}</a> ' for each in range(50))
        body = f"<nav>{menu}</nav><article>{text}</article><footer>{hour} o'clock</footer>"
        return Answer(body=f"<html><body>{body}</body></html>".encode())

    text = "".join(f"<p>Ducks sleep with one eye open, says sentence {n}.</p>" for n in range(20))
    server.answers["/"] = at(1, text)
    first = Walk(connect())
    server.answers["/"] = at(2, text)
    assert Walk(connect()).items == first.items
    server.answers["/"] = at(2, text.replace("one eye", "both eyes"))
    assert Walk(connect()).items != first.items


# --- what goes wrong ---


def test_a_page_that_answers_later(server: WebServer, connect: Connect) -> None:
    """The engine tries a fetch again; what the page links to is found then."""
    answers = iter([Answer(status=503), page("page a", "/b")])
    server.answers = {
        "/": page("start", "/a"),
        "/a": lambda _: next(answers),
        "/b": page("page b"),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/a", "/b"]
    assert walk.error is None


def test_pages_that_do_not_answer_make_the_listing_incomplete(
    server: WebServer, connect: Connect
) -> None:
    limit = {"Retry-After": "9"}
    server.answers = {
        "/": page("start", "/a", "/b"),
        "/a": Answer(status=429, headers=limit),
        "/b": page("page b"),
    }
    walk = Walk(connect())
    assert list(walk.documents) == ["/", "/b"]
    failed = walk.failed["/a"]
    assert isinstance(failed, TransientSourceError)
    assert failed.retry_after_seconds == 9
    assert isinstance(walk.error, TransientSourceError)
    assert "could not read 1 of" in str(walk.error)


def test_a_site_that_falls_silent_is_left_alone(server: WebServer, connect: Connect) -> None:
    server.answers = {"/": page("start", *(f"/{at}" for at in range(50)))}
    server.answers |= {f"/{at}": Answer(status=500) for at in range(50)}
    walk = Walk(connect())
    assert "stopped answering" in str(walk.error)
    assert len(walk.items) == 6


def test_pages_that_refuse_fail_and_stay_listed(server: WebServer, connect: Connect) -> None:
    huge = Answer(headers={"Content-Length": str(5 * 10**9)})
    server.answers = {
        "/": page("start", "/a", "/huge"), "/a": Answer(status=403), "/huge": huge
    }  # fmt: skip
    walk = Walk(connect(max_file_bytes=10_000))
    assert set(walk.items) == {"/", "/a", "/huge"}
    assert walk.items["/a"].startswith("failed:")
    assert "403" in str(walk.failed["/a"])
    assert "longer than the 10,000 bytes" in str(walk.failed["/huge"])
    assert walk.error is None
    assert Walk(connect(max_file_bytes=10_000)).items == walk.items


def test_a_start_that_leads_elsewhere(server: WebServer, connect: Connect) -> None:
    server.answers = {"/docs/": redirect("/login?token=secret"), "/login": page("login")}
    walk = Walk(connect("/docs/"))
    assert not walk.items
    assert "/login?… lies outside of the source" in str(walk.error)


@pytest.mark.parametrize("status", [404, 500, 403])
def test_a_start_that_cannot_be_read(status: int, server: WebServer, connect: Connect) -> None:
    server.answers["/"] = Answer(status=status)
    walk = Walk(connect())
    assert not walk.items
    assert str(status) in str(walk.error)


def test_private_places_need_a_name(server: WebServer) -> None:
    walk = Walk(WebConnector(server.url()))
    assert "allow_hosts" in str(walk.error)
    assert not server.asked


def test_fetch_stays_within_the_source(server: WebServer, connect: Connect) -> None:
    server.answers = {"/docs/": page("start"), "/secret": page("secret")}
    connector = connect("/docs/")
    for uri in (server.url("/secret"), "file:///etc/passwd", "http://169.254.169.254/"):
        with pytest.raises(PermanentSourceError):
            connector.fetch(SourceItem(uri=uri))
    assert "/secret" not in server.paths()


# --- options ---


@pytest.mark.parametrize(
    "options",
    [{"depth": -1}, {"max_pages": 0}, {"requests_per_second": 0}, {"timeout_seconds": 0},
     {"allow_hosts": ("http://x",)}],
)  # fmt: skip
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        WebConnector("https://site.example/", **options)


@pytest.mark.parametrize("location", ["ftp://x/", "x", "https://", "https://u:secret@x/"])
def test_locations_that_are_none(location: str) -> None:
    with pytest.raises(UnknownSource) as caught:
        WebConnector(location)
    assert "secret" not in str(caught.value)


def test_the_uri_of_a_source() -> None:
    connector = WebConnector("HTTPS://Site.Example:443/a%2fb/../ü?utm_source=x&q=1#top")
    assert connector.source_uri == "https://site.example/%C3%BC?q=1"


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("https://x/sitemap.xml", True), ("https://x/sitemap_index.xml.gz", True),
        ("https://x/robots.txt", True), ("https://x/feed.xml", False), ("https://x/", False),
        ("sitemap.xml", False), ("https://x/a.pdf", False),
    ],
)  # fmt: skip
def test_locations_that_are_unmistakable(location: str, ours: bool) -> None:
    assert WebConnector.recognizes(location) is ours
