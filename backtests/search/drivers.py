"""What chooses the sets of a search: all of a grid, random ones, Optuna's samplers.

A driver's choice hangs on the space, the seed and the figures it was told, in the order in which
it asked: never on who ran the sets, nor on when. So a search that goes on after a break, or runs
on other workers, chooses the same sets.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

from backtests.search.objective import PLACES, Goal
from backtests.search.runners import Given, Record
from backtests.search.space import Axis, Space, rounded, unbounded
from core.errors import ConfigError, near_name
from core.wording import plural

GRID, RANDOM, TPE, NSGA2 = "grid", "random", "tpe", "nsga2"
SEARCHES = (GRID, RANDOM, TPE, NSGA2)
MOST_SETS = 1_000_000
"""More sets than this are refused: their results alone would fill the memory of a laptop."""
DEFAULT_TRIALS = 1000
MOST_SEED = 2**32 - 1
BATCH = 32
"""Sets that Optuna's samplers choose before they are told what became of them."""

_MEMORY, _BEST, _LATEST = 500, 100, 150
_SPREAD = 200
"""Random draws for each set wanted, before a space counts as exhausted."""


class Driver(Protocol):
    """Chooses sets batch by batch.

    Attributes
    ----------
    total : how many sets it will ask for.
    learns : its choice hangs on results; what was told before may be asked for again.
    """

    total: int
    learns: bool

    def ask(self) -> Sequence[Given]:
        """Return the next sets; none when the search is over."""

    def tell(self, records: Sequence[Record]) -> None:
        """Learn what became of the sets asked for last, in their order."""


class Listed:
    """A list of sets known beforehand: a whole grid, or sets drawn at random.

    total : how many; a grid too large to be run may have more than `len` can say.
    """

    learns = False

    def __init__(self, sets: Sequence[Given], total: int) -> None:
        self.total = total
        self._sets = sets
        self._asked = False

    def ask(self) -> Sequence[Given]:
        """Return all of them, once."""
        asked, self._asked = self._asked, True
        return [] if asked else self._sets

    def tell(self, records: Sequence[Record]) -> None:
        """Nothing is chosen by results."""


def draw_sets(space: Space, count: int, seed: int) -> list[Given]:
    """Return different sets drawn at random, neighbours side by side."""
    random = Random(seed)
    size = space.size
    if size is not None and size <= sys.maxsize:
        return [space[place] for place in sorted(random.sample(range(size), min(count, size)))]
    drawn: dict[tuple[Any, ...], Given] = {}
    for _ in range(_SPREAD * count):
        if len(drawn) == count:
            break
        given = space.draw(random)
        drawn.setdefault(tuple(given.values()), given)
    return sorted(drawn.values(), key=space.near)


class Sampled:
    """Sets chosen by one of Optuna's samplers from the results so far.

    A set that failed, misses a constraint or has no objective is told as infeasible.

    Parameters
    ----------
    search : "tpe" or "nsga2".
    """

    learns = True

    def __init__(self, space: Space, goal: Goal, search: str, trials: int, seed: int) -> None:
        self.total = trials
        self._space, self._goal, self._search, self._seed = space, goal, search, seed
        self._left = trials
        self._axes = {axis.name: _distribution(axis) for axis in space.axes}
        self._round = 0
        self._study = self._new_study()
        self._trials: list[Any] = []

    def ask(self) -> Sequence[Given]:
        """Return the next batch; a set may have been asked for before."""
        count = min(BATCH, self._left)
        self._left -= count
        self._trials = [self._study.ask(self._axes) for _ in range(count)]
        return [self._given(trial) for trial in self._trials]

    def tell(self, records: Sequence[Record]) -> None:
        """Tell Optuna, in the order asked."""
        for trial, record in zip(self._trials, records, strict=True):
            values, excesses = self._judged(record)
            for name, excess in excesses.items():
                trial.set_constraint(name, excess)
            self._study.tell(trial, values)
        if self._search == TPE and len(self._study.get_trials(deepcopy=False)) >= _MEMORY:
            self._forget()

    def _given(self, trial: Any) -> dict[str, Any]:
        given = {}
        for axis in self._space.axes:
            value = trial.params[axis.name]
            given[axis.name] = axis.values[value] if axis.values else rounded(value, axis)
        return given

    def _judged(self, record: Record) -> tuple[list[float], dict[str, float]]:
        """Return the objectives, and by how much each constraint is missed (0 or less: met)."""
        goal, figures = self._goal, record.figures
        if figures is None:
            figures = [None] * len(PLACES)
        values = [figures[PLACES[item.name]] for item in goal.objectives]
        excesses = {"objective": float(sum(value is None for value in values))}
        for item in goal.constraints:
            excesses[item.told()] = item.excess(figures[PLACES[item.name]])
        return [0.0 if value is None else float(value) for value in values], excesses

    def _new_study(self) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = (self._seed + self._round) % (MOST_SEED + 1)
        self._round += 1
        sampler: Any
        if self._search == TPE:
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, n_startup_trials=BATCH
            )
        else:
            sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=BATCH)
        directions: list[Any] = [
            "maximize" if item.sign > 0 else "minimize" for item in self._goal.objectives
        ]
        return optuna.create_study(sampler=sampler, directions=directions)

    def _forget(self) -> None:
        """Begin a new study with the best and the latest trials of the old one.

        TPE takes time in the square of what it remembers. Its good side is made of the best 25 at
        most; the others only say where sets lie, and for that a few hundred are enough.
        """
        done = self._study.get_trials(deepcopy=False)
        sign = self._goal.first.sign
        ranked = sorted(done, key=lambda trial: (_missed(trial), -sign * trial.values[0]))
        kept = {trial.number for trial in [*ranked[:_BEST], *done[-_LATEST:]]}
        self._study = self._new_study()
        self._study.add_trials([trial for trial in done if trial.number in kept])


def _missed(trial: Any) -> float:
    return float(sum(max(0.0, excess) for excess in trial.constraints.values()))


def _distribution(axis: Axis) -> Any:
    """Return an axis as Optuna draws from it; listed values by their place.

    Values that are numbers in order are places on a scale, others are categories.
    """
    import optuna

    if not axis.values:
        return optuna.distributions.FloatDistribution(axis.low, axis.high)
    numbers = all(isinstance(value, int | float) for value in axis.values)
    if numbers and list(axis.values) == sorted(axis.values):
        return optuna.distributions.IntDistribution(0, len(axis.values) - 1)
    return optuna.distributions.CategoricalDistribution(range(len(axis.values)))


def make_driver(
    space: Space, goal: Goal, search: str | None, trials: int | None, seed: int
) -> tuple[Driver, str, str]:
    """Return the driver, what it is called, and a remark where it is not what was asked for.

    Parameters
    ----------
    search : one of SEARCHES; None: the grid, or random sets where `trials` are fewer.
    trials : how many sets; None: the whole grid, else DEFAULT_TRIALS.

    Raises
    ------
    ConfigError : an unknown search; a grid over a range; more sets than can be kept; several
        objectives for a search that takes one; a seed that generators do not take.
    """
    if search is not None and search not in SEARCHES:
        raise ConfigError(f"--search {search!r}{near_name(search, SEARCHES)}")
    if trials is not None and trials < 1:
        raise ConfigError(f"--trials {trials}: expected 1 or more")
    if not 0 <= seed <= MOST_SEED:
        raise ConfigError(f"--seed {seed}: expected 0 to {MOST_SEED}")
    if len(goal.objectives) > 1 and search != NSGA2:
        raise ConfigError(
            "several objectives are a trade-off, which --search nsga2 looks for; else name one"
        )
    size = space.size
    if size is None and search == GRID:
        name = unbounded(space)[0]
        raise ConfigError(
            f"--search grid: {name} is a range; give it a step ({name}=FROM:TO:STEP), or "
            "--search random, tpe or nsga2"
        )
    if trials is None:
        trials = DEFAULT_TRIALS if size is None or search not in (None, GRID) else size
    remark = ""
    if size is not None and size <= trials:
        if search not in (None, GRID):
            remark = f"the grid has {plural(size, 'combination')} only: all of them were run"
        return Listed(space, size), GRID, remark
    if search == GRID:
        raise ConfigError(
            f"--trials {trials:,}: the grid has {size:,} combinations; leave --trials out for all "
            f"of them, or take --search random (or tpe) for {trials:,}"
        )
    if trials > MOST_SETS:
        raise ConfigError(f"--trials {trials:,}: at most {MOST_SETS:,} combinations can be kept")
    if search in (None, RANDOM):
        sets = draw_sets(space, trials, seed)
        return Listed(sets, len(sets)), RANDOM, remark
    return Sampled(space, goal, str(search), trials, seed), str(search), remark
