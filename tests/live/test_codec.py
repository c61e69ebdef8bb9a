"""Events as bytes and back: exactly what they were, and damage is seen."""

import contextlib
import dataclasses
import math
import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import events
from core.bars import BAR
from core.orders import Side
from core.ticks import TICK
from live.journal.codec import DamagedBlock, decode_events, encode_event, pack_block

floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=8)
times = st.integers(0, 2**62)
SCALARS = {
    float: floats, int: st.integers(-(2**60), 2**60), str: texts, bool: st.booleans(),
    type(None): st.none(), Any: floats | texts | st.none(),
}  # fmt: skip


@st.composite
def records(draw, dtype):
    rows = np.zeros(draw(st.integers(0, 4)), dtype)
    for name in dtype.names:
        kind = dtype[name].kind
        values = floats | st.just(math.nan) if kind == "f" else st.integers(0, 100)
        rows[name] = [draw(values) for _ in rows]
    return rows


def values_of(hint):
    """Any value of a field's type."""
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        return st.lists(values_of(parts[0]), max_size=2).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(texts, values_of(parts[1]), max_size=3)
    if parts:
        return st.one_of([values_of(part) for part in parts])
    if hint in SCALARS:
        return SCALARS[hint]
    return st.sampled_from(list(hint)) if issubclass(hint, IntEnum) else event_of(hint)


def event_of(kind):
    values = {"ts_event": times, "ts_init": times}
    for name, hint in get_type_hints(kind).items():
        if name == "ticks":
            values[name] = records(TICK)
        elif name in ("bars", "bar"):
            values[name] = records(BAR)
        elif name not in values:
            values[name] = values_of(hint)
    return st.builds(kind, **values)


KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
]


def same(one, other):
    assert type(one) is type(other)
    for item in dataclasses.fields(one):
        a, b = getattr(one, item.name), getattr(other, item.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and len(a) == len(b)
            for name in a.dtype.names:
                assert a[name].tobytes() == b[name].tobytes()
        else:
            assert a == b and type(a) is type(b)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of([event_of(kind) for kind in KINDS]), max_size=6))
def test_a_block_of_events_comes_back_as_it_was(told):
    block = pack_block(b"".join(map(encode_event, told)))

    back = list(decode_events(block))

    assert len(back) == len(told)
    for one, other in zip(told, back, strict=True):
        same(one, other)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changed_byte_is_seen(data):
    event = events.Execution("f1", "v1", "MGC", events.Side.BUY, 1.0, 2400.1)
    block = bytearray(pack_block(encode_event(event) * 3))
    place = data.draw(st.integers(0, len(block) - 1))
    block[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(DamagedBlock):
        list(decode_events(bytes(block)))


@given(st.binary(max_size=64))
def test_junk_is_called_damaged_and_nothing_else(junk):
    with pytest.raises(DamagedBlock):
        list(decode_events(junk))


@given(st.binary(max_size=64))
def test_junk_with_a_right_checksum_is_called_damaged_too(junk):
    with contextlib.suppress(DamagedBlock):
        assert isinstance(list(decode_events(pack_block(junk))), list)


def test_bytes_on_disk_stay_what_they_were():
    tick = np.zeros(1, TICK)
    for number, name in enumerate(TICK.names, 1):
        tick[name] = number
    told = [
        events.Ticks("MGC", tick, ts_event=1, ts_init=2),
        events.OrderUpdate(
            events.OrderStatus.WORKING, "v1", side=Side.SELL, price=2400.1, ts_event=1, ts_init=2
        ),
    ]

    # kind, ts_event, ts_init, length; of an array the JSON's length, record's size and count
    assert encode_event(told[0]) == (
        struct.pack("<BqqI", 0, 1, 2, 84) + struct.pack("<IHI", 16, 58, 1) + b'{"symbol":"MGC"}'
        + struct.pack("<qqddddd", 1, 2, 3, 4, 5, 6, 7) + struct.pack("<H", 8)
    )  # fmt: skip
    assert encode_event(told[1]) == struct.pack("<BqqI", 4, 1, 2, 59) + (
        b'{"status":6,"venue_order_id":"v1","side":-1,"price":2400.1}'
    )


def test_ticks_of_any_layout_are_stored_alike():
    ticks = np.zeros(6, TICK)
    ticks["price"] = np.arange(6.0)
    packed = np.dtype([(name, TICK[name]) for name in TICK.names])

    told = [events.Ticks("MGC", some) for some in (ticks[::2], ticks[::2].astype(packed))]

    assert encode_event(told[0]) == encode_event(told[1])
    (back,) = decode_events(pack_block(encode_event(told[0])))
    assert back.ticks["price"].tolist() == [0.0, 2.0, 4.0]


def test_an_event_that_cannot_be_kept_is_named():
    with pytest.raises(TypeError, match="object"):
        encode_event(events.Command("set", {"value": object()}))
