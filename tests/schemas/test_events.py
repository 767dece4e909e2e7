"""The events on the wire: what a subscriber gets, and what a reader refuses."""

import json

import msgspec
import pytest

from schemas import events
from schemas.criteria import Criteria, Predicate
from schemas.events import (
    BatchProgress,
    BatchReceived,
    BidsReleased,
    Bucket,
    BuyOffer,
    BuyOfferWithdrawn,
    Investment,
    Portfolio,
    Proposal,
    ProposedBid,
    Rejected,
    Released,
    Repayment,
    SellOffer,
    SellOfferWithdrawn,
)

CRITERIA = Criteria(((Predicate("country", ("DE", "US"), excluded=True), Predicate("rate", low=1, high=2)), (Predicate("score"),)))
SELL = SellOffer(
    "h/a/1",
    "h",
    "a",
    1,
    "loan",
    "EUR",
    "DE",
    100,
    10_000,
    70_000,
    12,
    0,
    "A",
    True,
    10,
    50,
    updated=True,
    attributes={"country": "DE", "rate": 70_000},
)
BUY = BuyOffer("i/p/1/b", "i", "p", 1, "b", "EUR", 100, 50, CRITERIA)
MARKET = [
    SELL,
    SellOfferWithdrawn("h/a/2", "h", "a", 2, "recalled"),
    BUY,
    BuyOfferWithdrawn("i/p/1/b", "i", "paused"),
    BidsReleased(SELL, (1, 2)),
]
BIDS = (ProposedBid(1, "i/p/1/b", "i", "p", "b", 5), ProposedBid(2, "j/p/1/b", "j", "p", "b", 7))
ONES = [
    (BatchReceived("b", "h", 2, 300, "ff", 1, "cut off", 299), events.decode_batch, "batch.received"),
    (BatchProgress("b", "h", {"created": 2}), events.decode_batch, "batch.progress"),
    (Rejected("b", "h", "a", 7, "rate", "is NaN", "assets.ingest-0-1", b"\x00\xff"), events.decode_rejected, "asset.rejected"),
    (Repayment("h", "a", 2, "EUR", -1, 2, 3, 4, "b"), events.decode_repayment, "repayment.reported"),
    (
        Portfolio("p", "i", 1, "EUR", 100, (Bucket("x", 100, CRITERIA),), 50, closed=True, paused=True, rate_ppm_min=60_000),
        events.decode_portfolio,
        "portfolio.placed",
    ),
    (Proposal("h/a/1/1", SELL, BIDS), events.decode_proposal, "proposal.made"),
    (Released("h/a/1/1", "h/a/1", "h", "a", 1, "EUR", 12, BIDS, "declined"), events.decode_released, "proposal.released"),
    (
        Investment("h/a/1/1", "h/a/1", "i/p/1/b", "h", "a", 1, "i", "p", "b", "EUR", 5, 10_000, 7, "A"),
        events.decode_investment,
        "investment.made",
    ),
]
TAGS = ["sell_offer.placed", "sell_offer.withdrawn", "buy_offer.placed", "buy_offer.withdrawn", "bids.released"]


@pytest.mark.parametrize(("event", "decode", "tag"), ONES)
def test_an_event_comes_back_as_it_went_and_says_what_it_is(event, decode, tag):
    value = events.encode(event)
    assert decode(value) == event
    assert json.loads(value)["event"] == tag


def test_the_market_log_carries_arrays_of_its_five_events_in_order():
    value = events.encode(MARKET)
    assert events.decode_market(value) == MARKET
    assert [event["event"] for event in json.loads(value)] == TAGS


def test_defaults_are_left_out_and_come_back():
    offer = msgspec.structs.replace(BUY, criteria=Criteria())
    value = events.encode([offer])
    assert json.loads(value)[0]["criteria"] == {}
    assert events.decode_market(value) == [offer]


@pytest.mark.parametrize(("event", "decode", "tag"), ONES)
def test_a_field_that_is_not_of_the_contract_is_refused(event, decode, tag):
    with pytest.raises(msgspec.ValidationError, match="unknown field `surprise`"):
        decode(json.dumps({**json.loads(events.encode(event)), "surprise": 1}).encode())


@pytest.mark.parametrize(("field", "value"), [("amount_cents", "5"), ("amount_cents", 5.5), ("investor", None), ("rate_ppm", True)])
def test_a_value_of_the_wrong_type_is_refused(field, value):
    given = {**json.loads(events.encode(ONES[-1][0])), field: value}
    with pytest.raises(msgspec.ValidationError, match=field):
        events.decode_investment(json.dumps(given).encode())


def test_a_missing_field_is_refused():
    given = json.loads(events.encode(ONES[-1][0]))
    del given["amount_cents"]
    with pytest.raises(msgspec.ValidationError, match="amount_cents"):
        events.decode_investment(json.dumps(given).encode())


def test_an_event_of_another_topic_is_refused():
    with pytest.raises(msgspec.ValidationError, match=r"investment\.made"):
        events.decode_market(events.encode([ONES[-1][0]]))


def test_events_from_before_a_portfolio_could_be_paused_or_limited_are_read():
    old = (
        b'{"event":"portfolio.placed","portfolio":"p","investor":"i","version":1,"currency":"EUR","size_cents":1,"buckets":[],'
        b'"bid_cents_max":2}'
    )
    assert events.encode(events.decode_portfolio(old)) == old
    gone = b'[{"event":"buy_offer.withdrawn","offer":"i/p/1/b","investor":"i"}]'
    assert events.decode_market(gone) == [BuyOfferWithdrawn("i/p/1/b", "i")]


def test_a_withdrawal_has_no_other_reason():
    with pytest.raises(msgspec.ValidationError, match="reason"):
        events.decode_market(b'[{"event":"buy_offer.withdrawn","offer":"i/p/1/b","investor":"i","reason":"bored"}]')


def test_events_do_not_change():
    with pytest.raises(AttributeError):
        SELL.amount_cents = 5
