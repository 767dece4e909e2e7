"""Model services as real servers: tried again within their limits, spared while they fail, and told no more than they must know."""

import asyncio

import pytest
from structlog.testing import capture_logs

from schemas.service import Service
from streams.breaker import FAILURES_MAX, OPEN_S
from streams.effects import Query, UnansweredError
from streams.models import ANSWER_BYTES_MAX, SIDE_BY_SIDE, Models
from tests.webhooks.receivers import in_turn, receiver, says

TOKEN = "s3cr3t-t0ken"
GOOD = says(200, b"good")


class Clock:
    now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def models(clock):
    made = Models({"MODEL_TOKEN_X": TOKEN}, clock)
    yield made
    await made.close()


def query(where, id_="q", fallback="built_in", **more):
    def read(body):
        if body != b"good":
            raise ValueError(f"{len(body)} bytes are no answer")
        return body.decode()

    url = where if isinstance(where, str) else where.url("127.0.0.1")
    said = {"timeout_ms": 1000, "attempts": 1, **more}
    return Query(Service(url=url, predicts="cash_flow", fallback=fallback, lane=0, **said), "loan", id_, b"{}", read)


async def asked(models, one):
    return (await models.ask([one]))[one.id]


async def never(_request, _writer):
    await asyncio.sleep(600)


async def drips(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_a_question_goes_with_its_token_and_what_is_read_of_the_answer_comes_back(models):
    async with receiver(GOOD) as there:
        assert await models.ask([query(there, token="MODEL_TOKEN_X"), query(there, "other")]) == {"q": "good", "other": "good"}
    assert sorted(request.headers.get("authorization", "none") for request in there.requests) == [f"Bearer {TOKEN}", "none"]
    assert {(one.headers["content-type"], one.headers["accept-encoding"], one.body) for one in there.requests} == {
        ("application/json", "identity", b"{}")
    }


async def test_what_may_pass_is_tried_again_as_often_as_the_product_says(models):
    async with receiver(in_turn(says(503), says(429), GOOD)) as there:
        assert await asked(models, query(there, attempts=3)) == "good"
    assert len(there.requests) == 3
    async with receiver(in_turn(says(503), says(429), GOOD)) as there:
        assert await asked(models, query(there, attempts=2)) == "answered 429"
    assert len(there.requests) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(400), "answered 400"),
        (says(307, b"", "Location: /elsewhere"), "answered 307"),
        (says(200, b"bad"), "a wrong answer: 3 bytes are no answer"),
        (says(200, bytes(ANSWER_BYTES_MAX + 1)), f"answered with more than {ANSWER_BYTES_MAX} bytes"),
    ],
    ids=["refused", "moved", "wrong", "too large"],
)
async def test_what_another_attempt_would_not_mend_is_asked_once(models, answer, why):
    async with receiver(answer) as there:
        assert await asked(models, query(there, attempts=3)) == why
    assert len(there.requests) == 1


async def test_an_answer_as_large_as_is_allowed_is_read(models):
    async with receiver(says(200, bytes(ANSWER_BYTES_MAX))) as there:
        assert await asked(models, query(there)) == f"a wrong answer: {ANSWER_BYTES_MAX} bytes are no answer"


@pytest.mark.parametrize("answer", [never, drips])
async def test_a_whole_attempt_has_its_time_and_no_more(models, answer):
    async with asyncio.timeout(5), receiver(answer) as there:
        assert await asked(models, query(there, timeout_ms=100, attempts=2)) == "no answer within 0.1 s"
    assert len(there.requests) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://a..b/", "http://xn--a/", f"http://{'a' * 80}.example/"])
async def test_where_nobody_is_or_can_be_there_is_no_answer(models, url):
    why = await asked(models, query(url))
    assert why.isidentifier(), "the kind of fault, and no more"


async def test_a_service_that_fails_is_spared_and_tried_out_by_one_question(models, clock):
    async with receiver(says(500)) as there, receiver(GOOD) as other:
        for n in range(FAILURES_MAX):
            assert await asked(models, query(there, f"q{n}")) == "answered 500"
        assert "is not asked" in await asked(models, query(there))
        assert len(there.requests) == FAILURES_MAX
        assert await asked(models, query(other)) == "good", "another service has a breaker of its own"
        clock.now_s += OPEN_S
        there.answer = GOOD
        found = await models.ask([query(there, "one"), query(there, "two")])
        assert found["one"] == "good"
        assert "is not asked" in found["two"]
        assert await models.ask([query(there, "one"), query(there, "two")]) == {"one": "good", "two": "good"}


async def test_what_must_wait_is_told_with_product_and_reason_and_what_need_not_goes_on(models):
    async with receiver(says(500)) as there, receiver(GOOD) as other:
        with pytest.raises(UnansweredError, match=r"^model service of loan: answered 500$"):
            await models.ask([query(other, "good"), query(there, fallback="wait")])
        assert await models.ask([query(other, "good"), query(there)]) == {"good": "good", "q": "answered 500"}


async def test_neither_token_nor_address_nor_content_is_in_the_log(models):
    with capture_logs() as logs:
        for answer in (says(500), says(200, b"private"), never):
            async with receiver(answer) as there:
                await asked(models, query(there, token="MODEL_TOKEN_X", timeout_ms=50))
    told = repr(logs)
    assert [entry["log_level"] for entry in logs].count("warning") == 3
    assert "loan" in told
    assert not [word for word in (TOKEN, "127.0.0.1", "key=k1", "private") if word in told]


async def test_the_environments_proxy_is_not_used(clock, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    models = Models({}, clock)
    async with receiver(GOOD) as there:
        assert await asked(models, query(there)) == "good"
    await models.close()


async def test_a_service_has_a_bounded_number_of_questions_at_a_time(models):
    now = most = 0

    async def counts(request, writer):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        await GOOD(request, writer)

    async with receiver(counts) as there:
        found = await models.ask([query(there, f"q{n}") for n in range(3 * SIDE_BY_SIDE)])
    assert set(found.values()) == {"good"}
    assert most == SIDE_BY_SIDE
