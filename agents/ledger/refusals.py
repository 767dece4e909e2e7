"""The rules by which the ledger refuses; `schemas/ledger.md` has each. A refusal changes nothing, and nothing else is lost by it."""

from typing import Final

UNKNOWN_ACCOUNT: Final = "unknown_account"
WRONG_CURRENCY: Final = "wrong_currency"
AMOUNT: Final = "amount"  # zero, negative, beyond 64 bits, or legs that do not add up
OTHER_CONTENT: Final = "other_content"  # the id is known, and says something else
NEVER_SOLD: Final = "never_sold"
MORE_THAN_OWED: Final = "more_than_owed"
FUTURE: Final = "future"
BEFORE_ISSUE: Final = "before_issue"
LIMIT: Final = "limit"  # a balance would pass its limit
WAITS: Final = "waits"  # a withdrawal of money that is in bids: to be asked again when they are released
REVERSED: Final = "reversed"  # already, or no transfer that can be

RULES: Final = (
    UNKNOWN_ACCOUNT,
    WRONG_CURRENCY,
    AMOUNT,
    OTHER_CONTENT,
    NEVER_SOLD,
    MORE_THAN_OWED,
    FUTURE,
    BEFORE_ISSUE,
    LIMIT,
    WAITS,
    REVERSED,
)


class RefusedError(ValueError):
    """What cannot be booked: `rule` is one of RULES, the message says what is wrong."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
