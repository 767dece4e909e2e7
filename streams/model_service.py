"""The reference model service (`schemas/model-service.openapi.yaml`): what it answers is what the product's built-in models find.

To try a product's `service` with, and for those who write one of their own to see how it is meant.
"""

import asyncio
from typing import Any, Final

import msgspec
import orjson
import pyarrow as pa
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agents.assessor.answers import TOLD
from agents.assessor.assessment import Assessor
from schemas.catalog import Catalog
from schemas.columns import CHANGED
from schemas.service import CASH_FLOW, CLASSIFICATION

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
COLUMNS: Final = {
    CLASSIFICATION: ("score", "risk_group", "reasons"),
    CASH_FLOW: (
        "remaining_months", "instalment_cents", "last_instalment_cents", "interest_cents",
        "expected_loss_ppm", "expected_return_ppm", "duration_days",
    ),
}  # fmt: skip
_CHANGE: Final = {
    "version": 1, "change": "created", "digest": bytes(16), "batch": "", "position": 0,
    "delta_principal": 0, "delta_interest": 0, "delta_fees": 0,
}  # fmt: skip


class _Question(msgspec.Struct):
    product: str
    product_version: int
    predicts: str
    groups: list[str]
    assets: list[dict[str, Any]]


def app(catalog: Catalog) -> Starlette:
    """The ASGI application."""
    assessor = Assessor(catalog.products)

    async def predict(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                raise HTTPException(413, f"more than {BODY_BYTES_MAX} bytes")
        return Response(await run_in_threadpool(_answer, assessor, catalog, bytes(body)), media_type="application/json")

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])], exception_handlers={HTTPException: _problem})


def _answer(assessor: Assessor, catalog: Catalog, body: bytes) -> bytes:
    try:
        asked = msgspec.json.decode(body, type=_Question)
        if asked.product not in catalog.products or asked.predicts not in COLUMNS:
            raise HTTPException(422, "no such product, or nothing such to predict")
        by = {"product": asked.product, "product_version": catalog.products[asked.product].version}
        rows = [{**{name: asset.get(name) for name in CHANGED.names if name in TOLD}, **_CHANGE, **by} for asset in asked.assets]
        found = assessor.assess(pa.RecordBatch.from_pylist(rows, schema=CHANGED)).to_pylist() if rows else []
        columns = COLUMNS[asked.predicts]
        assets = [{"id": asset["id"], **{name: row[name] for name in columns}} for asset, row in zip(asked.assets, found, strict=True)]
    except (ValueError, KeyError, TypeError, pa.ArrowException) as fault:
        raise HTTPException(422, f"this cannot be predicted: {fault}"[:200]) from None
    return msgspec.json.encode({"model": "tranche-reference/1", "assets": assets})


def _problem(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    body = {"type": "about:blank", "title": "Not predicted", "status": fault.status_code, "detail": fault.detail}
    return Response(orjson.dumps(body), fault.status_code, fault.headers, "application/problem+json")


def run(catalog: Catalog, port: int) -> None:
    """Serve on loopback until SIGINT or SIGTERM."""
    config = uvicorn.Config(app(catalog), host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False)
    asyncio.run(uvicorn.Server(config).serve())
