"""The breakout on a DataFrame, without Backtrader: per-bar readings and the last bar's signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bars import BAR
from indicators.frame import bars_from_frame
from strategies import breakout_machine
from strategies.breakout import SIGNAL_SETTINGS, nested_params
from strategies.settings import read_settings

if TYPE_CHECKING:
    import pandas as pd

OLDER_NAMES = {"breakout_lookback": "lookback", "atr_period": "atr", "risk_reward": "rr"}
"""Names of settings in the older guides, and ours."""


def readings(frame: pd.DataFrame, **settings: Any) -> list[dict[str, Any]]:
    """Return what the breakout says at the close of each bar.

    Parameters
    ----------
    frame : DataFrame
        Columns open, high, low, close and volume in any letter case, oldest first. An index of
        START stamps is not needed: the breakout looks at no clock.
    **settings
        Signal settings: lookback, volume_threshold, atr, stop_mult, rr, min_confidence,
        cooldown, volume_required.

    Returns
    -------
    list of dict
        `signal` (+1, -1, 0), `entry`, `stop`, `target` (None without a signal, unrounded),
        `confidence` (0..1, 0 without a signal), `level` passed and `volume_ratio` (None where
        there is none), `reason`: breakout, no_break, low_volume, low_confidence, cooldown or
        warmup.

    Raises
    ------
    ConfigError : naming every wrong setting. DataError : a missing column or a wrong price.
    """
    values = read_settings("breakout", SIGNAL_SETTINGS, settings)
    bars = _bars(frame)
    out = np.zeros(len(bars), breakout_machine.READING)
    state = breakout_machine.new_state()
    # The tick only rounds order prices, which readings do not have.
    breakout_machine.run_readings(bars, state, nested_params(values, tick=0.01), out)
    return [_as_dict(row) for row in out]


def _bars(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    import pandas as pd

    if len(frame) == 0:
        return np.zeros(0, BAR)
    if isinstance(frame.index, pd.DatetimeIndex):
        return bars_from_frame(frame)
    stamps = pd.Timestamp(0, tz="UTC") + pd.Timedelta(minutes=1) * np.arange(len(frame))
    return bars_from_frame(frame.set_axis(pd.DatetimeIndex(stamps), axis=0))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _as_dict(row: Any) -> dict[str, Any]:
    return {
        "signal": int(row["signal"]),
        "entry": _known(row["entry"]),
        "stop": _known(row["stop"]),
        "target": _known(row["target"]),
        "confidence": float(row["confidence"]),
        "level": _known(row["level"]),
        "volume_ratio": _known(row["volume_ratio"]),
        "reason": breakout_machine.REASONS[int(row["reason"])],
    }


class BreakoutStrategy:
    """The breakout as a plain object: give it bars, ask for the last bar's signal.

    Parameters
    ----------
    config : mapping, optional
        Signal settings by our names or the older guides' (`breakout_lookback`).

    Examples
    --------
    >>> strategy = BreakoutStrategy(config={"breakout_lookback": 20, "volume_threshold": 1.5})
    >>> strategy.config["lookback"]
    20
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        given = {OLDER_NAMES.get(name, name): value for name, value in (config or {}).items()}
        self.config = read_settings("breakout", SIGNAL_SETTINGS, given)

    def analyze(self, data: pd.DataFrame) -> dict[str, Any] | None:
        """Return the signal known at the close of the last bar, None if there is none.

        Parameters
        ----------
        data : DataFrame
            As for `readings`.

        Returns
        -------
        dict or None
            `signal` BUY or SELL, `entry_price`, `target`, `stop_loss` (unrounded), `confidence`
            in percent, `reason` in words, `level`, `volume_ratio`.
        """
        said = readings(data, **self.config)
        if not said or said[-1]["signal"] == 0:
            return None
        last = said[-1]
        side, word = ("BUY", "above") if last["signal"] > 0 else ("SELL", "below")
        ratio = last["volume_ratio"]
        volume = "" if ratio is None else f" on {ratio:.2f} times the mean volume"
        lookback = self.config["lookback"]
        return {
            "signal": side,
            "entry_price": last["entry"],
            "target": last["target"],
            "stop_loss": last["stop"],
            "confidence": round(100.0 * last["confidence"], 2),
            "level": last["level"],
            "volume_ratio": ratio,
            "reason": f"close {word} {last['level']:g}, the edge of {lookback} bars{volume}",
        }
