"""Real repositories, made with the git program, and a real git server on 127.0.0.1."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_FIXED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "Ana Committer",
    "GIT_COMMITTER_EMAIL": "committer@example.org",
    "LC_ALL": "C",
}
_SETTINGS = ("init.defaultBranch=main", "protocol.file.allow=always", "commit.gpgSign=false")


class Repo:
    """A working copy whose commits are a day apart."""

    def __init__(self, folder: Path, *, init: bool = True) -> None:
        self.folder = folder
        self._days = 0
        if init:
            folder.mkdir(parents=True)
            self.git("init", "-q")

    def git(self, *arguments: str, author: str = "Bo Author <bo@example.org>") -> str:
        """Run git in the working copy."""
        name, _, email = author.rstrip(">").partition(" <")
        at = f"2024-01-{1 + self._days:02d}T12:00:00+02:00"
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        author_of = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email}
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        done = subprocess.run(
            ["git", *settings, *arguments],
            cwd=self.folder,
            env={**os.environ, **_FIXED, **dates, **author_of},
            check=True,
            capture_output=True,
        )
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files by their paths."""
        for path, content in files.items():
            self.write_bytes(os.fsencode(path), content)

    def write_bytes(self, path: bytes, content: str | bytes) -> None:
        """Write a file whose name need not be text."""
        place = os.path.join(os.fsencode(self.folder), path)  # noqa: PTH118
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
        with open(place, "wb") as stream:  # noqa: PTH123
            stream.write(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link."""
        (self.folder / path).symlink_to(target)

    def commit(self, message: str, author: str = "Bo Author <bo@example.org>") -> str:
        """Commit everything, a day after the commit before, and return its name."""
        self._days += 1
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author)
        return self.git("rev-parse", "HEAD")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve every repository in a folder; yields the URL that they stand under."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            "git",
            "daemon",
            "--listen=127.0.0.1",
            f"--port={port}",
            "--reuseaddr",
            "--export-all",
            f"--base-path={folder}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait()
