"""The latest batches: what was received, what came of it, how far it is."""

from collections.abc import Mapping
from typing import Any, Final

from streams import queries
from streams.pages.html import Column, Markup, Page, join, link, markup, table, tag

_LOOKS: Final = {"open": "busy", "processing": "busy", "done": "good", "done with rejections": "warn", "failed": "bad"}
_OUTCOMES: Final = {
    "unchanged": "Unchanged",
    "stale": "Stale",
    "created": "New",
    "terms_changed": "Terms",
    "extended": "Extended",
    "repayment_reported": "Repayment",
    "status_changed": "Status",
    "repaid": "Repaid",
    "defaulted": "Defaulted",
    "recalled": "Recalled",
    "returned": "Returned",
}


async def batches(pool: Any, originator: str | None) -> Page:
    """The page of all originators, or of one."""
    rows = await queries.batches(pool, originator)
    title = "Batches" if originator is None else f"Batches of {originator}"
    note = "The latest 50 deliveries; what each document turned out to be. This page renews itself."
    return Page("/", title, note, rows, table(_columns(), rows, "No batch has been received yet."), refresh_s=3)


async def batch(pool: Any, batch_id: str) -> Page:
    """The page of one batch; 404 if nothing is known of it."""
    found = await queries.batch(pool, batch_id)
    rows = [found] if found else []
    note = "What each document of this delivery turned out to be. This page renews itself."
    body = table(_columns(), rows, "Nothing is stored of this batch.")
    return Page("/", f"Batch {batch_id}", note, rows, body, refresh_s=3, status=200 if found else 404)


def _columns() -> tuple[Column, ...]:
    outcomes = (Column(head, lambda row, name=name: row["counts"][name], "n") for name, head in _OUTCOMES.items())  # type: ignore[misc]
    return (
        Column("First event, UTC", lambda row: row["first_event"]),
        Column("Batch", lambda row: link(tag("code", row["batch"]), "", batch=row["batch"])),
        Column("Originator", lambda row: link(row["originator"], "", originator=row["originator"])),
        Column("Sent by", _sender),
        Column("State", _state),
        Column("Documents", _documents, "n"),
        Column("Rejected", _rejected, "n"),
        *outcomes,
    )


def _sender(row: Mapping[str, Any]) -> str:
    return f"{row['way']}: {row['sender']}" if row["sender"] else row["way"]


def _state(row: Mapping[str, Any]) -> Markup:
    parts = [tag("span", row["state"], class_=f"badge {_LOOKS[row['state']]}")]
    if row["error"]:
        parts.append(tag("span", f"byte {row['position']:,}: {row['error']}", class_="fault"))
    if row["same_as"]:
        parts.append(link("the same file again", "", batch=row["same_as"]))
    if row["restart_of"]:
        parts.append(link(f"{row['way']} of a batch", "", batch=row["restart_of"]))
    return join(parts)


def _documents(row: Mapping[str, Any]) -> Markup:
    done, all_of = row["processed"] + row["oversized"], row["documents"]
    if row["state"] != "processing":
        return markup(done)
    return join((f"{done:,} of {all_of:,}", tag("progress", value=str(done), max=str(all_of))))


def _rejected(row: Mapping[str, Any]) -> object:
    count = row["counts"]["rejected"] + row["oversized"]
    return link(count, "rejections", batch=row["batch"]) if count else 0
