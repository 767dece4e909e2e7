"""A worker under measurement: `python -m tests.bench.worker diff|intake|pipeline ASSETS`, with the TRANCHE_ variables of any worker.

It prints a line of JSON for every ASSETS assets (`tests/bench/laps.py`) and runs until it is ended. `diff` runs the peers' job, `intake`
the intake agent alone, `pipeline` every agent there is, measured from intake to the router's sell offers. Each imports only what it
needs: its peak memory is a figure too.
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


JOBS: Final[dict[str, Callable[[Settings, Laps], app.App]]] = {"diff": diff, "intake": intake, "pipeline": pipeline}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("assets", type=int)
    given = parser.parse_args()
    app.start(JOBS[given.job](settings.load(), Laps(given.assets)))


if __name__ == "__main__":
    main()
