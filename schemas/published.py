"""All versions of all products: what the topic `products` says, read from its beginning, message by message. Pure.

Its key is a product's name, its value the product as JSON with every field, also those that its file leaves out: so a version goes on
meaning what it meant, whatever a field that is not said may mean later. Once there, a version is never another, and none is ever gone: what
was assessed by it can be assessed again.

Anybody may write anything to a topic. A message that is no next version of a product is passed over, by all readers for the same reasons,
which depend on the messages before it alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.product import Product, faults

BYTES_MAX: Final = 512 * 1024  # of a product as JSON

_decode = msgspec.json.Decoder(Product).decode


class NotTakenError(ValueError):
    """A message that says no next version of a product, and why."""


class Published(NamedTuple):
    """One version, and the message that brought it."""

    product: Product
    offset: int = -1
    timestamp_ms: int = -1


class Products(dict[str, Product]):
    """The newest version of each product by its name; `version` has them all. It grows as messages are taken in, and only so.

    `offset` is that of the last message taken in or passed over. Who needs products that stay as they are makes them of such.
    """

    def __init__(self, products: Mapping[str, Product] = {}) -> None:
        super().__init__(products)
        self.offset = -1
        self._versions = {(one.product, one.version): Published(one) for one in products.values()}

    def version(self, product: str, number: int) -> Product | None:
        """A version of a product; None if it is not known, here or not yet."""
        found = self._versions.get((product, number))
        return found.product if found else None

    @classmethod
    def of(cls, products: Mapping[str, Product]) -> "Products":
        """These themselves, or a table of them that stays as it is."""
        return products if isinstance(products, Products) else cls(products)

    @property
    def published(self) -> Sequence[Published]:
        """Every version, in the order in which they came."""
        return list(self._versions.values())

    def take(self, offset: int, timestamp_ms: int, key: bytes | None, value: bytes | None, markets: tuple[str, ...]) -> bool:
        """Take in the message at `offset`, above those before; whether it brought a version. `markets` are those that there are.

        Raises:
            NotTakenError: it is passed over.
        """
        self.offset = offset
        product = _read(key, value, markets)
        known, newest = self.version(product.product, product.version), self.get(product.product)
        if known is not None:
            if known != product:
                raise NotTakenError(f"{product.product}: version {product.version} is there already, and says something else")
            return False
        if newest is not None and product.version < newest.version:
            raise NotTakenError(f"{product.product}: version {product.version} comes after {newest.version}")
        self._versions[product.product, product.version] = Published(product, offset, timestamp_ms)
        self[product.product] = product
        return True


def encode(product: Product) -> bytes:
    """A message's value."""
    return msgspec.json.encode(product)


def _read(key: bytes | None, value: bytes | None, markets: Iterable[str]) -> Product:
    if value is None or len(value) > BYTES_MAX:
        raise NotTakenError(f"has no value, or one of more than {BYTES_MAX:,} bytes")
    try:
        product = _decode(value)
        wrong = next(faults(product, tuple(markets)), None)
    except (ValueError, RecursionError) as fault:
        raise NotTakenError(f"is no product: {str(fault)[:200]}") from None
    if wrong:
        raise NotTakenError(f"{product.product}, version {product.version}: {': '.join(wrong)[:200]}")
    if key != product.product.encode():
        raise NotTakenError(f"{product.product}: its key is {(key or b'')[:64]!r}")
    return product
