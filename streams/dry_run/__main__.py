"""The process of one dry run: `python -m streams.dry_run ORIGINATOR`. It reads the database and writes nothing but its answer.

On stdin come pieces of the plain file, each with its size (uint32, little-endian) in front; behind the last a size of 0, and then, if the
body could not be read to its end, the problem (JSON) that says why. If stdin ends without that, nobody waits for an answer any more.

On stdout goes a line of JSON when it is ready to read, another when it has read, each empty ({}) or {"database": why it does not answer},
or the same of the "broker", which has the products; that is the end. Then the answer goes, one JSON object, whose errors stand last. It
stops reading where the sequence cannot be cut further.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from typing import IO, Any, Final

import asyncpg
from aiokafka.errors import KafkaError

from schemas.catalog import Catalog
from schemas.published import Products
from streams import logs, settings
from streams.broker import KafkaBroker
from streams.dry_run.book import Book
from streams.frames import FrameError
from streams.gateway.problems import ProblemError
from streams.products import NoProductsError, ProductsTable
from streams.store import AWAY

CONNECT_S: Final = 5
QUERY_S: Final = 15
READ_ONLY: Final = {"application_name": "tranche dry run", "default_transaction_read_only": "on"}


async def run(given: settings.Settings, originator: str, answer: IO[bytes]) -> None:
    """One dry run, from stdin to `answer`.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    products = ProductsTable(KafkaBroker(given.kafka), Products())
    catalog = given.load_catalog(products.products)
    pieces = asyncio.StreamReader()
    stdin, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pieces), sys.stdin)
    if why := await _why_without(products):
        _say(answer, {"broker": why})
        return
    try:
        connection = await asyncpg.connect(given.postgres, timeout=CONNECT_S, command_timeout=QUERY_S, server_settings=READ_ONLY)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            _say(answer, {})
            await _compare(Input(pieces, stdin), connection, catalog, originator, answer)
    except AWAY as fault:
        _say(answer, {"database": type(fault).__name__})
    except asyncio.IncompleteReadError:
        pass  # nobody waits


async def _why_without(products: ProductsTable) -> str:
    """Read the products; why there are none, empty if there are."""
    try:
        async with asyncio.timeout(CONNECT_S):
            await products.require()
    except NoProductsError as none:
        return str(none)
    except (KafkaError, OSError) as fault:  # a TimeoutError, too
        return type(fault).__name__
    return ""


class Input:
    """What comes on stdin."""

    def __init__(self, pieces: asyncio.StreamReader, stdin: asyncio.ReadTransport) -> None:
        self._pieces, self._stdin = pieces, stdin

    async def into(self, book: Book) -> dict[str, Any] | None:
        """Give the book all pieces; the problem that an upload would be answered with, if there is one.

        Raises:
            asyncio.IncompleteReadError: stdin ended too early.
        """
        try:
            while size := int.from_bytes(await self._pieces.readexactly(4), "little"):
                await book.take(await self._pieces.readexactly(size))
            problem = await self._pieces.read()
            if problem:
                return json.loads(problem)  # type: ignore[no-any-return]
            book.end()
        except FrameError as fault:
            return ProblemError(400, "bad-sequence", f"Byte {fault.position}: {fault.reason}.", position=fault.position).body
        finally:
            self._stdin.close()  # who still writes learns it
        return None


async def _compare(given: Input, connection: Any, catalog: Catalog, originator: str, answer: IO[bytes]) -> None:
    with tempfile.TemporaryFile() as errors:
        book = Book(connection, catalog, originator, errors)
        problem = await given.into(book)
        told = {**await book.answer(), "problem": problem}
        _say(answer, {})
        answer.write(json.dumps(told).encode()[:-1] + b', "errors": [')
        errors.seek(0)
        shutil.copyfileobj(errors, answer)
        answer.write(b"]}")
        answer.flush()


def _say(answer: IO[bytes], line: dict[str, str]) -> None:
    answer.write(json.dumps(line).encode() + b"\n")
    answer.flush()


if __name__ == "__main__":
    logs.configure("dry run")
    asyncio.run(run(settings.load(), sys.argv[1], sys.stdout.buffer))
