"""Each maker's files are recognised by themselves and give the bars that were written."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import feeds
from core.errors import DataError, TolaError

NEW_YORK, KOLKATA = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
EST = timezone(timedelta(hours=-5))


def server(when):
    """Return MT5 server time: New York's wall clock and seven hours."""
    return when.astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(hours=7)


def rows(bars, stamp, mark, *, volume="{:.0f}"):
    return [
        mark.join([stamp(bar[0]), *(f"{p:.2f}" for p in bar[1:5]), volume.format(bar[5])])
        for bar in bars
    ]


def lines(head, body):
    return "\n".join([*head, *body]) + "\n"


def mt5(bars):
    head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    body = rows(bars, lambda t: f"{server(t):%Y.%m.%d\t%H:%M:%S}", "\t")
    return lines([head], [f"{row}\t0\t25" for row in body])


def mt5_chart(bars):
    body = rows(bars, lambda t: f"{server(t):%Y.%m.%d %H:%M}", ",")
    return lines([], [f"{row},25" for row in body]).encode("utf-16")


def mt4(bars):
    return lines([], rows(bars, lambda t: f"{server(t):%Y.%m.%d,%H:%M}", ","))


def mt5_python(bars):
    def stamp(when):
        return str(int(server(when).replace(tzinfo=UTC).timestamp()))

    head = "time,open,high,low,close,tick_volume,spread,real_volume"
    return lines([head], [f"{row},25,0" for row in rows(bars, stamp, ",")])


def histdata_ascii(bars):
    body = rows(bars, lambda t: f"{t.astimezone(EST):%Y%m%d %H%M%S}", ";", volume="0")
    return lines([], body)


def histdata_mt(bars):
    return lines([], rows(bars, lambda t: f"{t.astimezone(EST):%Y.%m.%d,%H:%M}", ",", volume="0"))


def ninja(bars):
    end = timedelta(minutes=15)
    return lines([], rows(bars, lambda t: f"{t + end:%Y%m%d %H%M%S}", ";"))


def tradingview_unix(bars):
    body = rows(bars, lambda t: str(int(t.timestamp())), ",")
    return lines(["time,open,high,low,close,Volume,RSI,Plot"], [f"{row},,1.5" for row in body])


def tradingview_iso(bars):
    head = "time,open,high,low,close,Volume"
    return lines([head], rows(bars, lambda t: t.astimezone(NEW_YORK).isoformat(), ","))


def dukascopy_gmt(bars):
    head = "Gmt time,Open,High,Low,Close,Volume"
    return lines([head], rows(bars, lambda t: f"{t:%d.%m.%Y %H:%M:%S}.000", ","))


def dukascopy_local(bars):
    zone = timezone(timedelta(hours=1))
    head = "Local time,Open,High,Low,Close,Volume"
    body = rows(bars, lambda t: f"{t.astimezone(zone):%d.%m.%Y %H:%M:%S}.000 GMT+0100", ",")
    return lines([head], body)


def yfinance(bars):
    head = ["Price,Open,High,Low,Close,Volume", "Ticker,GC=F,GC=F,GC=F,GC=F,GC=F"]
    body = rows(bars, lambda t: f"{t:%Y-%m-%d %H:%M:%S}+00:00", ",")
    return lines([*head, "Datetime,,,,,"], body)


def pandas(bars):
    head = ",open,high,low,close,volume"
    return lines([head], rows(bars, lambda t: f"{t:%Y-%m-%d %H:%M:%S}+00:00", ","))


def candles(bars, colon, *, newest_first):
    def stamp(when):
        text = when.astimezone(KOLKATA).isoformat()
        return text if colon else text[:-3] + text[-2:]

    found = [[stamp(bar[0]), *bar[1:6], 0][: 7 if newest_first else 6] for bar in bars]
    found = found[::-1] if newest_first else found
    return json.dumps({"status": "success", "data": {"candles": found}})


def kite(bars):
    return candles(bars, False, newest_first=False)


def upstox(bars):
    return candles(bars, True, newest_first=True)


def kite_sdk(bars):
    keys = ("date", "open", "high", "low", "close", "volume")
    stamped = [(bar[0].astimezone(KOLKATA).isoformat(sep=" "), *bar[1:6]) for bar in bars]
    return json.dumps([dict(zip(keys, bar, strict=True)) for bar in stamped])


# file name, writer, dialect as reported, side of the stamps, side of the price
DIALECTS = {
    "MT5": ("XAUUSD_M15.csv", mt5, "MT5 export", "start", "bid"),
    "MT5 chart": ("XAUUSDM15.csv", mt5_chart, "MT5 chart file", "start", "bid"),
    "MT4": ("XAUUSD15.csv", mt4, "MT4 history export", "start", "bid"),
    "MT5 Python": ("xauusd.csv", mt5_python, "MetaTrader5 Python rates", "start", "bid"),
    "HistData": (
        "DAT_ASCII_XAUUSD_M1_2024.csv", histdata_ascii, "HistData ASCII M1", "start", "bid",
    ),
    "HistData renamed": ("xauusd.csv", histdata_ascii, "HistData ASCII M1", "start", "bid"),
    "HistData NT": (
        "DAT_NT_XAUUSD_M1_2024.csv", histdata_ascii, "HistData NinjaTrader M1", "start", "bid",
    ),
    "HistData MT": (
        "DAT_MT_XAUUSD_M1_2024.csv", histdata_mt, "HistData MetaTrader M1", "start", "bid",
    ),
    "NinjaTrader": ("GC 04-24.Last.txt", ninja, "NinjaTrader export", "end", "last"),
    "TradingView": (
        "OANDA_XAUUSD, 15.csv", tradingview_unix, "TradingView export", "start", "bid",
    ),
    "TradingView ISO": (
        "COMEX_GC1!, 15.csv", tradingview_iso, "TradingView export", "start", "last",
    ),
    "Dukascopy": (
        "XAUUSD_Candlestick_15_M_ASK_01.01.2024-31.03.2024.csv",
        dukascopy_gmt, "Dukascopy CSV", "start", "ask",
    ),
    "Dukascopy local": ("XAUUSD_BID.csv", dukascopy_local, "Dukascopy CSV", "start", "bid"),
    "yfinance": ("GC=F.csv", yfinance, "CSV", "start", "last"),
    "pandas": ("gold.csv", pandas, "pandas CSV", "start", "bid"),
    "Kite": ("xauusd.json", kite, "Kite JSON", "start", "last"),
    "Upstox": ("xauusd.json", upstox, "Upstox JSON", "start", "last"),
    "Kite SDK": ("xauusd.json", kite_sdk, "JSON objects", "start", "bid"),
}  # fmt: skip


def put(folder, name, text):
    path = Path(folder) / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def gold_bars(days=4, first=datetime(2024, 3, 4, tzinfo=UTC)):
    """Return 15-minute bars inside gold's hours, spread over whole days."""
    found, when = [], first
    while when < first + timedelta(days=days):
        local = when.astimezone(NEW_YORK)
        is_open = local.weekday() < 4 and local.hour != 17
        if is_open or (local.weekday() == 4 and local.hour < 17):
            base = 2000.0 + len(found) % 13
            found.append((when, base, base + 2.5, base - 1.25, base + 0.75, 100.0 + len(found)))
        when += timedelta(minutes=15)
    return found


def written(bar):
    return (int(bar[0].timestamp()) * 10**9, *(round(p, 2) for p in bar[1:5]))


def read(series):
    columns = (series.bars[name].tolist() for name in ("start", "open", "high", "low", "close"))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("case", DIALECTS.values(), ids=DIALECTS)
def test_a_maker_s_file_is_recognised_and_gives_the_bars_that_were_written(tmp_path, case):
    name, write, dialect, stamp, side = case
    bars = gold_bars()

    series = feeds.load(put(tmp_path, name, write(bars)))

    assert read(series) == [written(bar) for bar in bars]
    facts = series.source
    assert (facts["dialect"], facts["stamp"], facts["price_side"]) == (dialect, stamp, side)
    assert facts["zone_sure"]


def test_what_was_understood_is_on_record(tmp_path):
    facts = feeds.load(put(tmp_path, "XAUUSD_M15.csv", mt5(gold_bars()))).source

    assert facts["zone"] == "ny+7"
    assert "daily break 17:00-18:00 New York, sure" in facts["zone_known"]
    assert facts["separator"] == "tab-separated"
    assert facts["stamp_example"] == "2024.03.04 07:00:00"
    assert facts["columns"]["volume"] == "<VOL>"


def test_histdata_stays_in_est_through_the_summer(tmp_path):
    bars = gold_bars(30)  # the clocks change on 10 March 2024

    series = feeds.load(put(tmp_path, "DAT_ASCII_XAUUSD_M1_2024.csv", histdata_ascii(bars)))

    assert series.source["zone"] == "EST"
    assert read(series) == [written(bar) for bar in bars]


def test_est_is_told_from_new_york_in_a_file_that_says_nothing(tmp_path):
    def text(zone):
        body = rows(gold_bars(30), lambda t: f"{t.astimezone(zone):%Y-%m-%d %H:%M:%S}", ",")
        return lines(["datetime,open,high,low,close,volume"], body)

    est = feeds.load(put(tmp_path, "gold.csv", text(EST))).source
    new_york = feeds.load(put(tmp_path, "xauusd.csv", text(NEW_YORK))).source

    assert (est["zone"], new_york["zone"]) == ("EST", "America/New_York")
    assert "through 1 daylight change" in new_york["zone_known"]


def test_counts_from_1970_that_are_a_server_s_clock_are_not_believed(tmp_path):
    text = mt5_python(gold_bars()).replace("tick_volume,spread,real_volume", "volume,x,y")

    with pytest.raises(DataError, match=r"read as ny\+7 they fit: state --tz ny\+7"):
        feeds.load(put(tmp_path, "xauusd.csv", text))


def test_a_server_s_file_too_short_to_tell_asks_for_the_zone(tmp_path):
    path = put(tmp_path, "XAUUSD_M15.csv", mt5(gold_bars()[:20]))

    with pytest.raises(DataError, match=r"--tz ny\+7 or --tz UTC"):
        feeds.load(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("DAT_ASCII_XAUUSD_T_202402.csv", "20240201 000003660,2030.1,2030.4,0\n" * 9, "M1"),
        ("DAT_NT_XAUUSD_T_LAST_202402.csv", "20240201 000003;2030.1;0\n" * 9, "M1"),
        (
            "XAUUSD.csv",
            "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
            + "2024.02.01\t00:00:03.660\t2030.1\t2030.4\t\t\t6\n" * 9,
            "Export Bars",
        ),
        (
            "XAUUSD_Ticks.csv",
            "Gmt time,Ask,Bid,AskVolume,BidVolume\n01.02.2024 00:00:03.660,2030.4,2030.1,1,1\n",
            "candles",
        ),
    ],
)
def test_ticks_are_refused_with_what_to_fetch_instead(tmp_path, name, text, words):
    with pytest.raises(DataError, match="holds ticks") as caught:
        feeds.load(put(tmp_path, name, text))

    assert words in str(caught.value)


def test_the_report_beside_a_histdata_file_is_no_second_file(tmp_path):
    path = tmp_path / "HISTDATA_COM_ASCII_XAUUSD_M12024.zip"
    bars = gold_bars()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("DAT_ASCII_XAUUSD_M1_2024.txt", "Gap of 120s found between ...")
        archive.writestr("DAT_ASCII_XAUUSD_M1_2024.csv", histdata_ascii(bars))

    series = feeds.load(path)

    assert series.source["dialect"] == "HistData ASCII M1"
    assert read(series) == [written(bar) for bar in bars]


def test_a_member_of_an_archive_is_named_behind_it(tmp_path):
    path = tmp_path / "xauusd.zip"
    bars = gold_bars(10)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", mt5(bars[:300]))
        archive.writestr("b.csv", mt5(bars[300:]))

    with pytest.raises(DataError, match=r"2 CSV or TXT files \(a.csv, b.csv\): name one as .*/a"):
        feeds.load(path)
    series = feeds.load(f"{path}/b.csv", symbol="XAUUSD")

    assert read(series) == [written(bar) for bar in bars[300:]]


def test_a_gzip_file_of_two_parts_is_one_text(tmp_path):
    whole = mt5(gold_bars()).encode()
    at = whole.find(b"\n", len(whole) // 2) + 1
    path = put(tmp_path, "XAUUSD.csv.gz", gzip.compress(whole[:at]) + gzip.compress(whole[at:]))

    assert len(feeds.load(path)) == len(gold_bars())


def test_a_workbook_is_sent_back_to_be_saved_as_csv(tmp_path):
    path = tmp_path / "xauusd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("xl/workbook.xml", "")

    with pytest.raises(DataError, match="save the sheet as CSV"):
        feeds.load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"status": "error", "message": "token expired"}', "error reply.*token expired"),
        ('{"status": "success", "data": {"candles": []}}', "JSON without candles"),
        ('{"data": {"candles": [["2024-01-02T09:15:00+0530", 1, 2, 1]]}}', "candle 1: 4 items"),
        ('{"data": {"candles": [["x", 1, 2, 1, 1, 0]]}}', "candle 1: stamp is 'x'"),
        ('[{"date": "2024-01-02T09:15:00+05:30", "open": "a", "high": 2, "low": 1, "close": 1}]',
         "candle 1: open is 'a'"),
        ('[{"when": 1, "open": 1, "high": 2, "low": 1, "close": 1}]', "--columns datetime=KEY"),
        ('{"data": {"candles": [["2024-01-02T09:15', "no sound JSON"),
    ],
)  # fmt: skip
def test_faulty_json_names_the_candle(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        feeds.load(put(tmp_path, "nifty50.json", text))


# Properties: whatever the prices, each writer's file is read back; junk is an error of ours.

PRICE = st.integers(100_000, 300_000).map(lambda cents: cents / 100)


@st.composite
def some_bars(draw):
    first = datetime(2024, draw(st.integers(1, 12)), draw(st.integers(1, 28)), tzinfo=UTC)
    found = []
    for k in range(draw(st.integers(2, 12))):
        a, b, c, d = sorted(draw(st.tuples(PRICE, PRICE, PRICE, PRICE)))
        open_, close = draw(st.permutations((b, c)))
        volume = draw(st.integers(1, 10**9))
        found.append((first + timedelta(minutes=15 * k), open_, d, a, close, float(volume)))
    return found


@pytest.mark.parametrize("case", DIALECTS.values(), ids=DIALECTS)
@given(bars=some_bars())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bars_written_in_a_dialect_are_read_back(tmp_path, case, bars):
    name, write, dialect, stamp, _ = case
    zone = "EST" if dialect.startswith("HistData") else "ny+7"
    zone = "UTC" if dialect.startswith("NinjaTrader") else zone

    series = feeds.load(put(tmp_path, name, write(bars)), tz=_stated(dialect, zone), session="all")

    assert read(series) == [written(bar) for bar in bars]
    assert series.source["stamp"] == stamp


def _stated(dialect, zone):
    """Few bars tell no zone: it is stated where the stamps do not carry it."""
    told = ("TradingView", "Kite", "Upstox", "pandas", "CSV", "JSON", "Dukascopy")
    return None if dialect.startswith(told) else zone


@given(
    junk=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)),
    name=st.sampled_from(("xauusd.csv", "xauusd.json", "xauusd.csv.gz", "xauusd.zip")),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_junk_is_an_error_of_ours_never_a_crash(tmp_path, junk, name):
    with pytest.raises(TolaError):
        feeds.load(put(tmp_path, name, junk), cache=False)


@given(data=st.data(), case=st.sampled_from(list(DIALECTS.values())))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_loads_or_is_an_error_of_ours(tmp_path, data, case):
    name, write, *_ = case
    text = write(gold_bars()[:6])
    whole = bytearray(text if isinstance(text, bytes) else text.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        whole = whole or bytearray(b"x")
    path = put(tmp_path, name, bytes(whole))

    for look in (feeds.load, feeds.check):
        try:
            look(path, tz="UTC")
        except TolaError:
            continue
