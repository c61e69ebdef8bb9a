"""What can be seen of a setup machine at one bar: levels, zones, where each pattern stands.

A machine's own module (`gold_sight`, `nifty_sight`, `breakout_sight`) reads its state before and
after the bar and says it in words; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from indicators import fvg, order_blocks, structure
from indicators.sweeps import OPENING_RANGE, POOL, PREVIOUS_DAY, SESSION, SWING
from strategies.machine import Records

LEVEL_NAMES = {
    SWING: "last swing",
    PREVIOUS_DAY: "previous day",
    SESSION: "Asia session",
    OPENING_RANGE: "opening range",
    POOL: "equal",
}
"""Kinds of level, as a phrase before `high` or `low`."""

BREAKS = {structure.BOS: "break of structure", structure.CHOCH: "change of character"}
SIDES = {1: "long", -1: "short"}


@dataclass(frozen=True)
class Moment:
    """One bar of a replayed machine.

    Attributes
    ----------
    index : of the bar in its series. bar : BAR record.
    before, now : 1-item STATE arrays as of the bar before and of this bar's close.
    params : 1-item PARAMS array. facts : FACTS of this bar. values : the strategy's settings.
    when : says the START of a bar index in the market's zone, short.
    """

    index: int
    bar: Any
    before: Records
    now: Records
    params: Records
    facts: Any
    values: Mapping[str, Any]
    when: Callable[[int], str]

    def counted(self, name: str) -> int:
        """Return by how much this bar raised one of the machine's counters."""
        return int(self.now[0]["funnel"][name]) - int(self.before[0]["funnel"][name])


@dataclass(frozen=True, slots=True)
class Level:
    """A price that may be swept. side : high or low. state : in words."""

    name: str
    side: str
    price: float
    state: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A gap or order block not yet dead. side : bullish or bearish. born : bar it was known at."""

    kind: str
    side: str
    top: float
    bottom: float
    born: int
    state: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Where one pattern stands after the bar, and what it would need next."""

    name: str
    phase: str
    text: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on entries at this bar's close; None: it does not look at that side."""

    name: str
    text: str
    long_ok: bool | None = None
    short_ok: bool | None = None


@dataclass(slots=True)
class Sight:
    """All that is seen at one bar.

    events : what this bar did. stopped : in a clause, why it gave no setup.
    """

    levels: list[Level] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    stopped: str = ""


def price_text(price: float) -> str:
    """Return a price with up to three decimals."""
    return f"{price:.3f}".rstrip("0").rstrip(".")


def span_text(bottom: float, top: float) -> str:
    """Return a zone's prices, lower first."""
    return f"{price_text(bottom)} to {price_text(top)}"


def level_seen(name: str, side: str, now: Any, before: Any) -> Level | None:
    """Return a sweepable LEVEL as it stood at the bar, None where there is none.

    Parameters
    ----------
    now, before : LEVEL records after this bar and after the one before.
    """
    if now["price"] != now["price"] or now["kind"] == 0:
        return None
    is_new = now["origin"] != before["origin"] or before["kind"] == 0
    if now["active"]:
        state = "in force"
    elif is_new or before["active"]:
        state = "swept or broken by this bar"
    else:
        state = "used up"
    return Level(name, side, float(now["price"]), state)


def hit_text(side: str, hit: Any, when: Callable[[int], str], index: int) -> str:
    """Return what a bar swept on one side (a HIT with count > 0)."""
    name = LEVEL_NAMES.get(int(hit["kind"]), "")
    more = f" and {hit['count'] - 1} more" if hit["count"] > 1 else ""
    since = f", first passed {when(index - int(hit['age']))}" if hit["age"] > 0 else ""
    plural = "s" if hit["kind"] == POOL else ""
    return (
        f"swept the {name} {side}{plural} {price_text(hit['price'])}{more} "
        f"(extreme {price_text(hit['extreme'])}{since})"
    )


def block_events(state: Any, when: Callable[[int], str], index: int) -> list[str]:
    """Return what the blocks that all machines share saw at a bar.

    Parameters
    ----------
    state : record with low_hit, high_hit, displacement_now, structure_now, fvg_now and
        order_blocks_now.
    """
    events = [
        hit_text(side, state[f"{side}_hit"], when, index)
        for side in ("low", "high")
        if state[f"{side}_hit"]["count"] > 0
    ]
    moved = int(state["displacement_now"]["side"])
    if moved:
        events.append(f"displacement {'up' if moved > 0 else 'down'}: a large body")
    for side, way in (("bull", "up"), ("bear", "down")):
        kind = int(state["structure_now"][side])
        if kind:
            level = price_text(state["structure_now"][f"{side}_level"])
            events.append(f"{BREAKS[kind]} {way} through {level}")
    gap = state["fvg_now"]
    if gap["side"]:
        side = "bullish" if gap["side"] > 0 else "bearish"
        events.append(f"{side} gap {span_text(gap['bottom'], gap['top'])} became known")
    for side, word in (("bull", "bullish"), ("bear", "bearish")):
        made = state["order_blocks_now"][side]
        if made["created"]:
            prices = span_text(made["created_bottom"], made["created_top"])
            events.append(f"{word} order block {prices} of {when(int(made['origin']))}")
    return events


def zones_seen(state: Any) -> list[Zone]:
    """Return the gaps not yet filled and the order blocks not yet broken, newest first."""
    zones: list[Zone] = []
    for field_name, word in (("bull", "bullish"), ("bear", "bearish")):
        for gap in _in_chain(state["fvg"][field_name], "chain"):
            if gap["reached"][fvg.FILLED] < 0 and gap["ended"] < 0:
                zones.append(_zone("gap", word, gap, int(gap["origin"]) + 1, fvg.HALF))
        for block in _in_chain(state["order_blocks"][field_name], "active"):
            if block["reached"][order_blocks.BROKEN] < 0:
                zones.append(_zone("order block", word, block, int(block["born"]), -1))
    return sorted(zones, key=lambda zone: -zone.born)


def _in_chain(side: Any, chain_name: str) -> list[Any]:
    """Return the zones a side holds, newest first (links hold slot + 1)."""
    chain, found = side[chain_name], []
    slot = int(chain["newest"]) - 1
    while slot >= 0:
        found.append(side["zones"][slot])
        slot = int(chain["older"][slot]) - 1
    return found


def _zone(kind: str, side: str, record: Any, born: int, half: int) -> Zone:
    state = "untouched" if record["reached"][0] < 0 else "touched"
    if half >= 0 and record["reached"][half] >= 0:
        state = "half filled"
    return Zone(kind, side, float(record["top"]), float(record["bottom"]), born, state)
