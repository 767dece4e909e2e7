"""Columns to PostgreSQL's COPY, and the decoding of messages, for the merger's sinks."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from streams.effects import Copy, Message

_HEX: Final = np.array([b"%02x" % byte for byte in range(256)], dtype="S2")
_OPTIONS: Final = csv.WriteOptions(include_header=False, quoting_style="needed")

T = TypeVar("T")


class UnreadableError(ValueError):
    """A message of one of our own topics that its reader does not understand: writer and reader are of different versions."""


def read(message: Message, decode: Callable[[bytes], T]) -> T:
    """`decode` a message's value.

    Raises:
        UnreadableError: names the message. Our own topics hold no foreign data, so the deploy is at fault and nothing may be skipped.
    """
    try:
        return decode(message.value)
    except ValueError as fault:  # of msgspec, of pyarrow, of schemas.columns
        raise UnreadableError(f"{message.source}: {fault}; are writer and reader of the same version?") from fault


def copy(name: str, rows: pa.Table) -> Copy:
    """All of `rows` as a COPY into table `name`, whose columns are named as those of `rows`."""
    sink = pa.BufferOutputStream()
    csv.write_csv(rows, sink, _OPTIONS)
    return Copy(name, tuple(rows.column_names), sink.getvalue().to_pybytes())


def hexadecimal(digests: pa.FixedSizeBinaryArray) -> pa.StringArray:
    r"""Binary values of one size as PostgreSQL writes bytea: `\x` and two digits a byte. Nulls are not expected."""
    size, count = digests.type.byte_width, len(digests)
    data = np.frombuffer(digests.buffers()[1], dtype=np.uint8)[digests.offset * size :][: count * size]
    text = np.empty((count, 2 + 2 * size), dtype=np.uint8)
    text[:, :2] = tuple(b"\\x")
    text[:, 2:] = _HEX[data].view(np.uint8).reshape(count, 2 * size)
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(2 + 2 * size)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def clean(text: str) -> str:
    """`text` without NUL, which no text of PostgreSQL can hold: a batch's name is its sender's, and a reason quotes a broken document."""
    return text.replace("\0", "\ufffd")


def clean_all(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """`clean` of a column."""
    return pc.replace_substring(texts, "\0", "\ufffd")
