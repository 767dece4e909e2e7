"""A few hundred investors and what they want: portfolios of several buckets, as they would POST them. Deterministic."""

import random
from typing import Any, Final

INVESTORS: Final = 300
SEED: Final = 7
STYLES: Final[dict[str, list[tuple[str, int, str]]]] = {
    "steady": [("core", 60, "risk_group in (A, B) and rate >= 5%"), ("income", 40, "risk_group in (C, D) and rate >= 9%")],
    "balanced": [
        ("safe", 40, "risk_group in (A, B) and rate >= 5%"),
        ("middle", 40, "risk_group in (C, D) and rate >= 9%"),
        ("bold", 20, "risk_group in (E, F) and rate >= 14%"),
    ],
    "bold": [("middle", 30, "risk_group in (C, D) and rate >= 10%"), ("high", 70, "risk_group in (E, F) and rate >= 15%")],
    "open": [("everything", 100, "rate >= 5%")],
}


def portfolios() -> dict[str, dict[str, Any]]:
    """Investor id -> the body of its POST /portfolios."""
    rng = random.Random(SEED)  # noqa: S311 - the same demo every day
    placed = {}
    for number in range(1, INVESTORS + 1):
        style = rng.choice(list(STYLES))
        buckets = [
            {"name": name, "share_percent": share, "criteria": f"{criteria} and days_past_due <= 15"}
            for name, share, criteria in STYLES[style]
        ]
        size = f"{rng.randrange(20, 200)}000.00"
        placed[f"investor-{number:03}"] = {
            "portfolio": style,
            "currency": "USD",
            "size": size,
            "bid_max": f"{rng.choice([250, 500, 1000])}.00",
            "buckets": buckets,
        }
    return placed
