"""Events as bytes and back, exactly: what was consumed must be consumable again.

A block is a run of consecutive events: frames, each a header (kind, times, length) and a payload.
Prices stay the float64 they were: arrays as their own little-endian fields, all else as JSON, whose
floats Python writes and reads without loss.

Ticks are nearly all of a journal, so they have a short way of their own in both directions.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from operator import attrgetter
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from core import events
from core.bars import BAR
from core.events import Event, Ticks
from core.ticks import TICK

_FRAME = struct.Struct("<BqqI")
"""Kind, ts_event, ts_init, length of the payload."""
_ARRAY = struct.Struct("<IHI")
"""Length of the JSON part, bytes of one record, number of records."""
_ARRAY_FRAME = struct.Struct(_FRAME.format + _ARRAY.format[1:])

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
    events.Bars,
    events.ContractLeft,
)
"""Kinds by their number in a frame; a number is never given to another kind."""
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_TICKS = _NUMBERS[Ticks]

_ARRAYS: dict[type[Event], tuple[str, np.dtype[Any]]] = {
    events.Ticks: ("ticks", TICK),
    events.HistoryBars: ("bars", BAR),
    events.VenueBar: ("bar", BAR),
    events.Bars: ("bars", BAR),
}
"""The one array field of the kinds that have one."""


class DamagedBlock(ValueError):
    """Bytes that are no block of events, or were changed since they were written."""


def encode_event(event: Event) -> bytes:
    """Return the frame of one event."""
    return _ENCODERS[type(event)](event)


def pack_block(frames: bytes) -> bytes:
    """Return frames as stored: compressed, with a checksum."""
    body = zlib.compress(frames, 1)
    return struct.pack("<I", zlib.crc32(body)) + body


def frame_time(frame: bytes) -> int:
    """Return when an event came, by our clock where it has that: of one frame, ns UTC."""
    _, ts_event, ts_init, _ = _FRAME.unpack_from(frame)
    return int(ts_init or ts_event)


def decode_events(block: bytes) -> Iterator[Event]:
    """Yield the events of a stored block.

    Raises
    ------
    DamagedBlock : the checksum is wrong, or a frame is cut short or unknown.
    """
    if len(block) < 4 or zlib.crc32(block[4:]) != struct.unpack_from("<I", block)[0]:
        raise DamagedBlock("the checksum does not fit")
    try:
        yield from _events_of(zlib.decompress(block[4:]))
    except (
        zlib.error,
        struct.error,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as cause:
        raise DamagedBlock(str(cause)) from cause


# -- one event to bytes ----------------------------------------------------------------------


def _fields_of(kind: type[Event]) -> dict[str, Any]:
    """Return the names of a kind's own fields with their defaults."""
    return {
        item.name: item.default
        for item in dataclasses.fields(kind)
        if item.name not in ("ts_event", "ts_init")
    }


_FIELDS = {kind: _fields_of(kind) for kind in _KINDS}


def _changed(event: Event) -> dict[str, Any]:
    """Return an event's own fields that differ from their defaults."""
    values = {}
    for name, default in _FIELDS[type(event)].items():
        value = getattr(event, name)
        if value != default:
            values[name] = value
    return values


def _plain(value: Any) -> Any:
    """Return what JSON cannot write by itself in words it can."""
    if isinstance(value, Event):
        return _changed(value) | {"ts_event": value.ts_event, "ts_init": value.ts_init}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r} cannot be kept in a journal")


_json = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _encoder_of(kind: type[Event]) -> Callable[[Event], bytes]:
    """Return the encoder of a kind without an array."""
    number, fields = _NUMBERS[kind], _FIELDS[kind]
    empty = _json({}).encode()
    if not fields:
        return lambda event: _FRAME.pack(number, event.ts_event, event.ts_init, 2) + empty
    names, defaults = tuple(fields), tuple(fields.values())
    values_of: Callable[[Event], Any] = attrgetter(*names)
    is_single = len(names) == 1

    def encode(event: Event) -> bytes:
        values = (values_of(event),) if is_single else values_of(event)
        changed = {
            name: value
            for name, value, default in zip(names, values, defaults, strict=True)
            if value != default
        }
        payload = _json(changed).encode()
        return _FRAME.pack(number, event.ts_event, event.ts_init, len(payload)) + payload

    return encode


def _encode_array(event: Event) -> bytes:
    kind = type(event)
    name, dtype = _ARRAYS[kind]
    array = np.atleast_1d(getattr(event, name))
    head = _json({key: getattr(event, key) for key in _FIELDS[kind] if key != name}).encode()
    body = _packed_records(array, dtype)
    size = _packed(dtype).itemsize
    head_size = len(head)
    length = _ARRAY.size + head_size + len(body)
    times = (event.ts_event, event.ts_init)
    frame = _ARRAY_FRAME.pack(_NUMBERS[kind], *times, length, head_size, size, len(array))
    return frame + head + body


_tick_heads: dict[str, bytes] = {}
"""The JSON part of a symbol's ticks, once for each symbol."""


def _encode_ticks(event: Ticks) -> bytes:
    ticks = event.ticks
    if not _TICK_IS_AS_STORED or ticks.dtype is not TICK or ticks.ndim != 1:
        return _encode_array(event)
    head = _tick_heads.get(event.symbol)
    if head is None:
        head = _tick_heads[event.symbol] = _json({"symbol": event.symbol}).encode()
    head_size, count = len(head), len(ticks)
    body = ticks.tobytes()[:_TICK_SIZE] if count == 1 else _packed_records(ticks, TICK)
    length = _ARRAY.size + head_size + len(body)
    times = (event.ts_event, event.ts_init)
    frame = _ARRAY_FRAME.pack(_TICKS, *times, length, head_size, _TICK_SIZE, count)
    return frame + head + body


@functools.cache
def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the record without padding, little-endian: what is stored."""
    return np.dtype([(name, dtype[name].newbyteorder("<")) for name in dtype.names or ()])


@functools.cache
def _is_as_stored(dtype: np.dtype[Any]) -> bool:
    """Whether a record in memory begins with the very bytes that are stored."""
    stored: Mapping[str, Any] = _packed(dtype).fields or {}
    held: Mapping[str, Any] = dtype.fields or {}
    return sys.byteorder == "little" and all(held[name][1] == stored[name][1] for name in stored)


def _packed_records(array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bytes:
    packed = _packed(dtype)
    if _is_as_stored(dtype) and array.dtype is dtype:
        rows = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), dtype.itemsize)
        return rows[:, : packed.itemsize].tobytes()
    records = np.zeros(len(array), packed)
    for column in dtype.names or ():
        records[column] = array[column]
    return records.tobytes()


_TICK_SIZE = _packed(TICK).itemsize
_TICK_IS_AS_STORED = _is_as_stored(TICK)

_ENCODERS: dict[type[Event], Callable[[Any], bytes]] = {
    kind: _encode_array if kind in _ARRAYS else _encoder_of(kind) for kind in _KINDS
} | {Ticks: _encode_ticks}


# -- bytes to events -------------------------------------------------------------------------


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    """Return what makes a field of this type, read from JSON, what it was; None for nothing."""
    if hint in _FIELDS:
        return lambda values: hint(**_typed(hint, values))
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint
    if get_origin(hint) is tuple:
        item = _converter(get_args(hint)[0])
        return tuple if item is None else lambda items: tuple(map(item, items))
    found = [_converter(part) for part in get_args(hint) if get_origin(hint) is UnionType]
    return next(filter(None, found), None)


def _converters_of(kind: type[Event]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = get_type_hints(kind)
    found = ((name, _converter(hints[name])) for name in _FIELDS[kind])
    return tuple((name, convert) for name, convert in found if convert is not None)


_CONVERTERS = {kind: _converters_of(kind) for kind in _KINDS}


def _typed(kind: type[Event], values: dict[str, Any]) -> dict[str, Any]:
    """Return fields with enums, tuples and nested events as what they were."""
    for name, convert in _CONVERTERS[kind]:
        value = values.get(name)
        if value is not None:
            values[name] = convert(value)
    return values


def _events_of(frames: bytes) -> Iterator[Event]:
    headers = list(_headers(frames))
    ticks = _all_ticks(frames, headers)
    symbols: dict[bytes, str] = {}
    taken = 0
    for number, ts_event, ts_init, start, end in headers:
        kind = _KINDS[number]
        if number == _TICKS:
            body, count = _body(frames, start, TICK)
            head = frames[start + _ARRAY.size : body]
            symbol = symbols.get(head)
            if symbol is None:
                symbol = symbols[head] = json.loads(head)["symbol"]
            mine = ticks[taken : taken + count]
            taken += count
            yield Ticks(symbol, mine, ts_event=ts_event, ts_init=ts_init)
        elif kind in _ARRAYS:
            values = _array_fields(kind, frames, start, end)
            yield kind(ts_event=ts_event, ts_init=ts_init, **values)
        else:
            values = _typed(kind, json.loads(frames[start:end]))
            yield kind(ts_event=ts_event, ts_init=ts_init, **values)


def _headers(frames: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield kind, times, and where the payload begins and ends, of each frame."""
    at, size = 0, len(frames)
    while at < size:
        number, ts_event, ts_init, length = _FRAME.unpack_from(frames, at)
        start = at + _FRAME.size
        if number >= len(_KINDS) or start + length > size:
            raise ValueError(f"frame at byte {at} is cut short or of unknown kind")
        at = start + length
        yield number, ts_event, ts_init, start, at


def _all_ticks(
    frames: bytes, headers: list[tuple[int, int, int, int, int]]
) -> np.ndarray[Any, Any]:
    """Return the ticks of all frames as one array: each event gets its slice of it."""
    bodies = []
    for number, _, _, start, end in headers:
        if number == _TICKS:
            body, count = _body(frames, start, TICK)
            if body + count * _TICK_SIZE != end:
                raise ValueError(f"the ticks of the frame at byte {start} are cut short")
            bodies.append(frames[body:end])
    return _records(b"".join(bodies), TICK)


def _body(frames: bytes, start: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return where a frame's records begin, and how many there are."""
    head_size, itemsize, count = _ARRAY.unpack_from(frames, start)
    size = _TICK_SIZE if dtype is TICK else _packed(dtype).itemsize
    if itemsize != size:
        raise ValueError(f"records of {itemsize} bytes where {size} were expected")
    return start + _ARRAY.size + head_size, count


def _array_fields(kind: type[Event], frames: bytes, start: int, end: int) -> dict[str, Any]:
    name, dtype = _ARRAYS[kind]
    body, count = _body(frames, start, dtype)
    array = _records(frames[body:end], dtype)
    if len(array) != count:
        raise ValueError(f"{len(array)} records where {count} were expected")
    return _typed(kind, json.loads(frames[start + _ARRAY.size : body])) | {name: array}


def _records(stored: bytes, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return stored records as an array of the type in use."""
    records = np.frombuffer(stored, _packed(dtype))
    array = np.zeros(len(records), dtype)
    for column in dtype.names or ():
        array[column] = records[column]
    return array
