"""`tranche why`, as a person types it, asked of workers of which one holds a market."""

import asyncio
import json
import os
import sys

import pytest

from schemas.criteria import Criteria, Predicate
from schemas.events import BuyOfferWithdrawn
from streams import settings
from streams.embedded import runfile
from streams.embedded.runfile import Process, Run
from tests.held_market import SECRET, Worker, buy, sell

AT_LEAST_8 = Criteria(((Predicate("rate", low=80_000),),))


@pytest.fixture
async def workers():
    """The second holds the market."""
    workers = Worker(), Worker()
    yield workers
    for worker in workers:
        await worker.close()


@pytest.fixture
async def tranche(workers, tmp_path):
    """Ask the system of both workers, on addresses where a token is needed."""
    await workers[1].begin(sell("A1"), sell("A2", rate=75_000), sell("A3", rate=75_000), buy(AT_LEAST_8))
    urls = [str((await worker.serve(tmp_path, "0.0.0.0")).base_url).rstrip("/") for worker in workers]
    home = tmp_path / "home"
    home.mkdir()
    run = Run(Process.of(os.getpid()), {}, "", "", "", tuple(urls), SECRET, "", {}, ready=True)
    runfile.write(home, run)

    async def ask(*arguments, home=home):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(home), "COLUMNS": "160"}
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams.cli", "why", *arguments,
            env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(done.communicate(), 60)
        return done.returncode, out.decode(), err.decode()

    return ask


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


async def test_people_see_what_decided_in_each_bucket(tranche):
    code, out, err = await tranche("anna/income", "bluebird/A2")
    assert (code, err) == (0, "")
    head, _, _, row = lines(out)
    assert head == "anna/income, version 1, EUR; bluebird/A2"
    assert row == "high 400.00 200.00 0.00 200.00 rate = 7.5%, asked: rate >= 8%"


async def test_people_see_how_many_assets_each_reason_keeps_away(tranche):
    code, out, _ = await tranche("anna/income")
    head, _, _, *rows = lines(out)
    assert (code, head) == (0, "anna/income, version 1, EUR; 3 assets on offer")
    assert rows == ["high 400.00 200.00 0.00 200.00 1 fit", "1 invested in already", "2 with another rate than is asked, or none"]


async def test_a_closed_portfolio_is_told_as_that(tranche, workers):
    await workers[1].begin(BuyOfferWithdrawn("anna/income/1/high", "anna", "closed"))
    code, out, _ = await tranche("anna/income")
    _, told = lines(out)
    assert (code, told) == (0, "version 1 was withdrawn when the portfolio was closed, and no newer one has buy offers")


async def test_programs_get_what_the_worker_answers(tranche, workers):
    _, out, _ = await tranche("anna/income", "bluebird/A1", "--json")
    assert json.loads(out) == await workers[1].markets.why("anna/income", "bluebird/A1")


async def test_what_nobody_can_tell_is_an_error_that_says_what_to_do(tranche, workers, tmp_path):
    code, out, err = await tranche("anna/none")
    assert (code, out) == (2, "")
    assert "no worker holds the markets USD, GBP" in err
    workers[0].runner.held |= {1: workers[0].market, 2: workers[0].market}
    assert "there is no portfolio anna/none" in (await tranche("anna/none"))[2]
    assert "nothing runs in" in (await tranche("anna/income", home=tmp_path))[2]
    assert "'anna' is no INVESTOR/PORTFOLIO" in (await tranche("anna"))[2]


async def test_a_worker_that_is_gone_is_named_where_it_may_be_the_one(tranche, workers):
    await workers[1].close()
    workers[1].running.clear()
    _, _, err = await tranche("anna/income")
    assert "no worker holds the markets EUR, USD, GBP" in err
    assert "does not answer (ConnectError)" in err
