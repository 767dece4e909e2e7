"""What an asset's new version does to its sell offer. Pure.

The router's table has a row for each asset that was ever offered (key originator/asset): whether its offer is open, in which market, and
the newest version that the row knows. An asset that was never offered has no row.
"""

import enum
from struct import Struct
from typing import Final, NamedTuple

_ROW: Final = Struct("<?BI")  # 6 bytes: open, market, version


class Standing(NamedTuple):
    """What a row of the router's table says of an asset's offer."""

    is_open: bool
    market: int  # the offer's, or the last one's: the place among the catalog's markets
    version: int

    def pack(self) -> bytes:
        return _ROW.pack(*self)


class Action(enum.Enum):
    NOTHING = enum.auto()
    PLACE = enum.auto()  # the first offer, or the first since a withdrawal
    UPDATE = enum.auto()  # replaces the open offer
    WITHDRAW = enum.auto()
    MOVE = enum.auto()  # the asset changed its currency: withdraw from one market, place in the other


def unpack(row: bytes) -> Standing:
    """The standing of `Standing.pack`.

    Raises:
        struct.error: the row is not of this format.
    """
    return Standing(*_ROW.unpack(row))


def decide(standing: Standing | None, version: int, market: int, *, offerable: bool) -> Action:
    """What to do on `version` of an asset for sale in `market`; `standing` is None if it was never offered.

    A version that the row already knows, or an older one, is a duplicate and does nothing.
    """
    if standing is None:
        return Action.PLACE if offerable else Action.NOTHING
    if version <= standing.version:
        return Action.NOTHING
    if not standing.is_open:
        return Action.PLACE if offerable else Action.NOTHING
    if not offerable:
        return Action.WITHDRAW
    return Action.UPDATE if market == standing.market else Action.MOVE
