"""What the assets of a dry run would be offered for, and who would buy: by product and risk group. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from schemas.events import SellOffer
from streams.dry_run.demand import Demand


def products(offers: Iterable[list[SellOffer]], demand: Demand) -> list[dict[str, Any]]:
    """A line a product, with a line a risk group: assets, amount_cents, price_bp (lowest, mean, highest), demand."""
    counts: Counter[tuple[str, str]] = Counter()
    amounts: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)  # price -> cents
    currencies: dict[str, str] = {}
    for some in offers:
        demand.meet(some)
        for offer in some:
            group = offer.product, offer.risk_group
            counts[group] += 1
            amounts[group][offer.price_bp] += offer.amount_cents
            currencies[offer.product] = offer.currency
    return [
        {
            "product": product,
            "currency": currencies[product],
            **_line([group for group in counts if group[0] == product], counts, amounts, demand),
            "risk_groups": [
                {"risk_group": group[1], **_line([group], counts, amounts, demand)} for group in sorted(counts) if group[0] == product
            ],
        }
        for product in sorted(currencies)
    ]


def _line(
    groups: list[tuple[str, str]], counts: Counter[tuple[str, str]], amounts: dict[tuple[str, str], Counter[int]], demand: Demand
) -> dict[str, Any]:
    cents: Counter[int] = Counter()
    for group in groups:
        cents.update(amounts[group])
    money = demand.money(lambda *group: group in groups)
    return {
        "assets": sum(counts[group] for group in groups),
        "amount_cents": cents.total(),
        "price_bp": {"lowest": min(cents), "mean": mean(cents), "highest": max(cents)},
        "demand": {"buy_offers": money.buy_offers, "open_cents": money.open_cents},
    }


def mean(cents: Counter[int]) -> int:
    """The price in basis points of all `cents` (price -> amount), weighted by amount, to the nearest, half a point up."""
    total = cents.total()
    return (2 * sum(price * amount for price, amount in cents.items()) + total) // (2 * total)
