"""What legs each movement of money makes. Pure: a plan names the accounts to open and the transfers to post, by its arguments alone.

`schemas/ledger.md` lists them. A plan that cannot be is refused by its rule (`agents/ledger/refusals.py`); what depends on balances at the
moment of posting, the limits, is the database's.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from agents.ledger import accounts as chart
from agents.ledger.accounts import Account, account, named
from agents.ledger.distribution import distribute
from agents.ledger.refusals import BEFORE_ISSUE, MORE_THAN_OWED, REVERSED, RefusedError
from agents.ledger.transfers import Carried, Head, Leg, Transfer, check_amount, transfer

DEPOSIT: Final = "deposit"
HOLD: Final = "hold"
RELEASE: Final = "release"
ISSUE: Final = "issue"
SETTLEMENT: Final = "settlement"
PRINCIPAL: Final = "principal"
INTEREST: Final = "interest"
LATE_FEES: Final = "late_fees"
BUYBACK: Final = "buyback"
BUYBACK_INTEREST: Final = "buyback_interest"
REMITTANCE: Final = "remittance"
PAYOUT: Final = "payout"
WITHDRAWAL: Final = "withdrawal"
REVERSAL: Final = "reversal"


class Cause(NamedTuple):
    """Why and when: the fields of a Head that are not the plan's."""

    effective: date
    booked_ms: int
    source: str = ""
    batch: str = ""
    position: int = 0


class Plan(NamedTuple):
    accounts: tuple[Account, ...]  # to be open before
    transfers: tuple[Transfer, ...]


class Sale(NamedTuple):
    """A confirmed investment: `amount_cents` of an asset's principal, for what the buyer pays, of a hold."""

    investment: str
    hold: str
    investor: str
    originator: str
    asset: str
    currency: str
    amount_cents: int
    originator_cents: int
    buyer_cents: int


def head(name: str, kind: str, currency: str, cause: Cause, reverses: str | None = None) -> Head:
    """The head of a transfer; its id is `kind/name`."""
    return Head(f"{kind}/{name}", kind, currency, *cause, reverses)


def investor_accounts(investor: str, currency: str, opened: date) -> tuple[Account, ...]:
    """What an investor's money needs, and the bank's account."""
    return tuple(account(name, opened) for name in (named(chart.WALLET, investor, currency=currency), named(chart.BANK, currency=currency)))


def originator_accounts(originator: str, currency: str, opened: date) -> tuple[Account, ...]:
    """What an originator's sales and repayments need, and the accounts of the bank and the platform."""
    own = (named(kind, originator, currency=currency) for kind in (chart.SETTLEMENT, chart.TRANSIT, chart.RETAINED))
    return tuple(account(name, opened) for name in (*own, named(chart.FEES, currency=currency), named(chart.BANK, currency=currency)))


def deposit(payment: str, investor: str, currency: str, cents: int, cause: Cause) -> Plan:
    """Money that came to the bank for an investor."""
    check_amount(cents, f"deposit {payment}")
    legs = Leg(named(chart.BANK, currency=currency), -cents), Leg(named(chart.WALLET, investor, currency=currency), cents)
    return Plan((), (transfer(head(payment, DEPOSIT, currency, cause), *legs),))


def withdrawal(request: str, investor: str, currency: str, cents: int, cause: Cause) -> Plan:
    """Money that goes from an investor's wallet to their own bank. What is held is not in the wallet: bids are released before."""
    check_amount(cents, f"withdrawal {request}")
    legs = Leg(named(chart.WALLET, investor, currency=currency), -cents), Leg(named(chart.BANK, currency=currency), cents)
    return Plan((), (transfer(head(request, WITHDRAWAL, currency, cause), *legs),))


def hold(name: str, investor: str, currency: str, cents: int, cause: Cause) -> Plan:
    """Money of a wallet for one buy offer: an account of its own, which nothing else is ever put into."""
    check_amount(cents, f"hold {name}")
    to = named(chart.HOLD, investor, name, currency=currency)
    legs = Leg(named(chart.WALLET, investor, currency=currency), -cents), Leg(to, cents)
    return Plan((account(to, cause.effective),), (transfer(head(name, HOLD, currency, cause), *legs),))


def release(reason: str, held: str, investor: str, currency: str, cents: int, cause: Cause) -> Plan:
    """Money of a hold that goes back to the wallet. `reason` says which release it is: a hold may be released in parts."""
    check_amount(cents, f"release {reason}")
    legs = Leg(named(chart.HOLD, investor, held, currency=currency), -cents), Leg(named(chart.WALLET, investor, currency=currency), cents)
    return Plan((), (transfer(head(reason, RELEASE, currency, cause), *legs),))


def issue(originator: str, asset: str, currency: str, outstanding_cents: int, issued: date, cause: Cause) -> Plan:
    """An asset enters the ledger, before its first sale: all that is outstanding is the originator's."""
    check_amount(outstanding_cents, f"asset {originator}/{asset}")
    principal, unsold = (named(kind, originator, asset, currency=currency) for kind in (chart.PRINCIPAL, chart.UNSOLD))
    made = transfer(
        head(f"{originator}/{asset}/{currency}", ISSUE, currency, cause._replace(effective=issued)),
        Leg(principal, -outstanding_cents),
        Leg(unsold, outstanding_cents),
    )
    return Plan((account(principal, issued), account(unsold, issued)), (made,))


def settlement(sale: Sale, issued: date, cause: Cause) -> Plan:
    """Held money for a claim: the price to the originator, the difference of prices to the platform, principal from unsold to the buyer.

    Raises:
        RefusedError: the sale is dated before the asset's issue, or its amounts are none.
    """
    check_amount(sale.amount_cents, f"investment {sale.investment}")
    if cause.effective < issued:
        raise RefusedError(BEFORE_ISSUE, f"investment {sale.investment}: on {cause.effective}, before the asset's issue on {issued}")
    investor, originator, asset, currency = sale.investor, sale.originator, sale.asset, sale.currency
    check_amount(sale.buyer_cents, f"investment {sale.investment}: buyer_cents")
    check_amount(sale.buyer_cents - sale.originator_cents + 1, f"investment {sale.investment}: a fee, and one,")
    claim = account(named(chart.CLAIM, originator, asset, investor, currency=currency), issued)
    pending = account(named(chart.PENDING, investor, originator, currency=currency), issued)
    made = transfer(
        head(sale.investment, SETTLEMENT, currency, cause),
        Leg(named(chart.HOLD, investor, sale.hold, currency=currency), -sale.buyer_cents),
        Leg(named(chart.SETTLEMENT, originator, currency=currency), sale.originator_cents),
        Leg(named(chart.FEES, currency=currency), sale.buyer_cents - sale.originator_cents),
        Leg(named(chart.UNSOLD, originator, asset, currency=currency), -sale.amount_cents),
        Leg(claim.name, sale.amount_cents),
    )
    return Plan((claim, pending), (made,))


def remittance(payment: str, originator: str, currency: str, cents: int, pending: Mapping[str, int], cause: Cause) -> Plan:
    """Money that an originator sent for investors: to each in proportion to what is pending, which `pending` has by investor.

    Raises:
        RefusedError: it is more than is pending, or no amount.
    """
    check_amount(cents, f"remittance {payment}")
    if cents > sum(pending.values()):
        raise RefusedError(MORE_THAN_OWED, f"remittance {payment}: {cents}, and {sum(pending.values())} is in transit from {originator}")
    parts, _ = distribute(np.array([cents]), np.array([0, len(pending)]), np.array(list(pending.values())))
    by_investor = dict(zip(pending, parts.tolist(), strict=True))
    made = transfer(
        head(payment, REMITTANCE, currency, cause),
        Leg(named(chart.BANK, currency=currency), -cents),
        Leg(named(chart.TRANSIT, originator, currency=currency), cents),
        *(Leg(named(chart.PENDING, investor, originator, currency=currency), -part) for investor, part in by_investor.items()),
        *(Leg(named(chart.WALLET, investor, currency=currency), part) for investor, part in by_investor.items()),
    )
    return Plan((), (made,))


def payout(payment: str, originator: str, currency: str, cents: int, cause: Cause) -> Plan:
    """Money of sold assets that goes to the originator's bank."""
    check_amount(cents, f"payout {payment}")
    legs = Leg(named(chart.SETTLEMENT, originator, currency=currency), -cents), Leg(named(chart.BANK, currency=currency), cents)
    return Plan((), (transfer(head(payment, PAYOUT, currency, cause), *legs),))


def reversal(first: Head, legs: Sequence[Leg], carried: Carried | None, cause: Cause) -> Plan:
    """The opposite of a transfer that was booked. A hold that was resolved is not made again: its money goes to the wallet.

    Raises:
        RefusedError: it is a reversal itself, or a release.
    """
    if first.kind == RELEASE:
        raise RefusedError(REVERSED, f"{first.id}: its hold has ended; place another one")
    if first.reverses is not None:
        raise RefusedError(REVERSED, f"{first.id} takes {first.reverses} back; post that again, under an id of its own, instead")
    back: dict[str, int] = {}
    for name, cents in legs:
        kind, investor = name.split("/")[:2]
        to = named(chart.WALLET, investor, currency=first.currency) if kind == chart.HOLD and cents < 0 else name
        back[to] = back.get(to, 0) - cents
    made = transfer(
        head(first.id, REVERSAL, first.currency, cause, reverses=first.id), *(Leg(*leg) for leg in back.items()), carried=carried
    )
    return Plan((), (made,))
