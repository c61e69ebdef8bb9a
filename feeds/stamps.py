"""Time stamps of text files, parsed in compiled code whatever their form.

One parser reads ISO (`2024-01-02T03:04:05+05:30`), MT5 (`2024.01.02 03:04`), compact
(`20240102 030405`), day-first and month-first dates, and epochs in s, ms, us or ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.compile import inlined, kernel

NAIVE = -32768
"""Kind of a stamp that names no zone."""
EPOCH = -32767
"""Kind of a stamp that counts from 1970-01-01."""

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = 0, 1, 2

_DAY_NS = 86_400_000_000_000
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Stamps:
    """Parsed stamps of one column.

    ns : int64 array; UTC where `offsets` or `epoch` hold, else the wall clock of the file's zone.
    offsets : the offsets in minutes the text names, in order of appearance; empty if none.
    epoch : the stamps count seconds (or parts of them) from 1970-01-01.
    bad_row : first row that is no stamp, -1 if all are.
    mixed_row : first row whose kind differs from the first row's, -1 if none does.
    """

    ns: np.ndarray[Any, Any]
    offsets: tuple[int, ...]
    epoch: bool
    bad_row: int
    mixed_row: int


@kernel
def days_from_date(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 of a Gregorian date (Hinnant, days_from_civil)."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    year_of_era = y - era * 400
    shifted = month - 3 if month > 2 else month + 9
    day_of_year = (153 * shifted + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


@kernel
def _days_in_month(year: int, month: int) -> int:
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@inlined
def _run_length(text: np.ndarray[Any, Any], at: int, end: int) -> int:
    """Return how many digits stand at a place."""
    i = at
    while i < end and 48 <= text[i] <= 57:
        i += 1
    return i - at


@inlined
def _number(text: np.ndarray[Any, Any], at: int, length: int) -> int:
    value = 0
    for i in range(at, at + length):
        value = value * 10 + (int(text[i]) - 48)
    return value


@kernel
def _epoch(text: np.ndarray[Any, Any], at: int, digits: int, end: int) -> tuple[int, int]:
    """Return (ns, EPOCH) of a count from 1970; a fraction of zeros is allowed."""
    value = _number(text, at, digits)
    place = at + digits
    if place < end and text[place] == 46:
        zeros = place + 1
        while zeros < end and text[zeros] == 48:
            zeros += 1
        place = zeros
    if place != end:
        return 0, 1
    if digits <= 10:
        return value * 1_000_000_000, EPOCH
    if digits == 13:
        return value * 1_000_000, EPOCH
    if digits == 16:
        return value * 1_000, EPOCH
    return value, EPOCH


@kernel
def _date(text: np.ndarray[Any, Any], at: int, end: int, order: int) -> tuple[int, int]:
    """Return (days since 1970, place after the date); place -1 if it is no date."""
    first = _run_length(text, at, end)
    if first in (8, 12, 14):
        year = _number(text, at, 4)
        month = _number(text, at + 4, 2)
        day = _number(text, at + 6, 2)
        place = at + 8
    else:
        separator = at + first
        if first == 0 or first > 4 or separator >= end:
            return 0, -1
        if text[separator] not in (45, 46, 47):
            return 0, -1
        second = _run_length(text, separator + 1, end)
        other = separator + 1 + second
        if second == 0 or second > 2 or other >= end or text[other] != text[separator]:
            return 0, -1
        third = _run_length(text, other + 1, end)
        a = _number(text, at, first)
        b = _number(text, separator + 1, second)
        c = _number(text, other + 1, third)
        place = other + 1 + third
        if first == 4 and 1 <= third <= 2:
            year, month, day = a, b, c
        elif first <= 2 and third == 4 and order == DAY_FIRST:
            year, month, day = c, b, a
        elif first <= 2 and third == 4 and order == MONTH_FIRST and text[separator] != 46:
            # With dots (03.01.2024) the day always comes first.
            year, month, day = c, a, b
        else:
            return 0, -1
    if month < 1 or month > 12 or day < 1 or year < 1678 or year > 2261:
        return 0, -1
    if day > _days_in_month(year, month):
        return 0, -1
    return days_from_date(year, month, day), place


@kernel
def _fraction(text: np.ndarray[Any, Any], at: int, end: int) -> tuple[int, int]:
    """Return (ns, place after) of the digits behind a decimal point."""
    length = _run_length(text, at, end)
    value = 0
    for i in range(9):
        value = value * 10
        if i < length:
            value += int(text[at + i]) - 48
    return value, at + length


@kernel
def _clock(text: np.ndarray[Any, Any], at: int, end: int) -> tuple[int, int]:
    """Return (ns of the day, place after the time); place -1 if it is no time."""
    first = _run_length(text, at, end)
    seconds = 0
    if first in (4, 6):
        hours = _number(text, at, 2)
        minutes = _number(text, at + 2, 2)
        if first == 6:
            seconds = _number(text, at + 4, 2)
        place = at + first
    else:
        colon = at + first
        if first == 0 or first > 2 or colon >= end or text[colon] != 58:
            return 0, -1
        if _run_length(text, colon + 1, end) != 2:
            return 0, -1
        hours = _number(text, at, first)
        minutes = _number(text, colon + 1, 2)
        place = colon + 3
        if place < end and text[place] == 58:
            if _run_length(text, place + 1, end) != 2:
                return 0, -1
            seconds = _number(text, place + 1, 2)
            place += 3
    part = 0
    if place < end and text[place] in (44, 46):
        part, place = _fraction(text, place + 1, end)
    if hours > 23 or minutes > 59 or seconds > 59:
        return 0, -1
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + part, place


@kernel
def _offset(text: np.ndarray[Any, Any], at: int, end: int) -> tuple[int, int]:
    """Return (minutes east of UTC, 0) of `Z`, `UTC`, `+05:30`, `GMT+0100`; (.., 1) of no zone."""
    left = end - at
    if left == 1 and text[at] in (90, 122):
        return 0, 0
    if left >= 3:
        utc = text[at] == 85 and text[at + 1] == 84 and text[at + 2] == 67
        gmt = text[at] == 71 and text[at + 1] == 77 and text[at + 2] == 84
        if utc or gmt:
            if left == 3:
                return 0, 0
            at += 3
            left -= 3
    if left < 3 or text[at] not in (43, 45):
        return 0, 1
    digits = _run_length(text, at + 1, end)
    minutes = 0
    if digits == 4 and left == 5:
        minutes = _number(text, at + 3, 2)
    elif digits == 2 and left == 6 and text[at + 3] == 58:
        if _run_length(text, at + 4, end) != 2:
            return 0, 1
        minutes = _number(text, at + 4, 2)
    elif not (digits == 2 and left == 3):
        return 0, 1
    minutes += _number(text, at + 1, 2) * 60
    if minutes > 15 * 60:
        return 0, 1
    return (-minutes if text[at] == 45 else minutes), 0


@inlined
def _half_day(text: np.ndarray[Any, Any], at: int, end: int) -> int:
    """Return 1 for `AM` and 2 for `PM` at the end of a stamp, 0 where there is neither."""
    if end - at != 2 or (text[at + 1] != 77 and text[at + 1] != 109):
        return 0
    if text[at] == 65 or text[at] == 97:
        return 1
    return 2 if text[at] == 80 or text[at] == 112 else 0


@kernel
def parse_one(text: np.ndarray[Any, Any], start: int, stop: int, order: int) -> tuple[int, int]:
    """Return (ns, kind) of the stamp in text[start:stop].

    kind is NAIVE (ns is wall clock), EPOCH (UTC), an offset in minutes * 2 (UTC), or an odd
    number where the text is no stamp.
    """
    at, end = start, stop
    while at < end and text[at] == 32:
        at += 1
    while end > at and text[end - 1] == 32:
        end -= 1
    digits = _run_length(text, at, end)
    whole = at + digits == end or text[at + digits] == 46
    if whole and digits in (9, 10, 13, 16, 19):
        return _epoch(text, at, digits, end)
    days, place = _date(text, at, end, order)
    if place < 0:
        return 0, 1
    clock = 0
    if place < end and text[place] in (32, 84, 59):
        place += 1
    if place < end:
        clock, place = _clock(text, place, end)
        if place < 0:
            return 0, 1
    while place < end and text[place] == 32:
        place += 1
    half = _half_day(text, place, end)
    if half:
        if clock >= 13 * 60 * _MINUTE_NS:
            return 0, 1
        clock = clock % (12 * 60 * _MINUTE_NS) + (half - 1) * 12 * 60 * _MINUTE_NS
        place = end
    ns = days * _DAY_NS + clock
    if place == end:
        return ns, NAIVE
    minutes, fault = _offset(text, place, end)
    if fault:
        return 0, 1
    return ns - minutes * _MINUTE_NS, minutes * 2


@inlined
def _two(text: np.ndarray[Any, Any], at: int) -> int:
    """Return a two-digit number, or a large negative one where a character is no digit."""
    high = int(text[at]) - 48
    low = int(text[at + 1]) - 48
    if high < 0 or high > 9 or low < 0 or low > 9:
        return -1_000_000
    return high * 10 + low


@kernel
def usual_date(text: np.ndarray[Any, Any], at: int) -> int:
    """Return ns of the midnight of `YYYY-MM-DD` (also with dots or slashes), -1 if it is none."""
    mark = text[at + 4]
    if mark not in (45, 46, 47) or text[at + 7] != mark:
        return -1
    year = _two(text, at) * 100 + _two(text, at + 2)
    month = _two(text, at + 5)
    day = _two(text, at + 8)
    if year < 1970 or year > 2261 or month < 1 or month > 12 or day < 1:
        return -1
    if day > _days_in_month(year, month):
        return -1
    return days_from_date(year, month, day) * _DAY_NS


@inlined
def usual_clock(text: np.ndarray[Any, Any], at: int, length: int) -> int:
    """Return ns of the day of ` HH:MM[:SS]` after a blank or a T, -1 if it is none."""
    if (text[at] != 32 and text[at] != 84) or text[at + 3] != 58:
        return -1
    hour = _two(text, at + 1)
    minute = _two(text, at + 4)
    second = 0
    if length == 19:
        if text[at + 6] != 58:
            return -1
        second = _two(text, at + 7)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    return (hour * 3600 + minute * 60 + second) * 1_000_000_000


@inlined
def same_date(text: np.ndarray[Any, Any], at: int, before: int) -> bool:
    """Say whether two stamps begin with the same ten letters."""
    differ = 0
    for k in range(10):
        differ |= text[at + k] ^ text[before + k]
    return differ == 0


@kernel
def usual_rows(
    text: np.ndarray[Any, Any],
    offsets: np.ndarray[Any, Any],
    ns: np.ndarray[Any, Any],
    kinds: np.ndarray[Any, Any],
) -> int:
    """Parse stamps of the form nearly all files have, a date at a time; return how many."""
    midnight = -1
    before = 0
    for i in range(len(ns)):
        at = offsets[i]
        length = offsets[i + 1] - at
        if length != 19 and length != 16:
            return i
        if midnight < 0 or not same_date(text, at, before):
            midnight = usual_date(text, at)
            before = at
        clock = usual_clock(text, at + 10, length)
        if midnight < 0 or clock < 0:
            return i
        ns[i] = midnight + clock
        kinds[i] = NAIVE
    return len(ns)


@kernel
def parse_rows(
    text: np.ndarray[Any, Any],
    offsets: np.ndarray[Any, Any],
    order: int,
    ns: np.ndarray[Any, Any],
    kinds: np.ndarray[Any, Any],
) -> int:
    """Parse the stamps text[offsets[i]:offsets[i+1]]; return the first bad row or -1."""
    for i in range(len(ns)):
        value, kind = parse_one(text, offsets[i], offsets[i + 1], order)
        if kind % 2 != 0 and kind != EPOCH:
            return i
        ns[i] = value
        kinds[i] = kind
    return -1


@kernel
def _mark_bad(
    text: np.ndarray[Any, Any],
    offsets: np.ndarray[Any, Any],
    order: int,
    bad: np.ndarray[Any, Any],
) -> None:
    """Clear the marks of stamps that can be read in this order of day and month."""
    for i in range(len(bad)):
        if bad[i]:
            _, kind = parse_one(text, offsets[i], offsets[i + 1], order)
            bad[i] = kind % 2 != 0 and kind != EPOCH


def unreadable(stamps: list[str]) -> np.ndarray[Any, Any]:
    """Return which texts are no stamp in any order of day and month."""
    parts = [stamp.encode() for stamp in stamps]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    letters = np.frombuffer(b"".join(parts) or b" ", np.uint8)
    bad = np.ones(len(parts), np.bool_)
    for order in (YEAR_FIRST, DAY_FIRST, MONTH_FIRST):
        _mark_bad(letters, offsets, order, bad)
    return bad


def is_stamp(text: str, order: int = YEAR_FIRST) -> bool:
    """Say whether one text is a stamp we read."""
    letters = np.frombuffer(text.encode(), np.uint8)
    _, kind = parse_one(letters, 0, len(letters), order)
    return int(kind) % 2 == 0 or int(kind) == EPOCH


def parse_column(column: Any, order: int = YEAR_FIRST) -> Stamps:
    """Parse a pyarrow chunked string column.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of string
        One stamp a row.
    order : int
        How `01/02/2024` is meant; YEAR_FIRST accepts no such date.
    """
    total = len(column)
    ns = np.zeros(total, np.int64)
    kinds = np.zeros(total, np.int16)
    done = 0
    for chunk in column.chunks:
        bad = _parse_chunk(chunk, order, ns[done : done + len(chunk)], kinds[done:])
        if bad >= 0:
            return Stamps(ns, (), False, done + bad, -1)
        done += len(chunk)
    return _summary(ns, kinds)


def _parse_chunk(
    chunk: Any, order: int, ns: np.ndarray[Any, Any], kinds: np.ndarray[Any, Any]
) -> int:
    _, offsets, text = chunk.buffers()
    if not len(chunk):
        return -1
    places = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    places = places.astype(np.int64)  # one signature, one compilation
    letters = np.frombuffer(text, np.uint8) if text is not None else np.zeros(0, np.uint8)
    kinds = kinds[: len(ns)]
    done = usual_rows(letters, places, ns, kinds)
    if done == len(ns):
        return -1
    bad = parse_rows(letters, places[done:], order, ns[done:], kinds[done:])
    return bad if bad < 0 else done + bad


def _summary(ns: np.ndarray[Any, Any], kinds: np.ndarray[Any, Any]) -> Stamps:
    if not len(kinds):
        return Stamps(ns, (), False, -1, -1)
    first = int(kinds[0])
    same = kinds == first
    epoch = first == EPOCH
    if same.all():
        offsets = () if first in (NAIVE, EPOCH) else (first // 2,)
        return Stamps(ns, offsets, epoch, -1, -1)
    row = int(np.argmin(same))
    found = tuple(int(kind) // 2 for kind in dict.fromkeys(kinds.tolist()))
    # Two offsets an hour apart are one place with daylight saving; anything else is a mixture.
    aware = first not in (NAIVE, EPOCH) and not np.isin(kinds, (NAIVE, EPOCH)).any()
    if aware and len(found) == 2 and abs(found[0] - found[1]) == 60:
        return Stamps(ns, found, False, -1, -1)
    return Stamps(ns, (), epoch, -1, row)
