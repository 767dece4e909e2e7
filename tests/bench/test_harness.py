"""The harness tells the truth: about order, about what is absent, about what was missed, and about what was committed."""

import subprocess
import sys

import pytest
from rich.console import Console

from streams import metrics
from streams.effects import Effects, Message, Record, Stage, Table
from streams.topics import Topic
from tests.bench import laps, report, tranche_diff
from tests.bench.books import make
from tests.bench.process import Measured, RunError, running
from tests.bench.runner import AbsentError, Bench, Goal, Subject, measure, rate, ratio_to


def bench_of(*subjects, goals=()):
    return Bench("any", "any job", subjects, goals)


def outcomes_of(bench, runs=3):
    return measure(bench, runs, lambda _subject, _number: lambda _doing: None, lambda: None)


def steady(key, speed, peer=False):
    return Subject(key, key or "ours", lambda _run, _say: Measured(speed, 100), peer)


def absent(_run, _say):
    raise AbsentError("there is no such thing here")


def broken(_run, _say):
    raise RunError("it ended")


def test_subjects_are_run_in_turn_and_not_one_after_the_other():
    order = []

    def subject(key):
        return Subject(key, key, lambda run, _say: order.append(run) or Measured(1, 1), peer=bool(key))

    outcomes_of(bench_of(subject(""), subject("a")), runs=3)
    assert order == [f"bench-{name}-{number}" for number in (1, 2, 3) for name in ("tranche", "a")]


def test_the_figure_is_the_median_and_the_memory_the_largest():
    found = iter([Measured(10, 5), Measured(30, 9), Measured(11, 7)])
    outcome = outcomes_of(bench_of(Subject("", "ours", lambda _run, _say: next(found))))[""]
    assert (outcome.assets_per_s, outcome.rss_mb) == (11, 9)


@pytest.mark.parametrize("fault", [absent, broken])
def test_a_peer_that_cannot_be_measured_is_said_and_not_hidden(fault):
    goals = (Goal("ratio_slow", 1.5, ratio_to("slow")), Goal("ratio_gone", 1.5, ratio_to("gone")))
    bench = bench_of(steady("", 300), steady("slow", 100, peer=True), Subject("gone", "gone", fault, peer=True), goals=goals)
    outcomes = outcomes_of(bench)
    figures = report.figures(bench, outcomes)
    assert figures["ratio_slow"] == 3.0
    assert figures["gone_assets_per_s"] is None
    assert figures["ratio_gone"] is None
    assert figures["reached"] is None
    assert figures["gone_absent"]
    with (console := Console(width=120)).capture() as shown:
        report.show(bench, outcomes, console)
    assert "absent" in shown.get()
    assert "not measured" in shown.get()


@pytest.mark.parametrize(("speed", "reached", "verdict"), [(49_999, False, "missed"), (50_000, True, "reached")])
def test_a_miss_is_reported_as_a_miss(speed, reached, verdict):
    bench = bench_of(steady("", speed), goals=(Goal("assets_per_s", 50_000, rate),))
    outcomes = outcomes_of(bench)
    assert report.figures(bench, outcomes)["reached"] is reached
    with (console := Console(width=120)).capture() as shown:
        report.show(bench, outcomes, console)
    assert verdict in shown.get()


def test_our_own_failure_ends_the_bench():
    with pytest.raises(RunError):
        outcomes_of(bench_of(Subject("", "ours", broken)))


def test_figures_are_the_first_line_of_json_that_a_process_prints(tmp_path):
    program = 'print("hello"); print(\'{"assets_per_s": 7, "rss_mb": 8}\', flush=True); input()'
    with running([sys.executable, "-c", program], tmp_path / "log") as process:
        assert process.figures(20) == Measured(7, 8)


def test_a_process_without_figures_is_a_fault_that_shows_the_end_of_its_log(tmp_path):
    with (
        running([sys.executable, "-c", "raise SystemExit('the reason')"], tmp_path / "log") as process,
        pytest.raises(RunError, match="the reason"),
    ):
        process.figures(20)


def test_a_process_that_says_nothing_is_ended(tmp_path):
    program = "import time; time.sleep(60)"
    with running([sys.executable, "-c", program], tmp_path / "log") as process, pytest.raises(RunError, match="code -9"):
        process.figures(0.2)


def test_a_lap_ends_with_the_commit_of_the_last_asset_and_not_before(capsys, monkeypatch):
    monkeypatch.setattr(metrics, "step", metrics.step)  # undone after this test
    topic = Topic("any", 8)
    stage = Stage("any", topic, topic, lambda _state, messages: Effects(rows={m.key: b"digest" for m in messages}))
    probe = laps.Laps(3)
    stage = probe.last(probe.first(stage), laps.documents)
    one, two = (
        Message("any", 0, n, 0, b"key %d" % n, b"", headers) for n, headers in enumerate([(), (("positions", b"8 bytes." * 2),)], start=1)
    )
    for message, lines in ((one, 0), (two, 1)):
        effects = stage.compute(stage.state(), [message])
        assert not capsys.readouterr().out
        metrics.step("other", 0, messages=1, rows=1, poison=0, seconds=0.0)
        assert not capsys.readouterr().out
        metrics.step("any", 0, messages=1, rows=len(effects.rows), poison=0, seconds=0.0)
        said = capsys.readouterr().out
        assert said.count("\n") == lines
    assert '"rows": 2' in said
    assert probe.started == 0.0


def test_our_diff_sends_and_stores_each_changed_document_once():
    (item,) = list(make(3)[0].chunks("b"))
    message = Message("any", item.partition, 0, 0, item.key, item.value, tuple(item.headers))
    stage, table = tranche_diff.stage("run"), Table()
    effects = stage.compute(table, [message])
    assert effects.records == [Record(tranche_diff.out("run"), b"bluebird/L0000000", item.value, item.partition)]
    table.apply(effects.rows)
    assert stage.compute(table, [message]) == Effects()


def test_an_unknown_name_is_refused_with_the_names_there_are():
    done = subprocess.run([sys.executable, "-m", "tests.bench", "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "redelivery" in done.stderr
