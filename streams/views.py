"""The ops views: what operators see of a worker, on its own port, as pages for people and as JSON for programs.

On a loopback address they need no login, but a Host that is loopback too, or a page of a stranger could read them by rebinding its name.
On any other address an operator's token is needed: as a bearer token, or once as ?token=, which becomes a cookie. Only READY is for all.
Faust's own pages (/table, /router, …), which know no login, are not served.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg
import faust
import orjson
import structlog
from aiohttp import web
from faust.web.base import BlueprintManager
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.asset import VERSION_END
from schemas.published import Products
from streams import metrics, tokens
from streams.pages import assets, batches, lag, products, rejections, why
from streams.pages.html import Markup, Page, document, tag
from streams.pages.style import CSS
from streams.settings import Settings, SettingsError
from streams.store import AWAY, Store
from streams.watch import Watch
from streams.why.markets import Markets

READY: Final = "/health/ready"
COOKIE: Final = "tranche_operator"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]

log = structlog.get_logger()


def install(app: faust.App, store: Store, settings: Settings, watch: Watch, known: Products, markets: Markets) -> None:
    """Register the views with a Faust app's web server, in place of Faust's own.

    Raises:
        SettingsError: the address is open to others, and there is no secret to check tokens with.
    """
    if not is_loopback(settings.ops_host) and not settings.secret:
        raise SettingsError("TRANCHE_SECRET: needed to check operators' tokens, because TRANCHE_OPS_HOST is no loopback address")
    app.web.blueprints = BlueprintManager()
    for path, handler in _handlers(store, watch, known, markets).items():
        _serve(app, path, handler if path == READY else _guarded(settings, handler))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _handlers(store: Store, watch: Watch, known: Products, markets: Markets) -> dict[str, Handler]:
    async def show_batches(request: web.Request) -> Page:
        if "batch" in request.query:
            return await batches.batch(await store.pool(), request.query["batch"])
        return await batches.batches(await store.pool(), request.query.get("originator"))

    async def show_lag(_: web.Request) -> Page:
        rows = await watch.progress()
        return lag.lag(rows, watch.stalled(rows), watch.stops.last)

    async def show_asset(request: web.Request) -> Page:
        asked = {**request.query, **request.match_info}
        originator, asset = asked.get("originator", ""), asked.get("asset", "")
        if not (originator and asset):
            return assets.search(originator, asset)
        before = request.query.get("before", "")
        number = int(before) if before.isdecimal() and len(before) <= len(str(VERSION_END)) else VERSION_END
        return await assets.trace(await store.pool(), originator, asset, number)

    async def show_why(request: web.Request) -> Page:
        return await why.why(markets, request.query.get("portfolio", ""), request.query.get("asset", ""))

    async def show_rejections(request: web.Request) -> Page:
        return await rejections.rejections(await store.pool(), request.query.get("batch"))

    async def show_products(_: web.Request) -> Page:
        return products.products(known)

    async def style(_: web.Request) -> web.Response:
        return web.Response(text=CSS, content_type="text/css", headers={**HEADERS, "Cache-Control": "max-age=300"})

    async def exposition(_: web.Request) -> web.Response:
        metrics.progress(await watch.progress())
        return web.Response(body=generate_latest(), headers={**HEADERS, "Content-Type": CONTENT_TYPE_LATEST})

    async def ready(_: web.Request) -> web.Response:
        stalled = watch.stalled(await watch.progress())
        checks = {"joined": watch.joined(), "database": await _answers(store)}
        is_ready = all(checks.values()) and not stalled
        return _json({"ready": is_ready, **checks, "stalled": stalled}, 200 if is_ready else 503)

    return {
        "/": _page(show_batches),
        "/lag": _page(show_lag),
        "/assets": _page(show_asset),
        "/assets/{originator}/{asset:.+}": _page(show_asset),
        "/why": _page(show_why),
        "/rejections": _page(show_rejections),
        "/products": _page(show_products),
        "/style.css": style,
        "/metrics": exposition,
        READY: ready,
    }


def _serve(app: faust.App, path: str, handler: Handler) -> None:
    async def get(_view: Any, request: web.Request, **_: str) -> web.Response:
        return await handler(request)

    app.page(path, name=path)(get)  # type: ignore[arg-type] # Faust's types of requests and responses are its own


def _page(show: Callable[[web.Request], Awaitable[Page]]) -> Handler:
    """A page as HTML, or as JSON where the request asks for it."""

    async def handle(request: web.Request) -> web.Response:
        try:
            page = await show(request)
        except asyncpg.DataError:  # a text that no text of the database can be
            page = _fault(400, "This cannot be asked for", "The database knows no such text.")
        except AWAY as fault:
            log.warning("the ops views cannot ask the database", path=request.path, fault=repr(fault))
            page = _fault(503, "The database does not answer", f"{type(fault).__name__}; topics and lag are still to be seen.")
        if request.query.get("format") == "json" or "application/json" in request.headers.get("Accept", ""):
            return _json(page.data, page.status)
        return web.Response(
            text=document(page, str(request.rel_url.update_query(format="json"))),
            content_type="text/html",
            status=page.status,
            headers=HEADERS,
        )

    return handle


def _fault(status: int, title: str, note: str) -> Page:
    return Page("", title, note, {"error": title, "detail": note}, Markup(), status=status)


def _json(data: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(data), content_type="application/json", status=status, headers=HEADERS)


async def _answers(store: Store) -> bool:
    try:
        return await (await store.pool()).fetchval("SELECT true", timeout=2)  # type: ignore[no-any-return]
    except AWAY:
        return False


def _guarded(settings: Settings, handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        if is_loopback(settings.ops_host):
            return (
                await handler(request)
                if is_loopback(_hostname(request.host))
                else _refused(403, "Ask for a loopback address, by its name.")
            )
        if "token" in request.query and _is_operator(settings.secret, request.query["token"]):
            return _signed_in(request)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not _is_operator(settings.secret, bearer or request.cookies.get(COOKIE, "")):
            return _refused(401, "An operator's token is needed: as a bearer token, or once as ?token= in the address.")
        return await handler(request)

    return handle


def _hostname(host: str) -> str:
    """`host` without its port and an IPv6 address's brackets."""
    return host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]


def _is_operator(secret: str, token: str) -> bool:
    try:
        return tokens.verify(secret, token).kind == "operator"
    except ValueError:  # a TokenError, or bytes in the header that are no text
        return False


def _signed_in(request: web.Request) -> web.Response:
    """Take the token out of the address and into a cookie, so that it is not in the browser's history or on the screen."""
    clean = request.rel_url.without_query_params("token")
    response = web.Response(status=303, headers={**HEADERS, "Location": str(clean)})
    response.set_cookie(COOKIE, request.query["token"], httponly=True, samesite="Strict", path="/")
    return response


def _refused(status: int, why: str) -> web.Response:
    headers: Mapping[str, str] = {**HEADERS, **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return web.Response(text=str(tag("p", why)), content_type="text/html", status=status, headers=headers)
