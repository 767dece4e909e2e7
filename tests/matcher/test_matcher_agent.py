import pytest
from histories import buy, buy_withdrawn, sell
from hypothesis import given
from hypothesis import strategies as st

from agents.matcher.agent import stages
from agents.matcher.book import Book
from schemas import events
from streams import topics
from streams.effects import Message
from streams.settings import load

(STAGE,) = stages(load({}).load_catalog())


def message(value, offset=0, partition=0):
    return Message("offers", partition, offset, 0, None, value if isinstance(value, bytes) else events.encode(value), ())


def test_the_stage_reads_offers_and_keeps_a_book():
    assert (STAGE.name, STAGE.source, STAGE.table) == ("matcher", topics.OFFERS, topics.MATCHER_TABLE)
    assert isinstance(STAGE.state(), Book)


def test_investments_are_published_one_a_record_by_investor():
    effects = STAGE.compute(Book(), [message([buy("ann"), buy("ben")]), message([sell()], 1)])
    assert [(record.topic, record.key, record.partition) for record in effects.records] == [
        (topics.INVESTMENTS, b"ann", None),
        (topics.INVESTMENTS, b"ben", None),
    ]
    assert all(record.headers == (("event", b"investment.made"),) for record in effects.records)
    found = [events.decode_investment(record.value) for record in effects.records]
    assert [(one.investment, one.amount_cents, one.currency, one.rate_ppm, one.risk_group) for one in found] == [
        ("harbor/a1/1/1", 50, "EUR", 100_000, "A"),
        ("harbor/a1/1/2", 50, "EUR", 100_000, "A"),
    ]
    assert set(effects.rows) == {b"b/ann/p/1/b1", b"b/ben/p/1/b1", b"s/harbor/a1", b"m"}
    assert effects.poison == 0


def test_compute_leaves_the_book_alone_until_its_rows_are_applied():
    book = Book()
    book.apply(STAGE.compute(book, [message([buy("ann")])]).rows)
    first, again = (STAGE.compute(book, [message([sell()], 1)]) for _ in range(2))
    assert first == again
    book.apply(first.rows)
    assert not STAGE.compute(book, [message([sell()], 2)]).records


def test_a_withdrawn_buy_offer_is_deleted_from_the_table():
    book = Book()
    book.apply(STAGE.compute(book, [message([buy("ann")])]).rows)
    rows = STAGE.compute(book, [message([buy_withdrawn(buy("ann"))], 1)]).rows
    assert rows == {b"b/ann/p/1/b1": None, b"p/ann/p": b"1", b"m": b"2"}


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[1]", b"\xff", b"[" * 5000, b'[{"event":"investment.made"}]', b'[{"event":"\xff"}]', b"[" + b'{"a":' * 5000]
)
def test_a_message_that_cannot_be_read_is_quarantined_and_its_neighbours_go_through(value):
    effects = STAGE.compute(Book(), [message([buy()]), message(value, 1), message([sell()], 2)])
    rejected, invested = effects.records
    assert (rejected.topic, rejected.key, effects.poison) == (topics.REJECTED, b"", 1)
    event = events.decode_rejected(rejected.value)
    assert (event.source, event.document) == ("offers-0-1", value[: 64 * 1024])
    assert event.reason
    assert invested.topic == topics.INVESTMENTS


def test_an_offer_that_the_market_cannot_take_is_quarantined_alone():
    effects = STAGE.compute(Book(), [message([buy(), sell("a1", currency="USD"), sell("a2", amount=2**63), sell("a3", amount=50)])])
    *rejected, invested = effects.records
    found = [events.decode_rejected(record.value) for record in rejected]
    assert [(one.originator, one.asset, one.field) for one in found] == [("harbor", "a1", "currency"), ("harbor", "a2", "amount_cents")]
    assert [record.key for record in rejected] == [b"harbor", b"harbor"]
    assert events.decode_investment(invested.value).asset == "a3"
    assert effects.poison == 0


def test_each_partition_is_the_market_of_its_currency():
    assert topics.MARKETS[1] == "USD"
    assert not STAGE.compute(Book(), [message([sell(currency="USD")], partition=1)]).records


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_message_stops_the_partition(value):
    assert len(STAGE.compute(Book(), [message(value)]).records) + (value.strip() == b"[]") == 1
