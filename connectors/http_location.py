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
