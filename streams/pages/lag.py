"""How far each agent is behind its input in the partitions of this worker, what does not move, and what stopped the worker before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streams.pages.html import Column, Markup, Page, duration, join, table, tag

_KINDS: Final = {"fence": "warn", "abort": "bad", "stall": "bad"}
_AGENT: Final = Column("Agent", lambda row: row["agent"])
_START: Final = (_AGENT, Column("Source topic", lambda row: tag("code", row["topic"])))
_PARTITION: Final = Column("Partition", lambda row: None if row["partition"] in {None, -1} else str(row["partition"]), "n")
_LAG: Final = Column("Lag", lambda row: row["lag"], "n")
_OLDEST: Final = Column("Oldest input", lambda row: duration(row["oldest_s"]) if row["lag"] else None, "n")
_BY_AGENT: Final = (
    *_START,
    Column("Partitions", lambda row: row["partitions"], "n"),
    _LAG,
    _OLDEST,
    Column("Steps", lambda row: row["steps"], "n"),
    Column("State", lambda row: _state(row["lag"], row["stalled"])),
)
_BY_PARTITION: Final = (
    *_START,
    _PARTITION,
    Column("Table offset", lambda row: row["table_offset"] if row["table_offset"] >= 0 else None, "n"),
    Column("Input end", lambda row: row["end_offset"], "n"),
    _LAG,
    _OLDEST,
    Column("Steps", lambda row: row["steps"], "n"),
    Column("Mean Step", lambda row: duration(row["step_mean_s"]), "n"),
    Column("Last Step", lambda row: duration(row["step_last_s"]), "n"),
    Column("Aborts", lambda row: row["aborts"], "n"),
    Column("Fences", lambda row: row["fences"], "n"),
    Column("State", lambda row: _state(row["lag"], row["stalled"]) if row["open"] or row["lag"] else None),
)
_STALLED: Final = (
    _AGENT,
    _PARTITION,
    Column("Since", lambda row: tag("span", duration(row["since_s"]), class_="badge bad"), "n"),
    Column("Why", lambda row: row["why"], "wrap"),
)
_WAITING: Final = (
    _AGENT,
    _PARTITION,
    Column("Since", lambda row: tag("span", duration(row["waiting_s"]), class_="badge warn"), "n"),
    Column("Why", lambda row: row["why"], "wrap"),
)
_STOPS: Final = (
    Column("Stopped at, UTC", lambda row: row["time"].replace("T", " ").removesuffix("+00:00")),
    Column("Kind", lambda row: tag("span", row["kind"], class_=f"badge {_KINDS[row['kind']]}")),
    _AGENT,
    _PARTITION,
    Column("First offset", lambda row: row["offset"] if row["offset"] >= 0 else None, "n"),
    Column("Why", lambda row: row["why"], "wrap"),
)
_NOTE: Final = (
    "Lag is what an agent's table, or database, does not include yet of the committed input. Transaction markers take offsets too and are "
    "nothing to do, so a lag of 0 is the word. Steps are transactions, their times are of this process; aborts and fences ended "
    "earlier ones."
)


def lag(progress: Sequence[Mapping[str, Any]], stalled: Sequence[Mapping[str, Any]], stops: Sequence[Mapping[str, Any]]) -> Page:
    """The page of `Watch.progress`, `Watch.stalled` and `Stops.last`: what does not move, an agent a line, stops, a partition a line."""
    bad = {(row["agent"], row["partition"]) for row in stalled}
    rows = [{**row, "stalled": (row["agent"], row["partition"]) in bad} for row in progress]
    nothing = "This worker holds no partition."
    parts = [
        table(_BY_AGENT, _by_agent(rows), nothing),
        tag("h2", "Last stops"),
        table(_STOPS, stops, "This worker has never stopped itself."),
        tag("h2", "By partition"),
        table(_BY_PARTITION, rows, nothing),
    ]
    if waiting := [row for row in progress if row["waiting_s"]]:
        parts = [tag("h2", "Waits for an outside service"), table(_WAITING, waiting, ""), *parts]
    if stalled:
        parts = [tag("h2", "Does not move"), table(_STALLED, stalled, ""), tag("h2", "By agent"), *parts]
    return Page("/lag", "Topics and lag of this worker", _NOTE, progress, join(parts), refresh_s=3)


def _by_agent(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    agents: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        start = {"agent": row["agent"], "topic": row["topic"], "partitions": 0, "lag": 0, "oldest_s": 0.0, "steps": 0, "stalled": False}
        total = agents.setdefault((row["agent"], row["topic"]), start)
        total["partitions"] += 1
        total["lag"] += row["lag"]
        total["steps"] += row["steps"]
        total["oldest_s"] = max(total["oldest_s"], row["oldest_s"])
        total["stalled"] |= row["stalled"]
    return list(agents.values())


def _state(behind: int, stalled: bool) -> Markup:
    looks, text = ("bad", "does not move") if stalled else ("warn", "behind") if behind else ("good", "up to date")
    return tag("span", text, class_=f"badge {looks}")
