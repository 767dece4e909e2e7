"""PostgreSQL for the routes that read. It is optional: uploads never wait for it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from streams.gateway.limits import Limits
from streams.gateway.problems import ProblemError, retry_later

T = TypeVar("T")


class Database:
    """Connects at the first query. `dsn` may be empty: then there is none. All methods raise ProblemError: 503, it does not answer."""

    def __init__(self, dsn: str, limits: Limits) -> None:
        self._dsn, self._limits = dsn, limits
        self._store: Any = None

    async def batch(self, batch: str) -> dict[str, Any] | None:
        """As `queries.batch`."""
        from streams import queries  # noqa: PLC0415 - 4 MB that a gateway which only takes uploads does not need

        return await self._find(lambda pool: queries.batch(pool, batch))

    async def batches(self, originator: str, limit: int) -> list[dict[str, Any]]:
        """As `queries.batches`."""
        from streams import queries  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: queries.batches(pool, originator, limit))

    async def same(self, originator: str, digest: str, size: int) -> tuple[Any, Any]:
        """As `queries.same`."""
        self._configured()
        from streams import queries  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: queries.same(pool, originator, digest, size))

    async def stored(self, originator: str, batch: str) -> int:
        """As `drops.stored`."""
        from streams import drops  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: drops.stored(pool, originator, batch))

    async def affected(self, originator: str, batch: str) -> AsyncGenerator[Any]:
        """As `drops.affected`."""
        from streams import drops  # noqa: PLC0415 - see above
        from streams.store import AWAY  # noqa: PLC0415 - see above

        pool = await self._ask(_itself)
        try:
            async with aclosing(drops.affected(pool, originator, batch)) as effects:
                async for effect in effects:
                    yield effect
        except AWAY as fault:
            raise self._silent(fault) from fault

    async def overtaken(self, originator: str, assets: Sequence[str], batch: str, since: Any, ours: Collection[str]) -> set[str]:
        """As `drops.overtaken`."""
        from streams import drops  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: drops.overtaken(pool, originator, assets, batch, since, ours))

    async def investments(
        self, *, investor: str | None, originator: str | None, after: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """As `queries.investments`, but a wrong cursor is a problem.

        Raises:
            ProblemError: 400, `after` is no cursor.
        """
        from streams import queries  # noqa: PLC0415 - see above

        try:
            return await self._ask(
                lambda pool: queries.investments(pool, investor=investor, originator=originator, after=after, limit=limit)
            )
        except queries.CursorError as fault:
            raise ProblemError(400, "invalid-parameter", f"after: {fault}.", field="after") from fault

    async def trace(self, originator: str, asset: str, *, before: int, limit: int) -> dict[str, Any] | None:
        """As `trace.queries.trace`."""
        from streams.trace import queries  # noqa: PLC0415 - see above

        return await self._find(lambda pool: queries.trace(pool, originator, asset, before=before, limit=limit))

    async def incomplete(self, batch: str) -> int:
        """As `queries.incomplete`."""
        from streams import queries  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: queries.incomplete(pool, batch))

    async def rejected(self, batch: str, after: Any) -> tuple[list[bytes], Any]:
        """As `queries.rejected`: `after` is None, or the place that came with the page before."""
        from streams import queries  # noqa: PLC0415 - see above

        return await self._ask(lambda pool: queries.rejected(pool, batch, after, self._limits.page_bytes))

    async def state(self) -> str:
        """Whether it answers: "up", "not configured", or "down"."""
        if not self._dsn:
            return "not configured"
        try:
            await self._ask(lambda pool: pool.fetchval("SELECT 1"))
        except ProblemError:
            return "down"
        return "up"

    async def close(self) -> None:
        """Close its connections."""
        if self._store is not None:
            await self._store.close()

    async def _find(self, query: Callable[[Any], Awaitable[T | None]]) -> T | None:
        """As `_ask`; None also for a text that no text of the database can be, and so is nobody's name."""
        import asyncpg  # noqa: PLC0415 - see above

        async def ask(pool: Any) -> T | None:
            try:
                return await query(pool)
            except asyncpg.DataError:
                return None

        return await self._ask(ask)

    async def _ask(self, query: Callable[[Any], Awaitable[T]]) -> T:
        """The answer of `query`, which gets the pool."""
        self._configured()
        from streams.store import AWAY, Store  # noqa: PLC0415 - see above

        if self._store is None:
            self._store = Store(self._dsn)
        try:
            async with asyncio.timeout(self._limits.query_s):
                return await query(await self._store.pool())
        except AWAY as fault:
            raise self._silent(fault) from fault

    def _configured(self) -> None:
        if not self._dsn:
            raise retry_later("database-unavailable", "This gateway has no database: TRANCHE_POSTGRES is not set.", self._limits.retry_s)

    def _silent(self, fault: Exception) -> ProblemError:
        detail = f"The database does not answer ({type(fault).__name__}); uploads are taken all the same."
        return retry_later("database-unavailable", detail, self._limits.retry_s)


async def _itself(pool: Any) -> Any:
    return pool
