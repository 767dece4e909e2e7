"""Which versions of the products this worker knows, and up to which message on `products` it goes by them."""

from datetime import UTC, datetime
from typing import Any, Final

from schemas.published import Products, Published
from streams.pages.html import Column, Page, table, tag

_COLUMNS: Final = (
    Column("Product", lambda row: row["product"]),
    Column("Version", lambda row: row["version"], "n"),
    Column("Currency", lambda row: row["currency"]),
    Column("Offset", lambda row: row["offset"], "n"),
    Column("Since, UTC", lambda row: row["since"].replace("T", " ").removesuffix("+00:00")),
    Column("Documents", lambda row: tag("span", "are taken by it", class_="badge good") if row["newest"] else None),
)


def products(known: Products) -> Page:
    """The page, the newest first."""
    rows = [row_of(one, known) for one in reversed(known.published)]
    note = (
        f"Read up to offset {known.offset} of the topic. A document is taken by the newest version of its product, and what "
        "one has taken is assessed and offered by it for ever."
    )
    return Page(
        "/products", "Products of this worker", note, {"offset": known.offset, "products": rows}, table(_COLUMNS, rows, "There are none.")
    )


def row_of(one: Published, known: Products) -> dict[str, Any]:
    """One version, for programs."""
    product = one.product
    return {
        "product": product.product,
        "version": product.version,
        "currency": product.currency,
        "offset": one.offset,
        "since": datetime.fromtimestamp(one.timestamp_ms / 1000, UTC).isoformat(timespec="seconds"),
        "newest": known[product.product].version == product.version,
    }
