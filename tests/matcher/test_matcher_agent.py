import pytest
from histories import buy, buy_withdrawn, released, sell
from hypothesis import given
from hypothesis import strategies as st

from agents.confirmer import outcomes
from agents.matcher import rules
from agents.matcher.agent import stages
from agents.matcher.book import Book
from schemas import events
from schemas.agreements import AGREEMENTS_MAX
from schemas.events import ProposedBid
from streams import topics
from streams.effects import Message
from streams.settings import load

(STAGE,) = stages(load({}).load_catalog())


def message(value, offset=0, partition=0):
    return Message("offers", partition, offset, 0, None, value if isinstance(value, bytes) else events.encode(value), ())


def test_the_stage_reads_offers_and_keeps_a_book():
    assert (STAGE.name, STAGE.source, STAGE.table) == ("matcher", topics.OFFERS, topics.MATCHER_TABLE)
    assert isinstance(STAGE.state(), Book)


def test_what_one_input_sells_of_an_asset_is_one_proposal_by_originator():
    effects = STAGE.compute(Book(), [message([buy("ann"), buy("ben"), buy("cy")]), message([sell(), sell("a2")], 1)])
    assert [(record.topic, record.key, record.partition) for record in effects.records] == [(topics.PROPOSED, b"harbor", None)] * 2
    first, second = (events.decode_proposal(record.value) for record in effects.records)
    assert (first.proposal, first.sell_offer) == ("harbor/a1/1/1", sell())
    assert first.bids == (
        ProposedBid(1, "ann/p/1/b1", "ann", "p", "b1", 50),
        ProposedBid(2, "ben/p/1/b1", "ben", "p", "b1", 50),
    )
    assert [(bid.number, bid.investor) for bid in second.bids] == [(1, "cy"), (2, "ben")]


def test_what_another_input_sells_of_an_asset_is_another_proposal():
    effects = STAGE.compute(Book(), [message([buy("ann"), sell(), buy("ben")])])
    assert [events.decode_proposal(record.value).proposal for record in effects.records] == ["harbor/a1/1/1", "harbor/a1/1/2"]


def test_the_largest_proposal_and_the_largest_row_fit_into_a_message():
    names = {"bucket": "x" * 92, "portfolio": "y" * 80}  # and the investor's 80, three signs and a digit: TEXT_BYTES_MAX
    agreements = tuple(f"{n:0{rules.TEXT_BYTES_MAX}}" for n in range(AGREEMENTS_MAX))
    bidders = [buy(f"{n:04}" + '"' * 38, amount=10**9, most=10**9, agreements=agreements, **names) for n in range(rules.BIDS_MAX)]
    offer = sell(amount=10**13, high=10**9, agreements=agreements)
    assert not any(rules.fault(one, "EUR") for one in (*bidders, offer))
    effects = STAGE.compute(Book(), [message([one], n) for n, one in enumerate([*bidders, offer])])
    (proposed,) = effects.records
    assert len(events.decode_proposal(proposed.value).bids) == rules.BIDS_MAX
    released = events.encode(outcomes.released(events.decode_proposal(proposed.value), "x" * 256))
    assert 800_000 < max(len(proposed.value), len(effects.rows[b"s/harbor/a1"]), len(released)) < topics.MESSAGE_BYTES_MAX


def test_bids_that_were_not_confirmed_are_taken_back():
    offer = sell(amount=50)
    effects = STAGE.compute(Book(), [message([buy("ann"), offer, released(offer, 1), buy("ben")])])
    assert [events.decode_proposal(record.value).bids[0].investor for record in effects.records] == ["ann", "ben"]
    assert set(effects.rows) == {b"b/ann/p/1/b1", b"f/ann/p/1/b1", b"b/ben/p/1/b1", b"s/harbor/a1", b"m"}
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
    rejected, proposed = effects.records
    assert (rejected.topic, rejected.key, effects.poison) == (topics.REJECTED, b"", 1)
    event = events.decode_rejected(rejected.value)
    assert (event.source, event.document) == ("offers-0-1", value[: 64 * 1024])
    assert event.reason
    assert proposed.topic == topics.PROPOSED


def test_an_offer_that_the_market_cannot_take_is_quarantined_alone():
    effects = STAGE.compute(Book(), [message([buy(), sell("a1", currency="USD"), sell("a2", amount=2**63), sell("a3", amount=50)])])
    *rejected, proposed = effects.records
    found = [events.decode_rejected(record.value) for record in rejected]
    assert [(one.originator, one.asset, one.field) for one in found] == [("harbor", "a1", "currency"), ("harbor", "a2", "amount_cents")]
    assert [record.key for record in rejected] == [b"harbor", b"harbor"]
    assert events.decode_proposal(proposed.value).sell_offer.asset == "a3"
    assert effects.poison == 0


def test_each_partition_is_the_market_of_its_currency():
    assert topics.MARKETS[1] == "USD"
    assert not STAGE.compute(Book(), [message([sell(currency="USD")], partition=1)]).records


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_message_stops_the_partition(value):
    assert len(STAGE.compute(Book(), [message(value)]).records) + (value.strip() == b"[]") == 1
