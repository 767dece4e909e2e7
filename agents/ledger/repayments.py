"""Repayments and buybacks: what originators report, to whoever held the assets at the record date, in columns. Pure.

What a borrower paid is in transit from the originator, and pending for the holders, in proportion to their claims; the part of what is not
sold is the originator's own, and retained. Principal lowers the claims as it is paid. It needs nothing carried, since the claim says what
is still to come, and the last payment pays every claim exactly; of interest and late fees the remainders are carried.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ledger import plans
from agents.ledger.distribution import distribute
from agents.ledger.plans import Cause
from agents.ledger.refusals import BEFORE_ISSUE, MORE_THAN_OWED, NEVER_SOLD, RefusedError
from agents.ledger.transfers import Carried, Head, Postings, check_amount, check_day, postings

Ints = NDArray[np.int64]


class Reported(NamedTuple):
    """What was paid on an asset, as its originator reported it under `name`; of a buyback the principal is all of the claims."""

    name: str
    originator: str
    asset: str
    currency: str
    principal_cents: int
    interest_cents: int
    late_fees_cents: int
    cause: Cause


class Holdings(NamedTuple):
    """Who holds what of some assets at a record date. Asset `i` has the holders `starts[i]` … `starts[i + 1]` - 1, in order of account.

    Among them is the originator, with what is unsold: its `payees` account is that of what it retains, the investors' that of
    what is pending. Accounts are numbers.
    """

    assets: Sequence[tuple[str, str]]  # originator, asset
    issued: Sequence[date]
    principal: Ints  # account, by asset
    transit: Ints
    unsold: Ints
    starts: Ints
    holders: Ints  # account of the claim, or of what is unsold
    payees: Ints
    cents: Ints
    carried: tuple[Ints, Ints]  # by holder, in millionths: of interest, of late fees


def refuse(reports: Sequence[Reported], holdings: Holdings, *, buyback: bool = False) -> dict[int, RefusedError]:
    """The reports that cannot be booked, by their place."""
    weights = _sold(holdings) if buyback else holdings.cents
    owed = np.add.reduceat(weights, holdings.starts[:-1]).tolist() if holdings.assets else []
    known = dict(zip(holdings.assets, zip(holdings.issued, owed, strict=True), strict=True))
    found: dict[int, RefusedError] = {}
    for place, one in enumerate(reports):
        try:
            _check(one, known.get((one.originator, one.asset)), buyback=buyback)
        except RefusedError as fault:
            found[place] = fault
    return found


def _check(one: Reported, known: tuple[date, int] | None, *, buyback: bool) -> None:
    what = f"{one.name}: asset {one.originator}/{one.asset}"
    amounts = one.principal_cents, one.interest_cents, one.late_fees_cents
    for cents in filter(None, amounts):
        check_amount(cents, what)
    if known is None or (buyback and not known[1]):
        raise RefusedError(NEVER_SOLD, f"{what}: nobody has a claim on it in {one.currency}")
    check_amount(sum(amounts), what)
    issued, owed = known
    if one.cause.effective < issued:
        raise RefusedError(BEFORE_ISSUE, f"{what}: effective on {one.cause.effective}, before its issue on {issued}")
    check_day(one.cause.effective, one.cause.booked_ms)
    if one.principal_cents > owed or not owed:
        raise RefusedError(MORE_THAN_OWED, f"{what}: {one.principal_cents} of principal, and {owed} is outstanding")


def repayments(reports: Sequence[Reported], holdings: Holdings) -> Postings:
    """A transfer for each component of each report that is not zero; `reports[i]` is of `holdings.assets[i]`, and none is to be refused."""
    made = _Columns(reports, holdings, holdings.cents)
    made.principal(plans.PRINCIPAL, holdings.principal)
    made.income(plans.INTEREST, plans.INTEREST, [one.interest_cents for one in reports], holdings.carried[0])
    made.income(plans.LATE_FEES, plans.LATE_FEES, [one.late_fees_cents for one in reports], holdings.carried[1])
    return made.postings()


def buybacks(reports: Sequence[Reported], holdings: Holdings) -> Postings:
    """All claims back to the originator, for their principal, which is that of the reports, and the interest accrued on them."""
    made = _Columns(reports, holdings, _sold(holdings))
    made.principal(plans.BUYBACK, holdings.unsold)
    made.income(plans.BUYBACK_INTEREST, plans.INTEREST, [one.interest_cents for one in reports], holdings.carried[0])
    return made.postings()


def sold(holdings: Holdings) -> dict[tuple[str, str], int]:
    """What investors have of each asset."""
    return (
        dict(zip(holdings.assets, np.add.reduceat(_sold(holdings), holdings.starts[:-1]).tolist(), strict=True)) if holdings.assets else {}
    )


def _sold(holdings: Holdings) -> Ints:
    return np.where(np.isin(holdings.holders, holdings.unsold), 0, holdings.cents)


class _Columns:
    """Collects the transfers of a run: by place of the transfer the accounts and amounts of its legs."""

    def __init__(self, reports: Sequence[Reported], holdings: Holdings, weights: Ints) -> None:
        self._reports, self._held, self._weights = reports, holdings, weights
        self._counts = np.diff(holdings.starts)
        self._group = np.repeat(np.arange(len(reports)), self._counts)
        self._heads: list[Head] = []
        self._legs: list[tuple[Ints, Ints, Ints]] = []
        self._carried: dict[int, Carried] = {}

    def principal(self, kind: str, counterpart: Ints) -> None:
        """Principal to the payees and off the claims; `counterpart` is the account that takes it, by asset."""
        amounts = np.array([one.principal_cents for one in self._reports], np.int64)
        chosen, places, rows, parts, _ = self._distributed(kind, amounts, None)
        self._legs.append((places[self._group[rows]], self._held.holders[rows], -parts))
        self._legs.append((places[chosen], counterpart[chosen], amounts[chosen]))

    def income(self, kind: str, component: str, cents: Sequence[int], carried: Ints) -> None:
        """Interest or late fees to the payees."""
        chosen, places, rows, _, after = self._distributed(kind, np.array(cents, np.int64), carried)
        ends = np.cumsum(self._counts[chosen]).tolist()
        for asset, end in zip(chosen.tolist(), ends, strict=True):
            begin = end - int(self._counts[asset])
            originator, name = self._held.assets[asset]
            self._carried[int(places[asset])] = Carried(originator, name, component, self._held.holders[rows[begin:end]], after[begin:end])

    def _distributed(self, kind: str, amounts: Ints, carried: Ints | None) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """Legs from transit to the payees: assets with an amount, places of transfers by asset, holders' rows, parts, what is carried."""
        chosen = np.flatnonzero(amounts)
        places = np.zeros(len(amounts), np.int64)
        places[chosen] = len(self._heads) + np.arange(len(chosen))
        for asset in chosen.tolist():
            one = self._reports[asset]
            self._heads.append(plans.head(one.name, kind, one.currency, one.cause))
        rows = np.flatnonzero(np.isin(self._group, chosen)) if len(chosen) < len(amounts) else np.arange(len(self._group))
        if not len(chosen):
            return chosen, places, rows, rows, rows
        starts = np.concatenate(([0], np.cumsum(self._counts[chosen])))
        parts, after = distribute(amounts[chosen], starts, self._weights[rows], None if carried is None else carried[rows])
        self._legs.append((places[self._group[rows]], self._held.payees[rows], parts))
        self._legs.append((places[chosen], self._held.transit[chosen], -amounts[chosen]))
        return chosen, places, rows, parts, after

    def postings(self) -> Postings:
        places, accounts, amounts = (np.concatenate([column[part] for column in self._legs]) for part in range(3))
        some = amounts != 0
        places, accounts, amounts = places[some], accounts[some], amounts[some]
        order = np.argsort(places, kind="stable")
        return postings(self._heads, np.bincount(places, minlength=len(self._heads)), accounts[order], amounts[order], self._carried)
