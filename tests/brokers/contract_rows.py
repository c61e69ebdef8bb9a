"""Rows of contract lists: of the two made-up venues, and as the six references show them.

A mapping here is what a venue's folder would hold: one function from a row to a `Contract`.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

from brokers.contracts import Contract
from brokers.master import Origin
from brokers.symbol_names import find_name
from core.calendar import day_number

DAY = day_number(date(2026, 9, 2))
"""The day of the lists, a Wednesday."""


def day(text):
    return day_number(date.fromisoformat(text))


def origin(venue="bazaar", scope="", on=DAY):
    return Origin(venue, scope, on, 1_788_318_000_000_000_000, "https://x/list", 0, ())


# -- an Indian exchange: a list each morning, futures with lot, expiry and freeze quantity ---------

BAZAAR_CSV = """\
token,name,symbol,expiry,tick,lot,freeze,kind,segment
256265,NIFTY 50,NIFTY 50,,0,0,,EQ,INDICES
13238786,NIFTY,NIFTY26SEPFUT,2026-09-29,0.1,65,1800,FUT,NFO-FUT
13238787,NIFTY,NIFTY26OCTFUT,2026-10-27,0.1,65,1800,FUT,NFO-FUT
13238788,NIFTY,NIFTY26NOVFUT,2026-11-23,0.1,65,1800,FUT,NFO-FUT
10967554,NIFTY,NIFTY2692223350CE,2026-09-22,0.05,65,1800,CE,NFO-OPT
119445255,GOLDM,GOLDM26SEPFUT,2026-09-04,1,1,,FUT,MCX-FUT
119445256,GOLDM,GOLDM26OCTFUT,2026-10-05,1,1,,FUT,MCX-FUT
"""
BAZAAR_NAMES = {("NIFTY", "NFO-FUT"): "NIFTY-FUT", ("GOLDM", "MCX-FUT"): "GOLDM"}


def bazaar_rows(text=BAZAAR_CSV):
    return list(csv.DictReader(io.StringIO(text)))


def bazaar_contract(row):
    symbol = BAZAAR_NAMES.get((row["name"], row["segment"]))
    if symbol is None:
        return None
    return Contract(
        symbol,
        row["symbol"],
        row["token"],
        exchange=row["segment"].partition("-")[0],
        expiry=day(row["expiry"]),
        tick=float(row["tick"]),
        lot=float(row["lot"]),
        currency="INR",
        freeze_quantity=float(row["freeze"]) if row["freeze"] else None,
    )


# -- a hedging CFD broker: names with endings, volume in hundredths of an ounce, no expiry ---------

MERIDIAN_ROWS = [
    {"id": 1, "name": "EURUSD.r", "digits": 5, "lot": 10_000_000, "step": 100_000, "quote": "USD"},
    {"id": 41, "name": "XAUUSD.r", "digits": 2, "lot": 10_000, "step": 100, "max": 500_000,
     "quote": "USD"},
]  # fmt: skip


def meridian_mapping(symbols, rows, chosen=None):
    names = {
        find_name(item, [row["name"] for row in rows], (chosen or {}).get(item)): item
        for item in symbols
    }

    def contract(row):
        symbol = names.get(row["name"])
        if symbol is None:
            return None
        lot = row["lot"]
        return Contract(
            symbol,
            row["name"],
            str(row["id"]),
            tick=10.0 ** -row["digits"],
            lot=row["step"] / lot,
            multiplier=lot / 100,
            currency=row["quote"],
            minimum=row["step"] / lot,
            freeze_quantity=row["max"] / lot if "max" in row else None,
            venue_units=float(lot),
        )

    return contract


# -- the six, row by row as their references give them ------------------------------------------


def kite(row=None):
    """kite.md section 3, a row of the 2026 dump."""
    row = row or "13238786,51714,NIFTY26SEPFUT,NIFTY,0,2026-09-29,0,0.1,65,FUT,NFO-FUT,NFO"
    part = row.split(",")
    return Contract(
        "NIFTY-FUT", part[2], part[0], part[11], day(part[5]), tick=float(part[7]),
        lot=float(part[8]), currency="INR",
    )  # fmt: skip


def upstox():
    """upstox.md section 4: expiry in ms at the last second of the day IST, tick in paise."""
    row = {"segment": "NSE_FO", "instrument_key": "NSE_FO|61093", "expiry": 1785263399000,
           "trading_symbol": "NIFTY FUT 28 JUL 26", "lot_size": 65, "minimum_lot": 65,
           "tick_size": 10.0, "freeze_quantity": 1800.0}  # fmt: skip
    ends = datetime.fromtimestamp(row["expiry"] / 1000, UTC) + timedelta(hours=5, minutes=30)
    return Contract(
        "NIFTY-FUT", row["trading_symbol"], row["instrument_key"], row["segment"],
        day_number(ends.date()), tick=row["tick_size"] / 100, lot=float(row["lot_size"]),
        currency="INR", minimum=float(row["minimum_lot"]),
        freeze_quantity=row["freeze_quantity"],
    )  # fmt: skip


def mstock():
    """mstock.md section 3: every value is text, expiry as 23Oct2025."""
    row = {"token": "35001", "symbol": "NIFTY29Sep2026FUT", "name": "NIFTY",
           "expiry": "29Sep2026", "strike": "-1", "lotsize": "65", "instrumenttype": "FUTIDX",
           "exch_seg": "NFO", "tick_size": "0.1"}  # fmt: skip
    return Contract(
        "NIFTY-FUT", row["symbol"], row["token"], row["exch_seg"],
        day_number(datetime.strptime(row["expiry"], "%d%b%Y").date()),
        tick=float(row["tick_size"]), lot=float(row["lotsize"]), currency="INR",
    )  # fmt: skip


MONTHS = "FGHJKMNQUVXZ"


def topstepx(name="CON.F.US.MGC.Z25", active=True):
    """topstepx.md sections 4 and 9: no expiry, the month in the id, the front month marked."""
    row = {"id": name, "name": "MGCZ5", "tickSize": 0.1, "tickValue": 1.0,
           "activeContract": active, "symbolId": "F.US.MGC"}  # fmt: skip
    letter, year = name[-3], name[-2:]
    return Contract(
        "MGC", row["name"], row["id"], "F.US", month=f"20{year}-{MONTHS.index(letter) + 1:02d}",
        is_front=row["activeContract"], tick=row["tickSize"], lot=1.0,
        multiplier=row["tickValue"] / row["tickSize"], currency="USD",
    )  # fmt: skip


def ctrader():
    """ctrader.md section 4, field capture: volumes in hundredths of an ounce."""
    row = {"symbolId": 41, "symbolName": "XAUUSD", "digits": 2, "minVolume": 100,
           "stepVolume": 100, "maxVolume": 500_000, "lotSize": 10_000}  # fmt: skip
    lot = row["lotSize"]
    return Contract(
        "XAUUSD", row["symbolName"], str(row["symbolId"]), tick=10.0 ** -row["digits"],
        lot=row["stepVolume"] / lot, multiplier=lot / 100, currency="USD",
        minimum=row["minVolume"] / lot, freeze_quantity=row["maxVolume"] / lot,
        venue_units=float(lot),
    )  # fmt: skip


def metaapi():
    """metaapi.md sections 4 and 11: a specification; volume is in lots already."""
    row = {"symbol": "XAUUSD.r", "tickSize": 0.01, "minVolume": 0.01, "maxVolume": 50.0,
           "volumeStep": 0.01, "contractSize": 100.0, "profitCurrency": "USD"}  # fmt: skip
    return Contract(
        "XAUUSD", row["symbol"], row["symbol"], tick=row["tickSize"], lot=row["volumeStep"],
        multiplier=row["contractSize"], currency=row["profitCurrency"],
        minimum=row["minVolume"], freeze_quantity=row["maxVolume"],
    )  # fmt: skip


SIX_ROWS = {"kite": kite, "upstox": upstox, "mstock": mstock, "topstepx": topstepx,
            "ctrader": ctrader, "metaapi": metaapi}  # fmt: skip
