"""What is remembered of a fail-stop: processes that really end, and what the next one knows of them."""

import json
import stat
import subprocess
import sys
import time

import pytest
from aiokafka.errors import InvalidProducerEpoch, MessageSizeTooLargeError, ProducerFenced

from streams import metrics, stops
from streams.stops import ABORT, FAIL_STOP, FENCE, LAST, LINES_MAX, STALL, StalledError, Stops, kind_of
from streams.store import Fenced

STOP = """
import sys
from pathlib import Path
from aiokafka.errors import ProducerFenced
from streams.stops import Stops
Stops(Path(sys.argv[1])).fail_stop("intake", 3, 41, {fault})
"""


def stop(file, fault="ProducerFenced()", wrap="", **named):
    """Run a process that stops itself; `wrap` is code before it."""
    return subprocess.run(
        [sys.executable, "-c", wrap + STOP.format(fault=fault), str(file)], capture_output=True, text=True, timeout=60, check=False, **named
    )


def again(file):
    found = Stops(file)
    found.read()
    return found


def counter(metric, agent, partition):
    (family,) = metric.labels(agent, partition).collect()
    return family.samples[0].value


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "stops" / "worker-1.jsonl"


def test_the_next_start_knows_when_which_and_why_and_counts_on(file):
    fences, aborts = (counter(metric, "intake", 3) for metric in (metrics.FENCES, metrics.ABORTS))
    for fault in ("ProducerFenced()", "ValueError('too\\nmuch')", "ProducerFenced()"):
        done = stop(file, fault)
        assert done.returncode == FAIL_STOP
        assert "fail-stop" in done.stdout + done.stderr
    known = again(file)
    assert known.counts == {(FENCE, "intake", 3): 2, (ABORT, "intake", 3): 1}
    assert [(one["kind"], one["agent"], one["partition"], one["offset"]) for one in known.last] == [
        (FENCE, "intake", 3, 41),
        (ABORT, "intake", 3, 41),
        (FENCE, "intake", 3, 41),
    ]
    assert known.last[1]["why"] == "ValueError: too"
    assert known.last[0]["time"] >= known.last[2]["time"] > "2026"
    assert (counter(metrics.FENCES, "intake", 3), counter(metrics.ABORTS, "intake", 3)) == (fences + 2, aborts + 1)


def test_only_the_owner_may_read_the_file_and_no_secret_is_in_it(file):
    stop(file, "OSError('postgresql://ann:hunter2@db/x refused')")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert "hunter2" not in file.read_text()
    assert "refused" in file.read_text()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ProducerFenced(), FENCE),
        (InvalidProducerEpoch(), FENCE),
        (Fenced("x"), FENCE),
        (MessageSizeTooLargeError(), ABORT),
        (KeyError("x"), ABORT),
        (StalledError("x"), STALL),
    ],
)
def test_a_fence_is_told_from_an_abort_and_from_a_stall(fault, kind):
    assert kind_of(fault) == kind


@pytest.mark.parametrize(
    "left", [b"\xff\xfe{", b"[]\n3\nnull\n", b'{"kind": "other", "agent": "a", "partition": 0}\n', b'{"kind": "fence", "ag']
)
def test_a_broken_file_prevents_neither_a_start_nor_a_stop_nor_its_memory(file, left):
    file.parent.mkdir(parents=True)
    file.write_bytes(left)
    assert again(file).last == []
    assert stop(file).returncode == FAIL_STOP
    assert again(file).counts == {(FENCE, "intake", 3): 1}


def test_without_a_place_for_the_file_the_process_starts_and_ends_all_the_same(tmp_path):
    (tmp_path / "stops").write_text("a file where the folder should be")
    assert again(tmp_path / "stops" / "worker-1.jsonl").last == []
    done = stop(tmp_path / "stops" / "worker-1.jsonl")
    assert done.returncode == FAIL_STOP
    assert "this stop is not in its file" in done.stdout + done.stderr
    (tmp_path / "folder.jsonl").mkdir()
    assert again(tmp_path / "folder.jsonl").last == []


@pytest.mark.parametrize(
    "wrap",
    [
        "import os, time; os.write = lambda *_: time.sleep(600)\n",
        "import structlog, time; structlog.configure(processors=[lambda *_: time.sleep(600)])\n",
        "import structlog\ndef broken(*_): raise SystemExit(0)\nstructlog.configure(processors=[broken])\n",
    ],
    ids=["the disk hangs", "the log hangs", "the log raises"],
)
def test_whatever_hangs_or_breaks_the_process_ends_with_its_code(file, wrap, tmp_path):
    mark = tmp_path / "begun"
    done = stop(file, wrap=f"open({str(mark)!r}, 'w').close()\n{wrap}")
    assert done.returncode == FAIL_STOP
    assert time.time() - mark.stat().st_mtime < 30, "imports take most of it; the hanging call alone would take ten minutes"


def test_a_long_file_is_shortened_at_a_start_and_nothing_is_forgotten_of_its_counts(file):
    file.parent.mkdir(parents=True)
    line = {"time": "2026-01-02T03:04:05+00:00", "kind": FENCE, "agent": "intake", "partition": 3, "offset": 41, "why": "x"}
    file.write_text("".join(f"{json.dumps({**line, 'partition': n % 3, 'offset': n})}\n" for n in range(LINES_MAX + 1)))
    first = again(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text().splitlines()) == LAST + 3
    second = again(file)
    assert first.counts == second.counts
    assert sum(second.counts.values()) == LINES_MAX + 1
    assert first.last == second.last
    assert [one["offset"] for one in second.last] == list(range(LINES_MAX, LINES_MAX - LAST, -1))


def test_what_cannot_be_shortened_is_left(file, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stops, "write_private", full)
    file.parent.mkdir(parents=True)
    line = {"time": "2026-01-02T03:04:05+00:00", "kind": FENCE, "agent": "intake", "partition": 3, "offset": 41, "why": "x"}
    file.write_text(f"{json.dumps(line)}\n" * (LINES_MAX + 1))
    assert again(file).counts.total() == LINES_MAX + 1
    assert len(file.read_text().splitlines()) == LINES_MAX + 1
