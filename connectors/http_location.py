"""Whether a location that a person wrote is a web address, told without asking the network."""

from __future__ import annotations

from urllib.parse import urlsplit


def http_path(location: str) -> str | None:
    """The path of an http or https URL; None for any other location, broken URLs included."""
    if not location[:8].lower().startswith(("http://", "https://")):
        return None
    try:
        return urlsplit(location).path
    except ValueError:
        return None


def is_plain_address(location: str) -> bool:
    """Whether a location is an http or https URL that holds no login, query or fragment."""
    try:
        split = urlsplit(location)
        is_whole = bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        return False
    is_web = split.scheme in ("http", "https") and is_whole
    return is_web and not any(mark in location for mark in "@?#")
