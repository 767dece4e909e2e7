"""All that is stored of one asset, and the search for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.asset import VERSION_END
from streams.pages.html import Column, Markup, Page, field, join, link, markup, money, table, tag
from streams.trace import queries
from streams.trace.difference import by_model, expectations, payments, prices, proof, reasons

_HELD: Final = {  # of the latest version's document
    "Product": "product",
    "Status": "status",
    "Currency": "currency",
    "Country": "country",
    "Issued": "issued",
    "Term, months": "term_months",
    "Rate a year": "rate",
    "Principal": "principal",
    "Outstanding": "outstanding",
    "Sale": "sale",
}
_ASSESSED: Final = {
    "Group": "risk_group",
    "Score": "score",
    "Price": "price",
    "Buyer's price": "buyer_price",
    "Instalment": "instalment",
    "Last instalment": "last_instalment",
    "Residual in it": "residual",
    "Months left": "remaining_months",
    "Expected loss": "expected_loss",
    "Expected return a year": "expected_return",
    "Duration, days": "duration_days",
    "Product's version": "product_version",
    "Model": "model",
}
_INVESTMENTS: Final = (
    Column("Made at, UTC", lambda row: row["made_at"]),
    Column("Investment", lambda row: tag("code", row["investment"])),
    Column("Amount", lambda row: join((money(row["amount_cents"]), " ", row["currency"])), "n"),
    Column("Investor", lambda row: row["investor"]),
    Column("Portfolio, bucket", lambda row: f"{row['portfolio']}, {row['bucket']}"),
    Column("Buy offer", lambda row: tag("code", row["buy_offer"])),
)
_REJECTIONS: Final = (
    Column("Rejected at, UTC", lambda row: row["rejected_at"]),
    Column("Batch", lambda row: link(tag("code", row["batch"]), "rejections", batch=row["batch"])),
    Column("Byte position", lambda row: row["position"], "n"),
    Column("Field", lambda row: row["field"] and tag("code", row["field"])),
    Column("Reason", lambda row: row["reason"], "wrap"),
)


def search(originator: str = "", asset: str = "") -> Page:
    """The page with the search box alone."""
    return Page("/assets", "Assets", "Every version of an asset that was ever received, never changed.", [], _form(originator, asset))


async def trace(pool: Any, originator: str, asset: str, before: int = VERSION_END) -> Page:
    """The page of one asset, with its latest versions below number `before`; 404 if it is not known."""
    found, title = await queries.trace(pool, originator, asset, before=before), f"{originator} / {asset}"
    if found is None:
        note = "Nothing is known of this asset."
        return Page("/assets", title, note, {"error": "unknown asset", "detail": note}, _form(originator, asset), status=404)
    body = [_form(originator, asset), *(_held(found["versions"][-1]) if found["versions"] else ())]
    if found["earlier"]:
        body.append(tag("p", link("Earlier versions", "assets", originator, asset, before=str(found["earlier"]))))
    body.append(table(_versions(found["batches"]), found["versions"], "No version of this asset is stored."))
    for head, kind, columns in (("Investments", "investments", _INVESTMENTS), ("Refused documents", "rejections", _REJECTIONS)):
        if found[kind]:
            shown, every = len(found[kind]), found["counts"][kind]
            body.append(tag("h2", f"{head}, the latest {shown:,} of {every:,}" if shown < every else head))
            body.append(table(columns, found[kind], ""))
    note = "The first version on top, each with what differs from the one before, in the document's own words. JSON is as the gateway's."
    return Page("/assets", title, note, found, join(body))


def _held(version: Mapping[str, Any]) -> list[Markup]:
    values = [(name, version["document"][field]) for name, field in _HELD.items()]
    values += [(name, version["assessment"][field]) for name, field in _ASSESSED.items()]
    return [tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in values))]


def _versions(batches: Mapping[str, Any]) -> tuple[Column, ...]:
    return (
        Column("Version", lambda row: row["version"], "n"),
        Column("Change", _change),
        Column("Differs from the version before", _differences),
        Column("Assessment", _assessment, "few"),
        Column("Delivered", lambda row: _delivered(row, batches.get(row["batch"]))),
        Column("Sell offer, invested", _sold),
    )


def _change(row: Mapping[str, Any]) -> Markup:
    fields = tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in row["document"].items()), class_="fields")
    return join((row["change"].replace("_", " "), tag("details", tag("summary", "document"), fields)))


def _differences(row: Mapping[str, Any]) -> Markup:
    if row["differences"]:
        return _lines(row["differences"])
    return markup("the first" if row["version"] == 1 else "other bytes only: no field that is read")


def _assessment(row: Mapping[str, Any]) -> Markup:
    found = row["assessment"]
    told = (reasons(found), prices(found), payments(found), proof(row), expectations(found))
    text = [f"group {found['risk_group']}, score {found['score']}{by_model(found)}"]
    for line in filter(None, told):
        text += [Markup("<br>"), line]
    return join((*text, _lines(row["reassessed"])))


def _lines(differences: Sequence[Mapping[str, Any]]) -> Markup:
    """A line a difference: field, value before, value after."""
    rows = (
        tag("tr", tag("td", tag("code", one["field"])), tag("td", one["before"], class_="n"), tag("td", one["after"], class_="n changed"))
        for one in differences
    )
    return tag("table", tag("tbody", *rows), class_="lines") if differences else Markup()


def _delivered(row: Mapping[str, Any], batch: Mapping[str, Any] | None) -> Markup:
    lines: list[object] = [link(tag("code", row["batch"]), "", batch=row["batch"]), f", byte {row['position']:,}"]
    if batch:
        lines += [Markup("<br>"), batch["first_event"], " by ", batch["originator"]]
        lines += [Markup("<br>"), "file ", tag("code", batch["digest"])]
    return join((*lines, Markup("<br>"), "document ", tag("code", row["digest"]), Markup("<br>"), tag("code", row["source"])))


def _sold(row: Mapping[str, Any]) -> Markup:
    sums = row["investments"]
    offer = tag("code", row["sell_offer"]) if row["sell_offer"] else "not for sale" if row["offered"] is False else "not known: past due"
    if not sums["count"]:
        return markup(offer)
    return join((offer, Markup("<br>"), money(sums["amount_cents"]), " ", row["document"]["currency"], f" in {sums['count']:,}"))


def _form(originator: str, asset: str) -> Markup:
    fields = {"originator": ("Originator", originator), "asset": ("Asset", asset)}
    boxes = (tag("label", text, field(name, value, required="", maxlength="64")) for name, (text, value) in fields.items())
    return tag("form", *boxes, tag("button", "Show versions"), action="/assets", method="get")
