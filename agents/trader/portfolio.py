"""The body of POST /portfolios: JSON in, a Portfolio or all of its problems out. Pure.

Its shape is `schemas/examples/portfolio.json`. `portfolio` and a bucket's `name` are 1 to 64 of a-z, 0-9 and "-". Amounts are decimal
strings in the currency's major unit with at most two decimals ("10000.00"). `bid_max` (the most that goes into one asset) is BID_MAX
unless given; `closed`: true withdraws the portfolio's buy offers, `paused`: true until it is placed again. A bucket's `criteria` are as
`criteria.py` reads them: a text or JSON. `rate_min`, a text as "6%", `term_months_max` and `days_past_due_max` are limits of all buckets;
with the last, criteria that say nothing of days past due take what is past due for no longer than that.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from agents.trader.criteria import read
from agents.trader.expression import CriteriaError, Shape, Word
from agents.trader.limits import predicates
from agents.trader.meaning import number
from agents.trader.normal import within
from schemas.asset import CENTS_MAX
from schemas.attributes import DAYS_PAST_DUE, RATE, TERM_MONTHS, Attribute, nearest
from schemas.criteria import Criteria
from schemas.events import Bucket, Portfolio

Attributes = Mapping[str, Attribute]
Markets = Mapping[str, Attributes]  # by currency

BODY_BYTES_MAX: Final = 64 * 1024
SIZE_CENTS_MIN: Final = 100  # so that a bucket of 1 % still has a cent
BID_MAX: Final = "500.00"
BUCKETS_MAX: Final = 50
EVERYTHING: Final[dict[str, Any]] = {"all": []}  # the criteria of a bucket that says none

_ID: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?", re.ASCII)
_PORTFOLIO: Final = (
    "portfolio", "currency", "size", "bid_max", "rate_min", "term_months_max", "days_past_due_max", "buckets", "closed", "paused",
)  # fmt: skip
_BUCKET: Final = ("name", "share_percent", "criteria")


class PortfolioError(ValueError):
    """A portfolio that cannot be taken: `problems` has a line for each, "path: what it is; what it must be".

    `criteria` are the faults of criteria among them, by path: what has line and column in a text.
    """

    def __init__(self, problems: list[str], criteria: Mapping[str, CriteriaError] = MappingProxyType({})) -> None:
        super().__init__("\n".join(problems))
        self.problems, self.criteria = tuple(problems), criteria


def parse(body: bytes, investor: str, version: int, markets: Markets) -> Portfolio:
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
        raise PortfolioError(reader.problems, reader.criteria)
    return portfolio


class _Reader:
    """Reads values at their paths. A bad value adds a problem and gives a stand-in, so that reading goes on to find the others."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.criteria: dict[str, CriteriaError] = {}

    def portfolio(self, given: Mapping[str, Any], investor: str, version: int, markets: Markets) -> Portfolio:
        self._known(given, "", _PORTFOLIO)
        name = self._text(given.get("portfolio"), "portfolio", _ID, "1 to 64 of a-z, 0-9 and -")
        currency = given.get("currency")
        attributes = markets.get(currency) if isinstance(currency, str) else None
        if attributes is None:
            self._wrong("currency", currency, f"one of {', '.join(markets)}")
        size = self._cents(given.get("size"), "size", SIZE_CENTS_MIN)
        bid_max = self._cents(given.get("bid_max", BID_MAX), "bid_max", 1)
        closed, paused = (self._flag(given.get(name, False), name) for name in ("closed", "paused"))
        limits = {
            "rate_ppm_min": self._rate_min(given, attributes),
            "term_months_max": self._most(given, TERM_MONTHS, 1, attributes),
            "days_past_due_max": self._most(given, DAYS_PAST_DUE, 0, attributes),
        }
        buckets = self._buckets(given.get("buckets"), attributes, past_due="days_past_due_max" in given)
        found = Portfolio(name, investor, version, str(currency), size, buckets, bid_max, closed=closed, paused=paused, **limits)
        if not self.problems:
            self._within_limits(found)
        return found

    def _rate_min(self, given: Mapping[str, Any], attributes: Attributes | None) -> int | None:
        """The smallest rate, in parts per million; None where none is given."""
        if "rate_min" not in given or not (attribute := self._of_market("rate_min", RATE, attributes)):
            return None
        text = given["rate_min"]
        try:
            rate = number(Word(text, Shape.STRING, ""), attribute) if isinstance(text, str) else 0
        except CriteriaError as fault:
            self.problems.append(f"rate_min: {fault.why}")
            return None
        if rate <= 0:
            self._wrong("rate_min", text, 'a text above 0, as "6%" or "0.06"')
        return rate

    def _most(self, given: Mapping[str, Any], name: str, low: int, attributes: Attributes | None) -> int | None:
        """The most of an attribute that is a whole number; None where none is given."""
        path = f"{name}_max"
        if path not in given or not (attribute := self._of_market(path, name, attributes)):
            return None
        return self._whole(given[path], path, low, attribute.high)

    def _of_market(self, path: str, name: str, attributes: Attributes | None) -> Attribute | None:
        """The attribute that a limit is about; None if there is no market, or criteria may not say it there."""
        if attributes is not None and name not in attributes:
            self.problems.append(f"{path}: {name!r} is no attribute of this market; {nearest(name, attributes)}")
        return attributes.get(name) if attributes is not None else None

    def _within_limits(self, portfolio: Portfolio) -> None:
        """Every bucket takes something within the limits."""
        limited = predicates(portfolio)
        for place, bucket in enumerate(portfolio.buckets):
            try:
                nothing = not within(bucket.criteria, limited).any_of
            except CriteriaError as fault:
                self.problems.append(f"buckets[{place}].criteria: with the portfolio's limits {fault.why}")
                continue
            if nothing:
                self.problems.append(f"buckets[{place}].criteria: they take nothing within the portfolio's limits")

    def _buckets(self, given: Any, attributes: Attributes | None, *, past_due: bool) -> tuple[Bucket, ...]:
        if not isinstance(given, list) or not 1 <= len(given) <= BUCKETS_MAX:
            self._wrong("buckets", given, f"a list of 1 to {BUCKETS_MAX} buckets")
            return ()
        found = [self._bucket(one, f"buckets[{place}]", attributes, past_due) for place, one in enumerate(given)]
        names: set[str] = set()
        for place, bucket in enumerate(found):
            if bucket.name in names:
                self._wrong(f"buckets[{place}].name", bucket.name, "different from the other buckets' names")
            names |= {bucket.name} - {""}
        self._shares([bucket.share_percent for bucket in found])
        return tuple(found)

    def _bucket(self, given: Any, path: str, attributes: Attributes | None, past_due: bool) -> Bucket:
        if not isinstance(given, dict):
            self._wrong(path, given, "an object")
            return Bucket("", 0)
        self._known(given, f"{path}.", _BUCKET)
        name = self._text(given.get("name"), f"{path}.name", _ID, "1 to 64 of a-z, 0-9 and -")
        share = self._whole(given.get("share_percent"), f"{path}.share_percent", 1, 100)
        return Bucket(name, share, self._criteria(given.get("criteria", EVERYTHING), f"{path}.criteria", attributes, past_due))

    def _shares(self, shares: list[int]) -> None:
        """The shares add up to 100; the problem is put where the sum leaves 100 behind, or at the end. A share that was bad is 0."""
        total = sum(shares)
        if total == 100 or 0 in shares:
            return
        place = next((n for n in range(len(shares)) if sum(shares[: n + 1]) > 100), len(shares) - 1)
        self.problems.append(f"buckets[{place}].share_percent: {shares[place]}; the shares add up to {total}, must be 100")

    def _criteria(self, given: Any, path: str, attributes: Attributes | None, past_due: bool) -> Criteria:
        if attributes is None:  # there is no market to check them against
            return Criteria()
        try:
            return read(given, attributes, past_due=past_due)
        except CriteriaError as fault:
            at = path + fault.path
            self.criteria[at] = fault
            self.problems.append(f"{at}: {f'line {fault.line}, column {fault.column}: ' if fault.line else ''}{fault.why}")
            return Criteria()

    def _text(self, given: Any, path: str, pattern: re.Pattern[str], must: str) -> str:
        if isinstance(given, str) and pattern.fullmatch(given):
            return given
        self._wrong(path, given, must)
        return ""

    def _flag(self, given: Any, path: str) -> bool:
        if isinstance(given, bool):
            return given
        self._wrong(path, given, "true or false")
        return False

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
