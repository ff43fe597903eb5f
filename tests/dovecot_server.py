"""Dovecot as a test's IMAP server, where it is installed: over a Maildir and behind a relay.

The relay notes every command that a client sends, so that tests can count.
"""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imap_server import PASSWORD, USER


def has_dovecot() -> bool:
    """Whether a Dovecot is installed whose configuration is understood here."""
    program = shutil.which("dovecot")
    if program is None:
        return False
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return version.stdout.startswith("2.3.")


class Dovecot:
    """Dovecot over a Maildir, behind a relay that notes the commands."""

    def __init__(self, home: Path, port: int, commands: list[str], user: pwd.struct_passwd) -> None:
        self.port = port
        self.commands = commands
        self._mail = home / "mail"
        self._user = user
        self._number = 0

    def empty(self) -> None:
        """Begin again with no mail."""
        for path in self._mail.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.commands.clear()

    def deliver(self, folder: str, raw: bytes, *, deleted: bool = False) -> None:
        place = self._place(folder)
        for part in ("tmp", "new", "cur"):
            (place / part).mkdir(parents=True, exist_ok=True)
        self._number += 1
        path = place / "cur" / f"{1772445600 + self._number}.M1P1.test:2,{'T' if deleted else ''}"
        path.write_bytes(raw)
        for each in (path, *self._mail.rglob("*"), self._mail):
            os.chown(each, self._user.pw_uid, self._user.pw_gid)

    def remove(self, folder: str, part: bytes) -> None:
        for path in (self._place(folder) / "cur").iterdir():
            if part in path.read_bytes():
                path.unlink()

    def renumber(self, folder: str) -> None:
        for path in self._place(folder).glob("dovecot*"):
            path.unlink()
        time.sleep(1.1)  # the number is made of the time in seconds

    def seen(self) -> int:
        return sum(
            ":2," in p.name and "S" in p.name.rpartition(",")[2] for p in self._mail.rglob("cur/*")
        )

    def _place(self, folder: str) -> Path:
        return self._mail if folder == "INBOX" else self._mail / f".{folder}"


_CONFIGURATION = """
protocols = imap
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
ssl = no
auth_failure_delay = 0
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{home}/mail
first_valid_uid = 0
first_valid_gid = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Dovecot, running with a configuration and a place of its own."""
    # The paths of its sockets must be short, and another user must get there.
    with tempfile.TemporaryDirectory(prefix="imap") as folder:
        home = Path(folder)
        # Dovecot serves no mail as root.
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        home.chmod(0o755)
        (home / "mail").mkdir()
        os.chown(home / "mail", user.pw_uid, user.pw_gid)
        (home / "users").write_text(f"{USER}:{{PLAIN.b64}}{_base64(PASSWORD)}\n")
        port = _free_port()
        configuration = home / "dovecot.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                home=home, port=port, user=user.pw_name, group=_group_name(user.pw_gid),
                uid=user.pw_uid, gid=user.pw_gid,
            )
        )  # fmt: skip
        server = subprocess.Popen(
            ["dovecot", "-F", "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _wait_for(port, server, home)
            with _relay(port) as (relayed, commands):
                yield Dovecot(home, relayed, commands, user)
        finally:
            server.terminate()
            server.wait(10)
            assert server.stderr is not None
            server.stderr.close()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _group_name(number: int) -> str:
    import grp

    return grp.getgrgid(number).gr_name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes], home: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    log = (home / "log").read_text() if (home / "log").exists() else ""
    raise RuntimeError(f"Dovecot does not start: {log[-2000:]}")


@contextmanager
def _relay(port: int) -> Iterator[tuple[int, list[str]]]:
    """A port that passes everything on to another, and the lines that clients send."""
    commands: list[str] = []

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with socket.create_connection(("127.0.0.1", port)) as server, suppress(OSError):
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=_pump, args=(server, self.request), daemon=True)
                back.start()
                for line in self.request.makefile("rb"):
                    commands.append(line.decode().rstrip().partition(" ")[2])
                    server.sendall(line)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(relay.server_address[1]), commands
        finally:
            relay.shutdown()
            thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
