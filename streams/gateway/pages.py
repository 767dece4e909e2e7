"""`GET /` and `GET /openapi.json`: what this is."""

from functools import cache
from pathlib import Path
from typing import Final

import orjson
import yaml
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import schemas

SOURCE: Final = Path(schemas.__file__).parent / "openapi.yaml"
HOME: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Tranche gateway</title>
<h1>Tranche</h1>
<p>A peer-to-peer lending marketplace as a streaming dataflow. This is its gateway: originators deliver loan books here, and investors
place portfolios and read their investments.</p>
<ul>
<li><a href="openapi.json">openapi.json</a>: every route, with examples</li>
<li><a href="health">health</a>: broker and database</li>
<li><a href="metrics">metrics</a>: for Prometheus</li>
</ul>
</html>
"""


async def home(_: Request) -> Response:
    return HTMLResponse(HOME)


async def openapi(_: Request) -> Response:
    """`schemas/openapi.yaml` as JSON."""
    return Response(_openapi(), media_type="application/json")


@cache
def _openapi() -> bytes:
    return orjson.dumps(yaml.safe_load(SOURCE.read_text()))
