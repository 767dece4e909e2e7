"""Which assets go by a lane, the way of a product whose model is a service (`assets.queried`), and stay there. Pure.

Once an asset was in a lane, all its versions go by it, whatever product they are of: a later one must not pass one that waits there. So a
product may get a service, another one, or none again, and versions still come out in their order. An asset that changes to another
product with a service keeps its first lane, and waits there with it.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.columns import by_product
from schemas.product import Product
from schemas.published import Products

DIRECT = -1


class Lanes:
    """The lanes of all products, each version's its own."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self._products = Products.of(products)

    def of(self, rows: pa.RecordBatch, known: Mapping[bytes, bytes]) -> tuple[NDArray[np.int64], dict[bytes, bytes]]:
        """The lane of each row (DIRECT: it needs none), and what is to be `known` besides: asset key -> lane.

        Raises:
            UnknownProductError: a row is by a version of a product that is not known.
        """
        found, places = by_product(rows, self._products)
        lanes: NDArray[np.int64] = np.array([one.service.lane if one.service else DIRECT for one in found], np.int64)[places]
        if not known and not (lanes != DIRECT).any():  # what most chunks are: no look at each row
            return lanes, {}
        new: dict[bytes, bytes] = {}
        names = zip(rows.column("originator_id").to_pylist(), rows.column("asset_id").to_pylist(), strict=True)
        for row, (originator, asset) in enumerate(names):
            key = f"{originator}/{asset}".encode()
            pinned = known.get(key) or new.get(key)
            if pinned is not None:
                lanes[row] = int(pinned)
            elif lanes[row] != DIRECT:
                new[key] = b"%d" % lanes[row]
        return lanes, new
