"""A loan book that is compared, chunk by chunk, as intake would, and nothing of it kept but what the answer needs."""

from collections import Counter
from typing import IO, Any, Final

import xxhash

from agents.assessor.assessment import Assessor
from agents.intake.diff import Document, Refusal, difference
from agents.router.routing import Router
from schemas.asset import OUTCOMES
from schemas.catalog import Catalog
from schemas.events import SellOffer
from streams.dry_run import demand, known, summary
from streams.dry_run.scratch import Scratch
from streams.frames import identify
from streams.gateway.splitter import TOO_LARGE, Oversized, Splitter
from streams.partition import asset_key

CHUNK_DOCUMENTS: Final = 2_000
CHUNK_BYTES: Final = 4 * 1024 * 1024
PROCESSING: Final = 100  # batches of the originator that are named
_PROCESSING: Final = """
    SELECT batch FROM batch_states WHERE originator = $1 AND state = 'processing' ORDER BY first_event DESC LIMIT $2"""


class Book:
    """Takes the file's pieces, then gives the answer. `connection` is in a transaction: all of the book meets one state of the database.

    All raise what the database raises: OSError, TimeoutError, asyncpg.PostgresError.
    """

    def __init__(self, connection: Any, catalog: Catalog, originator: str, errors: IO[bytes]) -> None:
        self.scratch = Scratch(errors)
        self._connection, self._originator = connection, originator
        self._catalog, self._assessor, self._router = catalog, Assessor(catalog.products), Router(catalog)
        self._splitter, self._digest = Splitter(), xxhash.xxh3_128()
        self._size = self._documents = self._oversized = self._waiting_bytes = 0
        self._waiting: list[Document] = []
        self._refusals: list[Refusal] = []
        self._counts: Counter[str] = Counter()

    async def take(self, piece: bytes) -> None:
        """Cut and compare.

        Raises:
            FrameError: the sequence cannot be cut further. What came before is good.
        """
        self._digest.update(piece)
        self._size += len(piece)
        cut = self._splitter.feed(piece)
        self._documents += len(cut.docs) + len(cut.oversized)
        self._oversized += len(cut.oversized)
        self._refusals += map(self._too_large, cut.oversized)
        tenant = self._originator.encode()
        self._waiting += [Document(doc, tenant, 0, at) for at, doc in zip(cut.positions, cut.docs, strict=True)]
        self._waiting_bytes += sum(map(len, cut.docs))
        if len(self._waiting) >= CHUNK_DOCUMENTS or self._waiting_bytes >= CHUNK_BYTES or len(self._refusals) >= CHUNK_DOCUMENTS:
            await self._compare()
        if cut.fault:
            raise cut.fault

    def end(self) -> None:
        """The file is complete.

        Raises:
            FrameError: it is cut off.
        """
        fault = self._splitter.close()
        if fault:
            raise fault

    async def answer(self) -> dict[str, Any]:
        """All of the answer but the errors, which are in `scratch.errors`."""
        await self._compare()
        compared = await self._connection.fetchval("SELECT now()")
        processing = await self._connection.fetch(_PROCESSING, self._originator, PROCESSING)
        smallest = max((product.bid_cents_min for product in self._catalog.products.values()), default=0)
        buyers = await demand.read(self._connection, smallest)
        return {
            "originator": self._originator,
            "documents": self._documents,
            "bytes": self._size,
            "oversized": self._oversized,
            "digest": self._digest.hexdigest(),
            "counts": {outcome: self._counts[outcome] for outcome in OUTCOMES},
            "compared_at": compared.isoformat(),
            "processing": [row["batch"] for row in processing],
            "products": summary.products(self.scratch.offers(), buyers),
            "unexamined_buy_offers": buyers.unexamined,
            "unlisted_errors": self.scratch.unlisted,
        }

    async def _compare(self) -> None:
        """What intake, assessor and router would do with the documents that wait."""
        documents, self._waiting, self._waiting_bytes = self._waiting, [], 0
        tenant = self._originator.encode()
        assets = [identify(document.data).asset or b"" for document in documents]
        table = await known.rows(self._connection, self._originator, assets)
        table |= self.scratch.rows(asset_key(tenant, asset) for asset in assets)
        found = difference(documents, table, 0, 1, self._catalog.products, self._catalog.originators)
        for (_, outcome), count in found.outcomes.items():
            self._counts[outcome] += count
        if found.columns is not None:
            markets = self._router.route(self._assessor.assess(found.columns), {}, {})
            self.scratch.put(found.rows, (event for market in markets for event in market if isinstance(event, SellOffer)))
        self.scratch.refuse([*self._refusals, *found.refusals])
        self._refusals = []

    def _too_large(self, large: Oversized) -> Refusal:
        asset = (identify(large.head).asset or b"").decode(errors="replace")
        return Refusal(Document(b"", b"", 0, large.position), asset, "", f"{large.size} bytes, {TOO_LARGE}")
