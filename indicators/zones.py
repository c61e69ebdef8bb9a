"""How blocks keep price zones: slots, birth order, and queues sorted by next trigger price.

Zones of one side wait in queues. In each queue they are sorted by the price that will move them
on, the first to be reached last, so a bar touches only the zones it reaches. New zones are
inserted from the end, where they almost always belong.

Everything starts as zeros: a record of zeros is an empty queue, chain or slot table.
Down-side zones use mirrored prices (negated, which is exact), so one text serves both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import inlined, kernel, record_dtype

QUEUE_ITEM = record_dtype([("price", "f8"), ("slot", "i4")])


ZONE_SIZES = (32, 4096, 65_536, 1 << 20)
WINDOW_SIZES = (64, 512, 16_384)


def capacity_for(count: int) -> int:
    """Return how many zones a state that must hold `count` is made for.

    Few sizes mean few compilations: a kernel is compiled once per record layout. What is never
    used costs no memory (a fresh state's pages are not touched).
    """
    return _round_up(count, ZONE_SIZES)


def window_for(bars: int) -> int:
    """Return how many bars (a power of two) a ring that must hold `bars` is made for."""
    return _round_up(bars, WINDOW_SIZES)


def _round_up(count: int, sizes: tuple[int, ...]) -> int:
    fitting = [size for size in sizes if size >= count]
    return fitting[0] if fitting else 1 << (count - 1).bit_length()


def queue_dtype(capacity: int) -> np.dtype[Any]:
    """Return a queue of zones sorted by price, ascending; the last is the first reached."""
    return record_dtype([("count", "i8"), ("items", QUEUE_ITEM, (capacity,))])


def chain_dtype(capacity: int) -> np.dtype[Any]:
    """Return a doubly linked list of slots in order of birth (links hold slot + 1, 0 none)."""
    return record_dtype(
        [
            ("count", "i8"),
            ("oldest", "i4"),
            ("newest", "i4"),
            ("older", "i4", (capacity,)),
            ("newer", "i4", (capacity,)),
        ]
    )


def slots_dtype(capacity: int) -> np.dtype[Any]:
    """Return the table of free slots: those never used yet and a stack of those given back."""
    return record_dtype([("used", "i8"), ("free", "i8"), ("stack", "i4", (capacity,))])


@inlined
def enqueue(queue: Any, price: float, slot: int) -> None:
    """Insert a zone, keeping prices ascending."""
    place = queue.count
    while place > 0 and queue.items[place - 1].price > price:
        queue.items[place].price = queue.items[place - 1].price
        queue.items[place].slot = queue.items[place - 1].slot
        place -= 1
    queue.items[place].price = price
    queue.items[place].slot = slot
    queue.count += 1


@inlined
def reached(queue: Any, price: float, is_strict: bool) -> int:
    """Take out the last zone if the price is at its trigger or below; return its slot, else -1.

    A strict queue wants the price below the trigger.
    """
    if queue.count == 0:
        return -1
    item = queue.items[queue.count - 1]
    if price > item.price or (is_strict and price == item.price):
        return -1
    queue.count -= 1
    return int(item.slot)


@kernel
def withdraw(queue: Any, slot: int) -> None:
    """Take a zone out of a queue wherever it stands; nothing happens if it is not there."""
    place = queue.count - 1
    while place >= 0 and queue.items[place].slot != slot:
        place -= 1
    if place < 0:
        return
    for follower in range(place + 1, queue.count):
        queue.items[follower - 1].price = queue.items[follower].price
        queue.items[follower - 1].slot = queue.items[follower].slot
    queue.count -= 1


@inlined
def link(chain: Any, slot: int) -> None:
    """Append a slot as the newest."""
    chain.older[slot] = chain.newest
    chain.newer[slot] = 0
    if chain.newest > 0:
        chain.newer[chain.newest - 1] = slot + 1
    else:
        chain.oldest = slot + 1
    chain.newest = slot + 1
    chain.count += 1


@inlined
def unlink(chain: Any, slot: int) -> None:
    """Take a slot out of the chain."""
    older = chain.older[slot]
    newer = chain.newer[slot]
    if older > 0:
        chain.newer[older - 1] = newer
    else:
        chain.oldest = newer
    if newer > 0:
        chain.older[newer - 1] = older
    else:
        chain.newest = older
    chain.count -= 1


@inlined
def oldest(chain: Any) -> int:
    """Return the slot born first, -1 if the chain is empty."""
    return int(chain.oldest - 1)


@inlined
def newest(chain: Any) -> int:
    """Return the slot born last, -1 if the chain is empty."""
    return int(chain.newest - 1)


@inlined
def older_than(chain: Any, slot: int) -> int:
    """Return the slot born before this one, -1 if there is none."""
    return int(chain.older[slot] - 1)


@inlined
def take_slot(slots: Any) -> int:
    """Return a free slot; the caller makes room first (see `has_room`)."""
    if slots.free > 0:
        slots.free -= 1
        return int(slots.stack[slots.free])
    slots.used += 1
    return int(slots.used - 1)


@inlined
def has_room(slots: Any) -> bool:
    """Say whether a slot is free."""
    return bool(slots.free > 0 or slots.used < len(slots.stack))


@inlined
def give_slot(slots: Any, slot: int) -> None:
    """Return a slot for reuse."""
    slots.stack[slots.free] = slot
    slots.free += 1
