"""The topics of `streams/topics.py` on a broker: made once, checked at every start, never altered."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import stamina
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NodeNotReadyError, TopicAlreadyExistsError

from streams.embedded.errors import TopicsError
from streams.topics import ALL, Topic

REPLICATION_MAX: Final = 3
LEADERS_S: Final = 30.0  # bound on the wait for every new partition's leader
POLL_S: Final = 0.05


async def create_topics(bootstrap: str) -> None:
    """Make every topic that is missing and wait until each partition has a leader; replication is 3, or as many as there are brokers.

    Raises:
        TopicsError: the broker does not answer, refuses a topic, or has one with another number of partitions.
    """
    async with _admin(bootstrap) as admin:
        replication = min(REPLICATION_MAX, len((await admin.describe_cluster())["brokers"]))
        missing = _missing(bootstrap, await _described(admin))
        made = [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config) for topic in missing]
        for name, code, message in (await admin.create_topics(made)).topic_errors if made else ():
            if code not in (0, TopicAlreadyExistsError.errno):  # another process was faster: the check below is the same for its topics
                raise TopicsError(f"Kafka at {bootstrap} refuses topic {name}: {message or f'error {code}'}")
        await _wait_for_leaders(bootstrap, admin)


async def check_topics(bootstrap: str) -> None:
    """See that every topic is there with its number of partitions.

    Raises:
        TopicsError: names each topic that is missing or has another number of partitions, or says that the broker does not answer.
    """
    async with _admin(bootstrap) as admin:
        missing = _missing(bootstrap, await _described(admin))
    if missing:
        names = ", ".join(topic.name for topic in missing)
        raise TopicsError(f"Kafka at {bootstrap} lacks the topics {names}; `tranche up --kafka {bootstrap}` makes them")


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        async for attempt in stamina.retry_context(on=NodeNotReadyError, timeout=LEADERS_S, wait_initial=POLL_S, wait_max=1.0):
            with attempt:  # a broker that has just started knows no broker yet, not even itself
                await admin.describe_cluster()
        yield admin
    except (KafkaError, OSError) as fault:
        raise TopicsError(f"Kafka at {bootstrap} does not answer as it should ({fault}); is it up, and is the address right?") from fault
    finally:
        await admin.close()


async def _described(admin: AIOKafkaAdminClient) -> dict[str, list[dict[str, Any]]]:
    """Name -> partitions of all topics there are."""
    return {found["topic"]: found["partitions"] for found in await admin.describe_topics()}


def _missing(bootstrap: str, found: dict[str, list[dict[str, Any]]], wanted: Iterable[Topic] = ALL) -> list[Topic]:
    there = [topic for topic in wanted if topic.name in found]
    wrong = [f"{t.name} has {len(found[t.name])} and needs {t.partitions}" for t in there if len(found[t.name]) != t.partitions]
    if wrong:
        raise TopicsError(
            f"Kafka at {bootstrap}: wrong numbers of partitions: {'; '.join(wrong)}. "
            "A key's partition is for life: use another broker, or delete these topics with all that is in them"
        )
    return [topic for topic in wanted if topic.name not in found]


async def _wait_for_leaders(bootstrap: str, admin: AIOKafkaAdminClient) -> None:
    try:
        async with asyncio.timeout(LEADERS_S):
            while waiting := _without_leader(await _described(admin)):  # noqa: ASYNC110 - the protocol has no event for it
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TopicsError(
            f"Kafka at {bootstrap}: no leader after {LEADERS_S:.0f} s for {', '.join(waiting)}; see the broker's log"
        ) from None


def _without_leader(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [t.name for t in ALL if t.name not in found or any(p["leader"] < 0 or p["error_code"] for p in found[t.name])]
