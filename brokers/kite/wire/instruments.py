"""The list of contracts, a CSV of each morning.

Source: kite.trade/docs/connect/v3/market-quotes, "CSV instrument list"; mocks instruments_all.csv.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from brokers.kite.wire.errors import WireError, shown
from brokers.kite.wire.fields import number, row_of, text, whole

COLUMNS = ("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry",
           "strike", "tick_size", "lot_size", "instrument_type", "segment",
           "exchange")  # fmt: skip


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """One contract. expiry : None for what does not expire. tick_size, lot_size : 0 for an index.

    instrument_token : given to another contract after the expiry; exchange and tradingsymbol last.
    """

    instrument_token: int
    exchange_token: str
    tradingsymbol: str
    name: str
    expiry: date | None
    strike: float
    tick_size: float
    lot_size: int
    instrument_type: str
    segment: str
    exchange: str
    last_price: float = 0.0


def decode_instrument(value: object) -> InstrumentRow:
    """Return a contract of a CSV row, or of one whose fields the SDK has read.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "instrument")
    return InstrumentRow(
        whole(row, "instrument_token"),
        text(row, "exchange_token", ""),
        text(row, "tradingsymbol"),
        text(row, "name", ""),
        _expiry(row.get("expiry")),
        number(row, "strike", 0.0),
        number(row, "tick_size", 0.0),
        whole(row, "lot_size", 0),
        text(row, "instrument_type", ""),
        text(row, "segment", ""),
        text(row, "exchange"),
        number(row, "last_price", 0.0),
    )


def _expiry(value: object) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise WireError(f"expiry={shown(value)}: expected a date such as 2026-09-29") from None


def decode_instruments(content: str | bytes) -> list[InstrumentRow]:
    """Return the contracts of a whole list.

    Raises
    ------
    WireError : it is no such list; names the line.
    """
    try:
        whole_text = content.decode() if isinstance(content, bytes) else content
        reader = csv.DictReader(io.StringIO(whole_text.strip()))
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise WireError(f"instrument list: no column {', '.join(missing)}")
        rows = []
        for row in reader:
            try:
                rows.append(decode_instrument(row))
            except WireError as fault:
                raise WireError(f"instrument list, line {reader.line_num}: {fault}") from None
    except (UnicodeDecodeError, csv.Error) as fault:
        raise WireError(f"instrument list: {fault}") from None
    return rows


def encode_instruments(rows: Iterable[InstrumentRow]) -> str:
    """Return contracts as the CSV of GET /instruments."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.instrument_token, row.exchange_token, row.tradingsymbol, row.name,
                f"{row.last_price:g}", row.expiry or "", f"{row.strike:g}", f"{row.tick_size:g}",
                row.lot_size, row.instrument_type, row.segment, row.exchange,
            ]
        )  # fmt: skip
    return out.getvalue()
