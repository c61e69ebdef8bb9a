"""The report page: one file, works offline, safe, and complete in a real browser."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.results import RunFolder
from reports import write_report
from reports.html import build_page
from tests.reports.browser import Browser
from tests.reports.conftest import write_run

SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def figures(shown: str) -> dict[str, float]:
    """Return the figures above the table, in full precision."""
    return {
        name: float(value)
        for name, value in re.findall(r'data-figure="([\w-]+)" data-value="(-?[\d.]+)"', shown)
    }


def text_of(shown: str) -> str:
    """Return a document's text without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def test_page_names_no_address_and_loads_no_other_file(finished_run: RunFolder):
    page = build_page(finished_run).replace(SVG_NAMESPACE, "")

    assert re.findall(r"""src\s*=|url\(|https?://|@import|fetch\(|XMLHttp|WebSocket""", page) == []
    assert set(re.findall(r'href="(.)', page)) == {"#"}


def test_text_from_a_run_cannot_become_markup_or_script(tmp_path: Path, browser: Browser):
    attack = "</script><img src=x onerror=document.title='taken'>"
    run = write_run(tmp_path, title=attack, pattern=attack)
    summary = run.summary
    summary["notes"] = [attack]
    summary["plans"][0] |= {"verdict": attack, "instrument": attack, "refused": {attack: 3}}
    (run.path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")

    page = write_report(run)
    text = page.read_text(encoding="utf-8")
    shown = browser.open(page, "#trade=1")

    assert "<img" not in text
    assert text.count("</script>") == 3
    assert 'data-ready="yes"' in shown
    assert "<title>taken" not in shown
    assert "<img" not in shown
    assert shown.count(f"{attack.replace('<', '&lt;').replace('>', '&gt;')}</td>") > 0


def test_browser_fills_the_page_and_shows_every_trade_of_the_run(
    finished_run: RunFolder, tmp_path: Path, browser: Browser
):
    page = write_report(finished_run)

    shown = browser.open(page)

    assert 'data-ready="yes"' in shown
    assert "22 of 22 trades" in shown
    assert "No edge shown" in shown
    assert re.search(r"<td[^>]*>sweep_choch</td>", shown)


def test_an_address_opens_one_trade_with_its_setup_fills_and_moved_stop(
    finished_run: RunFolder, tmp_path: Path, browser: Browser
):
    trade = finished_run.trades.set_index("trade_id").loc[4]
    page = write_report(finished_run)

    shown = browser.open(page, "#trade=4")
    detail = text_of(shown[shown.index('id="detail"') : shown.index("</aside>")])

    entered = trade["entry_time"].tz_convert("America/New_York")
    assert "Trade 4: short" in detail
    assert f"{trade['entry_price']:.2f} {entered.day} {entered:%b %Y %H:%M}" in detail
    assert f"setup close of {(entered - pd.Timedelta('30min')).day} " in detail
    assert "planned" in detail
    assert f"→ {trade['entry_price']:.2f} from" in detail
    assert "-1.05 R" not in detail
    assert "−1.05 R" in detail
    assert "ambiguous" in detail
    assert detail.count("3.00") == 2


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("#side=long&result=lost", "side == 'long' and pnl < 0"),
        ("#pattern=breaker&exit=target&rmin=1", "pattern == 'breaker' and r_multiple >= 1"),
        ("#from=2024-01-05&to=2024-01-12", "'2024-01-05' <= day <= '2024-01-12'"),
        ("#ambiguous=yes", "ambiguous == 1"),
    ],
    ids=["side and result", "pattern, exit and R", "dates", "ambiguous"],
)
def test_figures_follow_the_filters_and_equal_those_of_the_table(
    finished_run: RunFolder, tmp_path: Path, address: str, query: str, browser: Browser
):
    trades = finished_run.trades
    trades["day"] = trades["entry_time"].dt.strftime("%Y-%m-%d")
    wanted = trades.query(query)
    if "exit=target" in address:
        wanted = wanted[wanted["exit_reason"] == "target"]
    assert 0 < len(wanted) < len(trades)

    shown = figures(browser.open(write_report(finished_run), address))

    won, lost = wanted[wanted["pnl"] > 0], wanted[wanted["pnl"] < 0]
    losing = (wanted.sort_values("exit_time")["pnl"] < 0).astype(int)
    longest = losing.groupby((losing == 0).cumsum()).sum().max()
    assert shown["trades"] == len(wanted)
    assert shown["net"] == pytest.approx(wanted["pnl"].sum())
    assert shown["costs"] == pytest.approx(wanted["costs"].sum())
    assert shown["winners"] == pytest.approx(len(won) / len(wanted))
    assert shown["mean-r"] == pytest.approx(wanted["r_multiple"].mean())
    assert shown["longest"] == longest
    if len(won) and len(lost):
        assert shown["factor"] == pytest.approx(won["pnl"].sum() / -lost["pnl"].sum())


def test_the_button_gives_the_filtered_rows_as_they_stand_in_trades_csv(
    finished_run: RunFolder, tmp_path: Path, browser: Browser
):
    browser.open(write_report(finished_run), "#side=short")
    browser.run("""URL.createObjectURL = (file) => {
        file.text().then((text) => { window.saved = text; });
        return "#trade=1";
    }; document.getElementById("trades-csv").click();""")
    browser.wait_for("window.saved !== undefined")

    lines = (finished_run.path / "trades.csv").read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(line for line in lines[1:] if ",short," in line)]
    assert browser.run("window.saved").splitlines() == kept


def test_long_runs_stay_small_and_keep_only_visible_rows_in_the_table(
    tmp_path: Path, browser: Browser
):
    run = write_run(tmp_path / "runs", count=20_000, every=20, zone_every=6)
    page = write_report(run)

    shown = browser.open(page)

    assert f"{len(run.trades)} of {len(run.trades)} trades" in shown
    assert shown.count("<td") < 3_000
    assert page.stat().st_size < 400_000


@pytest.mark.parametrize("count", [75, 130], ids=["no trade", "one trade"])
def test_runs_with_hardly_a_trade_open_without_an_error(
    tmp_path: Path, count: int, browser: Browser
):
    run = write_run(tmp_path / "runs", count=count)
    assert len(run.trades) == (count > 100)

    shown = browser.open(write_report(run))

    assert 'data-ready="yes"' in shown
    assert shown.count("<tr data-place=") == (count > 100)


def test_a_page_that_cannot_be_written_leaves_no_half_of_it(finished_run, monkeypatch):
    def fill_the_disk(path, text, encoding):
        path.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    before = {path.name for path in finished_run.path.iterdir()} - {"report.html"}
    (finished_run.path / "report.html").unlink(missing_ok=True)
    monkeypatch.setattr("pathlib.Path.write_text", fill_the_disk)

    with pytest.raises(OSError, match="No space"):
        write_report(finished_run)

    assert {path.name for path in finished_run.path.iterdir()} == before


def test_prices_of_the_page_are_those_of_the_file(finished_run: RunFolder, browser: Browser):
    browser.open(write_report(finished_run))

    shown = browser.run("""(() => {
        const { bars } = page.run.plans[0], lists = { start: [...bars.start] };
        for (const name of ["open", "high", "low", "close"]) lists[name] = [...bars[name]];
        return lists;
    })()""")

    bars = finished_run.bars("gold")
    assert shown.pop("start") == (bars["start"] // 10**9).tolist()
    for name, steps in shown.items():
        assert steps == np.rint(bars[name] * 100).astype(int).tolist()


def test_keys_and_clicks_go_through_the_trades_shown(finished_run: RunFolder, browser: Browser):
    browser.open(write_report(finished_run), "#side=short&trade=4")
    chosen = "document.querySelector('#trade-rows .chosen').cells[0].textContent"

    browser.run(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key:'n', bubbles:true}))"
    )
    after_key = browser.run(chosen)
    browser.run("document.querySelector('#trade-rows tr[data-place=\"0\"]').click()")

    assert after_key == "6"
    assert browser.run(chosen) == "2"
    assert browser.run("location.hash") == "#trade=2&side=short"


def test_a_link_to_a_section_leaves_filters_and_trade_as_they_are(
    finished_run: RunFolder, browser: Browser
):
    browser.open(write_report(finished_run), "#side=short&trade=4")

    browser.run("document.querySelector('nav a[href=\"#equity\"]').click()")
    browser.wait_for("location.hash === '#equity'")
    browser.run("new Promise((done) => setTimeout(done, 50))")

    assert browser.run("document.getElementById('filter-count').textContent") == "11 of 22 trades"
    assert browser.run("page.book.chosen.id") == 4


def test_a_strategy_without_stops_and_patterns_is_shown_in_money(tmp_path: Path, browser: Browser):
    run = write_run(tmp_path / "runs", is_plain=True)

    shown = browser.open(write_report(run), "#trade=2&pattern=none&side=short")

    found = figures(shown)
    assert found["trades"] == 11
    assert found["net"] == pytest.approx(run.trades.query("side == 'short'")["pnl"].sum())
    assert found["mean-money"] == pytest.approx(found["net"] / 11)
    assert "mean-r" not in found
    assert "no trade with a stop" in shown
