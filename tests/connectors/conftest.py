"""A web server that the tests of everything that speaks HTTP share, forgetful between tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web_server import WebServer, serving


@pytest.fixture(scope="module")
def running() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: WebServer) -> WebServer:
    running.answers.clear()
    running.asked.clear()
    return running
