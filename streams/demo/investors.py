"""A few hundred investors and what they want: portfolios of several buckets, as they would POST them. Deterministic."""

import random
from typing import Any, Final

INVESTORS: Final = 300
SEED: Final = 7
STYLES: Final[dict[str, list[tuple[str, int, list[str], str]]]] = {
    "steady": [("core", 60, ["A", "B"], "0.05"), ("income", 40, ["C", "D"], "0.09")],
    "balanced": [("safe", 40, ["A", "B"], "0.05"), ("middle", 40, ["C", "D"], "0.09"), ("bold", 20, ["E", "F"], "0.14")],
    "bold": [("middle", 30, ["C", "D"], "0.10"), ("high", 70, ["E", "F"], "0.15")],
    "open": [("everything", 100, [], "0.05")],
}


def portfolios() -> dict[str, dict[str, Any]]:
    """Investor id -> the body of its POST /portfolios."""
    rng = random.Random(SEED)  # noqa: S311 - the same demo every day
    placed = {}
    for number in range(1, INVESTORS + 1):
        style = rng.choice(list(STYLES))
        buckets = [
            {"name": name, "share_percent": share, "criteria": {"risk_groups": groups, "rate_min": rate, "days_past_due_max": 15}}
            for name, share, groups, rate in STYLES[style]
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
