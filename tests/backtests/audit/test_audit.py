"""The audit: every planted leak is caught with its line and first bar, honest code passes."""

from __future__ import annotations

import gzip
import inspect
import sys
from pathlib import Path

import pytest

from backtests.audit import audit
from backtests.audit.files import opened_files
from backtests.audit.telling import document, lines, page_content
from backtests.resolve import resolve
from backtests.runner import load_account
from backtests.verbs.progress import Progress
from core.errors import DataError, StrategyError
from reports.study import write_study

LEAKS = Path(__file__).with_name("leaks.py")
ROOT = Path(__file__).resolve().parents[3]
BARS = 400


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "XAUUSD_15m.csv"
    with gzip.open(ROOT / "data" / "xauusd_15m_synthetic.csv.gz", "rt") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        path.write_text("".join(next(lines) for _ in range(BARS + 1)))
    return path


def audited(strategy, prices, *, cuts=4, **flags):
    name = f"{LEAKS}:{strategy}" if strategy[0].isupper() else strategy
    given = {"data": [str(prices)], "instrument": "XAUUSD", **flags}
    with opened_files() as opened:
        request = resolve([name], given, "tola.toml")
        loaded = load_account(request.accounts[0], request)[0]
        return audit(request.accounts[0], loaded, request.settings,
                     Progress(sys.stderr, wanted=False), opened=opened, cuts=cuts)  # fmt: skip


def leaking_lines(name):
    """Return the lines marked LEAK in a strategy, or in what it uses."""
    import tests.backtests.audit.leaks as leaks

    used = {"Repainting": "Repainted"}.get(name, name)
    text, first = inspect.getsourcelines(getattr(leaks, used))
    return [first + k for k, line in enumerate(text) if "# LEAK" in line]


def first_rise(closes):
    """Return the first bar whose successor closes higher: what the next close changes first."""
    return next(i for i, close in enumerate(closes) if closes[i + 1] > close)


FIRST_BARS = {
    "at once": lambda closes: 0,
    "first rise": first_rise,
    "below the last": lambda closes: next(i for i, c in enumerate(closes) if closes[-1] > c),
    "below the top": lambda closes: next(i for i, c in enumerate(closes) if c < max(closes) - 8.0),
}


@pytest.mark.parametrize(
    ("name", "kind", "first"),
    [
        ("NextClose", "reads_ahead", "at once"),
        ("BeforeTheFirst", "reads_ahead", "at once"),
        ("CaughtError", "decision", "first rise"),
        ("Records", "decision", "first rise"),
        ("Shifted", "decision", "first rise"),
        ("LineArray", "decision", "below the last"),
        ("WholeArray", "decision", "below the top"),
        ("ForwardLine", "rewritten", None),
        ("Repainting", "rewritten", None),
    ],
)
def test_a_planted_leak_is_caught_with_its_line_and_the_first_bar(name, kind, first, prices):
    rows = [row.split(",") for row in prices.read_text().splitlines()[1:]]

    done = audited(name, prices)

    found = done.findings[0]
    assert found.kind == kind
    assert found.file.endswith("leaks.py")
    assert found.line in leaking_lines(name)
    if first is not None:
        bar = FIRST_BARS[first]([float(row[4]) for row in rows])
        assert found.bar == rows[bar][0].replace(" ", "T") + "Z"


def test_a_run_by_backtraders_own_fills_is_audited_alike(prices):
    honest = audited("Honest", prices, cuts=2, fills="backtrader")
    leaking = audited("CaughtError", prices, cuts=2, fills="backtrader")

    assert honest.is_clean
    assert honest.prefixes == BARS
    assert leaking.findings[0].line in leaking_lines("CaughtError")


def test_reading_the_price_file_is_caught_where_it_is_read(prices):
    done = audited("ReadsFile", prices, params=[f"file={prices}"])

    assert [item.kind for item in done.findings] == ["reads_file"]
    assert done.findings[0].line in leaking_lines("ReadsFile")
    assert prices.name in done.findings[0].what


def test_a_leaking_line_that_nothing_follows_from_is_told_so(prices):
    done = audited("UnusedForwardLine", prices)

    assert [item.kind for item in done.findings] == ["rewritten"]
    assert done.findings[0].line in leaking_lines("UnusedForwardLine")
    assert done.notes == ["no order or attribute of this run followed from what was found"]


def test_honest_code_passes_over_every_prefix_and_cut_file(prices):
    done = audited("Honest", prices)

    assert done.is_clean, [item.describe() for item in done.findings]
    assert (done.prefixes, len(done.cuts)) == (BARS, 4)
    assert done.readings == 3
    assert done.decisions > 20
    assert done.warmup["readings"]["fast.ema"]["settled"] is not None


def test_code_that_needs_all_bars_is_told_and_judged_by_cut_files(prices):
    done = audited("Rolling", prices, cuts=6)

    assert done.is_clean
    assert (done.prefixes, len(done.cuts)) == (0, 6)
    assert any("needs all bars beforehand" in note for note in done.notes)


def test_a_strategy_that_does_not_repeat_itself_is_told_from_a_leak(prices):
    done = audited("Random", prices)

    assert [item.kind for item in done.findings] == ["not_repeatable"]


def test_an_error_of_the_strategy_is_its_own_and_no_finding(prices):
    with pytest.raises(StrategyError, match=r"leaks\.py:\d+: ValueError: no such day"):
        audited("Broken", prices)


def test_a_setup_machine_passes_with_its_facts_and_setups(prices):
    done = audited("breakout", prices)

    assert done.is_clean, [item.describe() for item in done.findings]
    assert done.prefixes == BARS
    assert done.decisions > 0
    assert done.warmup["is_declared"]
    assert done.warmup["setups_differ"] == 0


def test_leaks_lose_their_edge_a_bar_late_and_the_words_say_so(prices):
    done = audited("CaughtError", prices)

    assert done.before["profit_factor"] > 5 > 1.5 > done.after["profit_factor"]
    assert done.delay.startswith("the edge hangs on the very bar")
    assert "profit factor" in lines(done)[0]


def test_few_bars_are_refused(prices, tmp_path):
    short = tmp_path / "XAUUSD_15m.csv"
    short.write_text("\n".join(prices.read_text().splitlines()[:30]))

    with pytest.raises(DataError, match="too few for an audit"):
        audited("Honest", short)


def test_the_page_stands_alone_and_names_the_finding(prices, tmp_path):
    done = audited("ForwardLine", prices)
    identity = {"instrument": "XAUUSD", "timeframe": "15m", "code_version": "1", "data": ["ab"]}

    files = write_study(page_content(done, document(done, identity)), tmp_path / "audit")

    page = Path(files["report"]).read_text()
    assert done.findings[0].place in page
    assert "src=" not in page
    assert "Equity <small>USD</small>" in page
    assert "http" not in page.replace("http-equiv", "")
    assert Path(files["plots"][0]).read_bytes().startswith(b"\x89PNG")
