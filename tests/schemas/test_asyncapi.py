"""`schemas/asyncapi.yaml` is true: its schemas are the types', the code reads its examples, and what the agents write keeps it."""

import json
from collections import deque
from functools import reduce
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator

import schemas
from agents.assessor import agent as assessor
from agents.confirmer import agent as confirmer
from agents.intake import agent as intake
from agents.intake.delivery import unpack
from agents.matcher import agent as matcher
from agents.router import agent as router
from agents.trader import agent as trader
from agents.trader.portfolio import parse
from schemas import events
from schemas.catalog import Catalog, Originator
from schemas.events import encode
from schemas.published import Products
from schemas.published import encode as publication
from streams import topics
from streams.effects import Message, Record
from streams.partition import partition_of
from streams.settings import load
from tests.loans import encoded, paid

FOLDER = Path(schemas.__file__).parent
CONTRACT = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
CHANNELS = {channel["address"]: channel for channel in CONTRACT["channels"].values()}
INGEST_MESSAGE = CONTRACT["components"]["messages"]["documents"]
CATALOG = load({}).load_catalog()
INTERNAL = {topics.CHANGED, topics.QUERIED, topics.ASSESSED}  # Arrow columns, for the agents only
KINDS = (
    events.BatchEvent,
    events.Rejected,
    events.Repayment,
    events.Portfolio,
    list[events.MarketEvent],
    events.Proposal,
    events.Investment,
    events.Released,
)
DECODERS = {
    topics.REJECTED.name: events.decode_rejected,
    topics.REPAYMENTS.name: events.decode_repayment,
    topics.BATCHES.name: events.decode_batch,
    topics.PORTFOLIOS.name: events.decode_portfolio,
    topics.OFFERS.name: events.decode_market,
    topics.PROPOSED.name: events.decode_proposal,
    topics.INVESTMENTS.name: events.decode_investment,
    topics.RELEASED.name: events.decode_released,
}
KEYS = {
    topics.REJECTED.name: lambda event: event["originator"],
    topics.REPAYMENTS.name: lambda event: f"{event['originator']}/{event['asset']}",
    topics.BATCHES.name: lambda event: event["batch"],
    topics.PORTFOLIOS.name: lambda event: event["investor"],
    topics.PROPOSED.name: lambda event: event["sell_offer"]["originator"],
    topics.INVESTMENTS.name: lambda event: event["investor"],
    topics.RELEASED.name: lambda event: event["originator"],
}


def named(reference: dict) -> dict:
    """What a reference names."""
    return reduce(lambda node, name: node[name], reference["$ref"].split("/")[1:], CONTRACT)


def messages(address: str) -> list[dict]:
    return [named(message) for message in CHANNELS[address]["messages"].values()]


def listed(payload: object) -> list[dict]:
    """The events of a payload."""
    return payload if isinstance(payload, list) else [payload]


def key_of(message: dict) -> str | None:
    (example,) = message.get("bindings", {}).get("kafka", {}).get("key", {}).get("examples", [None])
    return example


ALL_TAGS = {tag for schema in CONTRACT["components"]["schemas"].values() for tag in schema["properties"].get("event", {}).get("enum", ())}
EXAMPLES = [
    pytest.param(address, message, example["payload"], id=message["name"])
    for address in DECODERS
    for message in messages(address)
    for example in message["examples"]
]


def test_every_topic_for_others_is_there_with_its_settings():
    assert set(CHANNELS) == {topic.name for topic in topics.FLOW if topic not in INTERNAL}
    for topic in topics.FLOW:
        if topic not in INTERNAL:
            kafka = CHANNELS[topic.name]["bindings"]["kafka"]
            config = {**kafka["topicConfiguration"], "cleanup.policy": kafka["topicConfiguration"]["cleanup.policy"][0]}
            assert (kafka["partitions"], {name: str(value) for name, value in config.items()}) == (topic.partitions, topic.config)
    assert all(f"{number} {market}" in CHANNELS["offers"]["description"] for number, market in enumerate(topics.MARKETS))


def test_originators_write_one_topic_and_read_the_others():
    actions = {named(operation["channel"])["address"]: operation["action"] for operation in CONTRACT["operations"].values()}
    assert actions == {name: "receive" if name == topics.INGEST.name else "send" for name in CHANNELS}


def test_the_schemas_are_those_of_the_types():
    _, expected = msgspec.json.schema_components(KINDS, ref_template="#/components/schemas/{name}")
    text = yaml.safe_dump(expected, sort_keys=False, width=140, default_flow_style=None)
    assert CONTRACT["components"]["schemas"] == yaml.safe_load(text), f"put this under components.schemas:\n{text}"


def test_each_payload_is_the_type_that_its_topic_carries():
    found, _ = msgspec.json.schema_components(KINDS, ref_template="#/components/schemas/{name}")
    batch, rejected, repayment, portfolio, market, proposal, investment, released = found
    del market["items"]["discriminator"]  # OpenAPI's form of it, which AsyncAPI does not have
    for topic, expected in (
        (topics.BATCHES, batch["anyOf"]),
        (topics.REJECTED, [rejected]),
        (topics.REPAYMENTS, [repayment]),
        (topics.PORTFOLIOS, [portfolio]),
        (topics.OFFERS, [market]),
        (topics.PROPOSED, [proposal]),
        (topics.INVESTMENTS, [investment]),
        (topics.RELEASED, [released]),
    ):
        assert [message["payload"] for message in messages(topic.name)] == expected


@pytest.mark.parametrize(("address", "message", "payload"), EXAMPLES)
def test_an_example_is_read_by_the_code_and_has_its_key(address, message, payload):
    event = DECODERS[address](json.dumps(payload).encode())
    assert json.loads(encode(event)) == payload, "an example leaves defaults out as the code does"
    valid(message, payload)
    assert key_of(message) == (KEYS[address](payload) if address in KEYS else None)


def test_every_event_has_an_example():
    assert {event["event"] for param in EXAMPLES for event in listed(param.values[2])} == ALL_TAGS


def test_the_example_of_a_loan_book_is_taken_in():
    (example,) = INGEST_MESSAGE["examples"]
    headers = tuple((name, value.encode()) for name, value in example["headers"].items())
    delivery = unpack((FOLDER / "examples" / "loans.bson").read_bytes(), headers, 0, CATALOG.originators)
    assert (delivery.originator, delivery.batch, len(delivery.documents)) == ("bluebird", example["headers"]["batch"], 3)
    assert set(INGEST_MESSAGE["headers"]["properties"]) == {"originator", "batch", "positions", "supersedes"}


def test_the_example_of_a_product_is_taken_in_and_what_is_published_keeps_the_contract():
    (message,) = messages(topics.PRODUCTS.name)
    (example,) = message["examples"]
    known = Products()
    assert known.take(0, 0, key_of(message).encode(), json.dumps(example["payload"]).encode(), topics.MARKETS)
    for product in (*known.values(), *CATALOG.products.values()):
        valid(message, json.loads(publication(product)))


def valid(message: dict, payload: object) -> None:
    """Raises if a payload is not what the message's schema says."""
    Draft7Validator({**CONTRACT, **message["payload"]}).validate(payload)


def keeps(record: Record) -> list[str]:
    """The kinds of the events that a record carries; raises if the contract does not have the record as it is."""
    value = json.loads(record.value)
    message = next(one for one in messages(record.topic.name) if isinstance(value, list) or one["name"] == value["event"])
    valid(message, value)
    assert record.key == (KEYS[record.topic.name](value).encode() if record.topic.name in KEYS else None)
    headers = {name: text.decode() for name, text in record.headers}
    Draft7Validator({**message.get("headers", {}), "additionalProperties": False}).validate(headers)
    return [event["event"] for event in listed(value)]


def played(records: list[Record], catalog: Catalog = CATALOG) -> list[Record]:
    """`records`, and all that the agents make of them and of each other's, in turn, until nothing is left to do."""
    stages = {stage.source: stage for agent in (intake, assessor, router, trader, matcher, confirmer) for stage in agent.stages(catalog)}
    states: dict = {}
    written: list[Record] = []
    pending = deque(records)
    while pending:
        written.append(record := pending.popleft())
        if stage := stages.get(record.topic):
            number = partition_of(record.key or b"", record.topic.partitions) if record.partition is None else record.partition
            state = states.setdefault((stage.name, number), stage.state())
            message = Message(record.topic.name, number, len(written), 0, record.key, record.value, record.headers)
            effects = stage.compute(state, [message])
            state.apply(effects.rows)
            pending += effects.records
    return written


def test_what_the_agents_write_keeps_the_contract():
    """A loan comes, is invested in, is paid back in part, and is recalled, a broken document between; its portfolio is closed.

    Another time its originator wants to be asked, and nobody gets an answer.
    """
    loans = [encoded(), encoded(days_past_due=-1), encoded(paid=paid("984.14", "1300.00")), encoded(status="recalled")]
    delivered = [Record(topics.INGEST, b"bluebird/LC1", loan, None, (("originator", b"bluebird"),)) for loan in loans]
    wanted = {"portfolio": "steady", "currency": "USD", "size": "10000.00", "buckets": [{"name": "all", "share_percent": 100}]}
    portfolios = [
        Record(topics.PORTFOLIOS, b"ann", encode(parse(json.dumps({**wanted, "closed": closed}).encode(), "ann", version, {"USD": {}})))
        for version, closed in ((1, False), (2, True))
    ]
    asks = {"bluebird": Originator("bluebird", "Bluebird", "https://bluebird.example/confirm")}
    asked_in_vain = played([portfolios[0], delivered[0]], msgspec.structs.replace(CATALOG, originators=asks))
    written = played([portfolios[0], *delivered]) + played(portfolios) + asked_in_vain
    tags = {tag for record in written if record.topic.name in DECODERS for tag in keeps(record)}
    assert tags == ALL_TAGS - {"batch.received"}
