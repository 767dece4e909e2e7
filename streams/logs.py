"""Logs: JSON lines on stderr, one event a line, with the process's name. The libraries' own logs come the same way, from WARNING up."""

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

_SECRET_NAMES: Final = re.compile(r"secret|token|password|authorization|dsn", re.IGNORECASE)
_SECRET_VALUES: Final = (
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:***@"),  # the password of a DSN or URL
    (re.compile(r"(bearer\s+)[\w.~+/=-]+", re.IGNORECASE), r"\1***"),
)
MASK: Final = "***"


def configure(process: str) -> None:
    """Send structlog's and the standard library's logs to stderr, each line with `process`; secrets are masked in both."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(process),
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_Lenient(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _Lenient:
    """A stream whose lines are lost where they cannot be written: a full disk must not end what its log tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def warnings_only() -> None:
    """For a command that talks to a person: warnings and worse, as plain lines on stderr."""
    wrapper = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=wrapper, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    logging.basicConfig(level=logging.ERROR)


def mask_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace what has a secret's name, and the secrets within texts, at any depth."""
    return {name: _masked(name, value) for name, value in event.items()}


def _masked(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name) and value:
        return MASK
    if isinstance(value, str):
        for pattern, mask in _SECRET_VALUES:
            value = pattern.sub(mask, value)
        return value
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(name, item) for item in value]
    return value


def _named(process: str) -> Processor:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {"process": process, **event}

    return add
