"""What the ledger is told to do: one JSON object each, tagged by `do`, strict. Pure.

`name` says which deposit, hold, sale … it is, and is unique among its kind; `effective` is the day on which it counts, `booked_ms` when
it was known, in Unix time. Amounts are minor units of `currency`.
"""

from datetime import date
from typing import Annotated, Final

import msgspec

from agents.ledger import plans
from agents.ledger.plans import Cause, Plan, Sale
from agents.ledger.repayments import Reported

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:/-]{1,300}$")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", kw_only=True):
    """What all have."""

    name: Name
    currency: Currency
    effective: date
    booked_ms: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
    source: str = ""
    batch: str = ""
    position: int = 0

    @property
    def cause(self) -> Cause:
        return Cause(self.effective, self.booked_ms, self.source, self.batch, self.position)


class OpenInvestor(Instruction, frozen=True, tag="open_investor"):
    """`name` is the investor's."""


class OpenOriginator(Instruction, frozen=True, tag="open_originator"):
    """`name` is the originator's."""


class Deposit(Instruction, frozen=True, tag="deposit"):
    investor: Id
    cents: int


class Withdraw(Instruction, frozen=True, tag="withdraw"):
    investor: Id
    cents: int


class Hold(Instruction, frozen=True, tag="hold"):
    investor: Id
    cents: int


class Release(Instruction, frozen=True, tag="release"):
    hold: Name
    investor: Id
    cents: int


class Settle(Instruction, frozen=True, tag="settle"):
    """A confirmed investment. `outstanding_cents` is what was outstanding of the asset at its first sale; later it says nothing."""

    hold: Name
    investor: Id
    originator: Id
    asset: Id
    issued: date
    outstanding_cents: int
    amount_cents: int
    originator_cents: int
    buyer_cents: int


class PayOut(Instruction, frozen=True, tag="pay_out"):
    originator: Id
    cents: int


class Remit(Instruction, frozen=True, tag="remit"):
    originator: Id
    cents: int


class Repay(Instruction, frozen=True, tag="repay"):
    originator: Id
    asset: Id
    principal_cents: int = 0
    interest_cents: int = 0
    late_fees_cents: int = 0


class BuyBack(Instruction, frozen=True, tag="buy_back"):
    """All claims, with the interest that has accrued on them."""

    originator: Id
    asset: Id
    interest_cents: int = 0


class Reverse(Instruction, frozen=True, tag="reverse"):
    """`name` is the id of the transfer to take back."""


Any = OpenInvestor | OpenOriginator | Deposit | Withdraw | Hold | Release | Settle | PayOut | Remit | Repay | BuyBack | Reverse
Alone = OpenInvestor | OpenOriginator | Deposit | Withdraw | Hold | Release | PayOut  # planned without a look at the ledger

decode: Final = msgspec.json.Decoder(Any).decode


def plan(told: Alone) -> Plan:  # noqa: PLR0911 - one for each
    """The plan of what needs no look at the ledger.

    Raises:
        RefusedError: there is none.
    """
    match told:
        case OpenInvestor():
            return Plan(plans.investor_accounts(told.name, told.currency, told.effective), ())
        case OpenOriginator():
            return Plan(plans.originator_accounts(told.name, told.currency, told.effective), ())
        case Deposit():
            return plans.deposit(told.name, told.investor, told.currency, told.cents, told.cause)
        case Withdraw():
            return plans.withdrawal(told.name, told.investor, told.currency, told.cents, told.cause)
        case Hold():
            return plans.hold(told.name, told.investor, told.currency, told.cents, told.cause)
        case Release():
            return plans.release(told.name, told.hold, told.investor, told.currency, told.cents, told.cause)
        case PayOut():
            return plans.payout(told.name, told.originator, told.currency, told.cents, told.cause)


def settlement(told: Settle, *, known: bool) -> Plan:
    """The plan of a sale; of an asset that is not `known` to the ledger it begins with its issue.

    Raises:
        RefusedError: there is none.
    """
    amounts = told.amount_cents, told.originator_cents, told.buyer_cents
    sale = Sale(told.name, told.hold, told.investor, told.originator, told.asset, told.currency, *amounts)
    sold = plans.settlement(sale, told.issued, told.cause)
    if known:
        return sold
    issue = plans.issue(told.originator, told.asset, told.currency, told.outstanding_cents, told.issued, told.cause)
    return Plan(issue.accounts + sold.accounts, issue.transfers + sold.transfers)


def reported(told: Repay | BuyBack, principal_cents: int) -> Reported:
    """What a repayment or buyback says, as a row of a run."""
    late = told.late_fees_cents if isinstance(told, Repay) else 0
    return Reported(told.name, told.originator, told.asset, told.currency, principal_cents, told.interest_cents, late, told.cause)
