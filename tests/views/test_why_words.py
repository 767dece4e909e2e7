"""Every reason in words."""

import pytest

from agents.matcher import reasons
from agents.matcher.reasons import Why, name_of
from schemas.catalog import attributes_of
from schemas.criteria import Predicate
from streams.why import words
from tests.rows import CATALOG

EUR = attributes_of("EUR", CATALOG.products.values(), CATALOG.originators)
RATE, COUNTRY = Predicate("rate", low=80_000), Predicate("country", ("EE", "FI"))
SAID = {
    reasons.Held(5_000): "bid 50.00 EUR, held until the bids make 100 %",
    reasons.Sold(5_001, 2, 3): "invested 50.01 EUR: match 3 of version 2",
    reasons.TakenBack(2): "invested, and not confirmed by the originator: it bids no more for version 2",
    reasons.Unknown(): "the market knows no such asset",
    reasons.SoldOut(2, 9_000, 1, 1, 7, 3): (
        "all of version 2 went to others, 90.00 EUR in 1 bid of 1 investor: they came first, or it did not fit, which is known no more"
    ),
    reasons.SoldOut(2, 9_000, 3, 2, 7, 8): (
        "all of version 2 had gone to others, 90.00 EUR in 3 bids of 2 investors, before the buy offer was placed"
    ),
    reasons.NotOnOffer(3, 9_000): (
        "version 3 is withdrawn, or has no more for sale than the 90.00 EUR that were sold of the asset before"
    ),
    reasons.Unsigned(("loan", "mezzanine")): "needs agreements that were not signed when the buy offer was placed: loan, mezzanine",
    reasons.Unfit(()): "the criteria take no asset",
    reasons.Unfit((reasons.Unmet(COUNTRY, "DE"), reasons.Unmet(RATE, None))): (
        "country = DE, asked: country in (EE, FI); rate is not known, asked: rate >= 8%"
    ),
    reasons.Beyond((reasons.Unmet(RATE, 50_000),)): "beyond the portfolio's limits: rate = 5%, asked: rate >= 8%",
    reasons.Full(1_500): "fits, but the asset has 1,500 bids, and may have no more",
    reasons.Limit(9_000, 8_000, 2_500): (
        "fits, but the investor has 80.00 EUR in it, at most 90.00 EUR here, and a bid is at least 25.00 EUR"
    ),
    reasons.Money(0, 2_500): "fits, but only 0.00 EUR is open, and a bid is at least 25.00 EUR",
    reasons.Rest(4_900, 3_000, 4, 3): (
        "fits, but 4 bids of 3 investors came first, and one bid must take all of the 49.00 EUR left; 30.00 EUR can be afforded"
    ),
    reasons.Possible(2_500): "fits and could bid 25.00 EUR: a fault of the matcher",
}  # fmt: skip


@pytest.mark.parametrize("why", SAID, ids=name_of)
def test_a_reason_is_said_in_a_line(why):
    assert words.text(why, "EUR", EUR) == SAID[why]


def test_every_reason_is_here_and_those_of_assets_that_fit_have_a_word_for_many():
    assert {type(why) for why in SAID} == set(Why.__subclasses__())
    not_on_offer = {reasons.Unknown, reasons.SoldOut, reasons.NotOnOffer, reasons.Unsigned, reasons.Beyond, reasons.Unfit}
    assert set(words.DECIDED) == {name_of(why) for why in set(Why.__subclasses__()) - not_on_offer}
