"""All versions of one asset, and the search for it."""

from typing import Any, Final

from streams import queries
from streams.pages.html import Column, Markup, Page, join, money, percent, table, tag

_HELD: Final = (  # what an asset is, in its latest version
    ("Product", lambda row: row["product"]),
    ("Currency", lambda row: row["currency"]),
    ("Country", lambda row: row["country"]),
    ("Issued", lambda row: row["issued"]),
    ("Term, months", lambda row: row["term_months"]),
    ("Rate a year", lambda row: percent(row["rate_ppm"])),
    ("Principal", lambda row: money(row["principal_cents"])),
    ("Sale", lambda row: row["sale"]),
)
_COLUMNS: Final = (
    Column("Version", lambda row: row["version"], "n"),
    Column("Change", lambda row: row["change"].replace("_", " ")),
    Column("Status", lambda row: row["status"], compared=True),
    Column("Outstanding", lambda row: money(row["outstanding_cents"]), "n", compared=True),
    Column("Paid principal", lambda row: money(row["paid_principal_cents"]), "n", compared=True),
    Column("Paid interest", lambda row: money(row["paid_interest_cents"]), "n", compared=True),
    Column("Paid fees", lambda row: money(row["paid_fees_cents"]), "n", compared=True),
    Column("Days past due", lambda row: row["days_past_due"], "n", compared=True),
    Column("Instalment", lambda row: money(row["instalment_cents"]), "n", compared=True),
    Column("Months left", lambda row: row["remaining_months"], "n", compared=True),
    Column("Score", lambda row: row["score"], "n", compared=True),
    Column("Group", lambda row: row["risk_group"], compared=True),
    Column("Price", lambda row: percent(row["price_bp"] * 100), "n", compared=True),
    Column("Digest", lambda row: tag("code", row["digest"][:8])),
    Column("Batch, byte position", lambda row: join((tag("code", row["batch"]), f", {row['position']:,}"))),
    Column("Source", lambda row: tag("code", f"assets.assessed-{row['source_partition']}-{row['source_offset']}")),
)


def search(originator: str = "", asset: str = "") -> Page:
    """The page with the search box alone."""
    return Page("/assets", "Assets", "Every version of an asset that was ever received, never changed.", [], _form(originator, asset))


async def versions(pool: Any, originator: str, asset: str) -> Page:
    """The page of one asset; 404 if it is not known."""
    rows = await queries.versions(pool, originator, asset)
    body = [_form(originator, asset)]
    if rows:
        body.append(tag("dl", *(tag("div", tag("dt", name), tag("dd", value(rows[-1]))) for name, value in _HELD)))
    body.append(table(_COLUMNS, rows, "No version of this asset is known."))
    note = "The first version on top; what changed from one to the next is marked. As JSON: every column."
    return Page("/assets", f"{originator} / {asset}", note, rows, join(body), status=200 if rows else 404)


def _form(originator: str, asset: str) -> Markup:
    fields = {"originator": ("Originator", originator), "asset": ("Asset", asset)}
    boxes = (tag("label", text, _input(name, value)) for name, (text, value) in fields.items())
    return tag("form", *boxes, tag("button", "Show versions"), action="/assets", method="get")


def _input(name: str, value: str) -> Markup:
    box = tag("input", name=name, value=value, required="", maxlength="64", autocomplete="off")
    return Markup(box.removesuffix("</input>"))
