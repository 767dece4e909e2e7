"""Every topic, in flow order: what it carries, its key, its partitions, how long it is kept, who writes and who reads it.

Topics are created by `tranche up` with exactly these settings and never altered: a key's partition is for life. `tranche topics` shows
them.
"""

from dataclasses import dataclass
from typing import Final

from schemas.service import LANES

ASSET_PARTITIONS: Final = 8
MARKETS: Final = ("EUR", "USD", "GBP")  # a market's partition of `offers` is its place here; append only
MESSAGE_BYTES_MAX: Final = 1024 * 1024
DAY_MS: Final = 24 * 3600 * 1000
FOR_EVER: Final = -1
TOMBSTONE_MS: Final = DAY_MS  # a deletion can be read for at least so long: who was away for longer reads the table from its beginning


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name and settings; `retention_ms` -1 is for ever, `compacted` keeps the latest record of each key.

    `carries` is for people: value and key; who writes -> who reads.
    """

    name: str
    partitions: int
    retention_ms: int = FOR_EVER
    compacted: bool = False
    carries: str = ""

    @property
    def config(self) -> dict[str, str]:
        """Its settings as Kafka's topic configuration."""
        compact = {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONE_MS)}
        policy = compact if self.compacted else {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        return {**policy, "max.message.bytes": str(MESSAGE_BYTES_MAX + 64 * 1024)}


def table(agent: str, partitions: int = ASSET_PARTITIONS) -> Topic:
    """The changelog of an agent's table: one record per key, compacted, as many partitions as the agent's source."""
    return Topic(f"{agent}.table", partitions, compacted=True, carries=f"rows of the {agent}'s table; {agent} -> itself")


PRODUCTS: Final = Topic(
    "products",
    1,
    FOR_EVER,
    carries="Product, JSON; key product; `tranche products publish` -> all workers and gateways, each the whole of it",
)
INGEST: Final = Topic(
    "assets.ingest",
    ASSET_PARTITIONS,
    7 * DAY_MS,
    carries="BSON sequence; key originator/asset or none; headers originator, batch, positions, supersedes; originators, gateway -> intake",
)
CHANGED: Final = Topic(
    "assets.changed",
    ASSET_PARTITIONS,
    7 * DAY_MS,
    carries="Arrow columns CHANGED; partition of originator/asset; intake -> assessor",
)
QUERIED: Final = Topic(
    "assets.queried",
    LANES,
    30 * DAY_MS,  # what waits for a service may wait for long
    carries="Arrow columns CHANGED; partition is the product's lane; header partition, of originator/asset; assessor -> itself",
)
REJECTED: Final = Topic(
    "assets.rejected",
    ASSET_PARTITIONS,
    30 * DAY_MS,
    carries="Rejected, JSON; key originator; intake, gateway -> merger, notifier, people",
)
REPAYMENTS: Final = Topic(
    "repayments.reported",
    ASSET_PARTITIONS,
    FOR_EVER,
    carries="Repayment, JSON; key originator/asset; intake -> subscribers, the ledger to come",
)
BATCHES: Final = Topic(
    "batches.status",
    ASSET_PARTITIONS,
    30 * DAY_MS,
    carries="BatchReceived, BatchProgress, JSON; key batch; gateway, intake -> merger",
)
ASSESSED: Final = Topic(
    "assets.assessed",
    ASSET_PARTITIONS,
    7 * DAY_MS,
    carries="Arrow columns ASSESSED; partition of originator/asset; assessor -> merger, router",
)
PORTFOLIOS: Final = Topic("portfolios", ASSET_PARTITIONS, FOR_EVER, carries="Portfolio, JSON; key investor; gateway -> trader")
OFFERS: Final = Topic(
    "offers",
    len(MARKETS),
    FOR_EVER,
    carries="JSON array of MarketEvent; partition of the market: the log whose order is the truth; router, trader, confirmer -> matcher",
)
PROPOSED: Final = Topic(
    "investments.proposed",
    ASSET_PARTITIONS,
    FOR_EVER,
    carries="Proposal, JSON; key originator; matcher -> confirmer",
)
INVESTMENTS: Final = Topic(
    "investments",
    ASSET_PARTITIONS,
    FOR_EVER,
    carries="Investment, JSON; key investor; confirmer -> merger, notifier, subscribers",
)
RELEASED: Final = Topic(
    "investments.released",
    ASSET_PARTITIONS,
    FOR_EVER,
    carries="Released, JSON; key originator; confirmer -> notifier, subscribers",
)

INTAKE_TABLE: Final = table("intake")
ASSESSOR_TABLE: Final = table("assessor")
QUERIED_TABLE: Final = table("assessor.queried", LANES)
ROUTER_TABLE: Final = table("router")
TRADER_TABLE: Final = table("trader")
MATCHER_TABLE: Final = table("matcher", len(MARKETS))
CONFIRMER_TABLE: Final = table("confirmer")

FLOW: Final = (
    PRODUCTS, INGEST, CHANGED, QUERIED, REJECTED, REPAYMENTS, BATCHES, ASSESSED, PORTFOLIOS, OFFERS, PROPOSED, INVESTMENTS, RELEASED,
)  # fmt: skip
TABLES: Final = (INTAKE_TABLE, ASSESSOR_TABLE, QUERIED_TABLE, ROUTER_TABLE, TRADER_TABLE, MATCHER_TABLE, CONFIRMER_TABLE)
ALL: Final = FLOW + TABLES
