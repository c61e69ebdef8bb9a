"""Settings of a strategy: their types, bounds and units, checked in one place.

A strategy lists its settings once. From that list come Backtrader's `params`, the checks, the
text forms of `--set key=value`, and the split into structural settings (they change which setups
the machine emits) and management settings (they change only what is done with a setup).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from core.errors import ConfigError, near_name

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a strategy.

    Parameters
    ----------
    name : str
        As in `--set name=value`.
    default : bool, int, float, str or tuple of str
        Its type is the setting's type.
    meaning : str
        One line for `--help`, with the unit.
    low, high : float, optional
        Bounds of a number, both included; None leaves the side open.
    choices : tuple of str, optional
        The words allowed; for a tuple those its items are taken from.
    structural : bool
        It changes which setups exist, not only what is done with them.
    above : str, optional
        Another number's name; this one must be larger.
    """

    name: str
    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    structural: bool = False
    above: str = ""

    def allowed(self) -> str:
        """Return what may stand for this setting, for messages and help."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, tuple):
            return f"some of {', '.join(self.choices)}, parted by commas"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if isinstance(self.default, str):
            return "text"
        what = "a whole number" if isinstance(self.default, int) else "a number"
        if self.low is not None and self.high is not None:
            return f"{what} from {self.low:g} to {self.high:g}"
        return what if self.low is None else f"{what} of at least {self.low:g}"

    def read(self, value: Any) -> Any:
        """Return the value in this setting's type.

        Parameters
        ----------
        value : Any
            The typed value or its text form.

        Raises
        ------
        ValueError : if it cannot be read or lies outside what is allowed.
        """
        if isinstance(self.default, bool):
            return _read_flag(value)
        if isinstance(self.default, tuple):
            return self._read_words(value)
        if isinstance(self.default, str):
            word = str(value).strip()
            if self.choices and word not in self.choices:
                raise ValueError(word)
            return word
        return self._read_number(value)

    def _read_words(self, value: Any) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        words = tuple(str(item).strip() for item in items if str(item).strip())
        if any(word not in self.choices for word in words):
            raise ValueError(words)
        return words

    def _read_number(self, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(value)
        number = float(value)
        whole = isinstance(self.default, int)
        if not isfinite(number) or (whole and number != int(number)):
            raise ValueError(value)
        if self.low is not None and number < self.low:
            raise ValueError(value)
        if self.high is not None and number > self.high:
            raise ValueError(value)
        return int(number) if whole else number


def _read_flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(value)


def read_settings(
    strategy: str,
    settings: Iterable[Setting],
    given: Mapping[str, Any],
    base: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all settings of a strategy: the given ones checked and typed, defaults for the rest.

    Parameters
    ----------
    strategy : str
        Name used in messages.
    settings : iterable of Setting
    given : mapping of str to Any
        Values or their text forms (`--set rr=2.5` gives {"rr": "2.5"}).
    base : mapping of str to Any, optional
        All settings, as this function returned them, to stand in place of the defaults.

    Raises
    ------
    ConfigError : naming every unknown name, every value that is not allowed and every pair that
        contradicts itself.
    """
    known = {setting.name: setting for setting in settings}
    values = (
        {name: setting.default for name, setting in known.items()} if base is None else dict(base)
    )
    faults = []
    for name, value in given.items():
        if name not in known:
            faults.append(f"{strategy} has no parameter {name!r}{near_name(name, known)}")
            continue
        try:
            values[name] = known[name].read(value)
        except (TypeError, ValueError):
            faults.append(f"{strategy}: {name}={value!r}: expected {known[name].allowed()}")
    for name, setting in known.items():
        if setting.above and not values[name] > values[setting.above]:
            other = f"{setting.above}={values[setting.above]:g}"
            faults.append(f"{strategy}: {name}={values[name]:g}: expected more than {other}")
    if faults:
        raise ConfigError("; ".join(faults))
    return values
