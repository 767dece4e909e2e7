"""What `tranche products` does: shows what is published, and publishes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from schemas.published import Products
from streams import admin
from streams.broker import KafkaBroker
from streams.pages.products import row_of
from streams.products import ProductsTable
from streams.publishing import Comparison, PublishingError, publish_files
from streams.settings import Settings
from streams.terminal import plain, print_json, wide


def show(settings: Settings, *, as_json: bool) -> None:
    """Print every version on the topic, the newest first.

    Raises:
        TopicsError: the broker does not answer, or lacks topics. NoProductsError: there is nothing.
    """
    table = ProductsTable(KafkaBroker(settings.kafka), Products())

    async def read() -> None:
        await admin.check_topics(settings.kafka)
        await table.require()

    asyncio.run(read())
    known = table.products
    rows = [row_of(one, known) for one in reversed(known.published)]
    if as_json:
        print_json({"offset": known.offset, "products": rows})
        return
    shown = Table("product", "version", "currency", "since, UTC", "offset", "")
    for row in rows:
        since = row["since"].replace("T", " ").removesuffix("+00:00")
        newest = "documents are taken by it" if row["newest"] else ""
        shown.add_row(plain(row["product"]), str(row["version"]), row["currency"], since, str(row["offset"]), newest)
    wide().print(shown)


def publish(settings: Settings, paths: Sequence[Path], *, check: bool) -> None:
    """Publish the catalog of `settings`, or the files of it at `paths`, and say what became of each.

    Raises:
        CatalogError, PublishingError, TopicsError: as they say; nothing was published.
    """
    ours = {path.resolve(): (str(path), text) for path, text in settings.product_files()}
    for path in paths:
        if path.resolve() not in ours:
            raise PublishingError(f"{path}: is no product file of {settings.catalog}; --catalog names the folder")
    files = dict(ours[path.resolve()] for path in paths) if paths else None

    async def checked() -> Comparison:
        await admin.check_topics(settings.kafka)
        return await publish_files(settings, files, check=check)

    found = asyncio.run(checked())
    for product in found.same:
        print(f"{product.product}: version {product.version} is there already")
    for product in found.new:
        print(f"{product.product}: version {product.version} {'is new' if check else 'is published'}")
