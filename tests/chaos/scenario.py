"""What a seed stands for: market, plans, account, and how and when its processes die."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos import market

FAULTS = ("kill", "power cut", "power cut, downtime")

MOST_KILLS = 4
COLD_EVERY = 10
OVERNIGHT = 10_000.0
"""Minutes down of a process that dies on one day and is started again on the next."""
CELL_HISTORY, CELL_MINUTES = 20, 5
"""Minutes before a cell of the fault matrix, and of it."""
_GOLD_WINDOWS = (
    ("2024-12-09", "2024-12-12"),
    ("2024-12-17", "2024-12-19"),
    ("2025-01-20", "2025-01-23"),
    ("2025-02-03", "2025-02-05"),
    ("2025-02-11", "2025-02-13"),
    ("2025-02-24", "2025-02-27"),
)
"""Days on which gold_smc trades the bundled 5-minute prices."""


@dataclass(frozen=True)
class Wish:
    """How one process is to die; which point it is follows once the points are counted.

    where : "in flight" (a request is out), "market", "start" (recovery, connect, snapshot) or
    "disk" (inside a write). place, turn : drawn numbers in [0, 1) that choose point and time.
    down_minutes : market time that passes before the next start.
    torn : unsynced writes reach the disk in part; else none do. (power cut only)
    """

    where: str
    place: float
    turn: float
    down_minutes: float = 0.0
    torn: bool = False


@dataclass(frozen=True)
class Scenario:
    """One seed.

    clock_step : seconds by which the clock on the wall moves each time it is looked at: how many
    events pass between two looks and between two commits of the journal.
    block_events : events that make a block of the journal.
    stop_at : share of the bars after which a command ends the session; None: the data's end does.
    window : dates of recorded prices. days : (Kite) minutes of each day of made-up ones.
    """

    seed: int
    fault: str
    strategy: str
    instrument: str
    two_plans: bool
    lower: bool
    bars: int
    brackets: str
    positions: str
    every: int
    pyramid: float
    clock_step: float
    block_events: int
    stop_at: float | None
    at_end: str
    wishes: tuple[Wish, ...] = ()
    window: tuple[str, str] = ("", "")
    days: tuple[int, ...] = ()

    @property
    def is_cold(self) -> bool:
        """Whether each of its processes loads everything for itself; one seed in ten."""
        return self.seed % COLD_EVERY == 0

    @property
    def is_night(self) -> bool:
        """Whether a process dies on one day and is started again on the next."""
        return any(wish.down_minutes == OVERNIGHT for wish in self.wishes)

    @property
    def is_ours(self) -> bool:
        """Whether it runs a strategy of the project's."""
        return self.strategy != "busy"

    @property
    def is_provable(self) -> bool:
        """Whether a session without kills is proved to the last fill.

        At Kite what a price has passed already when it is sent (a target, a stop) fills with the
        next one, where the proof has it fill at once.
        """
        is_hedged = self.positions == "hedging" and bool(self.pyramid)
        return self.brackets == "native" and not is_hedged

    @property
    def is_repeatable(self) -> bool:
        """Whether each run has the same trades; on a wire two fills of one price are told in any
        order.
        """
        return not (self.days and self.pyramid)


def scenario(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    chance = random.Random(f"chaos {seed}")
    is_gold = chance.random() < 0.06
    fault = FAULTS[seed % 3]
    stops = chance.random()
    return Scenario(
        seed=seed,
        fault=fault,
        strategy="gold_smc" if is_gold else "busy",
        instrument=chance.choice(("XAUUSD", "MGC")),
        two_plans=not is_gold and chance.random() < 0.3,
        lower=chance.random() < 0.3,
        bars=chance.randrange(150, 300),
        brackets=("native", "kept")[seed // 3 % 2],
        positions=("netting", "hedging")[seed // 6 % 2],
        every=chance.choice((2, 3, 5)),
        pyramid=chance.choice((0.0, 0.0, 1.0)),
        clock_step=chance.choice((0.002, 0.02, 0.1)),
        block_events=chance.choice((8, 64, 1024)),
        stop_at=None if stops < 0.6 or is_gold else 0.3 + 0.6 * chance.random(),
        at_end="keep" if stops > 0.9 else "flatten",
        wishes=_wishes(chance, fault),
        window=chance.choice(_GOLD_WINDOWS),
    )


def _wishes(chance: random.Random, fault: str) -> tuple[Wish, ...]:
    count = chance.choices(range(1, MOST_KILLS + 1), (50, 25, 17, 8))[0]
    wishes = []
    for number in range(count):
        (where,) = chance.choices(("in flight", "market", "disk"), (72, 18, 10))
        if number > 0 and chance.random() < 0.55:
            where = "start"
        down = 0.0
        if "downtime" in fault and chance.random() < 0.8:
            down = chance.choice((0.5, 4.0, 12.0, 45.0)) * (0.5 + chance.random())
        wishes.append(Wish(where, chance.random(), chance.random(), down, chance.random() < 0.5))
    return tuple(wishes)


def write_inputs(wanted: Scenario, folder: Path) -> dict[str, Any]:
    """Write a seed's prices and settings file; return what a process needs to run its session."""
    flags: dict[str, Any] = {}
    if wanted.is_ours:
        names = ["gold"]
        text = (
            "[accounts.chaos]\ncurrency = 'USD'\ncash = 100_000\n"
            f"[plans.gold]\nstrategy = '{wanted.strategy}'\ninstrument = 'XAUUSD'\n"
            "timeframe = '5m'\naccount = 'chaos'\n"
        )
        flags = {"from": wanted.window[0], "to": wanted.window[1]}
    else:
        names = ["first", "second"][: 1 + wanted.two_plans]
        text = "[accounts.chaos]\ncurrency = 'USD'\ncash = 100_000\n"
        text += "".join(_plan_text(wanted, folder, name) for name in names)
    (folder / "tola.toml").write_text(text)
    return {
        "scenario": {**asdict(wanted), "wishes": []},
        "names": names,
        "flags": flags,
        "config": str(folder / "tola.toml"),
    }


def _plan_text(wanted: Scenario, folder: Path, name: str) -> str:
    data = folder / f"{wanted.instrument}.csv"
    if not data.exists():
        minutes, count = (1, wanted.bars * 5) if wanted.lower else (5, wanted.bars)
        market.write_minutes(data, wanted.seed, count, 2900.0, minutes)
    number = wanted.seed * 2 + (name == "second")
    strategy = Path(__file__).with_name("busy.py")
    last = wanted.bars - 40
    return (
        f"[plans.{name}]\nstrategy = '{strategy}:Busy'\ninstrument = '{wanted.instrument}'\n"
        f"timeframe = '5m'\ndata = '{data}'\naccount = 'chaos'\n"
        f"params = {{seed = {number}, every = {wanted.every}, last = {last}, "
        f"pyramid = {wanted.pyramid}}}\n"
    )


def on_kite(seed: int) -> Scenario:
    """Return the scenario of a seed at Kite: brackets kept by us, minutes of NSE, one or two days.

    Most processes die with a request at the venue.
    """
    plain = scenario(seed)
    chance = random.Random(f"chaos at kite {seed}")
    count = chance.randrange(90, 150)
    days = (count,) if chance.random() < 0.7 else (count // 2, count - count // 2)
    return replace(
        plain,
        strategy="busy",
        instrument="NIFTY-FUT",
        two_plans=False,
        lower=False,
        bars=count,
        brackets="kept",
        positions="netting",
        at_end="flatten",
        days=days,
        wishes=tuple(_kite_wish(chance, item, number) for number, item in enumerate(plain.wishes)),
    )


def _kite_wish(chance: random.Random, plain: Wish, number: int) -> Wish:
    (where,) = chance.choices(
        ("at the venue", "in flight", "market", "disk", "start"), (76, 10, 5, 3, 6 * (number > 0))
    )
    return replace(plain, where=where)


def pair_on_kite(seed: int) -> Scenario:
    """Return the scenario of a seed at Kite with two plans on one account, in one contract."""
    return replace(on_kite(seed), two_plans=True)


def night_on_kite(seed: int) -> Scenario:
    """Return the scenario of a seed at Kite whose first process dies on the first of two days."""
    chance = random.Random(f"a night at kite {seed}")
    plain = on_kite(seed)
    days = chance.randrange(40, 70), chance.randrange(40, 70)
    first, *others = plain.wishes
    share = 0.9 * days[0] / sum(days)  # of what a session asks for, as of the bars
    first = replace(first, turn=share * first.turn, down_minutes=OVERNIGHT)
    wishes = (first, *(replace(wish, down_minutes=0.0) for wish in others))
    return replace(plain, bars=sum(days), days=days, stop_at=None, wishes=wishes)


def write_kite_inputs(wanted: Scenario, folder: Path) -> dict[str, Any]:
    """Write a seed's prices and settings file at Kite; return what a process needs."""
    data = folder / "NIFTY-FUT.csv"
    if not data.exists():
        market.write_nifty_minutes(data, wanted.seed, wanted.days)
    names = ["first", "second"][: 1 + wanted.two_plans]
    params = [
        f"{{seed = {wanted.seed * 2 + place}, every = {wanted.every}, last = {wanted.bars - 15}, "
        f"pyramid = {wanted.pyramid}, size = 25}}"
        for place in range(len(names))
    ]
    return _kite_task(wanted, folder, data, "busy.py:Busy", dict(zip(names, params, strict=True)))


def write_cell_inputs(wanted: Scenario, folder: Path) -> dict[str, Any]:
    """Write a calm market and settings under which only a hand trades it."""
    data = market.write_calm_morning(folder, wanted.seed, CELL_HISTORY, CELL_MINUTES)
    return _kite_task(wanted, folder, data, "idle.py:Idle", {"first": "{}"})


def _kite_task(
    wanted: Scenario, folder: Path, data: Path, strategy: str, params: dict[str, str]
) -> dict[str, Any]:
    """Write the settings file; params : of the strategy, by plan."""
    text = "[accounts.chaos]\ncurrency = 'INR'\ncash = 5_000_000\n"
    for name, given in params.items():
        text += (
            f"[plans.{name}]\nstrategy = '{Path(__file__).with_name(strategy)}'\n"
            "instrument = 'NIFTY-FUT'\ntimeframe = '1m'\naccount = 'chaos'\n"
            f"data = '{data}'\ntz = 'UTC'\nparams = {given}\n"
        )
    (folder / "tola.toml").write_text(text)
    return {
        "scenario": {**asdict(wanted), "wishes": []},
        "names": list(params),
        "flags": {},
        "config": str(folder / "tola.toml"),
    }
