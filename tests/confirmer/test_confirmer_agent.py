"""What is confirmed becomes investments, what is not is released, and every proposal is exactly one of the two."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agents.confirmer import confirmation
from agents.confirmer.agent import stages
from schemas import events
from schemas.catalog import Investor
from schemas.events import Investment, Proposal, ProposedBid, SellOffer
from streams import topics
from streams.app import build
from streams.asking import ASK_S
from streams.effects import Message, Table
from streams.settings import SettingsError, load

CATALOG = load({}).load_catalog()
ORIGINATORS = {
    name: msgspec.structs.replace(one, callback=f"https://{name}.example/confirm" if name != "prairie" else None)
    for name, one in CATALOG.originators.items()
}
(SILENT,) = stages(CATALOG)
(STAGE,) = stages(msgspec.structs.replace(CATALOG, originators=ORIGINATORS))
YES = b'{"declined":[]}'


def proposal(asset="a1", first=1, bids=1, originator="harbor", **more):
    given = {"product": "loan", "currency": "EUR", "country": "DE", "all_or_none": False, **more}
    offer = SellOffer(
        f"{originator}/{asset}/1", originator, asset, 1, amount_cents=900, price_bp=10_100, rate_ppm=70_000, remaining_months=12,
        days_past_due=0, risk_group="B", bid_cents_min=5, bid_cents_max=50, **given,
    )  # fmt: skip
    numbers = range(first, first + bids)
    return Proposal(f"{offer.offer}/{first}", offer, tuple(ProposedBid(n, f"i{n}/p/1/b", f"i{n}", "p", "b", 10 + n) for n in numbers))


def messages(*proposals, first=0):
    return [
        Message("investments.proposed", 0, n, 1_795_000_000_000 + n, one.sell_offer.originator.encode(), events.encode(one), ())
        for n, one in enumerate(proposals, first)
    ]


def done(answer, *proposals, stage=STAGE):
    """What becomes of the proposals where each question gets `answer`."""
    given = messages(*proposals)
    return stage.compute(Table(), given, answers={one.id: answer for one in stage.questions(given)}).records


def reasons(records):
    """Proposal -> why it was released."""
    found = [events.decode_released(record.value) for record in records if record.topic == topics.RELEASED]
    return {one.proposal: one.reason for one in found}


def invested(records):
    return [events.decode_investment(record.value).investment for record in records if record.topic == topics.INVESTMENTS]


def test_nobody_is_asked_where_no_originator_has_a_callback_and_that_means_yes():
    assert (SILENT.name, SILENT.source, SILENT.table, SILENT.questions) == ("confirmer", topics.PROPOSED, topics.CONFIRMER_TABLE, None)
    assert invested(SILENT.compute(Table(), messages(proposal(bids=2))).records) == ["harbor/a1/1/1", "harbor/a1/1/2"]


def test_a_worker_that_is_to_ask_needs_the_secret_that_signs(tmp_path):
    settings = load({"TRANCHE_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="TRANCHE_SECRET: must be set where an originator has a callback"):
        build(settings, [STAGE])
    build(settings, [SILENT])


def test_an_investment_is_published_by_investor():
    first, second = SILENT.compute(Table(), messages(proposal(bids=2))).records
    assert (first.topic, first.key, first.partition, first.headers) == (topics.INVESTMENTS, b"i1", None, (("event", b"investment.made"),))
    made = Investment(
        "harbor/a1/1/2", "harbor/a1/1", "i2/p/1/b", "harbor", "a1", 1, "i2", "p", "b", "EUR", 12, 10_100, 70_000, "B", 12, 12, 0
    )
    assert second.value == events.encode(made)


def test_an_investor_pays_the_fee_of_the_offer_or_its_own():
    own = {"i2": Investor("i2", fee_bp=0), "i3": Investor("i3", fee_bp=300, fee_cents=7), "i4": Investor("i4", fee_cents=0)}
    (stage,) = stages(msgspec.structs.replace(CATALOG, investors=own))
    given = proposal(bids=4)
    offer = msgspec.structs.replace(given.sell_offer, buyer_price_bp=10_200, fee_cents=5)
    bids = tuple(msgspec.structs.replace(bid, amount_cents=10_000) for bid in given.bids)
    records = stage.compute(Table(), messages(msgspec.structs.replace(given, sell_offer=offer, bids=bids))).records
    found = [events.decode_investment(record.value) for record in records]
    assert [(one.investor, one.originator_cents, one.buyer_cents, one.fee_cents) for one in found] == [
        ("i1", 10_100, 10_205, 105), ("i2", 10_100, 10_105, 5), ("i3", 10_100, 10_407, 307), ("i4", 10_100, 10_200, 100),
    ]  # fmt: skip


def test_one_question_asks_an_originator_about_all_of_a_step():
    given = messages(proposal("a1", bids=2), proposal("b1", originator="bluebird"), proposal("a2"), proposal("c1", originator="prairie"))
    harbor, bluebird = STAGE.questions(given)
    assert (harbor.receiver, harbor.url) == ("harbor", "https://harbor.example/confirm")
    assert bluebird.receiver == "bluebird"
    assert harbor.id.isascii()
    assert "." not in harbor.id, "the dot separates the signed parts"
    assert json.loads(harbor.body) == {
        "type": "investments.proposed",
        "timestamp": "2026-11-18T11:06:40.002000Z",
        "data": {
            "confirmation": harbor.id,
            "proposals": [
                {"proposal": f"harbor/{a}/1/1", "sell_offer": f"harbor/{a}/1", "asset": a, "version": 1, "currency": "EUR",
                 "amount_cents": cents, "price_bp": 10_100}
                for a, cents in (("a1", 23), ("a2", 11))
            ],
        },
    }  # fmt: skip


def test_originators_are_told_what_they_are_asked_and_how_long_they_have():
    page = (Path(schemas.__file__).parent / "asset.md").read_text()
    section = page[page.index("## Be asked before a sale") :]
    shown, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    (question,) = STAGE.questions(messages(proposal()))
    asked = json.loads(question.body)
    assert list(shown) == list(asked)
    assert list(shown["data"]) == list(asked["data"])
    assert list(shown["data"]["proposals"][0]) == list(asked["data"]["proposals"][0])
    assert len(shown["data"]["confirmation"]) == len(question.id)
    assert list(answer) == ["declined"]
    assert f"about up to {confirmation.PROPOSALS_MAX} proposals" in section
    assert f"You have {ASK_S:g} seconds, for all attempts together, each at most {ASK_S / 2:g}." in section


def test_a_question_asked_again_is_the_same_and_another_is_another():
    given = messages(proposal("a1"), proposal("a2"))
    assert STAGE.questions(given) == STAGE.questions(given)
    assert len({one.id for some in (given, given[:1], given[1:]) for one in STAGE.questions(some)}) == 3


def test_many_proposals_are_several_questions():
    given = messages(*(proposal(f"a{n}") for n in range(confirmation.PROPOSALS_MAX + 1)))
    assert [len(json.loads(one.body)["data"]["proposals"]) for one in STAGE.questions(given)] == [confirmation.PROPOSALS_MAX, 1]


def test_a_yes_to_all_sells_all():
    records = done(YES, proposal("a1", bids=2), proposal("a2"))
    assert invested(records) == ["harbor/a1/1/1", "harbor/a1/1/2", "harbor/a2/1/1"]
    assert len(records) == 3


def test_what_is_declined_is_released_whole_and_the_matcher_takes_its_bids_back():
    no = proposal("a1", first=3, bids=2, all_or_none=True)
    told, back, sold = done(b'{"declined":["harbor/a1/1"]}', no, proposal("a2"))
    assert invested([sold]) == ["harbor/a2/1/1"]
    assert (told.topic, told.key, told.headers) == (topics.RELEASED, b"harbor", (("event", b"proposal.released"),))
    event = events.decode_released(told.value)
    assert (event.proposal, event.sell_offer, event.amount_cents, event.reason) == ("harbor/a1/1/3", "harbor/a1/1", 27, "declined")
    assert (back.topic, back.key, back.partition) == (topics.OFFERS, None, topics.MARKETS.index("EUR"))
    (released,) = events.decode_market(back.value)
    assert (released.sell_offer, released.numbers) == (no.sell_offer, (3, 4))


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"{}", b"[]", b"null", b"ok", b"\xff", b'{"declined":null}', b'{"declined":"harbor/a1/1"}', b'{"declined":[1]}'),
        *(b'{"declined":[],"accepted":[]}', b'{"declined":["harbor/a9/1"]}', b'{"declined":["harbor/a1/1/1"]}', b"[" * 100_000),
        *("answered 500", "not taken within 8 s"),
    ],
)
def test_whatever_is_no_answer_confirms_nothing(answer):
    records = done(answer, proposal("a1"), proposal("a2"))
    assert not invested(records)
    found = reasons(records)
    assert set(found) == {"harbor/a1/1/1", "harbor/a2/1/1"}
    assert all(reason.startswith("no answer: ") and len(reason) < 256 for reason in found.values())


def test_no_answer_of_one_originator_is_no_matter_of_another():
    given = messages(proposal(), proposal(originator="bluebird"), proposal(originator="prairie"))
    harbor, bluebird = STAGE.questions(given)
    records = STAGE.compute(Table(), given, answers={harbor.id: "silence", bluebird.id: YES}).records
    assert invested(records) == ["bluebird/a1/1/1", "prairie/a1/1/1"]
    assert reasons(records) == {"harbor/a1/1/1": "no answer: silence"}


def test_what_was_not_asked_is_not_sold():
    assert reasons(STAGE.compute(Table(), messages(proposal())).records) == {"harbor/a1/1/1": "no answer: it was not asked"}


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", events.encode(proposal(currency="CHF"))])
def test_a_message_that_cannot_be_read_is_quarantined_and_its_neighbours_go_through(value):
    given = messages(proposal("a1"), proposal("a2"), proposal("a3"))
    given[1] = given[1]._replace(value=value)
    (question,) = STAGE.questions(given)
    effects = STAGE.compute(Table(), given, answers={question.id: YES})
    assert effects.poison == 1
    assert [record.topic for record in effects.records] == [topics.REJECTED, topics.INVESTMENTS, topics.INVESTMENTS]


def test_a_step_has_few_questions_however_small_its_proposals_are():
    tiny = proposal("a", originator="o", product="", country="")
    tiny = replace_texts(tiny)
    assert STAGE.take_bytes / len(events.encode(tiny)) < 2 * confirmation.PROPOSALS_MAX


def replace_texts(one):
    """The shortest proposal that there can be."""
    offer = msgspec.structs.replace(
        one.sell_offer, offer="o/a/1", price_bp=1, rate_ppm=0, remaining_months=0, amount_cents=1, risk_group=""
    )
    return Proposal("o/a/1/1", offer, (ProposedBid(1, "i/p/1/b", "i", "p", "b", 1),))


@given(st.lists(st.tuples(st.sampled_from(["harbor", "bluebird", "prairie"]), st.integers(0, 3)), max_size=12), st.data())
def test_however_the_log_is_cut_into_steps_the_same_is_sold(wishes, data):
    made = [proposal(f"a{asset}", first=1 + 5 * n, originator=originator) for n, (originator, asset) in enumerate(wishes)]

    def answers(given):
        return {one.id: _declines_odd(one.body) for one in STAGE.questions(given)}

    def steps(some):
        return STAGE.compute(Table(), some, answers=answers(some)).records

    whole, rest, cut = steps(messages(*made)), messages(*made), []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        cut += steps(rest[:size])
        rest = rest[size:]
    assert cut == whole
    assert sorted([*invested(whole), *reasons(whole)]) == sorted(one.proposal for one in made)
    assert all(not int(name.split("/")[1][1:]) % 2 for name in invested(whole) if not name.startswith("prairie"))


def _declines_odd(body):
    offers = {one["sell_offer"] for one in json.loads(body)["data"]["proposals"]}
    return json.dumps({"declined": [offer for offer in offers if int(offer.split("/")[1][1:]) % 2]}).encode()
