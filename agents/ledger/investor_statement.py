"""An investor's statement: cash, months, and claims with what came of each. Pure.

By currency, wallet + hold + pending is what is left of all flows: deposited - withdrawn - paid + principal + interest + late_fees + other.
Of a claim, held is invested - principal. What the originator reported counts as come on its day, and is pending until it is remitted.
The return (`agents/ledger/returns.py`) is that of what was paid for claims and what came of them, with what is held at par as the last.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from agents.ledger import plans
from agents.ledger.accounts import CLAIM, HOLD, PENDING, WALLET
from agents.ledger.returns import xirr_ppm
from agents.ledger.statements import (
    EPOCH,
    ORIGINS,
    Held,
    Legs,
    Section,
    Value,
    coded,
    month_name,
    months_of,
    numbers_of,
    origin,
    summed,
)
from agents.ledger.transfers import Ints

FORMAT: Final = "investor/1"

# What of the cash each origin is, with its sign in the statement.
_FLOWS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "deposited_cents": (1, (plans.DEPOSIT,)),
    "withdrawn_cents": (-1, (plans.WITHDRAWAL,)),
    "paid_cents": (-1, (plans.SETTLEMENT,)),
    "principal_cents": (1, (plans.PRINCIPAL, plans.BUYBACK)),
    "interest_cents": (1, (plans.INTEREST, plans.BUYBACK_INTEREST)),
    "late_fees_cents": (1, (plans.LATE_FEES,)),
    "other_cents": (1, ()),  # of all others: nothing, as long as there is nothing else that moves an investor's cash
}
_NAMES: Final = tuple(_FLOWS)
_SIGNS: Final = np.array([sign for sign, _ in _FLOWS.values()], np.int64)
_OTHER: Final = len(_NAMES) - 1
_COLUMN: Final = np.array(
    [next((place for place, (_, kinds) in enumerate(_FLOWS.values()) if kind in kinds), _OTHER) for kind in ("", *ORIGINS)], np.int64
)
_OF_CLAIMS: Final = slice(_NAMES.index("paid_cents"), _OTHER)

TOTALS: Final = ("currency", "wallet_cents", "hold_cents", "pending_cents", "held_cents", *_NAMES, "xirr_ppm")
MONTHS: Final = ("currency", "month", *_NAMES, "remitted_cents")
CLAIMS: Final = ("currency", "originator", "asset", "issued", "held_cents", "invested_cents", *_NAMES[_OF_CLAIMS])


class Moves(NamedTuple):
    """Transfers of an investor, in order: columns of one length."""

    number: Ints
    currency: Ints
    day: Ints
    origin: Ints
    cash: Ints  # what it did to wallet, holds and what is pending
    pending: Ints
    claim: Ints  # place of the claim's account; -1 of none
    claimed: Ints  # what it did to the claim


def sections(accounts: Sequence[Held], legs: Legs, income: tuple[Ints, Ints], effective: date) -> list[Section]:
    """The statement as on `effective`. `accounts` are all of the investor's, in order of their numbers.

    `income` says of transfers of interest and late fees, in any order, which claim's account they are of.
    """
    currencies, currency = coded([one.currency for one in accounts])
    numbers = numbers_of(accounts)
    place = np.searchsorted(numbers, legs.account)
    moves = _moves(accounts, currency, place, legs, (income[0], np.searchsorted(numbers, income[1])))
    return [
        Section("totals", TOTALS, _totals(currencies, _balances(len(currencies), currency, accounts, place, legs), moves, effective)),
        Section("months", MONTHS, _months(currencies, moves)),
        Section("claims", CLAIMS, _claims(accounts, moves)),
    ]


def _moves(accounts: Sequence[Held], currency: Ints, place: Ints, legs: Legs, income: tuple[Ints, Ints]) -> Moves:
    """`place` is that of each leg's account, and of income that of the claim's."""
    is_claim, is_pending = (np.array([one.kind == kind for one in accounts], np.bool_) for kind in (CLAIM, PENDING))
    number, first, of = np.unique(legs.transfer, return_index=True, return_inverse=True)
    of_claim, of_pending = is_claim[place], is_pending[place]
    own = currency[place][first]
    claim = np.full(len(number), -1, np.int64)
    claim[of[of_claim]] = place[of_claim]
    if len(number):
        at = np.minimum(np.searchsorted(number, income[0]), len(number) - 1)
        known = (number[at] == income[0]) & (own[at] == currency[income[1]])
        claim[at[known]] = income[1][known]
    cash, pending, claimed = (summed(len(number), of, np.where(mask, legs.amount, 0)) for mask in (~of_claim, of_pending, of_claim))
    return Moves(number, own, legs.day[first], legs.origin[first], cash, pending, claim, claimed)


def _flows(rows: int, row: Ints, moves: Moves) -> Ints:
    """[rows, flows] what came and went, by `row` of each move."""
    column = _COLUMN[moves.origin]
    return summed((rows, len(_NAMES)), (row, column), moves.cash * _SIGNS[column])


def _balances(size: int, currency: Ints, accounts: Sequence[Held], place: Ints, legs: Legs) -> Ints:
    """[currencies, kinds of accounts]; the last kind is claims."""
    kinds = (WALLET, HOLD, PENDING, CLAIM)
    kind = np.array([kinds.index(one.kind) for one in accounts], np.int64)
    return summed((size, len(kinds)), (currency[place], kind[place]), legs.amount)


def _totals(currencies: list[str], balances: Ints, moves: Moves, effective: date) -> list[tuple[Value, ...]]:
    flows = _flows(len(currencies), moves.currency, moves)
    returns = [_xirr(moves, code, int(held), effective) for code, held in enumerate(balances[:, -1])]
    some = np.flatnonzero(np.bincount(moves.currency, minlength=len(currencies)))
    return [(currencies[one], *balances[one].tolist(), *flows[one].tolist(), returns[one]) for one in some.tolist()]


def _xirr(moves: Moves, currency: int, held: int, effective: date) -> int | None:
    column = _COLUMN[moves.origin]
    mine = (moves.currency == currency) & (column >= _OF_CLAIMS.start) & (column < _OF_CLAIMS.stop)
    days, of = np.unique(np.append(moves.day[mine], (effective - EPOCH).days), return_inverse=True)
    return xirr_ppm(days, summed(len(days), of, np.append(moves.cash[mine], held)))


def _months(currencies: list[str], moves: Moves) -> list[tuple[Value, ...]]:
    months, row = np.unique(np.stack((moves.currency, months_of(moves.day))), axis=1, return_inverse=True)
    flows = _flows(months.shape[1], row, moves)
    remitted = summed(months.shape[1], row, np.where(moves.origin == origin(plans.REMITTANCE), -moves.pending, 0))
    return [
        (currencies[code], month_name(month), *flows[place].tolist(), int(remitted[place]))
        for place, (code, month) in enumerate(months.T.tolist())
    ]


def _claims(accounts: Sequence[Held], moves: Moves) -> list[tuple[Value, ...]]:
    mine = moves.claim >= 0
    of = Moves(*(column[mine] for column in moves))
    held, invested = (
        summed(len(accounts), of.claim, amounts) for amounts in (of.claimed, np.where(of.origin == origin(plans.SETTLEMENT), of.claimed, 0))
    )
    flows = _flows(len(accounts), of.claim, of)[:, _OF_CLAIMS]
    some = np.unique(of.claim).tolist()
    rows = zip((accounts[one] for one in some), held[some].tolist(), invested[some].tolist(), flows[some].tolist(), strict=True)
    found = [(one.currency, one.originator, one.asset, one.opened, has, nominal, *came) for one, has, nominal, came in rows]
    return sorted(found, key=lambda row: row[:3])
