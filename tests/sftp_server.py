"""An SSH server on this machine that serves one folder by SFTP, read only."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko import SFTPAttributes, SFTPHandle

USER = "ana"
PASSWORD = "correct horse"


@dataclass
class SftpServer:
    """A running server; `known_hosts` is the line by which a client knows it."""

    port: int
    known_hosts: str
    connections: list[paramiko.Transport] = field(default_factory=list)


class _Login(paramiko.ServerInterface):
    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        is_right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Folder(paramiko.SFTPServerInterface):
    root = Path()

    def _real(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        try:
            found = sorted(self._real(path).iterdir())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return [SFTPAttributes.from_stat(one.lstat(), one.name) for one in found]

    def stat(self, path: str) -> SFTPAttributes | int:
        return self._status(path, follow=True)

    def lstat(self, path: str) -> SFTPAttributes | int:
        return self._status(path, follow=False)

    def _status(self, path: str, *, follow: bool) -> SFTPAttributes | int:
        try:
            return SFTPAttributes.from_stat(self._real(path).stat(follow_symlinks=follow))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:
        try:
            stream = self._real(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = _Handle(os.O_RDONLY)
        handle.readfile = stream
        return handle


class _Handle(SFTPHandle):
    def stat(self) -> SFTPAttributes:
        return SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


@contextmanager
def sftp_server(root: Path) -> Iterator[SftpServer]:
    """Serve a folder on a port of this machine."""
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    line = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
    server = SftpServer(port=port, known_hosts=line)
    folder = type("_Served", (_Folder,), {"root": root})

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, folder)
            server.connections.append(transport)
            try:
                transport.start_server(server=_Login())
            except (paramiko.SSHException, EOFError):
                transport.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # Closing alone does not wake a thread that waits in `accept`.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for transport in server.connections:
            transport.close()
