"""The space of a search: axes of parameters, read from `NAME=VALUES`, and the sets they span."""

from __future__ import annotations

import contextlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any, overload

from core.errors import ConfigError, near_name
from strategies.base import SetupStrategy
from strategies.settings import Setting

MOST_VALUES = 1_000_000
"""More values on one axis are refused as a slip of the pen."""

_DIGITS = 6
"""Significant digits of a value drawn from a range: what `--set` is told is what was run."""


@dataclass(frozen=True)
class Axis:
    """One parameter of a search.

    values : what it may be, in order; empty for a range of numbers.
    low, high : the ends of a range, both included. whole : whole numbers only.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    @property
    def size(self) -> int | None:
        """How many values it has; None for a range."""
        return len(self.values) if self.values else None

    def draw(self, random: Random) -> Any:
        """Return one of its values, each as likely."""
        if self.values:
            return self.values[random.randrange(len(self.values))]
        return rounded(self.low + (self.high - self.low) * random.random(), self)

    def told(self) -> str:
        """Return the axis as it may be written."""
        if not self.values:
            return f"{self.name}={self.low:g}:{self.high:g}"
        parted = ";" if any("," in text_of(value) for value in self.values) else ","
        return f"{self.name}={parted.join(map(text_of, self.values))}"


def rounded(value: float, axis: Axis) -> float:
    """Return a number of a range with so many digits as are told, within the range."""
    short = float(f"{value:.{_DIGITS}g}")
    return min(max(short, axis.low), axis.high)


def text_of(value: Any) -> str:
    """Return a parameter's value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value!r}" if isinstance(value, float) and value != int(value) else _plain(value)


def _plain(value: Any) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


class Space(Sequence[Mapping[str, Any]]):
    """The sets that some axes span; those of a grid by their place.

    Parameters
    ----------
    axes : as they are shown.
    slow_first : the same in the order in which a grid walks them, the last one fastest; dear ones
        stand first, so that neighbours share most.
    """

    def __init__(self, axes: Sequence[Axis], slow_first: Sequence[Axis] = ()) -> None:
        self.axes = tuple(axes)
        self._walk = tuple(slow_first) or self.axes

    @property
    def size(self) -> int | None:
        """How many sets it holds; None where an axis is a range."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(sizes)  # type: ignore[arg-type]

    def __len__(self) -> int:
        size = self.size
        if size is None:
            raise TypeError("a space with a range has no length")
        return size

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Mapping[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[item] for item in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        found = {}
        for axis in reversed(self._walk):
            place, item = divmod(place, len(axis.values))
            found[axis.name] = axis.values[item]
        return {axis.name: found[axis.name] for axis in self.axes}

    def draw(self, random: Random) -> dict[str, Any]:
        """Return a set drawn at random."""
        return {axis.name: axis.draw(random) for axis in self.axes}

    def near(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return by what sets are sorted so that neighbours share most."""
        return tuple(
            axis.values.index(given[axis.name]) if axis.values else given[axis.name]
            for axis in self._walk
        )


def make_space(texts: Sequence[str], strategy: type[Any]) -> Space:
    """Return the space that `--grid` texts span for a strategy.

    Parameters
    ----------
    texts : sequence of str
        `NAME=a:b:step` (decimal arithmetic, both ends), `NAME=x,y,z` (`x;y;z` where a value holds
        a comma), `NAME=a:b` (a range), `NAME` (all the strategy allows).

    Raises
    ------
    ConfigError : naming every fault: no axis, an unknown parameter, values that cannot be read.
    """
    known = settings_of(strategy)
    called = getattr(strategy, "name", "") or strategy.__name__
    if not texts:
        some = next((name for name in ("rr", *known) if name in known), "NAME")
        raise ConfigError(
            f"an empty grid: name what to vary, such as --grid {some}=1:3:0.5 or --grid {some}=1,2"
        )
    axes: list[Axis] = []
    faults: list[str] = []
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        try:
            if name not in known:
                raise ConfigError(f"{called} has no parameter {name!r}{near_name(name, known)}")
            if any(axis.name == name for axis in axes):
                raise ConfigError(f"--grid {name}: named twice; give all its values at once")
            axes.append(_axis(known[name], values) if equals else _whole_axis(known[name]))
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("; ".join(faults))
    return Space(axes, _ordered(axes, strategy, known))


def settings_of(strategy: type[Any]) -> dict[str, Setting]:
    """Return a strategy's settings by name; a plain one's are made of its params' defaults."""
    if issubclass(strategy, SetupStrategy):
        return {setting.name: setting for setting in strategy.settings}
    pairs = strategy.params._getpairs()
    return {name: _Plain(name, default, "") for name, default in pairs.items()}


class _Plain(Setting):
    """A parameter of a plain strategy, of which only the default is known."""

    def read(self, value: Any) -> Any:
        """Return the value as TOML reads it; a whole default takes fractions, too."""
        if isinstance(self.default, bool):
            return super().read(value)
        if isinstance(value, str):
            with contextlib.suppress(tomllib.TOMLDecodeError):
                value = tomllib.loads(f"value = {value}")["value"]
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(value)
        if _is_number(self.default) and not _is_number(value):
            raise ValueError(value)
        return value

    def allowed(self) -> str:
        """Return what may stand for it."""
        return "a number" if _is_number(self.default) else super().allowed()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(axes: Sequence[Axis], strategy: type[Any], known: Mapping[str, Setting]) -> list[Axis]:
    """Return the axes with those first that are dearest to change; else as they were given."""
    layers = list(getattr(strategy, "layer_settings", ()))

    def cost(axis: Axis) -> tuple[int, int]:
        if axis.name in layers:
            return 0, layers.index(axis.name)
        return (1 if known[axis.name].structural else 2), 0

    return sorted(axes, key=cost)


def _whole_axis(setting: Setting) -> Axis:
    """Return all that a setting allows."""
    if isinstance(setting.default, bool):
        return Axis(setting.name, (False, True))
    if setting.choices and isinstance(setting.default, str):
        return Axis(setting.name, setting.choices)
    if not _is_number(setting.default) or setting.low is None or setting.high is None:
        raise ConfigError(
            f"--grid {setting.name}: it has no bounds of its own; give some, such as "
            f"{setting.name}=1:3 or {setting.name}=1,2,3"
        )
    return _range(setting, setting.low, setting.high)


def _axis(setting: Setting, text: str) -> Axis:
    if _is_number(setting.default) and ":" in text:
        return _stepped(setting, text)
    parts = text.split(";" if ";" in text else ",")
    if isinstance(setting.default, tuple) and ";" not in text:
        parts = [text]
    values = [_read(setting, part.strip()) for part in parts if part.strip()]
    if not values and isinstance(setting.default, str) and ";" in text:
        values = [""]
    if not values:
        raise ConfigError(
            f"--grid {setting.name}={text}: no values: an empty grid; give some, such as "
            f"{setting.name}=1,2,3"
        )
    return Axis(setting.name, tuple(dict.fromkeys(values)))


def _read(setting: Setting, text: Any) -> Any:
    try:
        return setting.read(text)
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"--grid {setting.name}={text}: expected {setting.allowed()}") from cause


def _stepped(setting: Setting, text: str) -> Axis:
    """Return the axis of `a:b` or `a:b:step`."""
    lead = f"--grid {setting.name}={text}"
    try:
        numbers = [Decimal(part.strip()) for part in text.split(":")]
    except InvalidOperation as cause:
        raise ConfigError(f"{lead}: expected FROM:TO:STEP, FROM:TO or values x,y,z") from cause
    if len(numbers) not in (2, 3) or not all(map(_is_finite, numbers)):
        raise ConfigError(f"{lead}: expected FROM:TO:STEP, FROM:TO or values x,y,z")
    first, last = numbers[:2]
    if last < first:
        raise ConfigError(f"{lead}: an empty grid: it ends below its beginning")
    if len(numbers) == 2:
        return _range(setting, _read(setting, str(first)), _read(setting, str(last)))
    step = numbers[2]
    if float(step) <= 0.0:
        raise ConfigError(f"{lead}: the step must be above 0")
    if (last - first) / step >= MOST_VALUES:
        raise ConfigError(f"{lead}: over {MOST_VALUES:,} values on one axis; take a larger step")
    steps, rest = divmod(last - first, step)
    if rest:
        below = first + steps * step
        raise ConfigError(
            f"{lead}: its steps miss {last}: end it at {below.normalize():f} or "
            f"{(below + step).normalize():f}"
        )
    values = (first + place * step for place in range(int(steps) + 1))
    return Axis(setting.name, tuple(_read(setting, str(value)) for value in values))


def _is_finite(number: Decimal) -> bool:
    return number.is_finite() and math.isfinite(float(number))


def _range(setting: Setting, low: float, high: float) -> Axis:
    """Return a range; one of whole numbers that is not too long is the list of them."""
    if isinstance(setting.default, int) and not isinstance(setting, _Plain):
        if high - low >= MOST_VALUES:
            raise ConfigError(
                f"--grid {setting.name}={low:g}:{high:g}: {high - low + 1:,.0f} values on one "
                "axis; give a step"
            )
        return Axis(setting.name, tuple(range(int(low), int(high) + 1)))
    return Axis(setting.name, low=float(low), high=float(high))


def unbounded(space: Space) -> list[str]:
    """Return the names of axes that are ranges: a grid needs a step there."""
    return [axis.name for axis in space.axes if axis.size is None]
