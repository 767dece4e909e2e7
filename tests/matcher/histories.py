"""Market events to test with: plain ones to alter, and random histories of a small, crowded market."""

from operator import attrgetter

import msgspec
from hypothesis import strategies as st

from agents.confirmer.outcomes import investments
from agents.matcher.book import Book
from agents.matcher.draft import Draft
from agents.matcher.rows import ASSET, BUY, MARKET, SERVED, decode_asset, decode_buy
from agents.trader.normal import within
from schemas.criteria import Criteria, Predicate
from schemas.events import BidsReleased, BuyOffer, BuyOfferWithdrawn, SellOffer, SellOfferWithdrawn
from tests.wanted import attributes, wants


def sell(asset="a1", version=1, amount=100, low=10, high=50, missing=(), more=None, **rest):
    """`missing` attributes are left out; `more`, where given, are all there are."""
    given = {
        "originator": "harbor", "product": "loan", "currency": "EUR", "country": "DE", "price_bp": 10_000, "rate_ppm": 100_000,
        "remaining_months": 24, "days_past_due": 0, "risk_group": "A", "all_or_none": False, **rest,
    }  # fmt: skip
    offer = f"{given['originator']}/{asset}/{version}"
    placed = SellOffer(offer=offer, asset=asset, version=version, amount_cents=amount, bid_cents_min=low, bid_cents_max=high, **given)
    found = {k: v for k, v in attributes(placed).items() if k not in missing} if more is None else more
    return msgspec.structs.replace(placed, attributes=found)


def sell_withdrawn(asset="a1", version=2, originator="harbor"):
    return SellOfferWithdrawn(f"{originator}/{asset}/{version}", originator, asset, version, "recalled")


def buy(investor="ann", bucket="b1", amount=1000, most=50, version=1, portfolio="p", agreements=(), others=(), limits=(), **criteria):
    """`others` are conjunctions of which one is enough as well; `limits` go into all of them."""
    offer = f"{investor}/{portfolio}/{version}/{bucket}"
    wanted = within(either(wants(**criteria), others), limits)
    return BuyOffer(offer, investor, portfolio, version, bucket, "EUR", amount, most, wanted, agreements, limits)


def either(criteria, others):
    return Criteria(tuple(sorted({*criteria.any_of, *others}, key=repr))) if others else criteria


def released(offer: SellOffer, *numbers):
    return BidsReleased(offer, numbers)


def buy_withdrawn(offer: BuyOffer, reason=""):
    return BuyOfferWithdrawn(offer.offer, offer.investor, reason)


class Market:
    """The real book with the interface of the naive one; each call of `step` is one Step."""

    def __init__(self):
        self.book, self.rows, self.proposals = Book(), {}, []

    def take(self, event):
        self.step([event])

    def step(self, events):
        draft = Draft(self.book)
        for event in events:
            draft.take(event)
        self.proposals += draft.proposals
        changed = draft.rows()
        self.book.apply(changed)
        for key, value in changed.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value

    @property
    def investments(self):
        """What comes of the proposals where all of them are confirmed."""
        return [one for proposal in self.proposals for one in investments(proposal, {})]

    def summary(self):
        """Of the rows alone: a buy offer's amounts are those of its bids, and it was last served by the newest of them."""
        assets = {key[2:].decode(): decode_asset(value) for key, value in self.rows.items() if key.startswith(ASSET)}
        buys = {}
        for key, row in ((key, decode_buy(value)) for key, value in self.rows.items() if key.startswith(BUY)):
            offer = key[2:].decode()
            held, sold = ([bid for asset in assets.values() for bid in bids(asset) if bid.buy_offer == offer] for bids in (HELD, SOLD))
            served = max(row.placed, int(self.rows.get(SERVED + key[2:], b"0")), *(bid.served for bid in held + sold), 0)
            held, invested = (sum(bid.cents for bid in bids) for bids in (held, sold))
            buys[offer] = (row.amount_cents - held - invested, held, invested, row.placed, served)
        shown = {
            key: (row.version, row.offer, row.since, row.investments, _short(row.held), _short(row.sold), row.released)
            for key, row in assets.items()
        }
        return int(self.rows.get(MARKET, b"0")), buys, shown


HELD, SOLD = attrgetter("held"), attrgetter("sold")


def _short(bids):
    return [(bid.buy_offer, bid.investor, bid.cents, bid.version, bid.number) for bid in bids]


def run(book, events):
    """Each event as a Step of its own, through either book."""
    for event in events:
        book.take(event)
    return book


ASSETS, INVESTORS = ["a1", "a2", "a3", "a4", "a5", "a6"], ["ann", "ben", "cy", "dee", "eve"]
_some = st.sampled_from([(), (), (), ("A",), ("A", "B"), ("B", "C")])
_rise = st.sampled_from([1, 1, 1, 1, 2, 0])  # a version is mostly newer, sometimes not

_sells = st.fixed_dictionaries(
    {
        "asset": st.sampled_from(ASSETS),
        "rise": _rise,
        "amount": st.integers(0, 80),
        "low": st.integers(1, 6),
        "spread": st.integers(0, 20),
        "rate_ppm": st.sampled_from([2, 2, 2, 1, 3]),
        "risk_group": st.sampled_from("AAAB"),
        "country": st.sampled_from(["A", "A", "A", "XX"]),
        "remaining_months": st.sampled_from([1, 1, 1, 2]),
        "days_past_due": st.sampled_from([0, 0, 0, 1]),
        "all_or_none": st.booleans(),
        "missing": st.sampled_from([(), (), (), ("risk_group",), ("country", "rate"), ("days_past_due",)]),
        "agreements": st.sampled_from([(), (), (), (), ("loan",), ("loan", "mezzanine")]),
    }
)
_others = st.sampled_from(
    [
        (Predicate("risk_group", ("A",)),),
        (Predicate("risk_group", ("A", "C"), excluded=True),),
        (Predicate("country", excluded=True), Predicate("rate", low=2, high=2)),
        (Predicate("country"),),  # a number: never
        (Predicate("days_past_due", low=1), Predicate("risk_group", ("B", "Z"))),
        (Predicate("rate", low=3),),
        (Predicate("unheard_of", ("A",), excluded=True),),
    ]
)
_buys = st.fixed_dictionaries(
    {
        "investor": st.sampled_from(INVESTORS),
        "bucket": st.sampled_from(["b1", "b2", "b3"]),
        "rise": st.sampled_from([0, 0, 0, 1]),
        "amount": st.integers(0, 60),
        "most": st.integers(1, 40),
        "rate_ppm_min": st.sampled_from([0, 2]),
        "rate_ppm_max": st.sampled_from([2, 9, 9]),
        "remaining_months_max": st.sampled_from([1, 600]),
        "days_past_due_max": st.sampled_from([0, 9]),
        "risk_groups": _some,
        "countries": st.sampled_from([(), (), ("A",)]),
        "originators": st.sampled_from([(), (), (), (), ("harbor",), ("prairie",)]),
        "agreements": st.sampled_from([(), (), ("loan",), ("loan", "mezzanine"), ("mezzanine",)]),
        "others": st.one_of(st.just(()), st.just(()), st.lists(_others, max_size=2)),
        "limits": st.sampled_from([(), (), (Predicate("rate", low=2),), (Predicate("days_past_due", high=0), Predicate("rate", low=3))]),
    }
)
_sell_ends = st.fixed_dictionaries({"asset": st.sampled_from(ASSETS), "rise": _rise, "end": st.just("sell")})
_buy_ends = st.fixed_dictionaries(
    {"end": st.just("buy"), "place": st.integers(0, 20), "again": st.sampled_from([False, False, False, True])}
)
_releases = st.fixed_dictionaries(
    {
        "end": st.just("release"),
        "place": st.integers(1, 8),
        "numbers": st.sampled_from([(1,), (1,), (2,), (1, 2), (2, 3, 4), (1, 2, 3, 4, 9)]),
    }
)


def histories(least=1, most=40):
    """Lists of events. A few of them are stale, repeated, or about offers that there are not."""
    wishes = st.one_of(_sells, _sells, _sells, _sells, _buys, _buys, _buys, _buys, _buy_ends, _sell_ends, _releases, _releases)
    return st.lists(wishes, min_size=least, max_size=most).map(_written)


def _written(wishes):
    versions: dict[str, int] = {}
    placed: list[BuyOffer] = []
    offered: list[SellOffer] = []  # that a book takes
    newest: dict[str, int] = {}
    events = []
    for wish in wishes:
        if wish.get("end") == "buy":
            if placed:
                place = wish["place"] % len(placed)
                events.append(buy_withdrawn(placed[place] if wish["again"] else placed.pop(place)))
            continue
        if wish.get("end") == "release":
            if offered:
                events.append(released(offered[-min(wish["place"], len(offered))], *wish["numbers"]))
            continue
        rest = dict(wish)
        whose = rest.get("asset") or rest["investor"]
        versions[whose] = version = versions.get(whose, 1) + rest.pop("rise")
        if wish.get("end") == "sell":
            events.append(sell_withdrawn(whose, version))
        elif "asset" in rest:
            events.append(sell(version=version, high=rest["low"] + rest.pop("spread"), **rest))
            if version > newest.get(whose, 0):
                offered.append(events[-1])
        else:
            placed.append(buy(version=version, **(rest | {"limits": ()} if rest["others"] else rest)))
            events.append(placed[-1])
        newest[whose] = max(version, newest.get(whose, 0))
    return events


def made(book):
    """A book's investments in short."""
    return [(one.investment, one.buy_offer, one.amount_cents) for one in book.investments]
