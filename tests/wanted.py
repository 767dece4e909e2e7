"""Criteria to test with: one conjunction in a few words. What says nothing of days past due takes nothing that is past due."""

from schemas.criteria import Criteria, Predicate
from schemas.events import SellOffer


def wants(
    *,
    risk_groups=(),
    countries=(),
    originators=(),
    rate_ppm_min=None,
    rate_ppm_max=None,
    remaining_months_max=None,
    days_past_due_max: int | None = 0,
) -> Criteria:
    """An empty set takes all; bounds are included, None is no bound."""
    sets = {"risk_group": risk_groups, "country": countries, "originator": originators}
    ranges = {
        "rate": (rate_ppm_min, rate_ppm_max),
        "remaining_months": (None, remaining_months_max),
        "days_past_due": (None, days_past_due_max),
    }
    found = [Predicate(name, tuple(sorted(set(values)))) for name, values in sets.items() if values]
    found += [Predicate(name, low=low, high=high) for name, (low, high) in ranges.items() if (low, high) != (None, None)]
    return Criteria((tuple(sorted(found, key=lambda one: one.attribute)),))


def attributes(offer: SellOffer) -> dict[str, int | str]:
    """What `wants` may ask, of an offer's own fields."""
    return {
        "risk_group": offer.risk_group, "country": offer.country, "originator": offer.originator, "rate": offer.rate_ppm,
        "remaining_months": offer.remaining_months, "days_past_due": offer.days_past_due,
    }  # fmt: skip
