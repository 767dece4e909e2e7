"""An originator's statement: what it sold, what is outstanding of that, what it has to get, and what it has to remit. Pure.

`owed` is what the platform owes it: proceeds - paid_out. `in_transit` is what it owes investors: reported - remitted. The oldest of that is
found first in, first out: remittances pay the earliest reports; what was taken back is none. Of what borrowers paid the originator's own
part is `retained`, and never remitted.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

from agents.ledger import plans
from agents.ledger.accounts import PRINCIPAL, RETAINED, SETTLEMENT, TRANSIT, UNSOLD
from agents.ledger.statements import Held, Legs, Section, Value, coded, day_of, numbers_of, origin, summed
from agents.ledger.transfers import Ints

FORMAT: Final = "originator/1"
KINDS: Final = (SETTLEMENT, TRANSIT, RETAINED, PRINCIPAL, UNSOLD)  # whose legs it takes

_OF_ASSETS: Final = ("issue_cents", "repaid_cents", "outstanding_cents", "sold_cents", "bought_back_cents", "held_cents", "unsold_cents")
_OF_TRANSIT: Final = ("reported_cents", "remitted_cents", "in_transit_cents", "oldest", "days")
TOTALS: Final = ("currency", *_OF_ASSETS, "proceeds_cents", "paid_out_cents", "owed_cents", "retained_cents", *_OF_TRANSIT)
ASSETS: Final = ("currency", "asset", "issued", *_OF_ASSETS)


def sections(accounts: Sequence[Held], legs: Legs, effective: date) -> list[Section]:
    """The statement as on `effective`. `accounts` are the originator's of KINDS, in order of their numbers.

    The day of a leg is that of what it takes back, if it takes something back.
    """
    currencies, currency = coded([one.currency for one in accounts])
    place = np.searchsorted(numbers_of(accounts), legs.account)
    kind = np.array([KINDS.index(one.kind) for one in accounts], np.int64)[place]
    own = currency[place]
    assets, of_asset = coded([f"{one.currency}/{one.asset or ''}" for one in accounts])
    by_asset = _assets(len(assets), of_asset[place], kind, legs)
    issued = {number: one for number, one in zip(of_asset.tolist(), accounts, strict=True) if one.asset}
    rows: list[tuple[Value, ...]] = [
        (issued[number].currency, issued[number].asset, issued[number].opened, *by_asset[number].tolist())
        for number in np.unique(of_asset[place]).tolist()
        if number in issued
    ]
    in_all = _assets(len(currencies), own, kind, legs)
    totals: list[tuple[Value, ...]] = []
    for code in np.unique(own).tolist():
        mine = Legs(*(column[own == code] for column in legs))
        totals.append((currencies[code], *in_all[code].tolist(), *_money(mine, kind[own == code], effective)))
    return [Section("totals", TOTALS, totals), Section("assets", ASSETS, rows)]


def _assets(size: int, row: Ints, kind: Ints, legs: Legs) -> Ints:
    """[size, _OF_ASSETS] amounts of assets, by `row` of each leg."""
    principal, unsold = kind == KINDS.index(PRINCIPAL), kind == KINDS.index(UNSOLD)
    issue, sale, buyback = (legs.origin == origin(one) for one in (plans.ISSUE, plans.SETTLEMENT, plans.BUYBACK))
    chosen = principal & issue, principal & ~issue, principal, unsold & sale, unsold & buyback, principal | unsold, unsold
    signs = -1, 1, -1, -1, 1, -1, 1
    parts = [summed(size, row, np.where(mask, sign * legs.amount, 0)) for mask, sign in zip(chosen, signs, strict=True)]
    return np.stack(parts, axis=1)


def _money(legs: Legs, kind: Ints, effective: date) -> tuple[Value, ...]:
    """What is owed, retained and in transit, of one currency."""
    settlement, retained = kind == KINDS.index(SETTLEMENT), kind == KINDS.index(RETAINED)
    paid_out = settlement & (legs.origin == origin(plans.PAYOUT))
    owed, out, kept = (int(legs.amount[mask].sum()) for mask in (settlement, paid_out, retained))
    moved = retained | (kind == KINDS.index(TRANSIT))
    remittance = moved & (legs.origin == origin(plans.REMITTANCE))
    remitted = int(legs.amount[remittance].sum())
    days, of = np.unique(legs.day[moved & ~remittance], return_inverse=True)
    reported = -summed(len(days), of, legs.amount[moved & ~remittance]).cumsum()
    left = np.flatnonzero(reported > remitted)
    oldest = day_of(int(days[left[0]])) if len(left) and reported[-1] > remitted else None
    in_all = int(reported[-1]) if len(reported) else 0
    return owed - out, -out, owed, kept, in_all, remitted, in_all - remitted, oldest, (effective - oldest).days if oldest else None
