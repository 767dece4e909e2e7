"""Rule 4 compiled: a sell offer meets the buy offers of the wants that take it, the least recently served first. Loops over plain arrays.

The profile is why: a bid is a dozen look-ups, which for a sell offer of 30 bids are 300 µs as numpy expressions and 20 here. numba compiles
a function when it is first called, which takes seconds, and keeps it beside this file or in the user's cache folder: see `ready`. What it
keeps is of this file as it is, so nothing that is compiled may be defined elsewhere.
"""

import heapq
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Plain = tuple[Any, ...]  # one of the named ones below without its names, at which numba looks for twenty times as long
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    return _compiled(function, "never")


def inlined(function: Function) -> Function:
    """A call would count the references to each array up and down."""
    return _compiled(function, "always")


def _compiled(function: Function, inline: Literal["never", "always"]) -> Function:
    try:
        return cast("Function", numba.njit(cache=True, inline=inline)(function))
    except RuntimeError:  # there is no folder to keep it in: it is compiled at each start
        return cast("Function", numba.njit(inline=inline)(function))


# Of the heap: the input that served, tie and input that placed, which say whose turn it is; slot; where its queue goes on and ends.
_NEXT: Final = (0, np.uint64(0), 0, 0, 0, 0)


class Queued(NamedTuple):
    """The queues of all wants in one pool: each is [head, end) of its room, which begins at start, the least recently served first.

    An entry is a slot and the number of the input that put it there. It is dead if that is not the input that last served the buy offer,
    since there is a later entry of it then, or it is gone; or if the buy offer has no money. Who gets money back is put back.
    """

    slots: Column
    inputs: Column
    start: Column
    head: Column
    end: Column
    room: Column
    top: Column  # one number: where the pool is free


class Offered(NamedTuple):
    """The columns of buy offers (`buys.py`); `out` marks who may not bid for the asset, `has` what an investor has in it."""

    open: Column
    most: Column
    served: Column
    placed: Column
    digest: NDArray[np.uint64]
    want: Column
    investor: Column
    out: NDArray[np.bool_]
    has: Column


class Asked(NamedTuple):
    """The asset: its sell offer's digest, what is left of it, the smallest and the largest bid, and how many bids it still takes."""

    digest: np.uint64
    left: int
    smallest: int
    largest: int
    bids: int


@compiled
def bid_cents(left: int, smallest: int, largest: int, affordable: int) -> int:
    """Rule 2: the bid of a buy offer that can afford so much, for an asset of which so much is left; 0 if there is none. Cents.

    With less left, or less to afford, a bid that was impossible stays impossible: that is why one pass leaves the book maximal.
    """
    if left < 2 * smallest:
        return left if affordable >= left else 0
    most = min(affordable, largest, left)
    if most < left:
        most = min(most, left - smallest)
    return most if most >= smallest else 0


@compiled
def tie(buy_digest: np.uint64, sell_digest: np.uint64) -> np.uint64:
    """Rule 4: the order among equals, lowest first; the finaliser of splitmix64 (Steele, Lea, Flood 2014) over both digests."""
    mixed = buy_digest ^ sell_digest
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@inlined
def _live(slots: Column, inputs: Column, served: Column, money: Column, place: int, end: int) -> int:
    """The first place from here that is not dead."""
    while place < end and (served[slots[place]] != inputs[place] or money[slots[place]] <= 0):
        place += 1
    return place


@compiled
def meet(wants: Column, queued: Plain, offered: Plain, asked: Plain) -> tuple[Column, Column]:
    """Who bids (rules 2 to 4), as slots in their order, and how many cents each. Nothing changes.

    In the heap is whose turn may be next. The last of those of a queue that one input served says where the queue goes on, and so it goes
    on before anybody has a turn who was served later.
    """
    slots, inputs, _, heads, ends, _, _ = queued
    money, most, served, placed, digests, _, investors, out, has = offered
    digest, left, smallest, largest, room = asked
    heap: list[tuple[Any, ...]] = [_NEXT for _ in range(0)]
    chosen, cents = [0 for _ in range(0)], [0 for _ in range(0)]
    begun = 0
    while left > 0 and len(chosen) < room:
        if begun < len(wants):
            place, end = heads[wants[begun]], ends[wants[begun]]
            begun += 1
        elif len(heap) > 0:
            _, _, _, slot, place, end = heapq.heappop(heap)
            affordable = min(money[slot], most[slot] - has[investors[slot]])
            bid = 0 if out[slot] else bid_cents(left, smallest, largest, affordable)
            if bid > 0:
                left -= bid
                has[investors[slot]] += bid
                chosen.append(slot)
                cents.append(bid)
        else:
            break
        place = _live(slots, inputs, served, money, place, end)
        while place < end:
            slot, number = slots[place], inputs[place]
            place = _live(slots, inputs, served, money, place + 1, end)
            last = place == end or inputs[place] != number
            heapq.heappush(heap, (number, tie(digests[slot], digest), placed[slot], slot, place if last else end, end))
            if last:
                break
    for slot in chosen:
        has[investors[slot]] = 0
    return np.array(chosen), np.array(cents)


@compiled
def append(queued: Plain, offered: Plain, some: Column, now: int, done: int) -> int:
    """Put buy offers that are served by the input `now` at the end of their queues; how many were, as far as the pool has room."""
    slots, inputs, starts, heads, ends, rooms, _ = queued
    money, _, served, _, _, wants, _, _, _ = offered
    for number in range(done, len(some)):
        want = wants[some[number]]
        if ends[want] == starts[want] + rooms[want] and not _make_room(queued, served, money, want):
            return number
        place = ends[want]
        slots[place], inputs[place] = some[number], now
        ends[want] = place + 1
        heads[want] = _live(slots, inputs, served, money, heads[want], place)
    return len(some)


@compiled
def put_back(queued: Plain, offered: Plain, slot: int) -> bool:
    """Have an entry for a buy offer that has money, where its turn is; False if the pool has no room."""
    slots, inputs, starts, heads, ends, rooms, _ = queued
    money, _, served, _, _, wants, _, _, _ = offered
    want = wants[slot]
    for place in range(starts[want], ends[want]):
        if slots[place] == slot and inputs[place] == served[slot]:
            heads[want] = min(heads[want], place)
            return True
    if ends[want] == starts[want] + rooms[want] and not _make_room(queued, served, money, want):
        return False
    place = ends[want]
    while place > starts[want] and inputs[place - 1] > served[slot]:  # in turn also among the dead, who may come back
        slots[place], inputs[place] = slots[place - 1], inputs[place - 1]
        place -= 1
    slots[place], inputs[place] = slot, served[slot]
    heads[want] = min(heads[want], place)
    ends[want] += 1
    return True


@compiled
def _make_room(queued: Plain, served: Column, money: Column, want: int) -> bool:
    """Let go of what is dead in a queue; if that is less than half of its room, move it to a larger one. False if the pool has none."""
    slots, inputs, starts, heads, ends, rooms, top = queued
    start, place = starts[want], heads[want]
    kept = start
    while True:
        place = _live(slots, inputs, served, money, place, ends[want])
        if place >= ends[want]:
            break
        slots[kept], inputs[kept] = slots[place], inputs[place]
        kept += 1
        place += 1
    heads[want], ends[want] = start, kept
    count = kept - start
    if 2 * count < rooms[want]:
        return True
    room, free = 4 * count + 4, top[0]
    if free + room > len(slots):
        return False
    for n in range(count):
        slots[free + n], inputs[free + n] = slots[start + n], inputs[start + n]
    starts[want], heads[want], ends[want], rooms[want] = free, free, free + count, room
    top[0] = free + room
    return True


@compiled
def ones(words: NDArray[np.uint64]) -> Column:
    """Which bits are 1, ascending, where most words are 0."""
    found = [0 for _ in range(0)]
    for place in range(len(words)):
        word = words[place]
        while word != np.uint64(0):
            rest = word & (word - np.uint64(1))
            bit, lowest = 0, word ^ rest
            for step in (32, 16, 8, 4, 2, 1):
                if lowest >> np.uint64(step) != np.uint64(0):
                    lowest >>= np.uint64(step)
                    bit += step
            found.append(64 * place + bit)
            word = rest
    return np.array(found)


def ready() -> None:
    """Compile everything, or read what is compiled: to be called before there is anything to do, since nothing else moves meanwhile."""
    none, one = np.zeros(0, np.int64), np.zeros(1, np.int64)
    queued: Plain = (none, none, one.copy(), one.copy(), one.copy(), one.copy(), one.copy())
    offered: Plain = (one, one, one, one, np.zeros(1, np.uint64), one, one, np.zeros(1, np.bool_), one)
    meet(none, queued, offered, (np.uint64(0), 0, 1, 1, 0))
    append(queued, offered, none, 1, 0)
    put_back(queued, offered, 0)
    ones(np.zeros(1, np.uint64))
