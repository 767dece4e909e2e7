"""Ports of this machine: all of them on the loopback interface."""

import errno
import socket

from streams.embedded.errors import PortTakenError

LOOPBACK = "127.0.0.1"
ANY = ("0.0.0.0", "::", "")  # noqa: S104 - these are compared, not bound


def free_port(host: str = LOOPBACK) -> int:
    """A port that nobody listens on now. Another process may take it before it is used: who uses it must be able to ask again."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """`count` different free ports."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on it; one that has just closed, with connections in TIME_WAIT, does not count.

    Raises:
        OSError: the port cannot be had for another reason (below 1024 without the right, no such address).
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def require_free(port: int, what: str, remedy: str, host: str = LOOPBACK) -> None:
    """Raises PortTakenError: `what` cannot have the port; `remedy` says what to do."""
    if not is_free(port, host):
        raise PortTakenError(host, port, what, remedy)
