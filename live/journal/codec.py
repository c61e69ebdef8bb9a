"""Events as bytes and back, exactly: what was consumed must be consumable again.

A block is a run of consecutive events: frames, each a header (kind, times, length) and a payload.
Prices stay the float64 they were: arrays as their own little-endian fields, all else as JSON, whose
floats Python writes and reads without loss.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np

from core import events
from core.bars import BAR
from core.events import Event, LinkState, OrderStatus, Outcome, Verb
from core.orders import Side
from core.ticks import TICK

_FRAME = struct.Struct("<BqqI")
"""Kind, ts_event, ts_init, length of the payload."""
_ARRAY = struct.Struct("<IHI")
"""Length of the JSON part, bytes of one record, number of records."""

_KINDS: tuple[type[Event], ...] = (
    events.Ticks,
    events.HistoryBars,
    events.VenueBar,
    events.Clock,
    events.OrderUpdate,
    events.Execution,
    events.Answer,
    events.PositionUpdate,
    events.AccountUpdate,
    events.Snapshot,
    events.Link,
    events.Command,
    events.CashFlow,
    events.FloorMet,
)
"""Kinds by their number in a frame; a number is never given to another kind."""
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}

_ARRAYS: dict[type[Event], tuple[str, np.dtype[Any]]] = {
    events.Ticks: ("ticks", TICK),
    events.HistoryBars: ("bars", BAR),
    events.VenueBar: ("bar", BAR),
}
"""The one array field of the kinds that have one."""

_ENUMS: dict[str, type[IntEnum]] = {
    "status": OrderStatus,
    "side": Side,
    "verb": Verb,
    "outcome": Outcome,
    "state": LinkState,
}
_NESTED: dict[str, type[Event]] = {
    "account": events.AccountUpdate,
    "orders": events.OrderUpdate,
    "positions": events.PositionUpdate,
    "executions": events.Execution,
}


class DamagedBlock(ValueError):
    """Bytes that are no block of events, or were changed since they were written."""


def encode_event(event: Event) -> bytes:
    """Return the frame of one event."""
    kind = type(event)
    payload = _with_array(event) if kind in _ARRAYS else _json(_fields(event))
    return _FRAME.pack(_NUMBERS[kind], event.ts_event, event.ts_init, len(payload)) + payload


def pack_block(frames: bytes) -> bytes:
    """Return frames as stored: compressed, with a checksum."""
    body = zlib.compress(frames, 1)
    return struct.pack("<I", zlib.crc32(body)) + body


def decode_events(block: bytes) -> Iterator[Event]:
    """Yield the events of a stored block.

    Raises
    ------
    DamagedBlock : the checksum is wrong, or a frame is cut short or unknown.
    """
    if len(block) < 4 or zlib.crc32(block[4:]) != struct.unpack_from("<I", block)[0]:
        raise DamagedBlock("the checksum does not fit")
    try:
        frames = zlib.decompress(block[4:])
        yield from _frames(frames)
    except (zlib.error, struct.error, KeyError, TypeError, ValueError) as cause:
        raise DamagedBlock(str(cause)) from cause


def _frames(frames: bytes) -> Iterator[Event]:
    at = 0
    while at < len(frames):
        number, ts_event, ts_init, length = _FRAME.unpack_from(frames, at)
        at += _FRAME.size
        payload = frames[at : at + length]
        if number >= len(_KINDS) or len(payload) != length:
            raise ValueError(f"frame at byte {at - _FRAME.size} is cut short or of unknown kind")
        at += length
        kind = _KINDS[number]
        decode: Callable[[type[Event], bytes], dict[str, Any]] = (
            _array_fields if kind in _ARRAYS else _json_fields
        )
        yield kind(ts_event=ts_event, ts_init=ts_init, **decode(kind, payload))


def _fields(event: Event) -> dict[str, Any]:
    """Return an event's own fields, nested events as fields too."""
    values = {}
    for item in dataclasses.fields(event):
        if item.name in ("ts_event", "ts_init"):
            continue
        value = getattr(event, item.name)
        if value != item.default:
            values[item.name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Event):
        return _fields(value) | {"ts_event": value.ts_event, "ts_init": value.ts_init}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return int(value) if isinstance(value, IntEnum) else value


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _json_fields(kind: type[Event], payload: bytes) -> dict[str, Any]:
    return _typed(json.loads(payload))


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Return fields with enums and nested events as what they were."""
    for name, value in values.items():
        if value is None:
            continue
        if name in _ENUMS:
            values[name] = _ENUMS[name](value)
        elif name == "account":
            values[name] = events.AccountUpdate(**_typed(value))
        elif name in _NESTED:
            values[name] = tuple(_NESTED[name](**_typed(item)) for item in value)
    return values


def _with_array(event: Event) -> bytes:
    name, dtype = _ARRAYS[type(event)]
    array = np.atleast_1d(getattr(event, name))
    packed = _packed(dtype)
    records = np.zeros(len(array), packed)
    for column in dtype.names or ():
        records[column] = array[column]
    others = {
        item.name: _plain(getattr(event, item.name))
        for item in dataclasses.fields(event)
        if item.name not in ("ts_event", "ts_init", name)
    }
    head = _json(others)
    return _ARRAY.pack(len(head), packed.itemsize, len(array)) + head + records.tobytes()


def _array_fields(kind: type[Event], payload: bytes) -> dict[str, Any]:
    name, dtype = _ARRAYS[kind]
    head_length, itemsize, count = _ARRAY.unpack_from(payload)
    packed = _packed(dtype)
    if itemsize != packed.itemsize:
        raise ValueError(f"records of {itemsize} bytes where {packed.itemsize} were expected")
    body = payload[_ARRAY.size + head_length :]
    records = np.frombuffer(body, packed, count)
    array = np.zeros(count, dtype)
    for column in dtype.names or ():
        array[column] = records[column]
    values: dict[str, Any] = json.loads(payload[_ARRAY.size : _ARRAY.size + head_length])
    return values | {name: array}


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the record without padding, little-endian: what is stored."""
    return np.dtype([(name, dtype[name].newbyteorder("<")) for name in dtype.names or ()])
