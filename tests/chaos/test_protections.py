"""The check of real workers can fail: with a protection turned off, the fault that it is there for shows; with all on, none does."""

import asyncio

import pytest

from tests.chaos.faults import refusing
from tests.chaos.sabotaged_worker import AGENTS, NOTHING, SINK, middle
from tests.chaos.scene import SESSION_S, WORKERS, Scene
from tests.sabotage import SABOTAGES

pytestmark = pytest.mark.crash
REFUSED_S = 0.5


async def kills(scene: Scene) -> None:
    """Both workers, in turn, in the middle of their Steps."""
    await scene.start()
    for worker in WORKERS * 2:
        await scene.working()
        await scene.kill(worker)


async def pause(scene: Scene) -> None:
    """A worker sleeps in the middle of a Step until the other has its partitions, and then goes on."""
    await scene.start()
    zombie = await scene.asleep(WORKERS[0])
    await asyncio.sleep(SESSION_S + 3)  # the fault itself
    zombie.resume()


async def refusal(scene: Scene) -> None:
    """The broker refuses what the first agent writes, for a moment."""
    await scene.start()
    await scene.working()
    async with refusing(scene.kafka, middle(scene.name)):
        await asyncio.sleep(REFUSED_S)
    await scene.deliver()


async def pause_alone(scene: Scene) -> None:
    """The same without agents."""
    await pause(scene)


async def ahead(scene: Scene) -> None:
    """The group's offsets say that the input was read."""
    await scene.deliver()
    await scene.skip()
    await scene.start()
    await scene.deliver()


FAULTS = {
    kills: ("transaction", "committed reads", "offset row"),
    pause: ("fencing",),
    pause_alone: ("the sink's fence",),
    refusal: ("state only after the commit", "fail-stop"),
    ahead: ("what lies between",),
}
PARTS = {pause: (AGENTS,), pause_alone: (SINK,)}  # each ends a zombie, which hides that the other would not have


def test_each_sabotage_has_its_fault():
    assert sorted(protection for protections in FAULTS.values() for protection in protections) == sorted(SABOTAGES)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_fault_leaves_something_to_find_only_where_its_protection_is_off(fault, kafka, postgres, group, tmp_path, capsys):
    async def found(number, protection):
        home = tmp_path / str(number)
        home.mkdir()
        parts = PARTS.get(fault, (AGENTS, SINK))
        async with Scene(kafka, postgres, f"{group}-{number}", home, protection, parts) as scene:
            await fault(scene)
            await scene.rest()
            return await scene.check()

    protections = (NOTHING, *FAULTS[fault])
    findings = await asyncio.gather(*(found(*one) for one in enumerate(protections)))
    with capsys.disabled():
        for protection, result in zip(protections, findings, strict=True):
            print(f"\n{fault.__name__}, off: {protection}: {'; '.join(result.lines()) or 'nothing found'}", end="")
    assert [protection for protection, result in zip(protections, findings, strict=True) if not result] == [NOTHING]
