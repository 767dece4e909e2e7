"""The gateway process: HTTP in front of the broker and the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from schemas.published import Products
from streams.broker import KafkaBroker
from streams.gateway import assets, batches, dry_run, health, investments, pages, portfolios, restarts
from streams.gateway.context import Gateway, Recent
from streams.gateway.database import Database
from streams.gateway.edge import Edge
from streams.gateway.inbox import watch
from streams.gateway.limits import Limits
from streams.gateway.outlet import Outlet
from streams.gateway.problems import ProblemError, render
from streams.gateway.spool import Spool
from streams.products import ProductsTable
from streams.settings import Settings, SettingsError
from streams.tokens import SECRET_CHARACTERS_MIN

# Of a connection without a request. Common clients let go of one after 5 s: were it the same here, a request would now and then be on its
# way while we close, and be lost without an answer.
KEEP_ALIVE_S: Final = 10

log = structlog.get_logger()

ROUTES = (
    Route("/", pages.home),
    Route("/openapi.json", pages.openapi),
    Route("/health", health.health),
    Route("/metrics", health.metrics),
    Route("/originators/{originator}/batches", dry_run.deliver, methods=["POST"]),
    Route("/originators/{originator}/batches", batches.batches),
    Route("/originators/{originator}/assets/{asset}", assets.asset),
    Route("/batches/{batch}", batches.batch, name="batch"),
    Route("/batches/{batch}/rejected", batches.rejected),
    Route("/batches/{batch}/restart", restarts.restart, methods=["POST"]),
    Route("/portfolios", portfolios.place, methods=["POST"]),
    Route("/portfolios/{portfolio}", portfolios.close, methods=["DELETE"]),
    Route("/investments", investments.investments),
)


def app(settings: Settings, limits: Limits) -> Starlette:
    """The ASGI application. It starts whether broker and database are there or not.

    Raises:
        SettingsError: there is no secret. CatalogError: the catalog cannot be read.
    """
    if len(settings.secret) < SECRET_CHARACTERS_MIN:
        raise SettingsError(f"TRANCHE_SECRET: must be set, with at least {SECRET_CHARACTERS_MIN} characters")
    products = ProductsTable(KafkaBroker(settings.kafka), Products())
    catalog = settings.load_catalog(products.products)
    outlet, database = Outlet(settings.kafka, limits), Database(settings.postgres, limits)
    spool = Spool(settings.home, settings.backups, outlet, limits) if settings.backups else None
    gateway = Gateway(
        settings.secret,
        catalog.originators,
        products,
        catalog.investors,
        limits,
        outlet,
        database,
        Recent(limits.recent),
        settings.backups,
        spool=spool,
    )
    gateway.dry_run_environ = dry_run.environ(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.info("gateway starts", host=settings.gateway_host, port=settings.gateway_port, kafka=settings.kafka)
        if spool:
            await spool.start()
        watching = asyncio.create_task(watch(settings.inbox, gateway)) if settings.inbox else None
        yield
        if watching:
            watching.cancel()
            await asyncio.wait({watching})
        if spool:
            await spool.close()
        await outlet.close()
        await database.close()

    handlers = {ProblemError: render, HTTPException: render, Exception: render}
    application = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=handlers, middleware=[Middleware(Edge, limits=limits)])
    application.state.gateway = gateway
    return application


def server(settings: Settings, limits: Limits) -> uvicorn.Server:
    """The HTTP server of `app`, not yet serving. It keeps the process's logging as it is.

    Raises:
        SettingsError, CatalogError: as `app`.
    """
    config = uvicorn.Config(
        app(settings, limits),
        host=settings.gateway_host,
        port=settings.gateway_port,
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        limit_concurrency=limits.connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(limits.ack_s),
    )
    return uvicorn.Server(config)


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; uploads in progress are finished first, within a bound.

    Raises:
        SettingsError, CatalogError: as `app`.
    """
    server(settings, Limits()).run()
