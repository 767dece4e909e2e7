from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.trader.agent import sinks, stages
from schemas import events
from schemas.catalog import Investor
from schemas.events import Bucket, BuyOffer, BuyOfferWithdrawn, Portfolio
from streams import topics
from streams.effects import Message, Table
from streams.settings import load

(STAGE,) = stages(load({}).load_catalog())


def message(value, offset=0, key=b"ann"):
    return Message("portfolios", 3, offset, 0, key, value if isinstance(value, bytes) else events.encode(value), ())


def portfolio(version=1, currency="USD", name="p", **rest):
    return Portfolio(name, "ann", version, currency, 1_000, (Bucket("a", 70), Bucket("b", 30)), 500, **rest)


def test_the_stage_reads_portfolios():
    assert (STAGE.name, STAGE.source, STAGE.table, STAGE.state) == ("trader", topics.PORTFOLIOS, topics.TRADER_TABLE, Table)


def test_buy_offers_go_to_the_partition_of_their_market():
    effects = STAGE.compute(Table(), [message(portfolio())])
    (record,) = effects.records
    assert (record.topic, record.partition) == (topics.OFFERS, topics.MARKETS.index("USD"))
    assert [(type(event), event.amount_cents) for event in events.decode_market(record.value)] == [(BuyOffer, 700), (BuyOffer, 300)]
    assert list(effects.rows) == [b"ann/p"]


def test_buy_offers_have_what_their_investor_has_signed_in_the_log_and_in_the_database():
    ann = Investor("ann", agreements={"risk-notice-2026": date(2026, 3, 2), "kyc": date(2026, 3, 1)})
    catalog = replace(load({}).load_catalog(), investors={"ann": ann})
    (stage,), (sink,) = stages(catalog), sinks(catalog)
    log = [message(portfolio()), message(replace(portfolio(), investor="ben"), key=b"ben")]
    placed = [offer for record in stage.compute(Table(), log).records for offer in events.decode_market(record.value)]
    (statement,) = sink.compute(log)
    stored = [offer for _, _, _, offers in statement.arguments for offer in events.decode_market(offers)]
    assert stored == placed
    expected = [("ann", ("kyc", "risk-notice-2026"))] * 2 + [("ben", ())] * 2
    assert [(offer.investor, offer.agreements) for offer in placed] == expected


def test_versions_of_one_step_see_each_other():
    effects = STAGE.compute(Table(), [message(portfolio(version), offset) for offset, version in enumerate([1, 2, 2, 1])])
    found = [type(event) for record in effects.records for event in events.decode_market(record.value)]
    assert found == [BuyOffer] * 2 + [BuyOfferWithdrawn] * 2 + [BuyOffer] * 2


def test_a_log_gives_the_same_however_it_is_cut_into_steps():
    log = [
        message(portfolio(v, name=name, closed=v == 3), n) for n, (v, name) in enumerate([(1, "p"), (1, "q"), (3, "p"), (2, "q"), (5, "p")])
    ]
    whole = STAGE.compute(Table(), log)
    table, records = Table(), []
    for one in log:
        effects = STAGE.compute(table, [one])
        table.apply(effects.rows)
        records += effects.records
    assert records == whole.records
    assert table == whole.rows


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"\xff", b'{"event":"portfolio.placed"}', b'{"event":"portfolio.placed","portfolio":"\xff"}', b"[" * 5000]
)
def test_an_unreadable_portfolio_is_quarantined_and_its_neighbours_go_through(value):
    effects = STAGE.compute(Table(), [message(value, 7), message(portfolio(), 8)])
    rejected, placed = effects.records
    assert (rejected.topic, rejected.key, effects.poison) == (topics.REJECTED, b"", 1)
    assert (events.decode_rejected(rejected.value).source, events.decode_rejected(rejected.value).document) == ("portfolios-3-7", value)
    assert placed.topic == topics.OFFERS


def test_a_portfolio_that_cannot_be_traded_is_quarantined_with_its_reason():
    effects = STAGE.compute(Table(), [message(portfolio(currency="JPY"))])
    assert [record.topic for record in effects.records] == [topics.REJECTED]
    assert events.decode_rejected(effects.records[0].value).reason.startswith("currency: 'JPY'")
    assert (effects.rows, effects.poison) == ({}, 0)


@pytest.mark.parametrize("key", [b"mallory", None])
def test_a_portfolio_under_the_key_of_somebody_else_is_quarantined(key):
    effects = STAGE.compute(Table(), [message(portfolio(), key=key)])
    assert (effects.records[0].topic, effects.records[0].key) == (topics.REJECTED, b"")


@given(st.binary())
def test_no_message_stops_the_partition(value):
    assert [record.topic for record in STAGE.compute(Table(), [message(value)]).records] == [topics.REJECTED]
