"""Questions to real servers: an answer or a reason each, side by side, within the limit; what comes late is heard by nobody."""

import asyncio
from time import monotonic

import pytest

from streams import asking
from streams.effects import Question
from streams.webhooks.client import Webhooks
from streams.webhooks.signing import webhook_secret
from tests.webhooks.receivers import is_signed, receiver, says

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def webhooks(monkeypatch):
    monkeypatch.setattr(asking, "ASK_S", 0.6)
    made = Webhooks(SECRET, allow_private=True)
    yield made
    await made.close()


def question(there, name="harbor"):
    return Question(name, there.url("127.0.0.1"), f"confirmation-{name}", b"{}")


async def test_a_question_is_signed_and_its_answer_comes_back(webhooks):
    async with receiver(says(200, b"yes")) as there:
        assert await asking.by(webhooks)([question(there)]) == {"confirmation-harbor": b"yes"}
    (request,) = there.requests
    assert request.headers["webhook-id"] == "confirmation-harbor"
    assert is_signed(webhook_secret(SECRET, "harbor"), request)


async def test_questions_are_asked_side_by_side_and_a_yes_that_is_late_is_none(webhooks):
    async def late(request, writer):
        await asyncio.sleep(0.8)
        await says(200, b"yes")(request, writer)

    started = monotonic()
    async with receiver(late) as slow, receiver(says(200, b"no")) as quick, receiver(says(302, b"", "Location: /")) as moved:
        asked = [question(slow, "a"), question(quick, "b"), question(moved, "c"), question(slow, "d")]
        answers = await asking.by(webhooks)(asked)
        assert monotonic() - started < 2 * asking.ASK_S
    assert answers["confirmation-b"] == b"no"
    assert "a redirect" in answers["confirmation-c"]
    assert all("not taken within 0.6 s" in answers[f"confirmation-{name}"] for name in "ad")


def test_all_of_a_steps_asking_is_bounded():
    assert asking.ASK_S < 10
