"""The error tree. Few classes, each a different thing for the user to do.

TolaError
|- ConfigError      mend the settings or the command line
|- DataError        mend the file
|- StrategyError    mend the strategy's own code
|- RiskRefused      the guard said no; a strategy learns it as a rejected order
'- BrokerError      see the broker package for its branches
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TolaError(Exception):
    """Base of every error this project raises on purpose; its text is fit for the user."""


class ConfigError(TolaError):
    """A setting, plan, parameter or flag is wrong: names field, value and what is allowed."""


class DataError(TolaError):
    """A market data file is wrong: names file, line, column and value.

    Parameters
    ----------
    message : str
        What was read, what was expected, what to do.
    file : str, optional
        The file as the user named it.
    line : int, optional
        1-based line in that file, the header counted.
    """

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        where = "" if file is None else (f"{file}: " if line is None else f"{file}:{line}: ")
        super().__init__(where + message)
        self.file = file
        self.line = line


class StrategyError(TolaError):
    """A user's strategy raised: names the bar and the line of the strategy's file."""


class RiskRefused(TolaError):
    """The guard refused an order.

    Parameters
    ----------
    rule : str
        Short name of the rule, as in run results (`daily_loss`, `trade_risk`, ...).
    limit, value : float
        The limit in force and the value the order would have had, in the rule's unit.
    """

    def __init__(self, rule: str, limit: float, value: float, detail: str = "") -> None:
        text = f"{rule}: {value:g} against a limit of {limit:g}"
        super().__init__(f"{text} ({detail})" if detail else text)
        self.rule = rule
        self.limit = limit
        self.value = value
        self.detail = detail


class BrokerError(TolaError):
    """A venue or broker failed; subclasses say what may be done about it."""


def near_name(wrong: str, known: Iterable[str]) -> str:
    """Return a suffix such as "; did you mean 'gold_smc'?" for an unknown name.

    Lists the known names when none is near.
    """
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'? (known: {', '.join(names)})"
    return f" (known: {', '.join(names)})"
