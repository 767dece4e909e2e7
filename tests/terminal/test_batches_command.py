"""`tranche batches`, as a person types it."""

import io
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console

from streams import batches, queries, settings
from tests.stories import tell


@pytest.fixture
def tranche(tmp_path):
    def run(*arguments, **variables):
        environ = {**settings.inherited(), "TRANCHE_HOME": str(tmp_path / "home"), "COLUMNS": "120", **variables}
        command = [sys.executable, "-m", "streams.cli", "batches", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def cells(text):
    """The words of each line of a table, without its head."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.strip()][2:]


async def test_people_see_how_far_each_batch_is_the_newest_first(store, database, tranche):
    await tell(store)
    done = tranche(TRANCHE_POSTGRES=database)
    assert (done.returncode, done.stderr) == (0, "")
    assert cells(done.stdout) == [
        ["bluebird.one", "processing", "0 of 3", "0", "0", "0", "0", "0", "0.0"],
        ["bluebird.three", "open", "2", "0", "2", "0", "0", "0", "0.0"],
    ]


async def test_programs_get_what_the_gateway_answers(store, database, tranche):
    await tell(store)
    (first, second) = json.loads(tranche("bluebird", "--json", TRANCHE_POSTGRES=database).stdout)["batches"]
    assert (first["batch"], second["batch"]) == ("bluebird.one", "bluebird.three")
    assert json.loads(tranche("bluebird", "--json", "--limit", "1", TRANCHE_POSTGRES=database).stdout)["batches"] == [first]
    assert json.loads(tranche("harbor", "--json", TRANCHE_POSTGRES=database).stdout) == {"batches": []}


async def test_a_name_that_a_terminal_would_obey_is_shown_as_it_is(store, sql):
    await sql.execute(
        "INSERT INTO batches (batch, originator, first_event, last_event) VALUES ('b.[red]' || chr(27) || '[2J', 'b', now(), now())"
    )
    out = io.StringIO()
    Console(file=out, width=120).print(batches.table_of(await queries.batches(await store.pool())))
    assert "b.[red]\N{REPLACEMENT CHARACTER}[2J" in out.getvalue()


async def test_a_batch_can_be_copied_however_much_is_said_of_it(store, sql, database, tranche):
    name = "harborview-capital.20261124T042029-8d62d4"
    await sql.execute(
        "INSERT INTO batches (batch, originator, received, documents, same_as, first_event, last_event)"
        " VALUES ($1, 'harborview-capital', true, 0, 'harborview-capital.1', now(), now())",
        name,
    )
    assert name in tranche(TRANCHE_POSTGRES=database).stdout


def test_without_a_database_it_says_what_to_do(tranche):
    done = tranche(TRANCHE_POSTGRES="postgresql://127.0.0.1:1/none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "127.0.0.1:1/none does not answer" in done.stderr
    assert "try `tranche up`" in tranche().stderr
    assert "do not go together" in tranche("--follow", "--json").stderr
