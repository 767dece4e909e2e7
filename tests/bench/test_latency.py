"""The bench of latency says what a subscriber waits: from when a document was due, for all of them, and none is left out."""

import time

import pytest

from schemas.events import decode_portfolio
from streams import frames
from tests.bench import books, latency, originator
from tests.bench.latency import CHANGED, INVESTED, Arrivals, Measured
from tests.bench.originator import Schedule, number_of
from tests.bench.process import RunError

SECOND = Schedule(first=1_000, count=100, rate=100, start=50.0)


def seen(schedule, when):
    arrivals = Arrivals(schedule)
    for number in range(schedule.first, schedule.first + schedule.count):
        arrivals.saw(number, when(schedule.due(number)))
    return arrivals


def test_a_stall_makes_every_document_late_that_was_due_meanwhile():
    smooth = seen(SECOND, lambda due: due + 0.020)
    stalled = seen(SECOND, lambda due: max(due + 0.020, 50.5))
    assert smooth.latency_ms(skip=0) == [20.0] * 4
    p50, p90, p99, most = stalled.latency_ms(skip=0)
    assert p50 == pytest.approx(20, abs=10)
    assert p90 == pytest.approx(400, abs=10)
    assert p99 == pytest.approx(490, abs=10)
    assert most == 500
    assert stalled.latency_ms(skip=50) == [20.0] * 4


def test_an_asset_counts_with_its_first_event_and_only_in_its_own_load():
    arrivals = seen(SECOND, lambda due: due + 0.1)
    for number in (999, 1_100, 1_000):
        arrivals.saw(number, 99.0)
    assert arrivals.missing == 0
    assert arrivals.latency_ms(skip=0) == [100.0] * 4


def test_the_number_of_an_asset_is_its_place_in_the_book():
    items = books.interleave([book.singles() for book in books.make(10)])
    ids = [[part.decode() for part in frames.identify(item.value)] for item in items]
    assert [number_of(*found) for found in ids] == list(range(10))


def test_an_asset_that_never_comes_out_ends_the_bench():
    class Nothing:
        polls = 0

        def poll(self, _timeout):
            self.polls += 1
            assert self.polls < 1_000

    arrivals = {CHANGED: Arrivals(SECOND), INVESTED: seen(SECOND, lambda due: due)}
    with pytest.raises(RunError, match=r"100 assets on assets.changed, 0 assets on investments"):
        latency._listen(Nothing(), arrivals, end=time.monotonic() - 1)


class HeldUp:
    """A client that takes its time over its third document."""

    def __init__(self, _settings):
        self.sent = []
        HeldUp.last = self

    def list_topics(self, *_, **__):
        pass

    def produce(self, _topic, value, _key, _partition, **_):
        self.sent.append((time.monotonic(), value))
        if len(self.sent) == 3:
            time.sleep(0.3)

    def poll(self, _timeout):
        pass

    def flush(self, _timeout):
        return 0


def test_an_originator_that_is_held_up_keeps_its_schedule_and_says_how_late_it_was(monkeypatch):
    monkeypatch.setattr(originator, "Producer", HeldUp)
    schedule = Schedule(first=4, count=20, rate=100, start=time.monotonic() + 0.2)
    late = originator.send("nowhere", schedule)
    times = [when for when, _ in HeldUp.last.sent]
    assert [number_of(*(part.decode() for part in frames.identify(value))) for _, value in HeldUp.last.sent] == list(range(4, 24))
    assert all(when >= schedule.due(4 + n) for n, when in enumerate(times))
    assert late["late_max_ms"] > 250
    assert late["late_p50_ms"] > 100  # the stall is longer than all that was left to send


def test_every_investor_has_money_for_everything_in_the_market_of_the_assets():
    placed = [decode_portfolio(latency._portfolio(n).value) for n in range(latency.INVESTORS)]
    assert {portfolio.currency for portfolio in placed} == {"USD"}
    assert len({portfolio.investor for portfolio in placed}) == latency.INVESTORS


@pytest.mark.parametrize(("p50", "p99", "reached"), [(60.0, 250.0, True), (60.1, 250.0, False), (60.0, 250.1, False)])
def test_the_target_is_both_percentiles_of_all_agents_at_its_rate(p50, p99, reached):
    def one(form, rate, *ms):
        return Measured(form, rate, {CHANGED: list(ms)} | ({INVESTED: [1.0, 2.0, 3.0, 4.0]} if form == "all" else {}), (0.1, 0.2))

    merged = [one("all", 100, p50, 70.0, p99, 300.0), one("all", 1_000, 900.0, 900.0, 900.0, 900.0), one("intake", 100, 5.0, 6.0, 7.0, 8.0)]
    found = latency.figures(merged, 1)
    assert found["reached"] is reached
    assert found["changed_p50_ms"] == p50
    assert found["investments_p90_ms"] == 2.0
    assert found["changed_p99_ms_at_1000"] == 900.0
    assert found["intake_changed_max_ms"] == 8.0
