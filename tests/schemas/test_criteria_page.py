"""The page about criteria is true: its examples are run."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import schemas
from agents.trader.criteria import read
from agents.trader.expression import KEYWORDS
from agents.trader.form import TESTS
from schemas.attributes import ASSET
from schemas.catalog import attributes_of
from streams.cli import main
from tests.rows import CATALOG

PAGE = (Path(schemas.__file__).parent / "criteria.md").read_text()
EUR = attributes_of("EUR", CATALOG.products.values(), CATALOG.originators)


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", blocks("console"))
def test_the_command_says_what_the_page_says(block):
    command, _, said = block.partition("\n")
    done = CliRunner().invoke(main, shlex.split(command)[2:])
    assert done.output == said


@pytest.mark.parametrize("criteria", [*blocks("criteria"), *map(json.loads, blocks("json"))], ids=str)
def test_each_example_is_taken(criteria):
    assert read(criteria, EUR).any_of


def test_every_keyword_member_and_attribute_is_there():
    (grammar,) = blocks("ebnf")
    assert set(re.findall(r'"([a-z]+)"', grammar)) == KEYWORDS
    assert {name for name in TESTS if f"`{name}`" not in PAGE} == set()
    assert {one.name for one in ASSET if f"`{one.name}`" not in PAGE} == set()
