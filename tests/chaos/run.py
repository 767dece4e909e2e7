"""One chaos run: a system, a known input, faults until the time is over, rest, and the check."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streams.app import discover
from streams.settings import load
from tests.audit import database
from tests.audit.check import check
from tests.audit.findings import KINDS, Findings
from tests.audit.logs import Logs
from tests.chaos import plan, recovery
from tests.chaos.disk import Disk
from tests.chaos.faults import Faults
from tests.chaos.recovery import SinkWatch
from tests.chaos.senders import PRODUCING, UPLOADING, Senders
from tests.chaos.target import StuckError, Target

ORIGINATORS: Final = len(UPLOADING) + len(PRODUCING)
FEW: Final = 3_000  # assets, where nothing depends on how many
DOCUMENTS_MAX: Final = 600_000  # of a run's changes: all that is sent is kept and checked at the end
BEFORE_S: Final = 5.0  # of input before the first fault
REST_S: Final = 300.0  # bound on the wait until everything is done, at the end
LOAD_S: Final = 1800.0  # the same after the load of many assets
POLL_S: Final = 1.0

FAULTS: Final = (
    *("kills", "pauses", "leaves", "joins", "removals", "gateway_kills", "broker_restarts", "postgres_restarts"),
    *("full_disk", "refused", "topics_deleted"),
)
Say = Callable[[str, str], None]  # the phase, and more about it


@dataclass(frozen=True)
class Outcome:
    """What a run gives: the figures of its last line; what was found, and where; where the logs are kept, if something was."""

    figures: dict[str, Any]
    findings: list[str]
    logs: Path | None


@dataclass
class Chaos:
    """The parameters of a run. With `assets`, that many are loaded first, and kills alone are made; without, the whole mix."""

    seed: int
    minutes: float
    assets: int
    say: Say

    def run(self) -> Outcome:
        """Run it. Something that is stuck is a finding; every other exception is a fault of the run itself or of the machine."""
        work = Path(tempfile.mkdtemp(prefix="tranche-chaos-"))
        kept = work / "logs"
        with Disk(work / "home") as disk:
            try:
                figures, findings = asyncio.run(self._run(disk))
                sound = not findings
            except BaseException:
                sound = False
                self.say("failed", f"logs are kept in {kept}")
                raise
            finally:
                if not sound and (disk.folder / "logs").exists():
                    shutil.copytree(disk.folder / "logs", kept)
        if sound:
            shutil.rmtree(work)
        return Outcome(figures, findings, None if sound else kept)

    async def _run(self, disk: Disk) -> tuple[dict[str, Any], list[str]]:
        began = time.monotonic()
        self._stages, self._sinks = discover(load({}).load_catalog())
        self._target = Target(disk.folder)
        self.say("starting", "")
        await self._target.start()
        run = self._target.run
        pace_s = max(Senders.every_s, self.minutes * 60 * ORIGINATORS * Senders.size / DOCUMENTS_MAX)
        senders = Senders(run.gateway_url, run.kafka, run.secret, f"{self.seed}.", (self.assets or FEW) // ORIGINATORS, every_s=pace_s)
        faults, findings, measured = Faults(self._target, disk, senders), Findings(), {}
        stuck: list[str] = []
        try:
            if self.assets:
                await self._load(senders)
            async with SinkWatch(run.postgres) as watch:
                await self._disturb(senders, faults)
            async with Logs(run.kafka) as logs:
                await self._rest(logs, REST_S)
                self.say("checking", "")
                findings = await check(senders.sent, logs, run.postgres, self._stages, self._sinks)
                measured = await self._measure(faults, watch, logs)
        except StuckError as fault:
            stuck = [f"stuck: {fault}"]
        finally:
            self.say("stopping", "")
            await senders.close()
            await self._target.stop()
        figures = {**{name: faults.made[name] for name in FAULTS}, **_said(list(self._target.said()), disk.why_not), **measured}
        figures |= {kind: findings.total_of(kind) for kind in KINDS}
        figures |= {"assets": len(senders.sent.versions), "documents": senders.sent.documents, "sent_again": senders.again}
        figures |= {
            "versions": sum(map(len, senders.sent.versions.values())),
            "seconds": round(time.monotonic() - began),
            "seed": self.seed,
        }
        return figures, stuck + findings.lines()

    async def _load(self, senders: Senders) -> None:
        self.say("loading", f"{self.assets:,} assets")
        await senders.load()
        async with Logs(self._target.run.kafka) as logs:
            await self._rest(logs, LOAD_S)

    async def _disturb(self, senders: Senders, faults: Faults) -> None:
        """Faults while input flows, until the time is over and one deck at least has been made."""
        end = time.monotonic() + 60 * self.minutes
        if self.assets:
            senders.refusable.set()
        sending = asyncio.create_task(senders.run(investing=not self.assets))
        try:
            await asyncio.sleep(BEFORE_S)
            for number, fault in enumerate(plan.kills(self.seed) if self.assets else plan.mixed(self.seed)):
                if sending.done() or (time.monotonic() > end and number > len(plan.DECK)):
                    break
                self.say(fault.name, f"{_made(faults.made)}, lag {await self._target.lag()}")
                await faults.make(fault)
                await asyncio.sleep(fault.pause_s)
            self.say("delivering the rest", _made(faults.made))
            senders.finish()
            await sending
        finally:
            sending.cancel()

    async def _rest(self, logs: Logs, limit_s: float) -> None:
        """Wait until every agent has done all that is in its source.

        Raises:
            StuckError: says what is not done.
        """
        behind = ["nothing was read"]
        try:
            async with asyncio.timeout(limit_s):
                while behind:
                    await logs.read()
                    behind = logs.behind(self._stages, self._sinks, await database.stored(self._target.run.postgres))
                    self.say("coming to rest", f"{len(behind)} partitions are behind")
                    await asyncio.sleep(POLL_S if behind else 0)
        except TimeoutError:
            raise StuckError(f"not done after {limit_s:.0f} s: {'; '.join(behind)}") from None

    async def _measure(self, faults: Faults, watch: SinkWatch, logs: Logs) -> dict[str, Any]:
        openings = recovery.openings_of(self._target.said())
        found = recovery.recoveries(faults.kills, openings, {**recovery.steps_of(self._stages, logs), **watch.steps})
        seconds = [one.seconds for one in found]
        run = self._target.run
        return {
            "rebalances": await recovery.rebalances(run.kafka, run.environ["TRANCHE_GROUP"]),
            "recovery_p50_s": recovery.percentile(seconds, 50),
            "recovery_p99_s": recovery.percentile(seconds, 99),
            "recoveries": len(found),
            "slowest_recoveries": [str(one) for one in found[:5]],
        }


def _said(lines: Sequence[dict[str, Any]], disk_skipped: str) -> dict[str, Any]:
    """What the workers' logs add: how many were fenced, and why else they ended."""
    stops = Counter(line["fault"].partition("(")[0] for line in lines if line.get("event") == "fail-stop")
    fenced = sum(count for fault, count in stops.items() if "Fenced" in fault)
    return {"fenced": fenced, "fail_stops": dict(stops), **({"full_disk_skipped": disk_skipped} if disk_skipped else {})}


def _made(made: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in made.items()) or "no fault yet"
