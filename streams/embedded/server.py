"""What the embedded servers have in common: one process with a data folder, a port and a log of its own below a home folder."""

import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from streams.embedded import folders, ports
from streams.embedded.errors import PortTakenError, StartError

FREE_BYTES_MIN: Final = 256 * folders.MIB  # less, and the server itself would end within minutes
START_TRIES: Final = 3  # a chosen port can be taken by another process before the server binds it
POLL_S: Final = 0.05


class Server(ABC):
    """A server process. Use it as a context manager, or start() and stop(); start() after stop() finds the same data on the same port.

    Port 0 chooses a free one, once. The process is in a session of its own: Ctrl-C in a terminal reaches its owner alone, who stops it.
    """

    name: ClassVar[str]
    ready_s: ClassVar[float]  # bound on a start
    stop_s: ClassVar[float]  # bound on a clean stop; then it is killed
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    taken_signs: ClassVar[tuple[str, ...]]  # in the log of one that could not have its port

    def __init__(self, home: Path, port: int = 0) -> None:
        self.home, self.port = home.absolute(), port
        self.folder = self.home / self.name
        self.log = self.home / "logs" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """What a client connects to."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder if there is none."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command of one start; it may choose further ports."""

    @abstractmethod
    def _answers(self, connection: socket.socket) -> bool:
        """Ask the server whether it serves."""

    def start(self) -> Self:
        """Start the server and wait until it serves; a started one is left alone.

        Raises:
            PortTakenError, FolderError: as they say. StartError: it ended, or did not serve in time; it has been stopped.
        """
        if self.process and self.process.poll() is None:
            return self
        folders.require(self.folder, FREE_BYTES_MIN)
        folders.require(self.log.parent, FREE_BYTES_MIN)
        if self.port:
            ports.require_free(self.port, self.name, "stop that process or choose another port")
        self._prepare()
        for tries_left in reversed(range(START_TRIES)):
            chosen = not self.port
            self.port = self.port or ports.free_port()
            try:
                self._launch()
                break
            except PortTakenError:
                self.port = 0 if chosen else self.port
                if not tries_left:
                    raise
        return self

    def stop(self) -> None:
        """Stop it cleanly, after a bounded wait by force; one that has ended is left alone."""
        if self.process is None:
            return
        for signal_, wait_s in ((self.stop_signal, self.stop_s), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 10.0)):
            if self.process.poll() is None:
                self.process.send_signal(signal_)
            try:
                self.process.wait(wait_s)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def run_tool(self, command: Sequence[str], text: str = "") -> None:
        """Run a command of the server's own to its end, its output in the log.

        Raises:
            StartError: it did not exit with 0.
        """
        start = self._log_size()
        with self.log.open("ab") as log:
            done = subprocess.run(command, input=text.encode(), stdout=log, stderr=log, check=False, timeout=self.ready_s)  # noqa: S603
        if done.returncode:
            tool = Path(command[0]).name
            raise StartError(f"{self.name}: {tool}", f"ended with code {done.returncode}", self.log, folders.tail(self.log, start))

    def _launch(self) -> None:
        start = self._log_size()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        try:
            self._wait_ready(self.process, start)
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self, process: subprocess.Popen[bytes], start: int) -> None:
        end = time.monotonic() + self.ready_s
        while not self._serves():
            try:
                code = process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() < end:
                    continue
                raise StartError(self.name, f"did not serve within {self.ready_s:.0f} s", self.log, folders.tail(self.log, start)) from None
            said = folders.tail(self.log, start)
            if any(sign in said for sign in self.taken_signs):
                raise PortTakenError(ports.LOOPBACK, self.port, self.name)
            raise StartError(self.name, f"ended with code {code} before it served", self.log, said)

    def _serves(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), 1.0) as connection:
                return self._answers(connection)
        except OSError:
            return False

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0
