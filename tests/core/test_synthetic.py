"""Made-up prices: the same from the same seed, in the market's hours, with its manners."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from core.calendar import get_calendar
from core.synthetic import DOLLAR, GOLD, NIFTY, NOTE, generate
from feeds.bundle import samples

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def gold():
    return generate(GOLD, date(2024, 1, 2), date(2024, 6, 28), 1)


@pytest.fixture(scope="module")
def nifty():
    return generate(NIFTY, date(2024, 7, 1), date(2024, 9, 30), 2)


def test_a_seed_gives_its_bars_again_and_another_seed_others(nifty):
    again = generate(NIFTY, date(2024, 7, 1), date(2024, 9, 30), 2)
    other = generate(NIFTY, date(2024, 7, 1), date(2024, 9, 30), 3)

    assert again.bars.tobytes() == nifty.bars.tobytes()
    assert other.bars.tobytes() != nifty.bars.tobytes()


@pytest.mark.parametrize("market", ["gold", "nifty"])
def test_every_bar_is_sound_and_on_the_tick(market, request):
    path = request.getfixturevalue(market)
    bars, tick = path.bars, path.recipe.tick

    assert (bars["low"] > 0).all()
    for name in ("open", "close"):
        assert (bars[name] <= bars["high"]).all()
        assert (bars[name] >= bars["low"]).all()
        steps = bars[name] / tick
        assert np.abs(steps - np.round(steps)).max() < 1e-6
    assert (bars["volume"] >= 1).all()


def test_gold_has_no_bar_in_its_daily_break_and_nifty_keeps_the_nse_day(gold, nifty):
    assert not (gold.bars["minute"] // 60 == 17).any()
    assert nifty.bars["minute"].min() == 9 * 60 + 15
    assert nifty.bars["minute"].max() == 15 * 60 + 29
    sessions = get_calendar("NSE").sessions(date(2024, 7, 1), date(2024, 9, 30))
    assert len(np.unique(nifty.bars["day"])) == len(sessions)


def test_volatility_clusters_and_returns_do_not(gold):
    close = gold.bars["close"][14::15]
    returns = np.diff(np.log(close))

    size = np.abs(returns)
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.1
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.08
    assert 0.08 < returns.std() * np.sqrt(92 * 252) < 0.25


def test_new_york_s_morning_is_louder_than_its_evening(gold):
    span = gold.bars["high"] - gold.bars["low"]
    hour = gold.bars["minute"] // 60

    assert span[hour == 9].mean() > 1.7 * span[hour == 18].mean()


def test_a_new_session_opens_away_from_the_old_close(nifty):
    first = np.flatnonzero(np.diff(nifty.bars["day"])) + 1
    gaps = np.abs(nifty.bars["open"][first] / nifty.bars["close"][first - 1] - 1)
    inside = np.abs(nifty.bars["open"][1:] / nifty.bars["close"][:-1] - 1)

    assert np.median(gaps) > 20 * max(np.median(inside), 1e-6)


def test_yesterday_s_extremes_are_swept_and_as_often_held_as_given_back(gold):
    days = np.unique(gold.bars["day"])
    highs = [gold.bars["high"][gold.bars["day"] == day].max() for day in days]
    closes = [gold.bars["close"][gold.bars["day"] == day][-1] for day in days]
    broken = [
        (close > before)
        for before, high, close in zip(highs, highs[1:], closes[1:], strict=False)
        if high > before
    ]

    assert len(broken) > 25
    assert 0.25 < np.mean(broken) < 0.75


def test_the_dollar_leans_against_gold(gold):
    dollar = generate(DOLLAR, date(2024, 1, 2), date(2024, 6, 28), 4, follow=gold)
    hour = 3_600_000_000_000

    closes = []
    for bars in (gold.bars, dollar.bars):
        last = np.flatnonzero(np.diff(bars["start"] // hour, append=-1))
        closes.append(
            dict(zip((bars["start"][last] // hour).tolist(), bars["close"][last], strict=True))
        )
    common = sorted(closes[0].keys() & closes[1].keys())
    returns = [np.diff(np.log([close[h] for h in common])) for close in closes]

    assert np.corrcoef(*returns)[0, 1] < -0.3


def test_the_bundled_files_are_what_the_generator_makes_and_what_the_note_says():
    rows = r"\| (\S+\.csv\.gz) \|.* ([\d,]+) rows \|.*\| ([0-9a-f]{64}) \|"
    noted = {
        name: (int(count.replace(",", "")), digest)
        for name, count, digest in re.findall(rows, (DATA / "README.md").read_text())
    }

    made = samples()

    assert made.keys() == noted.keys()
    for name, text in made.items():
        above = 2  # the note and the header
        assert (text.count(b"\n") - above, hashlib.sha256(text).hexdigest()) == noted[name], name
        assert gzip.decompress((DATA / name).read_bytes()) == text, name
        assert text.startswith(f"# {NOTE}".encode())
