"""The report page: one file, works offline, safe, and complete in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.results import RunFolder
from reports import write_report
from reports.html import build_page
from tests.reports.conftest import write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1300,1200", "--virtual-time-budget=4000",
)  # fmt: skip


def open_in_browser(page: Path, profile: Path) -> str:
    """Return the page's document after its script ran, as a real browser built it."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine: the page is not opened in a browser")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


def test_page_names_no_address_and_loads_no_other_file(finished_run: RunFolder):
    page = build_page(finished_run)

    assert re.findall(r"""(?:src|href)\s*=|url\(|https?://|@import|fetch\(""", page) == []


def test_text_from_a_run_cannot_become_markup_or_script(tmp_path: Path):
    run = write_run(tmp_path, title="</script><img src=x onerror=alert(1)>")

    page = build_page(run)

    assert "<img" not in page
    assert page.count("</script>") == 2


def test_browser_fills_the_page_and_shows_every_trade_of_the_plan(
    finished_run: RunFolder, tmp_path: Path
):
    page = write_report(finished_run)

    shown = open_in_browser(page, tmp_path / "profile")

    assert 'data-ready="yes"' in shown
    assert "22 of 22 trades" in shown
    assert "no edge shown" in shown
    assert re.search(r"<td[^>]*>sweep_choch</td>", shown)


def test_long_runs_keep_only_visible_rows_in_the_table(tmp_path: Path):
    run = write_run(tmp_path / "runs", count=60_000, every=20)

    shown = open_in_browser(write_report(run), tmp_path / "profile")

    assert "2996 of 2996 trades" in shown
    assert shown.count("<td") < 2_000


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
