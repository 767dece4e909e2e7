"""A worker under measurement: `python -m tests.bench.worker JOB ASSETS`, with the TRANCHE_ variables of any worker.

It prints a line of JSON for every ASSETS assets (`tests/bench/laps.py`) and runs until it is ended. `diff` runs the peers' job, `intake`
the intake agent alone, `pipeline` every agent there is, measured from intake to the router's sell offers; `latency` is every agent,
measured from outside; `recovery` says when so many partitions of intake are open. Each imports only what it needs: its peak memory is a
figure too.
"""
# ruff: noqa: PLC0415 - see above

import argparse
from collections.abc import Callable
from typing import Final

from streams import app, settings
from tests.bench.laps import Laps, documents

Settings = settings.Settings


def diff(own: Settings, laps: Laps) -> app.App:
    from tests.bench import tranche_diff

    return app.build(own, [laps.last(laps.first(tranche_diff.stage(own.group)), documents)])


def diff_at_least_once(own: Settings, laps: Laps) -> app.App:
    from tests.bench import at_least_once

    app.KafkaBroker = at_least_once.PlainBroker
    return diff(own, laps)


def intake(own: Settings, laps: Laps) -> app.App:
    from agents.intake.agent import stages

    return app.build(own, [laps.last(laps.first(stage), documents) for stage in stages(own.load_catalog())])


def pipeline(own: Settings, laps: Laps) -> app.App:
    from schemas import columns
    from streams.store import Store

    stages, sinks = app.discover(own.load_catalog())
    by_name = {stage.name: stage for stage in stages}
    by_name["intake"] = laps.first(by_name["intake"])
    by_name["router"] = laps.last(by_name["router"], lambda message: columns.decode(message.value, columns.ASSESSED).num_rows)
    return app.build(own, by_name.values(), sinks, Store(own.postgres))


def every(own: Settings, _laps: Laps) -> app.App:
    from streams.store import Store

    return app.build(own, *app.discover(own.load_catalog()), Store(own.postgres))


def recovery(own: Settings, laps: Laps) -> app.App:
    from agents.intake.agent import stages
    from tests.bench import opening

    opening.measure(partitions=laps.assets)
    return app.build(own, stages(own.load_catalog()))


JOBS: Final[dict[str, Callable[[Settings, Laps], app.App]]] = {
    "diff": diff,
    "diff_at_least_once": diff_at_least_once,
    "intake": intake,
    "pipeline": pipeline,
    "latency": every,
    "recovery": recovery,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("assets", type=int)
    given = parser.parse_args()
    app.start(JOBS[given.job](settings.load(), Laps(given.assets)))


if __name__ == "__main__":
    main()
