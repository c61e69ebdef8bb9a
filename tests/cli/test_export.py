"""`export` from the command line: columns, sums, dates, formats, and what stands in the way."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.cli.run_samples import make_runs
from tests.cli.test_next_step import parses

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("commission", "brokerage", "stt", "ctt", "exchange", "sebi", "stamp", "gst", "swap")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_runs(folder)
    return folder


@pytest.fixture
def runs(made, tmp_path):
    """The finished runs, in the working folder; a test may damage them."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return tmp_path / "runs"


def rows(path):
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def total(table, column):
    return sum((Decimal(row[column]) for row in table), Decimal(0))


def documented(table):
    """Return the columns that docs/export.md names for a table, in its order of sections."""
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^### (.+?)\n(.*?)(?=^###|\Z)", text, re.MULTILINE | re.DOTALL))
    names = re.findall(r"^\| (`.+?) \|", parts["Every table"] + parts[table], re.MULTILINE)
    found = {name for cell in names for name in re.findall(r"`(\w+)`", cell)}
    return found if table == "equity" else found | {"plan", "instrument", "quote_currency"}


@pytest.mark.parametrize("table", ["trades", "fills", "orders", "equity"])
def test_the_documented_columns_are_those_of_the_file(tola, runs, table):
    assert tola("export", table, "--run", "4").code == 0

    head = Path(f"runs/0004/export/{table}.csv").read_text().splitlines()[0].split(",")

    assert set(head) == documented(table)
    assert head[:4] == ["run", "mode", "account", "currency"]


def test_trades_add_up_to_the_summary_to_the_cent(tola, runs):
    said = tola("export", "trades", "fills", "--run", "4", "--json")

    document = json.loads(said.out)
    summary = json.loads((runs / "0004" / "summary.json").read_text())
    trades, fills = rows("runs/0004/export/trades.csv"), rows("runs/0004/export/fills.csv")
    assert said.code == 0
    assert all(check["adds_up"] for check in document["checks"])
    for plan in summary["plans"]:
        mine = [row for row in fills if row["plan"] == plan["plan_id"]]
        for kind in KINDS:
            assert float(total(mine, f"cost_{kind}")) == round(plan["costs"].get(kind, 0.0), 2)
    for account in summary["accounts"]:
        mine = [row for row in trades if row["account"] == account["account"]]
        plans = [p for p in summary["plans"] if p["account"] == account["account"]]
        open_rows = [row for plan in plans for row in plan["open_positions"]]
        still = sum(row["open_pnl"] + row["realised"] - row["costs"] for row in open_rows)
        assert float(total(mine, "pnl")) == pytest.approx(account["net_profit"] - still, abs=0.01)


def test_in_each_row_kinds_add_up_to_costs_and_gross_less_costs_is_net(tola, runs):
    tola("export", "trades", "--run", "4")

    table = rows("runs/0004/export/trades.csv")

    assert {row["account"] for row in table} == {"home", "abroad"}
    assert any(Decimal(row["cost_swap"]) for row in table)
    assert any(Decimal(row["cost_stt"]) for row in table)
    for row in table:
        paid = sum(Decimal(row[f"cost_{kind}"]) for kind in (*KINDS, "other"))
        assert paid == Decimal(row["costs"])
        assert Decimal(row["gross_pnl"]) - paid == Decimal(row["pnl"])


def test_every_amount_is_the_runs_own_to_a_cent(tola, runs):
    tola("export", "trades", "--run", "1")

    ours = rows("runs/0001/export/trades.csv")
    theirs = pd.read_csv("runs/0001/trades.csv")

    assert [row["trade_id"] for row in ours] == [str(i) for i in theirs["trade_id"]]
    for row, pnl, costs in zip(ours, theirs["pnl"], theirs["costs"], strict=True):
        assert float(row["pnl"]) == pytest.approx(pnl, abs=0.0101)
        assert float(row["costs"]) == pytest.approx(costs, abs=0.0301)
        assert row["exchange_rate"] == "83.123457"


def test_financial_years_follow_the_accounts_currency_unless_told(tola, runs):
    tola("export", "trades", "--run", "4")
    own = rows("runs/0004/export/trades.csv")
    tola("export", "trades", "--run", "4", "--fy", "calendar")
    told = rows("runs/0004/export/trades.csv")

    years = {(row["account"], row["trading_date"][:7]): row["financial_year"] for row in own}
    assert years == {
        ("home", "2025-03"): "FY2024-25", ("home", "2025-04"): "FY2025-26",
        ("abroad", "2025-03"): "2025",
    }  # fmt: skip
    assert {row["financial_year"] for row in told} == {"2025"}


def test_an_exit_after_the_evening_open_belongs_to_the_next_trading_date(tola, runs):
    tola("export", "trades", "--run", "1")

    (row,) = [r for r in rows("runs/0001/export/trades.csv") if r["trade_id"] == "3"]

    assert row["exit_time"] == "2025-03-04T01:15:00Z"
    assert row["exit_time_local"] == "2025-03-03 20:15:00"
    assert row["trading_date"] == "2025-03-04"
    assert row["holding_minutes"] == "330"
    assert row["exits"] == "0.37 @ 2904 exit"


def test_the_range_is_of_exit_dates_and_its_parts_add_up_to_the_whole(tola, runs):
    tola("export", "trades", "--run", "1", "--out", "all.csv")
    tola("export", "trades", "--run", "1", "--to", "2025-03-03", "--out", "one.csv")
    tola("export", "trades", "--run", "1", "--from", "2025-03-04", "--out", "two.csv")

    whole = rows("all.csv")

    assert rows("one.csv") + rows("two.csv") == whole
    assert {row["trading_date"] for row in rows("one.csv")} == {"2025-03-03"}


def test_turnover_is_given_for_indian_futures_only(tola, runs):
    tola("export", "trades", "--run", "4")

    for row in rows("runs/0004/export/trades.csv"):
        indian = row["instrument"] == "NIFTY-FUT"
        assert row["fo_turnover"] == (row["gross_pnl"].lstrip("-") if indian else "")


def test_a_nights_swap_is_a_row_of_its_own_among_the_fills(tola, runs):
    tola("export", "fills", "--run", "1")

    nights = [row for row in rows("runs/0001/export/fills.csv") if row["reason"] == "swap"]

    assert nights
    for row in nights:
        assert (row["side"], row["leg"], row["price"]) == ("", "", "")
        assert row["cost_swap"] == row["costs"] != "0.00"


def test_a_workbook_has_a_summary_real_numbers_and_dates_and_frozen_headers(tola, runs):
    said = tola("export", "all", "--run", "4", "--out", "journal.xlsx")

    assert said.code == 0
    assert said.out.startswith("wrote journal.xlsx: ")
    with ZipFile("journal.xlsx") as book:
        names = re.findall(r'<sheet name="(\w+)"', book.read("xl/workbook.xml").decode())
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet2.xml"))
        styles = book.read("xl/styles.xml").decode()
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    cells = sheet.findall("m:sheetData/m:row", space)[1].findall("m:c", space)
    kinds = [cell.get("t", "n") for cell in cells]
    head = rows_head(tola)
    assert names == ["summary", "trades", "fills", "orders", "equity"]
    assert sheet.find(".//m:pane", space).get("ySplit") == "1"
    assert kinds[head.index("pnl")] == kinds[head.index("trading_date")] == "n"
    day = float(cells[head.index("trading_date")].find("m:v", space).text)
    assert date(1899, 12, 30).toordinal() + day == date(2025, 3, 3).toordinal()
    assert "yyyy-mm-dd hh:mm:ss" in styles


def rows_head(tola):
    tola("export", "trades", "--run", "4", "--out", "head.csv")
    return Path("head.csv").read_text().splitlines()[0].split(",")


def test_parquet_is_typed(tola, runs):
    tola("export", "trades", "--run", "1", "--format", "parquet")

    schema = pq.read_schema("runs/0001/export/trades.parquet")

    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert kinds["exit_time"] == "timestamp[us, tz=UTC]"
    assert kinds["exit_time_local"] == "timestamp[us]"
    assert kinds["trading_date"] == "date32[day]"
    assert kinds["pnl"] == "double"
    assert kinds["ambiguous"] == "bool"


def test_a_text_that_looks_like_a_formula_stays_text(tola, runs):
    table = pd.read_csv("runs/0001/trades.csv")
    table["pattern"] = '=HYPERLINK("x","y"), a'
    table.to_csv("runs/0001/trades.csv", index=False)

    assert tola("export", "trades", "--run", "1").code == 0
    assert tola("export", "trades", "--run", "1", "--format", "xlsx").code == 0

    assert {row["pattern"] for row in rows("runs/0001/export/trades.csv")} == {
        '\'=HYPERLINK("x","y"), a'
    }
    with ZipFile("runs/0001/export/trades.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet2.xml")
        assert "=HYPERLINK" in book.read("xl/sharedStrings.xml").decode()


def test_a_range_is_named_in_the_file(tola, runs):
    tola("export", "all", "--run", "1", "--to", "2025-03-03", "--format", "xlsx", "--out", ".")
    tola("export", "trades", "--run", "1", "--from", "2025-03", "--to", "2025-03")

    assert Path("0001-all_to_2025-03-03.xlsx").is_file()
    assert Path("runs/0001/export/trades_2025-03-01_2025-03-31.csv").is_file()


def test_several_tables_go_into_a_folder(tola, runs):
    Path("here").mkdir()

    said = tola("export", "orders", "equity", "--run", "-7", "--out", "here", "--json")

    document = json.loads(said.out)
    files = {file["table"]: file for file in document["files"]}
    assert sorted(path.name for path in Path("here").iterdir()) == [
        "0001-equity.csv", "0001-orders.csv",
    ]  # fmt: skip
    assert files["orders"]["rows"] == len(pd.read_csv("runs/0001/orders.csv"))
    assert {row["parent_id"] for row in rows("here/0001-orders.csv")} > {""}


WRONG = {
    "format": (["trades", "--format", "xls"], "--format 'xls'; did you mean 'xlsx'?"),
    "table": (["trade"], "export 'trade'; did you mean 'trades'?"),
    "run": (["trades", "--run", "99"], "unknown run '99'"),
    "dates": (["trades", "--from", "2025-04", "--to", "2025-03"], "exchange them"),
    "date": (["trades", "--from", "April"], "--from April: expected a date: 2025, 2025-09"),
    "year": (["trades", "--fy", "uk"], "--fy uk: expected india or calendar"),
    "empty": (["trades", "--from", "2026"], "its 7 lie between 2025-03-03 and 2025-03-05"),
    "folder": (["trades", "--out", "gone/trades.csv"], "gone: no such folder; make it"),
    "below a file": (["trades", "--out", "tola.txt/trades.csv"], "tola.txt: no such folder"),
    "no folder": (["trades", "--out", "gone/"], "--out gone/: no such folder; make it"),
    "one file": (["trades", "fills", "--out", "both.csv"], "2 tables make 2 csv files"),
    "ending": (["trades", "--out", "a.csv", "--format", "xlsx"], "named .csv, but --format"),
    "own": (["trades", "--out", "runs/0001/trades.csv"], "is the run's own file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_gets_one_line_with_the_remedy_and_leaves_nothing(tola, runs, case):
    words, text = WRONG[case]
    Path("tola.txt").write_text("")
    before = sorted(Path().rglob("*"))

    said = tola("export", *(["--run", "1"] if "--run" not in words else []), *words)

    assert said.code == 2
    assert text in said.error
    assert [path for path in sorted(Path().rglob("*")) if path.name != "export"] == before


def test_a_run_without_trades_says_so(tola, runs):
    path = runs / "0001" / "trades.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")

    said = tola("export", "trades", "--run", "1")

    assert said.code == 2
    assert "run 0001 has no trades: nothing to export" in said.error


def test_a_folder_without_rights_is_named(tola, runs, monkeypatch):
    def refuse(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refuse)

    said = tola("export", "trades", "--run", "1", "--out", "trades.csv")

    assert said.code == 2
    assert "cannot write there (Permission denied); choose a folder with --out" in said.error
    assert not Path("trades.csv").exists()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_full_disk_leaves_the_older_file_and_no_half_of_the_new(runs, tmp_path, kind):
    target = tmp_path / f"trades.{kind}"
    target.write_text("older")
    program = (
        "import resource, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        f"sys.exit(run.main(['export', 'trades', '--run', '1', '--out', {str(target)!r}]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "could not be written" in done.stderr
    assert "nothing was kept: free space" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert target.read_text() == "older"
    assert not list(tmp_path.glob(".*partial"))


def test_of_several_tables_all_are_written_or_none(tola, runs, tmp_path):
    place = tmp_path / "journal"
    (place / "0001-fills.csv").mkdir(parents=True)
    (place / "0001-trades.csv").write_text("older")

    said = tola("export", "trades", "fills", "--run", "1", "--out", place)

    assert said.code == 2
    assert "0001-fills.csv: is a folder" in said.error
    assert (place / "0001-trades.csv").read_text() == "older"
    assert not list(place.glob(".*partial"))


def test_an_interrupted_run_is_exported_and_said_to_end_early(tola, runs):
    path = runs / "0001" / "summary.json"
    path.write_text(path.read_text().replace('"interrupted": false', '"interrupted": true'))

    said = tola("export", "trades", "--run", "1")

    assert said.code == 0
    assert "note: the run was interrupted: what it holds ends early" in said.out


def test_a_run_of_an_older_version_is_to_be_made_again(tola, runs):
    (runs / "0001" / "ledger.parquet").unlink()

    said = tola("export", "trades", "--run", "1")

    assert said.code == 2
    assert "ledger.parquet is missing" in said.error
    assert "make the run again" in said.error


@pytest.mark.parametrize("name", ["ledger.parquet", "trades.csv", "summary.json"])
def test_a_file_cut_short_is_named(tola, runs, name):
    path = runs / "0001" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 - 5] + b'"')

    said = tola("export", "trades", "--run", "1")

    assert said.code in (1, 2)
    assert name in said.error


def test_books_that_do_not_add_up_are_told_and_fail(tola, runs):
    path = runs / "0001" / "ledger.parquet"
    books = pd.read_parquet(path)
    books.iloc[:-1].to_parquet(path)

    said = tola("export", "trades", "--run", "1")

    assert said.code == 1
    assert "home: the run does NOT add up" in said.out


@pytest.mark.parametrize("words", ["trades", "all --format xlsx", "fills orders --out ."])
def test_the_next_line_ends_with_a_command_that_parses(tola, runs, words):
    parses(tola("export", *words.split(), "--run", "1").out.splitlines()[-1])
