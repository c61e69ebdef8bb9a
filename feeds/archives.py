"""One text out of a packed file: gzip, of several parts too, and zip archives of members."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

from core.errors import DataError, near_name

_TEXTS = (".csv", ".txt", ".tsv", ".json")


def gunzip(raw: bytes, name: str) -> bytes:
    """Unpack a gzip file; its parts, if several were joined, follow each other."""
    try:
        return gzip.decompress(raw)
    except EOFError as cause:
        raise DataError("the gzip file is truncated; fetch it again", file=name) from cause
    except (gzip.BadGzipFile, zlib.error) as cause:
        raise DataError(f"the gzip file is damaged ({cause}); fetch it again", file=name) from cause


def unzip(raw: bytes, name: str, member: str) -> tuple[bytes, str]:
    """Return the text of a zip archive and its member's name.

    Parameters
    ----------
    member : str
        The wanted member; empty takes the only file of prices there is.

    Raises
    ------
    DataError : if the archive is damaged, is an Excel workbook, or leaves a choice.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            chosen = _chosen(archive, name, member)
            return archive.read(chosen), chosen
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as cause:
        raise DataError(f"the zip file is damaged ({cause}); fetch it again", file=name) from cause
    except RuntimeError as cause:
        raise DataError(f"the zip file cannot be opened: {cause}", file=name) from cause


def _chosen(archive: zipfile.ZipFile, name: str, member: str) -> str:
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise DataError("is an Excel workbook; save the sheet as CSV", file=name)
    if member:
        if member not in names:
            raise DataError(f"no member {member!r}{near_name(member, names)}", file=name)
        return member
    prices = price_members(names)
    if len(prices) == 1:
        return prices[0]
    if not prices:
        raise DataError("the zip file holds 0 CSV, TXT or JSON files; expected one", file=name)
    shown = ", ".join(prices[:4]) + (", ..." if len(prices) > 4 else "")
    raise DataError(
        f"the zip file holds {len(prices)} CSV or TXT files ({shown}): name one as"
        f" {name}/{prices[0]}, or join them: data convert {name} -o OUT.parquet",
        file=name,
    )


def price_members(names: list[str]) -> list[str]:
    """Return the members that may hold prices; a report beside CSV files (HistData) is none."""
    texts = [
        member
        for member in names
        if member.lower().endswith(_TEXTS) and not member.startswith(("__MACOSX/", "."))
    ]
    tables = [member for member in texts if member.lower().endswith(".csv")]
    return sorted(tables or texts)


def members(path: Path) -> list[str]:
    """Return the price members of a zip archive on disk, nothing for another file."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return price_members(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return []


def parted(path: Path) -> tuple[Path, str]:
    """Part `prices.zip/january.csv` into the archive and its member; '' where there is none."""
    for parent in path.parents:
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, ""
