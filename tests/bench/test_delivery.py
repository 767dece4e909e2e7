"""The mixed delivery is what it says, intake makes of it what it expects, and an account that does not fit ends the bench."""

from collections import Counter

import pytest

from agents.intake.diff import Document, difference
from schemas.asset import DOCUMENT_BYTES_MAX
from streams.effects import Table
from streams.frames import split
from streams.settings import load
from tests.bench import delivery, mixed
from tests.bench.delivery import Delivered, Peaks
from tests.bench.process import RunError

DOCUMENTS = 3000
PRODUCTS = load({}).load_catalog().products


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("books")
    mixed.write_base(folder / "base.bson", DOCUMENTS)
    return folder, mixed.write_mixed(folder / "mixed.bson", folder / "base.bson", DOCUMENTS)


def taken(table, data):
    """What intake makes of a file, all assets in one partition."""
    docs, positions, at = split(data)[0], [], 0
    for doc in docs:
        positions.append(at)
        at += len(doc)
    tenant = mixed.ORIGINATOR.encode()
    found = difference([Document(doc, tenant, 0, at) for doc, at in zip(docs, positions, strict=True)], table, 0, 1, PRODUCTS)
    table.apply(found.rows)
    return found


def test_intake_makes_of_a_mixed_delivery_what_is_expected(files):
    folder, expected = files
    table = Table()
    base = taken(table, (folder / "base.bson").read_bytes())
    assert base.outcomes == {(0, "created"): DOCUMENTS}
    found = taken(table, (folder / "mixed.bson").read_bytes())
    assert Counter({outcome: count for (_, outcome), count in found.outcomes.items()}) == expected.counts
    assets = found.columns["asset_id"].to_pylist()
    versions = [mixed.Version(v.latest.version, v.change.value, v.latest.digest, v.document.position) for v in found.versions]
    assert dict(zip(assets, versions, strict=True)) == expected.versions
    refused = {refusal.document.position: (refusal.field, refusal.document.data) for refusal in found.refusals}
    assert refused == expected.refused


def test_its_shares_are_exact_and_its_order_is_drawn(files):
    _, expected = files
    assert expected.counts == {str(kind): share * DOCUMENTS // 1000 for kind, share in mixed.SHARES.items()}
    assert len(expected.refused) == DOCUMENTS // 1000
    assert list(expected.versions) != sorted(expected.versions)


def test_some_broken_documents_are_for_the_gateway_to_pass_over(tmp_path):
    mixed.write_base(tmp_path / "base.bson", 9000)
    expected = mixed.write_mixed(tmp_path / "mixed.bson", tmp_path / "base.bson", 9000)
    large = [name for name, doc in expected.refused.values() if len(doc) > DOCUMENT_BYTES_MAX]
    assert large == [""]


def test_what_is_not_accounted_for_ends_the_bench():
    with pytest.raises(RunError, match="versions"):
        delivery.expect("versions", [("L1", 2)], [("L1", 1)])


@pytest.mark.parametrize(("all_mb", "reached"), [(105.0, True), (105.2, False)])
def test_the_target_is_missed_by_growth_of_either_process(all_mb, reached):
    counts = Counter({"created": 9, "unchanged": 990, "rejected": 1})
    for gateway, worker in ((Peaks(50.0, 50.0), Peaks(100.0, all_mb)), (Peaks(100.0, all_mb), Peaks(300.0, 300.0))):
        one = Delivered("b", counts, 1.0, gateway, worker)
        made = delivery.figures([(one, one)])
        assert made["reached"] is reached
        assert made["accepted"] + made["unchanged"] + made["stale"] + made["rejected"] == made["documents"] == 1000
