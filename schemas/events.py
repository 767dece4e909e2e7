"""The events between the agents and on the published topics, as typed structs; on the wire they are JSON.

A published topic carries one event per message. `offers`, the matcher's log, carries a JSON array of events per message. The asset
topics between intake, assessor, merger and router carry columns (`schemas/columns.py`). Amounts are int, in cents of the
event's currency, and say so in their names; rates are parts per million a year. `schemas/asyncapi.yaml` lists them for
subscribers.
"""

from typing import Final, Literal

import msgspec

from schemas.criteria import Conjunction, Criteria

UPLOAD, INBOX, REPLAY, RESTART, DROP = "upload", "inbox", "replay", "restart", "drop"
WAYS: Final = (UPLOAD, INBOX, REPLAY, RESTART, DROP)
Withdrawal = Literal["", "paused", "closed"]  # what its portfolio is now; empty: there is a newer version


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="event"):
    """The base of all events: immutable, strict on reading, tagged by the field `event`."""


class BatchReceived(Event, frozen=True, tag="batch.received"):
    """The gateway has handed all of a batch's documents to the broker. `error` says why a cut-off one ended, `position` where, in bytes."""

    batch: str
    originator: str
    documents: int
    bytes: int
    digest: str  # XXH3-128 of the file, hexadecimal
    oversized: int = 0  # rejected by the gateway itself, counted in documents
    error: str = ""
    position: int = 0
    way: str = ""  # how it came, one of WAYS
    sender: str = ""  # kind and id of the token, or the file in the originator's folder
    began_ms: int = 0  # Unix time when its first byte was waited for, by the gateway's clock
    same_as: str = ""  # the earlier batch of the same bytes, if it was recognised
    restart_of: str = ""  # the batch that this one sends through again, or whose effect it undoes


class BatchProgress(Event, frozen=True, tag="batch.progress"):
    """Outcomes of some of a batch's documents, counted by one Step of intake; `counts` by `schemas.asset.OUTCOMES`."""

    batch: str
    originator: str
    counts: dict[str, int]


class Rejected(Event, frozen=True, tag="asset.rejected"):
    """One document that was put in quarantine. `document` is what was refused, at most its first 64 KiB; base64 in JSON."""

    batch: str
    originator: str
    asset: str  # empty if it could not be read
    position: int  # of the document's first byte in its batch, or in its message if the originator produced it
    field: str  # the path of the field at fault, empty if it is the document as a whole
    reason: str
    source: str  # topic-partition-offset of the message that brought it, empty if it never got that far
    document: bytes = b""


class Repayment(Event, frozen=True, tag="repayment.reported"):
    """What was paid on an asset since its version before; deltas, a correction downwards is negative."""

    originator: str
    asset: str
    version: int
    currency: str
    principal_cents: int
    interest_cents: int
    fees_cents: int
    outstanding_cents: int
    batch: str


class Bucket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    share_percent: int
    criteria: Criteria = Criteria()


class Portfolio(Event, frozen=True, tag="portfolio.placed"):
    """What an investor wants, one version of it. The shares of its buckets add up to 100."""

    portfolio: str
    investor: str
    version: int
    currency: str
    size_cents: int
    buckets: tuple[Bucket, ...]
    bid_cents_max: int  # the most that goes into one asset
    closed: bool = False  # its open buy offers are withdrawn and none placed
    paused: bool = False  # so too, until a version that is not
    rate_ppm_min: int | None = None  # this and the next two are limits of all its buckets, besides their criteria
    term_months_max: int | None = None
    days_past_due_max: int | None = None


class SellOffer(Event, frozen=True, tag="sell_offer.placed"):
    """An asset version for sale; it replaces every earlier version's offer of the same asset. `offer` is originator/asset/version."""

    offer: str
    originator: str
    asset: str
    version: int
    product: str
    currency: str
    country: str
    amount_cents: int
    price_bp: int  # of the amount; 10,000 is par
    rate_ppm: int
    remaining_months: int
    days_past_due: int
    risk_group: str
    all_or_none: bool
    bid_cents_min: int
    bid_cents_max: int
    updated: bool = False  # False: the asset's first offer, or its first since a withdrawal
    buyer_price_bp: int | None = None  # price_bp and the product's fee; None in offers from before there was one: no fee
    fee_cents: int = 0  # of each investment, besides
    product_version: int | None = None  # that the asset was assessed by; None in offers from before it was told
    agreements: tuple[str, ...] = ()  # that an investor must have signed to buy it
    attributes: dict[str, int | str] = {}  # what criteria may ask, by name, in its unit; what the asset does not have is left out


class SellOfferWithdrawn(Event, frozen=True, tag="sell_offer.withdrawn"):
    """The asset is no longer for sale; bids that have not become investments are released."""

    offer: str  # the version that withdraws
    originator: str
    asset: str
    version: int
    reason: str  # a Change


class BuyOffer(Event, frozen=True, tag="buy_offer.placed"):
    """Money of one bucket of one portfolio version that looks for assets. `offer` is investor/portfolio/version/bucket."""

    offer: str
    investor: str
    portfolio: str
    version: int
    bucket: str
    currency: str
    amount_cents: int
    bid_cents_max: int
    criteria: Criteria
    agreements: tuple[str, ...] = ()  # that the investor had signed when it was placed
    limits: Conjunction = ()  # of its portfolio; they are in the criteria, and tell what in there comes from them


class BuyOfferWithdrawn(Event, frozen=True, tag="buy_offer.withdrawn"):
    """The buy offer ends; its bids that have not become investments are released, its investments stay."""

    offer: str
    investor: str
    reason: Withdrawal = ""


class ProposedBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bid of a proposal: an investment, if the proposal is confirmed. `number` is its match number in the sell offer."""

    number: int
    buy_offer: str
    investor: str
    portfolio: str
    bucket: str
    amount_cents: int


class Proposal(Event, frozen=True, tag="proposal.made"):
    """All bids of one sell offer that one input of the market made sales: they become investments together, or none does."""

    proposal: str  # sell offer + '/' + the first match number
    sell_offer: SellOffer
    bids: tuple[ProposedBid, ...]


class Released(Event, frozen=True, tag="proposal.released"):
    """A proposal that the originator did not confirm: no investment comes of it, the asset and the money are back on the market."""

    proposal: str
    sell_offer: str
    originator: str
    asset: str
    version: int
    currency: str
    amount_cents: int  # of all its bids
    bids: tuple[ProposedBid, ...]
    reason: str  # "declined", or "no answer: " and why


class BidsReleased(Event, frozen=True, tag="bids.released"):
    """For the matcher: bids that became sales, and that the originator did not confirm, are to be taken back."""

    sell_offer: SellOffer
    numbers: tuple[int, ...]  # the match numbers of the bids


class Investment(Event, frozen=True, tag="investment.made"):
    """An amount of one buy offer in one sell offer. `investment` is sell offer + '/' + its match number."""

    investment: str
    sell_offer: str
    buy_offer: str
    originator: str
    asset: str
    version: int
    investor: str
    portfolio: str
    bucket: str
    currency: str
    amount_cents: int
    price_bp: int
    rate_ppm: int
    risk_group: str
    originator_cents: int | None = None  # what the originator gets; None, with the next two, of investments from before they were told
    buyer_cents: int | None = None  # what the investor pays
    fee_cents: int | None = None  # the difference


MarketEvent = SellOffer | SellOfferWithdrawn | BuyOffer | BuyOfferWithdrawn | BidsReleased
BatchEvent = BatchReceived | BatchProgress

encode: Final = msgspec.json.Encoder().encode
decode_market: Final = msgspec.json.Decoder(list[MarketEvent]).decode
decode_batch: Final = msgspec.json.Decoder(BatchEvent).decode
decode_portfolio: Final = msgspec.json.Decoder(Portfolio).decode
decode_proposal: Final = msgspec.json.Decoder(Proposal).decode
decode_released: Final = msgspec.json.Decoder(Released).decode
decode_investment: Final = msgspec.json.Decoder(Investment).decode
decode_rejected: Final = msgspec.json.Decoder(Rejected).decode
decode_repayment: Final = msgspec.json.Decoder(Repayment).decode
