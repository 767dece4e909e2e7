"""Asks what a stage is to know from outside before it computes: an answer to each question or why there is none, within ASK_S."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from streams.effects import Answers, Ask, Question
from streams.webhooks.client import WebhookError, Webhooks

ASK_S: Final = 8.0  # a Step, and a rebalance that waits for it, may take so much longer

log = structlog.get_logger()


def by(webhooks: Webhooks) -> Ask:
    """All questions of one Step side by side; an attempt that may be made again is, within the same time."""

    async def ask(questions: Sequence[Question]) -> Answers:
        answers = await asyncio.gather(*(_answer(webhooks, question) for question in questions))
        return dict(zip((question.id for question in questions), answers, strict=True))

    return ask


async def _answer(webhooks: Webhooks, question: Question) -> bytes | str:
    try:
        return await webhooks.post(question.receiver, question.url, question.id, question.body, limit_s=ASK_S)
    except WebhookError as fault:
        log.warning("no answer", receiver=question.receiver, id=question.id, why=str(fault))
        return str(fault)
