"""`tranche trace`, as a person types it."""

import io
import json
import subprocess
import sys

import orjson
import pytest
from rich.console import Console

from streams import settings, topics
from streams.trace import console, queries
from tests.database import feed, message
from tests.stories import REJECTIONS, rejected, tell

ASSET = ("bluebird", "loan-7")


@pytest.fixture
def tranche(tmp_path):
    def run(*arguments, **variables):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(tmp_path / "home"), **variables}
        command = [sys.executable, "-m", "streams.cli", "trace", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def refused(done):
    """What it said on stderr; it must be all that it did."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tranche: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def shown(found, width=100):
    """What a terminal of so many columns shows."""
    out = io.StringIO()
    console.show(Console(file=out, width=width, highlight=False), found)
    return out.getvalue()


async def test_people_read_the_story_of_an_asset_line_by_line(store, database, tranche):
    await tell(store)
    done = tranche("bluebird/loan-7", TRANCHE_POSTGRES=database)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown(await queries.trace(await store.pool(), *ASSET)), "a pipe gets what a terminal shows"
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "bluebird/loan-7",
        "4 versions, 13 investments, 2 refused documents",
        "late, 960.00 of 1200.00 USD outstanding",
    ]
    assert all(len(line) <= 100 for line in lines)
    second = lines[lines.index("version 2, repayment reported") :]
    assert second[: second.index("")] == [
        "version 2, repayment reported",
        "  batch     bluebird.two, byte 0",
        "  sent      nothing is stored of this batch yet",
        "  document  digest 0102030405060708090a0b0c0d0e0f10, assets.assessed-2-6",
        "  differs   outstanding           1000.00 -> 960.00",
        "            paid.principal        200.00 -> 240.00",
        "            instalment            none -> 41.00",
        "            purpose               car -> none",
        "            our remaining_months  30 -> 29",
        "  assessed  risk group B, score 131",
        "            points below the best: rate -65, purpose -14",
        "            price 0.995, buyer's price 0.9975, by version 2 of the product",
        "            29 instalments of 41.06, the last 40.93 with -0.13 of rounding",
        "            schedule as by act-360, but for line 1 interest 0.01",
        "            expected loss 0.0123, expected return 0.0561 a year, duration 400 days",
        "  offered   bluebird/loan-7/2",
        "  invested  500.00 USD in 1 investment",
        "            500.00  2026-02-02 02:41:00 UTC  ann, steady/safe  bluebird/loan-7/2/1",
    ]
    for line in (
        "  batch     bluebird.one, byte 1179",
        "  sent      2026-02-02 02:40:00 UTC by bluebird",
        "  file      3 documents, 4000 bytes, digest 9599ddfd987d8d2fffb311b42fa402b6",
        "  file      digest not known: it is still coming, or the originator produces to the broker itself",
        "  differs   in no field that is read: other bytes, or fields of the originator's own",
        "  invested  300.00 USD in 12 investments",
        "  batch     bluebird.one, byte 7, 2026-02-02 02:40:00 UTC",
        "            rate is NaN, not a number",
    ):
        assert line in lines


async def test_programs_read_what_the_gateway_answers(store, database, tranche):
    await tell(store)
    pool = await store.pool()
    for arguments, bounds in ((), {}), (("--before", "3"), {"before": 3}):
        done = tranche("bluebird/loan-7", "--json", *arguments, TRANCHE_POSTGRES=database)
        found = await queries.trace(pool, *ASSET, **bounds)
        assert done.stdout.encode() == orjson.dumps(found, option=orjson.OPT_UTC_Z) + b"\n"
        assert json.loads(done.stdout)["counts"]["versions"] == 4


async def test_what_is_left_out_is_said(store):
    await tell(store)
    told = shown(await queries.trace(await store.pool(), *ASSET, limit=1))
    assert "earlier versions: --before 4" in told
    assert "refused documents, the latest 1 of 2" in told
    told = shown(await queries.trace(await store.pool(), *ASSET, before=2, limit=2))
    assert "300.00 USD in 12 investments, the latest 2 of them:" in told


async def test_an_originators_text_is_no_command_to_the_terminal(store):
    await feed(store, REJECTIONS, [message(topics.REJECTED, rejected("loan\x1b[2J7", reason="is \x1b]0;x\x07 \x9b1m\r\n[red]"))])
    told = shown(await queries.trace(await store.pool(), "bluebird", "loan\x1b[2J7"))
    assert told.replace("\n", "").isprintable()
    assert "[red]" in told


@pytest.mark.parametrize("unknown", ["bluebird/loan-9", "bluebird/a\udcff", "bluebird/Loan-7", "Bluebird/loan-7"])
async def test_an_asset_that_nobody_sent_is_one_message_and_exit_code_2(store, database, tranche, unknown):
    await tell(store)
    said = refused(tranche(unknown, TRANCHE_POSTGRES=database))
    assert "nothing is known of asset" in said
    assert "write ORIGINATOR/ASSET as the loan book does" in said


@pytest.mark.parametrize("wrong", ["bluebird/", "/loan-7", "loan-7", ""])
def test_what_names_no_asset_is_refused_before_anything_is_asked(tranche, wrong):
    assert f"{wrong!r} is no ORIGINATOR/ASSET" in refused(tranche(wrong))


def test_where_nothing_runs_and_no_database_is_named_it_says_what_to_do(tranche):
    assert "try `tranche up`" in refused(tranche("bluebird/loan-7"))


def test_a_database_that_does_not_answer_is_named_without_its_password(tranche):
    said = refused(tranche("bluebird/loan-7", TRANCHE_POSTGRES="postgresql://me:hidden@127.0.0.1:1/tranche"))
    assert "127.0.0.1:1/tranche does not answer" in said
    assert "hidden" not in said


async def test_a_database_without_tables_says_which_is_missing(empty_database, tranche):
    assert "UndefinedTableError" in refused(tranche("bluebird/loan-7", TRANCHE_POSTGRES=empty_database))
