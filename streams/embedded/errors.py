"""Faults that whoever starts Tranche can put right: each message says what, where, and what to do. The command prints it and exits 2."""

from pathlib import Path


class UserError(RuntimeError):
    """The base of them: no traceback is shown."""


class PortTakenError(UserError):
    """Another process listens on a port that was asked for."""

    def __init__(self, host: str, port: int, what: str, remedy: str = "stop that process or choose another port") -> None:
        super().__init__(f"{what}: port {port} on {host} is taken by another process; {remedy}")
        self.host, self.port = host, port


class FolderError(UserError):
    """A data folder that cannot be written, or whose disk is full."""


class StartError(UserError):
    """A process that ended before it was ready, or was not ready in time; the message ends with the last lines of its log."""

    def __init__(self, what: str, reason: str, log: Path, lines: str) -> None:
        super().__init__(f"{what} {reason}; its log is {log}, which ends with:\n{lines.rstrip() or '(nothing)'}")


class JarsError(UserError):
    """Kafka's jars are neither in the cache folder nor can they be fetched."""


class AlreadyRunningError(UserError):
    """A Tranche runs in this home folder."""


class TopicsError(UserError):
    """The broker does not answer, or its topics are not those of `streams/topics.py`."""
