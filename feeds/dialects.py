"""How a text file of prices is written: packing, encoding, separator, header, stamp columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import DataError
from feeds.archives import gunzip, parted, unzip
from feeds.columns import match_columns
from feeds.kinds import KNOWN, PLAIN, Head, Kind, recognise, refuse_ticks
from feeds.provenance import MARK, Provenance, from_comments

_HEAD_BYTES = 65_536
_HEAD_ROWS = 50
_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SHOWN_LINES = 3
_SHOWN_LETTERS = 100
_NEAR = {
    "datetime": ("when", "period", "bar", "dt", "epoch", "unix", "t"),
    "open": ("opening", "op", "start"),
    "high": ("highest", "hi", "top"),
    "low": ("lowest", "lo", "bottom"),
    "close": ("closing", "cl", "settle", "settlement", "ltp", "end", "adj close"),
}
_HEADERLESS = {
    # Fields of a file without header, by how many stand before the first price.
    1: ("datetime", "open", "high", "low", "close", "volume"),
    2: ("datetime", "time", "open", "high", "low", "close", "volume"),
}


@dataclass(frozen=True)
class Text:
    """The bytes of a text file, unpacked, in UTF-8.

    sha256 : of the file as it lies on disk, packed. encoding : as it was written. member : name of
    the file inside a zip archive.
    """

    name: str
    data: bytes
    sha256: str
    packing: str
    encoding: str = "UTF-8"
    member: str = ""


@dataclass(frozen=True)
class Dialect:
    """How one file is written.

    places : our word -> 0-based field.
    skip_lines : lines before the first row (comments and header).
    note : text of the comment lines at the head, empty if there are none.
    kind : whose way of writing it is. example : a stamp as the file has it.
    provenance : what a file of ours says about itself.
    """

    separator: str
    decimal_comma: bool
    fields: int
    headers: tuple[str, ...]
    places: dict[str, int]
    skip_lines: int
    note: str
    kind: Kind = PLAIN
    example: str = ""
    provenance: Provenance | None = None

    def understood(self) -> dict[str, Any]:
        """Return how the file was read, for reports."""
        marks = f"{_SEPARATOR_NAMES[self.separator]}-separated"
        if self.decimal_comma:
            marks += ", decimal comma"
        facts = {"dialect": self.kind.name, "separator": marks, "stamp_example": self.example}
        return facts | (self.provenance.facts() if self.provenance else {})


def read_text(path: Path, name: str) -> Text:
    """Read and unpack a plain, gzip or zip file; `prices.zip/january.csv` names a member.

    Raises
    ------
    DataError : if it is missing, empty, truncated, or holds no text.
    """
    archive, member = parted(path)
    raw = _read_bytes(archive, name)
    digest = hashlib.sha256(raw).hexdigest()
    if raw[:2] == b"\x1f\x8b":
        data, packing = gunzip(raw, name), "gzip"
    elif raw[:4] == b"PK\x03\x04":
        (data, member), packing = unzip(raw, str(archive), member), "zip"
    else:
        data, packing = raw, "plain"
    if not data[:_HEAD_BYTES].strip():
        raise DataError("the file is empty; expected rows of prices", file=name)
    text, encoding = _to_utf8(data, name)
    return Text(name, text, digest, packing, encoding, member)


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as cause:
        raise DataError("no such file; check the path", file=name) from cause
    except IsADirectoryError as cause:
        raise DataError("is a folder; name one file of it", file=name) from cause
    except OSError as cause:
        raise DataError(f"cannot be read: {cause.strerror}", file=name) from cause
    if not raw:
        raise DataError("the file is empty; expected rows of prices", file=name)
    return raw


def _to_utf8(data: bytes, name: str) -> tuple[bytes, str]:
    """Return the text in UTF-8 without mark, and how it was written; MT5 writes UTF-16."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").encode(), "UTF-16"
    encoding = "UTF-8"
    if data[:3] == b"\xef\xbb\xbf":
        data, encoding = data[3:], "UTF-8 with mark"
    head = data[:_HEAD_BYTES]
    if len(head) > 3 and head[1:2] == b"\x00" and head[3:4] == b"\x00":
        return data.decode("utf-16-le", errors="replace").encode(), "UTF-16"
    odd = sum(1 for byte in head if byte < 9 or 13 < byte < 32)
    if b"\x00" in head or odd > len(head) // 100:
        raise DataError("is binary, not text; expected CSV (plain, gz, zip) or Parquet", file=name)
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1").encode(), "Latin-1"
    return data, encoding


def sniff(text: Text, mapping: dict[str, str]) -> Dialect:
    """Find out how a text file is written.

    Parameters
    ----------
    text : Text
        The unpacked file.
    mapping : dict
        Our word -> the file's header; for a file without header the 0-based field as text.

    Raises
    ------
    DataError : if no separator fits or a needed column is missing.
    """
    lines, comments, above = _head_lines(text)
    if not lines:
        raise DataError("holds no rows; expected rows of prices", file=text.name)
    try:
        dialect = _sniffed(text, lines, above, mapping)
    except UnknownForm as fault:
        raise _unknown(text, fault, above + 1) from fault
    own = from_comments(comments)
    words = [line.lstrip("# ").rstrip() for line in comments if not line.startswith(MARK)]
    kind = own.reading() if own is not None and own.kind else dialect.kind
    return replace(dialect, note=" ".join(words), kind=kind, provenance=own)


class UnknownForm(Exception):
    """A text that is no table of prices; `headers` are its columns' names, if it has any."""

    def __init__(self, message: str, headers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.headers = headers


def _unknown(text: Text, fault: UnknownForm, line: int) -> DataError:
    """Return the error that shows an unknown file's first lines and what was expected."""
    head = text.data[:_HEAD_BYTES].decode("utf-8", errors="replace").splitlines()
    shown = [f"  line {n}: {line[:_SHOWN_LETTERS]}" for n, line in enumerate(head, 1) if line]
    faults = [str(fault), "the file begins:", *shown[:_SHOWN_LINES]]
    faults.append(f"expected one bar a row: a stamp, open, high, low, close ({KNOWN})")
    faults.append(_remedy(fault.headers))
    return DataError("\n".join(faults), file=text.name, line=line)


def _remedy(headers: tuple[str, ...]) -> str:
    """Return the flag that would help, with the headers that come near what is missing."""
    folded = {header.strip().strip("<>").lower(): header for header in headers}
    near = [
        f"--columns {word}={folded[guess]!r}".replace("'", "")
        for word, guesses in _NEAR.items()
        for guess in guesses
        if guess in folded
    ]
    if near:
        return f"near misses: {' '.join(near)} (with data check, data convert)"
    if headers:
        return "name the columns: data convert FILE --columns datetime=HEADER ... -o OUT.parquet"
    return "a file without header: --columns datetime=0 open=1 ... counts its fields from 0"


def _sniffed(text: Text, lines: list[str], above: int, mapping: dict[str, str]) -> Dialect:
    file = text.member or text.name
    if (stacked := _stacked_header(lines)) is not None:
        headers, under = stacked, 3
        separator = ","
    else:
        separator = _separator(lines, file)
        headers = _split(lines[0], separator)
        under = int(not any(_is_number(field) for field in headers[-4:]))
    if under >= len(lines):
        raise DataError("holds a header and no rows", file=text.name, line=above + 1)
    rows = tuple(tuple(_split(line, separator)) for line in lines[under:])
    head = Head(file, separator, tuple(headers) if under else (), rows)
    refuse_ticks(head, text.name)
    if under:
        places = _matched(headers, mapping, text.name, above + 1)
    else:
        headers, places = _headerless(headers, mapping, text.name)
    widths = [len(fields) for fields in rows]
    row = rows[widths.index(max(set(widths), key=widths.count))]
    if max(places.values()) >= len(row):
        raise UnknownForm(f"{len(row)} fields in a row under {len(headers)} headers")
    decimal_comma = separator != "," and "," in row[places["open"]]
    skip = above + under
    stamp = " ".join(row[places[word]] for word in ("datetime", "time") if word in places)
    kind = recognise(head)
    return Dialect(
        separator, decimal_comma, len(row), tuple(headers), places, skip, "", kind, stamp
    )


def _stacked_header(lines: list[str]) -> list[str] | None:
    """Return the columns of yfinance's three header lines (Price, Ticker, Date)."""
    if len(lines) < 3 or not lines[0].startswith("Price,") or not lines[1].startswith("Ticker,"):
        return None
    if len(set(lines[1].split(",")[1:])) > 1:
        raise UnknownForm("holds several tickers; save one ticker a file")
    return [lines[2].split(",")[0], *lines[0].split(",")[1:]]


def _matched(headers: list[str], mapping: dict[str, str], name: str, line: int) -> dict[str, int]:
    """Return the columns' places by a header; an unnamed first column is pandas' index."""
    named = list(headers)
    if named[0] == "" or named[0].startswith("Unnamed"):
        known = {header.lower() for header in named[1:]} & {"datetime", "date", "time", "timestamp"}
        if not known and "datetime" not in mapping:
            named[0] = "datetime"
    try:
        return match_columns(named, mapping, name, line)
    except DataError as fault:
        if mapping and "missing column" not in str(fault):
            raise
        where = f"{name}:{line}: "
        raise UnknownForm(str(fault).removeprefix(where).partition(";")[0], tuple(named)) from fault


def _head_lines(text: Text) -> tuple[list[str], list[str], int]:
    """Return the first filled lines, the comments above them and how many lines stand above."""
    head = text.data[:_HEAD_BYTES].decode("utf-8", errors="replace").splitlines()
    if len(text.data) > _HEAD_BYTES and len(head) > 1:
        head = head[:-1]
    above = 0
    while above < len(head) and (head[above].startswith("#") or not head[above].strip()):
        above += 1
    comments = [line for line in head[:above] if line.strip()]
    return [line for line in head[above:] if line.strip()][:_HEAD_ROWS], comments, above


def _separator(lines: list[str], name: str) -> str:
    row = lines[0]
    counts = {mark: row.count(mark) for mark in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda mark: (min(counts[mark], 4), mark != ",", counts[mark]))
    if counts[best] < 4:
        if counts[best]:
            rows = tuple(tuple(_split(line, best)) for line in lines)
            refuse_ticks(Head(name, best, (), rows), name)
        raise UnknownForm("no columns of prices found")
    return best


def _split(line: str, separator: str) -> list[str]:
    return [field.strip().strip('"').strip() for field in line.split(separator)]


def _is_number(field: str) -> bool:
    try:
        float(field.replace(",", "."))
    except ValueError:
        return False
    return True


def _headerless(
    row: list[str], mapping: dict[str, str], name: str
) -> tuple[list[str], dict[str, int]]:
    """Return names and places of a file without header, by position or by the user's mapping."""
    if mapping:
        names = [str(place) for place in range(len(row))]
        return names, match_columns(names, mapping, name)
    symbol = int(row[0][:1].isalpha())
    lead = 2 if _is_clock(row[symbol:]) else 1
    names = (["symbol"] * symbol + list(_HEADERLESS[lead]))[: len(row)]
    if len(names) < symbol + lead + 4:
        raise UnknownForm(
            f"{len(row)} fields and no header; expected a stamp, open, high, low, close"
        )
    return names, {word: place for place, word in enumerate(names) if word != "symbol"}


def _is_clock(fields: list[str]) -> bool:
    """Say whether the second field is the time of day of a date in the first.

    `2024-01-02,2000,2010` is a price, `20240102,0915,21700` a time: prices lie close together.
    """
    if len(fields) < 6 or ":" in fields[0]:
        return False
    second, third = fields[1], fields[2]
    if ":" in second:
        return True
    if not (second.isdigit() and len(second) in (4, 6) and _is_number(third)):
        return False
    return not 0.5 < (float(second) + 1) / (float(third.replace(",", ".")) + 1) < 2
