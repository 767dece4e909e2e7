"""The client against real servers that do what they should not."""

import asyncio
import ssl
import tracemalloc
from time import monotonic

import pytest

from streams.webhooks import client
from streams.webhooks.client import ANSWER_BYTES_MAX, WebhookError, Webhooks
from streams.webhooks.signing import webhook_secret
from tests.webhooks.receivers import PEM, in_turn, is_signed, receiver, says

SECRET = "0123456789abcdef0123456789abcdef"
LIMIT_S = 3.0


async def loopback(_host, _port):
    return ["127.0.0.1"]


@pytest.fixture
async def make(monkeypatch):
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.01)
    made = []

    def one(*, allow_private=True, resolve=loopback, **more):
        made.append(Webhooks(SECRET, allow_private=allow_private, resolve=resolve, clock=lambda: 1_795_000_000.7, **more))
        return made[-1]

    yield one
    for webhooks in made:
        await webhooks.close()


async def refusal(webhooks, url, **more):
    with pytest.raises(WebhookError) as caught:
        await webhooks.post("bluebird", url, "m-1", b"[1]", **{"limit_s": LIMIT_S, **more})
    assert url not in str(caught.value)
    return str(caught.value)


async def test_a_message_arrives_signed_and_the_answers_body_comes_back(make):
    async with receiver(says(200, b"yes")) as there:
        assert await make().post("bluebird", there.url(), "m-1", b"[1]", limit_s=LIMIT_S, content_type="text/plain") == b"yes"
    (request,) = there.requests
    assert (request.line, request.body, request.headers["host"]) == ("POST /hook?key=k1 HTTP/1.1", b"[1]", f"receiver.test:{there.port}")
    assert (request.headers["content-type"], request.headers["webhook-id"]) == ("text/plain", "m-1")
    assert request.headers["webhook-timestamp"] == "1795000000"
    assert is_signed(webhook_secret(SECRET, "bluebird"), request)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_what_may_pass_is_tried_again_under_the_same_id(make, status):
    async with receiver(in_turn(says(status), says(status, b"", "Retry-After: 0"), says(204))) as there:
        assert await make().post("bluebird", there.url(), "m-1", b"[1]", limit_s=LIMIT_S) == b""
    assert [request.headers["webhook-id"] for request in there.requests] == ["m-1"] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refusal_is_final(make, status):
    async with receiver(says(status)) as there:
        assert await refusal(make(), there.url()) == f"answered {status}"
    assert len(there.requests) == 1


async def test_attempts_are_bounded(make):
    async with receiver(says(500)) as there:
        assert await refusal(make(), there.url()) == "answered 500"
    assert len(there.requests) == client.ATTEMPTS


async def test_a_receiver_that_wants_more_time_than_there_is_is_not_waited_for(make):
    started = monotonic()
    async with receiver(says(429, b"", "Retry-After: 3600")) as there:
        assert "3600 s: too late" in await refusal(make(), there.url())
    assert monotonic() - started < LIMIT_S / 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_an_error_that_says_so_and_nobody_follows_it(make, status):
    async with receiver(says(200)) as inside, receiver(says(status, b"", f"Location: {inside.url()}")) as there:
        assert "a redirect" in await refusal(make(), there.url())
    assert inside.requests == []


async def test_a_receiver_that_never_answers_costs_the_limit_and_no_more(make):
    async def silence(_request, _writer):
        await asyncio.sleep(60)

    started = monotonic()
    async with receiver(silence) as there:
        assert "not taken within 0.4 s; before: no answer within 0.2 s" in await refusal(make(), there.url(), limit_s=0.4)
    assert monotonic() - started < 2
    assert len(there.requests) == 2


async def test_a_slow_drip_costs_the_limit_and_no_more(make):
    async def drip(_request, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = monotonic()
    async with receiver(drip) as there:
        assert "no answer within 0.2 s" in await refusal(make(), there.url(), limit_s=0.4)
    assert monotonic() - started < 2


async def test_a_huge_answer_is_left_where_it_is_too_large(make):
    async def flood(_request, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1 << 20))
            await writer.drain()

    async with receiver(flood) as there:
        tracemalloc.start()
        assert f"more than {ANSWER_BYTES_MAX} bytes" in await refusal(make(), there.url())
        peak, _ = tracemalloc.get_traced_memory()[1], tracemalloc.stop()
    assert peak < 16 * ANSWER_BYTES_MAX


@pytest.mark.parametrize("garbage", [b"SSH-2.0-" + b"x" * 300 + b"\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
async def test_garbage_is_an_error_of_one_line(make, garbage):
    async def say(_request, writer):
        writer.write(garbage)
        await writer.drain()

    async with receiver(say) as there:
        reason = await refusal(make(), there.url())
    assert reason.startswith("remote protocol error: ")
    assert len(reason) < 200


async def test_a_compressed_answer_is_refused_so_that_it_cannot_grow(make):
    async with receiver(says(200, b"\x1f\x8b", "Content-Encoding: gzip")) as there:
        assert "gzip" in await refusal(make(), there.url())


async def test_nobody_there_is_an_error(make):
    async with receiver(says(200)) as there:
        pass
    assert (await refusal(make(), there.url())).startswith("connect error")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_the_inside_is_not_reached_however_it_is_written(make, host):
    async with receiver(says(200)) as there:
        webhooks = make(allow_private=False, resolve=client.network.resolve)
        assert "not public; TRANCHE_WEBHOOKS_TO=any" in await refusal(webhooks, there.url(host))
    assert there.requests == []


async def test_a_name_with_one_address_inside_is_refused_whole(make):
    async def both(_host, _port):
        return ["1.1.1.1", "127.0.0.1"]

    async with receiver(says(200)) as there:
        assert "leads to 127.0.0.1" in await refusal(make(allow_private=False, resolve=both), there.url())


async def test_a_name_that_changes_its_meaning_is_asked_where_it_was_checked(make, monkeypatch):
    answers = [["1.1.1.1"], ["127.0.0.1"]]
    connected = []

    async def rebinding(_host, _port):
        return answers.pop(0)

    async def connect(_backend, host, *_):
        connected.append(host)
        raise client.network.httpcore.ConnectTimeout

    monkeypatch.setattr(client.network.httpcore.AnyIOBackend, "connect_tcp", connect)
    assert "leads to 127.0.0.1" in await refusal(make(allow_private=False, resolve=rebinding), "http://receiver.test/")
    assert connected == ["1.1.1.1"]


@pytest.mark.parametrize(
    "url", ["ftp://a/", "file:///etc/passwd", "http://me:secret@a/", "//a/b", "http://", "", "http://[::1/", "http://a:99999/"]
)
async def test_an_address_that_is_none_of_ours_is_refused(make, url):
    webhooks = make()
    with pytest.raises(WebhookError, match="address") as caught:
        await webhooks.post("bluebird", url, "m-1", b"", limit_s=1)
    assert "secret" not in str(caught.value)


async def test_the_environments_proxy_is_not_used(make, monkeypatch):
    async with receiver(says(200)) as there, receiver(says(502)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await make().post("bluebird", there.url(), "m-1", b"", limit_s=LIMIT_S)
    assert proxy.requests == []


async def test_a_certificate_must_be_the_names_and_not_the_addresss(make):
    trust = ssl.create_default_context(cafile=PEM)
    async with receiver(says(200, b"yes"), tls=True) as there:
        assert await make(tls=trust).post("bluebird", there.url(), "m-1", b"", limit_s=LIMIT_S) == b"yes"
        assert "certificate" in await refusal(make(tls=trust), there.url("another.test"))
        assert "certificate" in await refusal(make(), there.url())
