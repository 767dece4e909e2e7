"""How far each agent is behind its input, in the partitions of this worker."""

from collections.abc import Sequence
from typing import Any

from streams.pages.html import Column, Markup, Page, join, table, tag


def lag(progress: Sequence[dict[str, Any]]) -> Page:
    """The page of `App.progress`: an agent a line, then a partition a line."""
    agents: dict[tuple[str, str], dict[str, Any]] = {}
    for row in progress:
        total = agents.setdefault((row["agent"], row["topic"]), {"agent": row["agent"], "topic": row["topic"], "partitions": 0, "lag": 0})
        total["partitions"] += 1
        total["lag"] += row["lag"]
    behind = Column("Lag", lambda row: row["lag"], "n")
    start = (Column("Agent", lambda row: row["agent"]), Column("Source topic", lambda row: tag("code", row["topic"])))
    by_agent = (*start, Column("Partitions", lambda row: row["partitions"], "n"), behind, Column("State", lambda row: _badge(row["lag"])))
    by_partition = (
        *start,
        Column("Partition", lambda row: str(row["partition"]), "n"),
        Column("Table offset", lambda row: row["table_offset"] if row["table_offset"] >= 0 else None, "n"),
        Column("Input end", lambda row: row["end_offset"], "n"),
        behind,
        Column("State", lambda row: None if not row["open"] else tag("span", "open", class_="badge good")),
    )
    note = (
        "Records that an agent's table, or database, does not include yet. Transaction markers take offsets too, so a lag of 0 is the word."
    )
    nothing = "This worker holds no partition."
    body = join(
        (
            table(by_agent, list(agents.values()), nothing),
            tag("h2", "By partition"),
            table(by_partition, progress, nothing),
        )
    )
    return Page("/lag", "Topics and lag of this worker", note, progress, body, refresh_s=3)


def _badge(behind: int) -> Markup:
    return tag("span", "behind", class_="badge warn") if behind else tag("span", "up to date", class_="badge good")
