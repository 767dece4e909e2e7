"""The bench of scale counts what is committed by all workers, and measures only where all of them take part."""

import threading

import pytest

from streams import topics
from tests.bench import broker, scale
from tests.bench.process import RunError
from tests.bench.scale import Committed, Measured, Subject


class Worker:
    """Says so many rows for each Step; then it ends, or has nothing more to say."""

    def __init__(self, *rows, ends=False):
        self._rows, self._ends = list(rows), ends

    def said(self, _limit_s):
        if self._rows:
            return {"rows": self._rows.pop(0)}
        if not self._ends:
            threading.Event().wait()
        raise RunError("it ended")


def test_all_workers_together_have_committed_the_assets():
    committed = Committed([Worker(10, 20, 10), Worker(30, 30)])
    assert sum(committed.wait(100)) == 100


def test_what_a_step_commits_beyond_the_first_part_counts_for_the_second():
    committed = Committed([Worker(70, 30, ends=True)])
    assert committed.wait(50) == [70]
    assert committed.wait(50) == [30]


def test_a_worker_that_ends_ends_the_bench():
    with pytest.raises(RunError, match="it ended"):
        Committed([Worker(10, ends=True), Worker()]).wait(20)


def test_nothing_is_measured_before_every_worker_has_a_part(monkeypatch):
    monkeypatch.setattr(broker, "load", lambda _kafka, _topic, chunks: chunks)
    rounds = iter([[100, 0], [60, 40], [0, 100]])

    class Told:
        def wait(self, _assets):
            return next(rounds)

    scale.warm_up("nowhere", scale.Input([100, 100, 100], []), Told())
    assert next(rounds) == [0, 100]
    rounds = iter([[100, 0]])
    with pytest.raises(RunError, match="not every worker had a part"):
        scale.warm_up("nowhere", scale.Input([100], []), Told())


def test_the_input_is_the_same_for_all_and_its_warm_part_is_none_of_the_measured():
    items = scale.make_items(3_000)
    warm = [item.documents for chunks in items.warm for item in chunks]
    assert len(items.warm) == scale.WARM_ROUNDS
    assert all(len(chunks) == scale.WARM_CHUNKS for chunks in items.warm)
    assert sum(item.documents for item in items.measured) >= 3_000
    assert sum(warm) <= scale.WARM_ROUNDS * scale.WARM_CHUNKS * 500


def test_disk_is_counted_by_topic_and_the_workers_own_stores_apart(tmp_path):
    for name, size in ((f"kafka/data/{topics.INTAKE_TABLE.name}-0/0.log", 30), (f"kafka/data/{topics.INTAKE_TABLE.name}-7/0.log", 12)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "kafka/data/__transaction_state-1").mkdir()
    (tmp_path / "kafka/data/__transaction_state-1/0.log").write_bytes(bytes(99))
    (tmp_path / "worker-1/tables").mkdir(parents=True)
    (tmp_path / "worker-1/tables/1.sst").write_bytes(bytes(7))
    assert scale._disk(tmp_path) == {topics.INTAKE_TABLE.name: 42, "local": 7}


def test_the_figures_have_each_subject_by_its_name():
    one = Measured(1_000.4, 0.256, 0.5, 300.4, 200.0, 410.0, {"intake.table": 86.2, "offers": 0.0})
    found = scale.figures({Subject("intake", 2): one, Subject("intake", 1, "rocksdb"): one}, 3)
    assert found["intake_2_assets_per_s"] == 1_000
    assert found["intake_2_broker_share"] == 0.26
    assert found["intake_1_rocksdb_disk_bytes_per_asset"] == {"intake.table": 86}
