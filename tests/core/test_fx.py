from __future__ import annotations

import numpy as np
import pytest

from core.bars import BAR, Series
from core.errors import ConfigError
from core.fx import find_rate

DAY = 86_400 * 10**9


def pair(*closes: float) -> Series:
    bars = np.zeros(len(closes), BAR)
    bars["start"] = np.arange(len(closes)) * DAY
    bars["end"] = bars["start"] + DAY
    bars["close"] = closes
    return Series("USDINR", DAY, bars)


def test_equal_currencies_need_no_rate() -> None:
    rate = find_rate("USD", "USD")

    assert rate.at(0) == 1.0
    assert not rate.is_stale(10**18)


def test_a_constant_serves_both_ways_round() -> None:
    assert find_rate("USD", "INR", {"USDINR": 80.0}).at(5) == 80.0
    assert find_rate("INR", "USD", {"USDINR": 80.0}).at(5) == 1 / 80.0


def test_a_rate_is_known_only_from_its_bars_end() -> None:
    rate = find_rate("USD", "INR", {"USDINR": pair(80.0, 81.0, 82.0)})

    assert rate.at(2 * DAY - 1) == 80.0
    assert rate.at(2 * DAY) == 81.0
    assert find_rate("INR", "USD", {"USDINR": pair(80.0, 81.0)}).at(2 * DAY) == 1 / 81.0


def test_a_series_not_begun_or_stopped_is_stale() -> None:
    rate = find_rate("USD", "INR", {"USDINR": pair(80.0, 81.0)})

    assert rate.is_stale(DAY - 1)
    assert not rate.is_stale(DAY)
    assert not rate.is_stale(6 * DAY)  # a long weekend
    assert rate.is_stale(6 * DAY + 1)


def test_a_missing_rate_says_how_to_give_one() -> None:
    with pytest.raises(ConfigError, match=r"no exchange rate from USD to INR.*USDINR = RATE"):
        find_rate("USD", "INR", {"EURUSD": 1.1})


@pytest.mark.parametrize("rate", [0.0, -80.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        find_rate("USD", "INR", {"USDINR": rate})


@pytest.mark.parametrize("series", [pair(), pair(80.0, 0.0), pair(80.0, float("nan"))])
def test_a_series_without_good_closes_is_refused(series: Series) -> None:
    with pytest.raises(ConfigError, match="closes above 0"):
        find_rate("USD", "INR", {"USDINR": series})
