"""How a text file of prices is written: packing, encoding, separator, header, stamp columns."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError
from feeds.columns import match_columns

_HEAD_BYTES = 65_536
_SEPARATORS = (",", ";", "\t", "|")
_HEADERLESS = {
    # Fields of a file without header, by how many stand before the first price.
    1: ("datetime", "open", "high", "low", "close", "volume"),
    2: ("datetime", "time", "open", "high", "low", "close", "volume"),
}


@dataclass(frozen=True)
class Text:
    """The bytes of a text file, unpacked, in UTF-8.

    sha256 : of the file as it lies on disk, packed.
    """

    name: str
    data: bytes
    sha256: str
    packing: str


@dataclass(frozen=True)
class Dialect:
    """How one file is written.

    places : our word -> 0-based field.
    skip_lines : lines before the first row (comments and header).
    note : text of the comment lines at the head, empty if there are none.
    """

    separator: str
    decimal_comma: bool
    fields: int
    headers: tuple[str, ...]
    places: dict[str, int]
    skip_lines: int
    note: str


def read_text(path: Path, name: str) -> Text:
    """Read and unpack a plain, gzip or zip file.

    Raises
    ------
    DataError : if it is missing, empty, truncated, or holds no text.
    """
    raw = _read_bytes(path, name)
    digest = hashlib.sha256(raw).hexdigest()
    if raw[:2] == b"\x1f\x8b":
        data, packing = _gunzip(raw, name), "gzip"
    elif raw[:4] == b"PK\x03\x04":
        data, packing = _unzip(raw, name), "zip"
    else:
        data, packing = raw, "plain"
    if not data[:_HEAD_BYTES].strip():
        raise DataError("the file is empty; expected rows of prices", file=name)
    return Text(name, _to_utf8(data, name), digest, packing)


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


def _gunzip(raw: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(raw)
    except EOFError as cause:
        raise DataError("the gzip file is truncated; fetch it again", file=name) from cause
    except (gzip.BadGzipFile, zlib.error) as cause:
        raise DataError(f"the gzip file is damaged ({cause}); fetch it again", file=name) from cause


def _unzip(raw: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [m for m in archive.namelist() if m.lower().endswith((".csv", ".txt"))]
            if len(members) != 1:
                raise DataError(
                    f"the zip file holds {len(members)} CSV or TXT files; expected exactly one",
                    file=name,
                )
            return archive.read(members[0])
    except (zipfile.BadZipFile, EOFError, zlib.error) as cause:
        raise DataError(f"the zip file is damaged ({cause}); fetch it again", file=name) from cause


def _to_utf8(data: bytes, name: str) -> bytes:
    """Return the text in UTF-8 without mark; MT5 writes UTF-16."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").encode()
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    head = data[:_HEAD_BYTES]
    odd = sum(1 for byte in head if byte < 9 or 13 < byte < 32)
    if b"\x00" in head or odd > len(head) // 100:
        raise DataError("is binary, not text; expected CSV (plain, gz, zip) or Parquet", file=name)
    return data


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
    separator = _separator(lines[0], text.name, above + 1)
    headers = _split(lines[0], separator)
    has_header = not any(_is_number(field) for field in headers[-4:])
    if not has_header:
        row = headers
        headers, places = _headerless(row, mapping, text.name, above + 1)
    elif len(lines) > 1:
        row = _split(lines[1], separator)
        places = match_columns(headers, mapping, text.name, above + 1)
    else:
        raise DataError("holds a header and no rows", file=text.name, line=above + 1)
    decimal_comma = separator != "," and "," in row[places["open"]]
    note = " ".join(comment.lstrip("# ").rstrip() for comment in comments)
    skip = above + int(has_header)
    return Dialect(separator, decimal_comma, len(row), tuple(headers), places, skip, note)


def _head_lines(text: Text) -> tuple[list[str], list[str], int]:
    """Return the first filled lines, the comments above them and how many lines stand above."""
    head = text.data[:_HEAD_BYTES].decode("utf-8", errors="replace").splitlines()
    if len(text.data) > _HEAD_BYTES and len(head) > 1:
        head = head[:-1]
    above = 0
    while above < len(head) and (head[above].startswith("#") or not head[above].strip()):
        above += 1
    comments = [line for line in head[:above] if line.strip()]
    return [line for line in head[above:] if line.strip()][:50], comments, above


def _separator(row: str, name: str, line: int) -> str:
    counts = {mark: row.count(mark) for mark in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda mark: (min(counts[mark], 4), mark != ",", counts[mark]))
    if counts[best] < 4:
        raise DataError(
            f"no columns found in {row[:60]!r}; expected fields parted by comma, semicolon or tab",
            file=name,
            line=line,
        )
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
    row: list[str], mapping: dict[str, str], name: str, line: int
) -> tuple[list[str], dict[str, int]]:
    """Return names and places of a file without header, by position or by the user's mapping."""
    if mapping:
        names = [str(place) for place in range(len(row))]
        return names, match_columns(names, mapping, name, line)
    symbol = int(row[0][:1].isalpha())
    lead = 2 if _is_clock(row[symbol:]) else 1
    names = (["symbol"] * symbol + list(_HEADERLESS[lead]))[: len(row)]
    if len(names) < symbol + lead + 4:
        raise DataError(
            f"{len(row)} fields and no header; expected a stamp, open, high, low, close",
            file=name,
            line=line,
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
