"""`tranche allocation-report`, as a person types it."""

import json
import subprocess
import sys
from datetime import date

import pytest
from msgspec.structs import replace

from agents.trader.agent import sinks as trader
from schemas.catalog import Investor
from schemas.events import Bucket, Portfolio, encode
from streams import settings, topics
from tests.database import feed, message
from tests.rows import CATALOG
from tests.stories import INVESTMENTS, investment

ANN, BEN = (
    Portfolio(
        portfolio="steady", investor=name, version=1, currency="USD", size_cents=10_000, buckets=(Bucket("safe", 100),), bid_cents_max=5_000
    )
    for name in ("ann", "ben")
)


def placed(portfolio):
    return message(topics.PORTFOLIOS, encode(portfolio))._replace(key=portfolio.investor.encode())


@pytest.fixture
def tranche(tmp_path):
    def run(*arguments, **variables):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(tmp_path / "home"), "COLUMNS": "120", **variables}
        command = [sys.executable, "-m", "streams.cli", "allocation-report", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
async def market(store):
    """Two investors ask for 100.00 each; ann got 75.00 and ben 25.00, at the time of the messages."""
    (portfolios,) = trader(CATALOG)
    await feed(store, portfolios, [placed(ANN), placed(BEN)])
    amounts = [("ann", 5_000), ("ann", 2_500), ("ben", 2_500)]
    made = [investment(number, asset=f"loan-{number}", investor=who, cents=cents) for number, (who, cents) in enumerate(amounts, 1)]
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, value, offset) for offset, value in enumerate(made)])


async def test_people_see_who_got_what_and_how_even_that_is(market, database, tranche, tmp_path):
    done = tranche("USD", "--picture", str(tmp_path / "even.png"), TRANCHE_POSTGRES=database)
    assert (done.returncode, done.stderr) == (0, "")
    ben, ann = (line.split() for line in done.stdout.splitlines() if line.strip().startswith(("ben", "ann")))
    assert ben == ["ben", "1", "100.00", "25.00", "25.0%", "50.000%", "25.000%"]
    assert ann == ["ann", "1", "100.00", "75.00", "75.0%", "50.000%", "75.000%"]
    assert "Gini 0.250; 0.250 among those who asked for the same" in done.stdout
    assert (tmp_path / "even.png").read_bytes().startswith(b"\x89PNG")


async def test_who_has_not_signed_the_same_is_no_equal(store, database, tranche):
    (portfolios,) = trader(replace(CATALOG, investors={"ann": Investor("ann", agreements={"risk-notice-2026": date(2026, 3, 2)})}))
    await feed(store, portfolios, [placed(ANN), placed(BEN)])
    made = [investment(1, asset=f"of-{who}", investor=who, cents=cents) for who, cents in (("ann", 7_500), ("ben", 2_500))]
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, value, offset) for offset, value in enumerate(made)])
    assert "Gini 0.250; 0.000 among those who asked for the same" in tranche("USD", TRANCHE_POSTGRES=database).stdout


async def test_what_was_bought_before_the_time_is_no_demand_in_it(market, sql, database, tranche):
    made = await sql.fetchval("SELECT max(made_at) FROM investments")
    after = f"{made.year + 1}-01-01"
    refused = tranche("USD", "--since", after, "--until", f"{made.year + 2}-01-01", TRANCHE_POSTGRES=database)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"USD: nothing was invested from {after} 00:00" in refused.stderr
    report = json.loads(tranche("USD", "--json", TRANCHE_POSTGRES=database).stdout)
    assert report["gini_among_equals"] == pytest.approx(0.25)
    assert [line["investor"] for line in report["investors"]] == ["ben", "ann"]
    assert "nothing was invested" in tranche("EUR", TRANCHE_POSTGRES=database).stderr


async def test_many_investors_are_shown_from_either_end(store, database, tranche):
    (portfolios,) = trader(CATALOG)
    many = [Portfolio("steady", f"i{n:03}", 1, "USD", 10_000, (Bucket("safe", 100),), 5_000) for n in range(50)]
    await feed(store, portfolios, [placed(one) for one in many])
    made = [investment(1, asset=f"loan-{n}", investor=f"i{n:03}", cents=100 + n) for n in range(50)]
    await feed(store, INVESTMENTS, [message(topics.INVESTMENTS, value, offset) for offset, value in enumerate(made)])
    shown = tranche("USD", TRANCHE_POSTGRES=database).stdout
    assert "… 10 more" in shown
    assert [name for name in ("i019", "i020", "i029", "i030") if name in shown] == ["i019", "i030"]
