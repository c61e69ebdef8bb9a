"""Probabilities with intervals: of the simulation, and of the sample it was drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)


@dataclass(frozen=True)
class Chance:
    """A probability.

    p : share of the paths. ci95 : Wilson's interval, what more paths could still change.
    sample_ci95 : percentiles over samples drawn anew from the days, what another history of this
        length could have said; None where it was not looked at.
    """

    p: float
    ci95: tuple[float, float]
    sample_ci95: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        wider = None if self.sample_ci95 is None else list(self.sample_ci95)
        return {"p": self.p, "ci95": list(self.ci95), "sample_ci95": wider}

    def text(self) -> str:
        """Return it in percent, with the wider of its intervals."""
        low, high = self.sample_ci95 or self.ci95
        return f"{percent(self.p)} [{percent(low)}, {percent(high)}]"


def percent(share: float) -> str:
    """Return a share as people read it."""
    value = share * 100.0
    return f"{value:.1f} %" if 0.05 <= value < 9.95 else f"{value:.0f} %"


def chance(hits: int, paths: int, outer: Sequence[float] | None = None) -> Chance:
    """Return the chance that `hits` of `paths` paths show.

    outer : the same share on each of many samples drawn anew.
    """
    wider = None
    if outer is not None and len(outer):
        low, high = np.quantile(np.asarray(outer), [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
        wider = (float(low), float(high))
    return Chance(hits / paths, wilson(hits, paths), wider)


def wilson(hits: int, paths: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share.

    Notes
    -----
    (p + z z / 2n -+ z sqrt(p (1 - p) / n + z z / 4 n n)) / (1 + z z / n). Unlike p -+ z s it does
    not shrink to nothing at 0 and 1. Source: Wilson, "Probable Inference, the Law of Succession,
    and Statistical Inference", JASA 22 (1927); Brown, Cai, DasGupta, Statistical Science 16 (2001).
    """
    share, z = hits / paths, _Z
    room = 1.0 + z * z / paths
    middle = share + z * z / (2.0 * paths)
    reach = z * math.sqrt(share * (1.0 - share) / paths + z * z / (4.0 * paths * paths))
    low = 0.0 if hits == 0 else (middle - reach) / room
    high = 1.0 if hits == paths else (middle + reach) / room
    return low, high
