"""The ops views, asked over HTTP of a real Faust web server."""

import asyncio

import faust
import httpx
import pytest
from aiokafka import TopicPartition
from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from agents.merger.agent import sinks
from schemas import catalog, events
from schemas.published import NotTakenError, Products, encode
from streams import settings, tokens, topics, views
from streams.embedded import ports
from streams.store import Store
from streams.why.markets import Markets
from tests.database import assessed, feed, message
from tests.rows import CATALOG
from tests.watched import Watched

VERSIONS, BATCHES, REJECTIONS, _ = sinks(catalog.Catalog({}, {}, ()))
SECRET = "s" * 32
PAGES = ("/", "/lag", "/assets", "/assets/bluebird/x", "/why", "/rejections", "/products")


def known():
    """Two versions of a product, and a message that is none."""
    found, product = Products(), CATALOG.products["consumer-loan-eur"]
    for offset in (3, 4):
        value = encode(structs.replace(product, version=offset))
        found.take(offset, 1_795_421_924_000 + offset, product.product.encode(), value, CATALOG.markets)
    with pytest.raises(NotTakenError):
        found.take(7, 0, b"x", b"{}", CATALOG.markets)
    return found


@pytest.fixture
def seen(tmp_path):
    """Three partitions with 0, 1 and 2 records to do."""
    seen = Watched(tmp_path, intake=[7, 6, 5])
    for number in (1, 2):
        seen.input(number, 0, 8 - number, 8, 8)
    return seen


@pytest.fixture
async def serve(store, tmp_path, seen):
    """A function that serves the views and gives a client of them."""
    running = []

    async def start(host: str = "127.0.0.1", store: Store = store) -> httpx.AsyncClient:
        port = ports.free_port()
        environ = {"TRANCHE_OPS_HOST": host, "TRANCHE_OPS_PORT": str(port), "TRANCHE_SECRET": SECRET}
        app = faust.App("test", broker="kafka://127.0.0.1:1", web_bind=host, web_port=port, datadir=tmp_path)
        views.install(app, store, settings.load(environ), seen.watch, known(), Markets([], CATALOG))
        app.web.init_server()
        await app.web.start_server()
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
        running.append((app, client))
        return client

    yield start
    for app, client in running:
        await client.aclose()
        await app.web.stop_server()


@pytest.fixture
async def loans(store):
    """An asset with two versions, a batch, a dead letter, all with markup in what an originator wrote."""
    rows = [{"asset_id": "<i>x", "version": n, "outstanding": 100_000 - n} for n in (1, 2)]
    await feed(store, VERSIONS, [message(topics.ASSESSED, assessed(*rows))])
    told = events.BatchReceived(batch="<i>b1", originator="<i>bird", documents=4, bytes=1_200, digest="ab", error="<i>cut", position=7)
    await feed(store, BATCHES, [message(topics.BATCHES, events.encode(told))])
    letter = events.Rejected(
        batch="<i>b1", originator="<i>o", asset="<i>a", position=3, field="<i>f", reason="<i>r", source="<i>s", document=b"<i>"
    )
    await feed(store, REJECTIONS, [message(topics.REJECTED, events.encode(letter))])


def steady(rows):
    """Without what goes on from one look to the next."""
    if isinstance(rows, dict):
        return rows
    return [{name: value for name, value in row.items() if name not in {"oldest_s", "still_s"}} for row in rows]


async def test_every_page_is_served_as_html_and_as_json_both_ways_of_asking(serve, loans):
    client = await serve()
    for path in ("/", "/lag", "/assets/bluebird/%3Ci%3Ex", "/rejections", "/assets", "/why"):
        page = await client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<i>" not in page.text
        assert "style-src 'self'" in page.headers["content-security-policy"]
        asked, accepted = await client.get(f"{path}?format=json"), await client.get(path, headers={"Accept": "application/json"})
        assert asked.headers["content-type"] == accepted.headers["content-type"] == "application/json"
        assert steady(asked.json()) == steady(accepted.json())


async def test_the_pages_say_what_the_database_and_the_worker_say(serve, loans, seen):
    client = await serve()
    (batch,) = (await client.get("/?format=json")).json()
    assert (batch["batch"], batch["state"], batch["documents"], batch["error"]) == ("<i>b1", "processing", 4, "<i>cut")
    asset = (await client.get("/assets/bluebird/%3Ci%3Ex?format=json")).json()
    assert [version["document"]["outstanding"] for version in asset["versions"]] == ["999.99", "999.98"]
    assert "999.98" in (await client.get("/assets", params={"originator": "bluebird", "asset": "<i>x"})).text
    (letter,) = (await client.get("/rejections", params={"batch": "<i>b1", "format": "json"})).json()
    assert (letter["reason"], letter["document"]) == ("<i>r", "PGk+")
    assert (await client.get("/rejections", params={"batch": "other", "format": "json"})).json() == []
    assert (await client.get("/?originator=nobody&format=json")).json() == []
    found, known = (await client.get("/lag?format=json")).json(), await seen.watch.progress()
    assert steady(found) == steady(known)


async def test_an_unknown_asset_is_not_found_and_an_impossible_one_refused(serve):
    client = await serve()
    assert (await client.get("/assets/bluebird/nothing")).status_code == 404
    assert (await client.get("/assets/blue/bird/a%2Fb")).status_code == 404
    assert (await client.get("/assets?originator=a%00&asset=b")).status_code == 400


async def test_a_page_is_asked_for_by_batch_or_from_a_version_on_and_a_wrong_number_is_none(serve, loans):
    client = await serve()
    assert [row["batch"] for row in (await client.get("/", params={"batch": "<i>b1", "format": "json"})).json()] == ["<i>b1"]
    assert (await client.get("/", params={"batch": "none"})).status_code == 404
    for before, expected in (("2", [1]), ("3", [1, 2]), ("", [1, 2]), ("x", [1, 2]), ("-1", [1, 2]), ("9" * 5_000, [1, 2])):
        answer = await client.get("/assets/bluebird/%3Ci%3Ex", params={"before": before, "format": "json"})
        assert [version["version"] for version in answer.json()["versions"]] == expected


async def test_faust_serves_nothing_of_its_own(serve):
    client = await serve()
    for path in ("/table", "/table/", "/table/x/y", "/router", "/router/", "/graph", "/graph/", "/stats", "/assignment/", "/performance"):
        assert (await client.get(path)).status_code == 404
    assert "text/html" in (await client.get("/")).headers["content-type"]


async def test_on_loopback_a_stranger_who_rebinds_a_name_is_refused(serve):
    client = await serve()
    for host, status in (
        ("127.0.0.1:6066", 200),
        ("localhost", 200),
        ("[::1]:6066", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
    ):
        assert (await client.get("/lag", headers={"Host": host})).status_code == status


async def test_elsewhere_every_page_needs_an_operators_token(serve):
    client = await serve("0.0.0.0")
    operator = tokens.issue(SECRET, "operator", "ann")
    wrong = (
        tokens.issue(SECRET, "originator", "ann"),
        tokens.issue("t" * 32, "operator", "ann"),
        "operator.ann.",
        "é",
        "operator.ann.\udcff",
    )
    for path in (*PAGES, "/metrics", "/style.css"):
        for token in wrong:
            answer = await client.get(path, headers={"Authorization": f"Bearer {token}".encode(errors="surrogateescape")})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert (await client.get(path, params={"token": token.encode(errors="surrogateescape")})).status_code == 401
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"Authorization": f"Bearer {operator}"})).status_code in {200, 404}
    assert (await client.get("/health/ready")).status_code == 200, "readiness is for everyone"


async def test_a_token_in_the_address_moves_into_a_cookie(serve):
    client = await serve("0.0.0.0")
    answer = await client.get("/rejections", params={"token": tokens.issue(SECRET, "operator", "ann"), "batch": "b 1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/rejections?batch=b+1")
    assert {"HttpOnly", "SameSite=Strict"} <= set(answer.headers["set-cookie"].split("; "))
    assert (await client.get(answer.headers["location"])).status_code == 200


async def test_an_open_address_without_a_secret_is_refused_at_start(store, tmp_path, seen):
    app = faust.App("test", broker="kafka://127.0.0.1:1", datadir=tmp_path)
    with pytest.raises(settings.SettingsError, match="TRANCHE_SECRET"):
        views.install(app, store, settings.load({"TRANCHE_OPS_HOST": "0.0.0.0"}), seen.watch, known(), Markets([], CATALOG))


async def test_metrics_are_of_exactly_the_partitions_held_now(serve, seen):
    client = await serve()

    async def gauges(name: str) -> dict[str, float]:
        families = text_string_to_metric_families((await client.get("/metrics")).text)
        return {sample.labels["partition"]: sample.value for family in families if family.name == name for sample in family.samples}

    assert await gauges("tranche_lag") == {"0": 0, "1": 1, "2": 2}
    assert (await gauges("tranche_still_seconds"))["0"] == 0 < (await gauges("tranche_still_seconds"))["2"]
    assert (await gauges("tranche_oldest_seconds"))["0"] == 0 < (await gauges("tranche_oldest_seconds"))["1"]
    del seen.known[TopicPartition("in", 2)]
    for name in ("tranche_lag", "tranche_still_seconds", "tranche_oldest_seconds"):
        assert set(await gauges(name)) == {"0", "1"}


async def test_a_worker_is_ready_when_it_has_joined_its_database_answers_and_every_partition_moves(serve, seen):
    client = await serve()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "joined": True, "database": True, "stalled": []})
    seen.watch.stalled_s = 0.01
    await asyncio.sleep(0.02)
    answer = await client.get("/health/ready")
    told = [(row["agent"], row["partition"], row["why"]) for row in answer.json()["stalled"]]
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert told == [("intake", 1, "waits for a fetch"), ("intake", 2, "waits for a fetch")]
    seen.watch.stalled_s, seen.in_group = 30, False
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["joined"]) == (503, False)


async def test_the_lag_page_shows_what_does_not_move_with_its_reason_and_what_stopped_the_worker(serve, seen):
    client = await serve()
    calm = (await client.get("/lag")).text
    assert "does not move" not in calm.lower()
    assert "This worker has never stopped itself." in calm
    stop = {"time": "2026-01-02T03:04:05+00:00", "kind": "fence", "agent": "intake", "partition": 2, "offset": 41, "why": "<i>fenced"}
    seen.stops.last = [stop, {**stop, "kind": "stall", "agent": "event loop", "partition": -1, "offset": -1}]
    seen.input(2, 0, None, 8, 8)
    seen.watch.stalled_s = 0.01
    await asyncio.sleep(0.02)
    page = (await client.get("/lag")).text
    assert page.index("Does not move") < page.index("the group does not say where to begin") < page.index("By partition")
    assert page.index("Last stops") < page.index("2026-01-02 03:04:05") < page.index("&lt;i&gt;fenced") < page.index("event loop")


async def test_without_the_database_the_pages_say_so_and_the_lag_is_still_there(serve):
    client = await serve(store=Store(f"postgresql://nobody@127.0.0.1:{ports.free_port()}/nothing"))
    for path in ("/", "/assets/bluebird/x", "/rejections"):
        answer = await client.get(path)
        assert (answer.status_code, "does not answer" in answer.text) == (503, True)
    assert [(await client.get(path)).status_code for path in ("/lag", "/why")] == [200, 200]
    assert (await client.get("/health/ready")).json()["database"] is False
