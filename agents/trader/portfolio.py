"""The body of POST /portfolios: JSON in, a Portfolio or all of its problems out. Pure.

Its shape is `schemas/examples/portfolio.json`. `portfolio` and a bucket's `name` are 1 to 64 of a-z, 0-9 and "-". Amounts are decimal
strings in the currency's major unit with at most two decimals ("10000.00"), rates decimal strings, fractions a year with at most six
("0.12"). `bid_max` (the most that goes into one asset) is BID_MAX unless given; `closed`: true withdraws the portfolio's buy offers. A
criterion may be absent and then takes all, except `days_past_due_max`, which is then 0.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.asset import CENTS_MAX
from schemas.events import Bucket, Criteria, Portfolio

BODY_BYTES_MAX: Final = 64 * 1024
SIZE_CENTS_MIN: Final = 100  # so that a bucket of 1 % still has a cent
BID_MAX: Final = "500.00"
BUCKETS_MAX: Final = 50
VALUES_MAX: Final = 100  # of a set in criteria
RATE_PPM_MAX: Final = 2_000_000
MONTHS_MAX: Final = 600
DAYS_PAST_DUE_MAX: Final = 36_500

_ID: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_VALUE: Final = re.compile(r"[^\x00-\x1f]{1,64}")
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?", re.ASCII)
_RATE: Final = re.compile(r"[0-9](\.[0-9]{1,6})?", re.ASCII)
_PORTFOLIO: Final = ("portfolio", "currency", "size", "bid_max", "buckets", "closed")
_BUCKET: Final = ("name", "share_percent", "criteria")
_CRITERIA: Final = ("risk_groups", "countries", "originators", "rate_min", "rate_max", "remaining_months_max", "days_past_due_max")


class PortfolioError(ValueError):
    """A portfolio that cannot be taken: `problems` has a line for each, "path: what it is; what it must be"."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def parse(body: bytes, investor: str, version: int, markets: tuple[str, ...]) -> Portfolio:
    """The portfolio of a request body; `investor` comes from the credential, never from the body.

    Raises:
        PortfolioError: with every problem and its JSON path.
    """
    if len(body) > BODY_BYTES_MAX:
        raise PortfolioError([f"{len(body)} bytes; at most {BODY_BYTES_MAX}"])
    try:
        given = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError) as fault:
        raise PortfolioError([f"no JSON object: {fault}"]) from fault
    reader = _Reader()
    portfolio = reader.portfolio(given, investor, version, markets)
    if reader.problems:
        raise PortfolioError(reader.problems)
    return portfolio


class _Reader:
    """Reads values at their paths. A bad value adds a problem and gives a stand-in, so that reading goes on to find the others."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def portfolio(self, given: Mapping[str, Any], investor: str, version: int, markets: tuple[str, ...]) -> Portfolio:
        self._known(given, "", _PORTFOLIO)
        name = self._text(given.get("portfolio"), "portfolio", _ID, "1 to 64 of a-z, 0-9 and -")
        currency = given.get("currency")
        if currency not in markets:
            self._wrong("currency", currency, f"one of {', '.join(markets)}")
        size = self._cents(given.get("size"), "size", SIZE_CENTS_MIN)
        bid_max = self._cents(given.get("bid_max", BID_MAX), "bid_max", 1)
        closed = given.get("closed", False)
        if not isinstance(closed, bool):
            self._wrong("closed", closed, "true or false")
        buckets = self._buckets(given.get("buckets"))
        return Portfolio(name, investor, version, str(currency), size, buckets, bid_max, closed=closed is True)

    def _buckets(self, given: Any) -> tuple[Bucket, ...]:
        if not isinstance(given, list) or not 1 <= len(given) <= BUCKETS_MAX:
            self._wrong("buckets", given, f"a list of 1 to {BUCKETS_MAX} buckets")
            return ()
        found = [self._bucket(one, f"buckets[{place}]") for place, one in enumerate(given)]
        names: set[str] = set()
        for place, bucket in enumerate(found):
            if bucket.name in names:
                self._wrong(f"buckets[{place}].name", bucket.name, "different from the other buckets' names")
            names |= {bucket.name} - {""}
        self._shares([bucket.share_percent for bucket in found])
        return tuple(found)

    def _bucket(self, given: Any, path: str) -> Bucket:
        if not isinstance(given, dict):
            self._wrong(path, given, "an object")
            return Bucket("", 0)
        self._known(given, f"{path}.", _BUCKET)
        name = self._text(given.get("name"), f"{path}.name", _ID, "1 to 64 of a-z, 0-9 and -")
        share = self._whole(given.get("share_percent"), f"{path}.share_percent", 1, 100)
        return Bucket(name, share, self._criteria(given.get("criteria", {}), f"{path}.criteria"))

    def _shares(self, shares: list[int]) -> None:
        """The shares add up to 100; the problem is put where the sum leaves 100 behind, or at the end. A share that was bad is 0."""
        total = sum(shares)
        if total == 100 or 0 in shares:
            return
        place = next((n for n in range(len(shares)) if sum(shares[: n + 1]) > 100), len(shares) - 1)
        self.problems.append(f"buckets[{place}].share_percent: {shares[place]}; the shares add up to {total}, must be 100")

    def _criteria(self, given: Any, path: str) -> Criteria:
        if not isinstance(given, dict):
            self._wrong(path, given, "an object")
            return Criteria()
        self._known(given, f"{path}.", _CRITERIA)
        low = self._ppm(given.get("rate_min", "0"), f"{path}.rate_min")
        high = self._ppm(given.get("rate_max", "2"), f"{path}.rate_max")
        if low > high:
            self._wrong(f"{path}.rate_min", given["rate_min"], "not above rate_max")
        return Criteria(
            risk_groups=self._texts(given.get("risk_groups", []), f"{path}.risk_groups", _VALUE, "text of 1 to 64 characters"),
            countries=self._texts(given.get("countries", []), f"{path}.countries", _COUNTRY, "two capital letters"),
            originators=self._texts(given.get("originators", []), f"{path}.originators", _VALUE, "text of 1 to 64 characters"),
            rate_ppm_min=low,
            rate_ppm_max=high,
            remaining_months_max=self._whole(given.get("remaining_months_max", MONTHS_MAX), f"{path}.remaining_months_max", 1, MONTHS_MAX),
            days_past_due_max=self._whole(given.get("days_past_due_max", 0), f"{path}.days_past_due_max", 0, DAYS_PAST_DUE_MAX),
        )

    def _texts(self, given: Any, path: str, pattern: re.Pattern[str], must: str) -> tuple[str, ...]:
        if not isinstance(given, list) or len(given) > VALUES_MAX:
            self._wrong(path, given, f"a list of at most {VALUES_MAX}")
            return ()
        return tuple(self._text(value, f"{path}[{place}]", pattern, must) for place, value in enumerate(given))

    def _text(self, given: Any, path: str, pattern: re.Pattern[str], must: str) -> str:
        if isinstance(given, str) and pattern.fullmatch(given):
            return given
        self._wrong(path, given, must)
        return ""

    def _whole(self, given: Any, path: str, low: int, high: int) -> int:
        if isinstance(given, int) and not isinstance(given, bool) and low <= given <= high:
            return given
        self._wrong(path, given, f"a whole number from {low} to {high}")
        return 0

    def _cents(self, given: Any, path: str, low: int) -> int:
        cents = int(Decimal(given) * 100) if isinstance(given, str) and _AMOUNT.fullmatch(given) else -1
        if low <= cents <= CENTS_MAX:
            return cents
        self._wrong(path, given, f'a decimal string of at least {Decimal(low) / 100:.2f} with at most two decimals, as "1234.50"')
        return low

    def _ppm(self, given: Any, path: str) -> int:
        ppm = int(Decimal(given) * 1_000_000) if isinstance(given, str) and _RATE.fullmatch(given) else -1
        if 0 <= ppm <= RATE_PPM_MAX:
            return ppm
        self._wrong(path, given, 'a decimal string from 0 to 2 with at most six decimals, as "0.12"')
        return 0 if path.endswith("rate_min") else RATE_PPM_MAX

    def _known(self, given: Mapping[str, Any], path: str, names: tuple[str, ...]) -> None:
        self.problems += [f"{path}{name:.64}: unknown; known are {', '.join(names)}" for name in given if name not in names]

    def _wrong(self, path: str, given: Any, must: str) -> None:
        self.problems.append(f"{path}: {_shown(given)}; must be {must}")


def _shown(given: Any) -> str:
    """A value as a problem quotes it: at most 64 characters."""
    match given:
        case None:
            return "missing"
        case list():
            return f"a list of {len(given)}"
        case dict():
            return "an object"
    text = msgspec.json.encode(given).decode()
    return text if len(text) <= 64 else text[:61] + "..."
