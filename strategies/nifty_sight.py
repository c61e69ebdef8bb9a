"""What the Nifty machine sees at one bar, in words."""

from __future__ import annotations

from typing import Any

from strategies import nifty_machine
from strategies.clock import parse_clock
from strategies.sight import (
    SIDES,
    Filter,
    Level,
    Moment,
    Pattern,
    Sight,
    block_events,
    level_seen,
    price_text,
    zones_seen,
)

_LEVELS = (
    (nifty_machine.OPENING_LEVEL, "opening", "opening range"),
    (nifty_machine.DAY_LEVEL, "day", "previous day"),
)


def look(moment: Moment) -> Sight:
    """Return what stood and what happened at a bar."""
    pattern, stopped = _idea(moment)
    return Sight(
        levels=_levels(moment),
        zones=zones_seen(moment.now[0]),
        patterns=[pattern],
        filters=_filters(moment),
        events=block_events(moment.now[0], moment.when, moment.index),
        stopped=stopped,
    )


def _levels(moment: Moment) -> list[Level]:
    found = []
    for place, kind, name in _LEVELS:
        if kind not in moment.values["levels"]:
            continue
        for side in ("high", "low"):
            now, before = (state[0][f"{side}s"][place] for state in (moment.now, moment.before))
            seen = level_seen(name, side, now, before)
            if seen is not None:
                found.append(seen)
    return found


def _window(moment: Moment) -> str:
    """Return why no sweep is looked for on this bar, "" if one is."""
    if moment.now[0]["window_first"] < 0:
        return f"before {moment.values['opening_end']}: the opening range is not complete"
    if moment.bar["minute"] >= parse_clock("nifty_smc", "entry_end", moment.values["entry_end"]):
        return f"from {moment.values['entry_end']} on no sweep counts"
    return ""


def _filters(moment: Moment) -> list[Filter]:
    found = [Filter("window", _window(moment) or "inside the window for sweeps")]
    end = parse_clock("nifty_smc", "entry_end", moment.values["entry_end"])
    late = int(moment.bar["end_minute"]) >= end
    clock = moment.values["entry_end"]
    found.append(
        Filter(
            "time", f"no entry from {clock} on" if late else f"entries are allowed until {clock}"
        )
    )
    if moment.facts["special"]:
        found.append(Filter("special day", "entries are off today", False, False))
    if not moment.values["trend"]:
        return [*found, Filter("trend", "off (trend=false)")]
    average, close = float(moment.now[0]["average"]["value"]), float(moment.bar["close"])
    text = f"close {price_text(close)} against the day's average {price_text(average)}"
    return [*found, Filter("trend", text, close >= average, close <= average)]


def _idea(moment: Moment) -> tuple[Pattern, str]:
    """Return where the pattern stands and, in a clause, why it gave no setup at this bar."""
    now = moment.now[0]["idea"]
    phase, name = int(now["phase"]), "sweep_bos"
    if phase == nifty_machine.SWEPT:
        text, needs = _waits_for_break(moment, now)
        return (
            Pattern(name, "swept", text, needs),
            f"{SIDES[int(now['side'])]} idea waits for a break of structure",
        )
    if phase == nifty_machine.AWAITS_GAP:
        side = SIDES[int(now["side"])]
        way = "bullish" if now["side"] > 0 else "bearish"
        text = (
            f"{side}: the structure broke at {moment.when(int(now['broke_at']))}, but left no "
            "order block younger than the sweep; the next bar may leave a gap"
        )
        return Pattern(name, "broken", text, (f"a {way} gap known at the next close",)), text
    ended = _ended(moment)
    lead = f"{ended}; " if ended else ""
    why = ended or _window(moment) or "no level swept"
    return Pattern(name, "idle", f"{lead}idle: no sweep at work", _needs(moment)), why


def _ended(moment: Moment) -> str:
    """Return how an idea ended at this bar, "" if none did."""
    before, now = moment.before[0], moment.now[0]
    if moment.counted("emitted_sweep_bos_ob") or moment.counted("emitted_sweep_bos_fvg"):
        return "the setup was made at this close"
    if moment.counted("both_sided"):
        return "the bar swept a low and a high: neither counts"
    if moment.counted("no_zone"):
        return "the break left neither an order block nor a gap to enter at"
    if moment.counted("risk"):
        return (
            f"the risk was outside {moment.values['min_risk']:g} to "
            f"{moment.values['max_risk']:g} ATR"
        )
    if before["idea"]["phase"] == nifty_machine.IDLE:
        return ""
    if before["day"] != now["day"]:
        return "a new day began: yesterday's idea is forgotten"
    return f"no break within {moment.values['max_bos_bars']} bars of the sweep: given up"


def _waits_for_break(moment: Moment, now: Any) -> tuple[str, tuple[str, ...]]:
    side = int(now["side"])
    swept, left = ("low", "high")[side < 0], int(moment.values["max_bos_bars"])
    left -= moment.index - int(now["swept_at"])
    text = (
        f"{SIDES[side]}: {swept} {price_text(now['level'])} swept at "
        f"{moment.when(int(now['swept_at']))} (extreme {price_text(now['extreme'])}); waiting for "
        f"a break of structure, {left} of {moment.values['max_bos_bars']} bars left"
    )
    state = moment.now[0]
    word = ("high", "low")[side < 0]
    level = float(state["swings_now"][f"zz_{word}"])
    is_old = int(state["swings_now"][f"zz_{word}_origin"]) < int(state["day_first"])
    way = "above" if side > 0 else "below"
    if is_old or state["structure_now"][f"{word}_crossed"] or level != level:
        return text, (f"a swing {word} made today, then a close {way} it",)
    return text, (f"a close {way} today's swing {word} {price_text(level)}",)


def _needs(moment: Moment) -> tuple[str, ...]:
    levels = [level for level in _levels(moment) if level.state == "in force"]
    ways = [
        f"a {level.side} {'below' if level.side == 'low' else 'above'} {price_text(level.price)} "
        f"and a close back {'above' if level.side == 'low' else 'below'} it "
        f"({'long' if level.side == 'low' else 'short'}; {level.name})"
        for level in levels
    ]
    reclaim = moment.values["sweep_reclaim"]
    within = f", within {reclaim} bars," if reclaim else ""
    if not ways:
        return ("the next day: today's levels are used up or not known yet",)
    return (f"inside the window{within} " + "; or ".join(ways),)
