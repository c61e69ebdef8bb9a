"""The options that say what is run and on which terms: declared once, for the verbs that take them.

A verb names those it takes in the order of its help page, and is handed them as one mapping from
fields of plans and settings (as `backtests.resolve` reads them) to values, None where not given::

    @app.command()
    @plan_options(*PRICES, PARAMS, RISK)
    def audit(plan: Plan = None, *, flags: Flags, as_json: Json = False) -> None: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from keyword import iskeyword
from typing import Annotated, Any

from cli.options import NoReport, Timezone, option, switch

Flags = Mapping[str, Any]
Verb = Callable[..., None]

_FLAGS = "flags"


@dataclass(frozen=True)
class PlanOption:
    """One of them.

    Attributes
    ----------
    field : what it fills.
    annotation : its type and how it is typed, as a verb's own parameter would have it.
    means : what a switch, which has no value, sets the field to.
    """

    field: str
    annotation: Any
    means: bool | None = None

    def parameter(self) -> inspect.Parameter:
        """Return it as a verb's parameter, which is what Typer reads."""
        return inspect.Parameter(
            f"{self.field}_" if iskeyword(self.field) else self.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if self.means is None else False,
            annotation=self.annotation,
        )

    def read(self, value: Any) -> Any:
        """Return what the field is set to."""
        if self.means is None:
            return value
        return self.means if value else None


def plan_options(*options: PlanOption) -> Callable[[Verb], Verb]:
    """Return a decorator that puts options in the place of a verb's parameter `flags`."""

    def decorate(verb: Verb) -> Verb:
        spread = [(option, option.parameter()) for option in options]
        signature = inspect.signature(verb, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            is_flags = parameter.name == _FLAGS
            parameters += [own for _, own in spread] if is_flags else [parameter]

        @wraps(verb)
        def call(**given: Any) -> None:
            flags = {option.field: option.read(given.pop(own.name)) for option, own in spread}
            verb(**given, **{_FLAGS: flags})

        call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {}  # the signature has them, evaluated
        return call

    return decorate


def _one(field: str, metavar: str, text: str, kind: Any = str, name: str = "") -> PlanOption:
    names = [name] if name else []
    return PlanOption(field, Annotated[kind | None, option(metavar, text, *names)])


def _some(field: str, metavar: str, text: str, name: str = "") -> PlanOption:
    return _one(field, metavar, text, list[str], name)


def _switch(field: str, text: str, name: str, *, means: bool) -> PlanOption:
    return PlanOption(field, Annotated[bool, switch(text, name)], means)


_STRATEGY = _one("strategy", "FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
_MARKET = (
    _one("instrument", "SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ..."),
    _one("timeframe", "TF", "5m, 15m, 1h: built from finer bars."),
    PlanOption("tz", Timezone),
    _some("with", "NAME=FILE", "A further series, such as DXY.", "--with"),
    _one("from", "DATE", "First day: 2025, 2025-09, 2025-09-15.", name="--from"),
    _one("to", "DATE", "Last day, included.", name="--to"),
)

PRICES = (_STRATEGY, _some("data", "FILE", "Bars: CSV (plain, gz, zip) or Parquet."), *_MARKET)
"""A strategy and the bars it is run on."""
REPLAY = (
    _STRATEGY, _some("data", "FILE", "Prices to play: CSV (plain, gz, zip) or Parquet."), *_MARKET
)  # fmt: skip
"""The same for a session."""
CASH = _one("cash", "AMOUNT", "Starting cash, account currency.", float)
PARAMS = _some("params", "KEY=VALUE", "A strategy parameter: rr=3.", "--set")
FIXED = _some("params", "KEY=VALUE", "A parameter that stays the same: rr=3.", "--set")
"""PARAMS beside those that are searched."""
RISK = _one("risk", "PRESET", "Risk rules: topstep_50k, gold_bot, ...")
FILLS = (
    _one("intrabar", "HOW", "Which extreme came first: worst, nearest, best, drill."),
    _one("fills", "RULES", "tola (default) or backtrader (its own fill rules)."),
)
TERMS = (
    _switch("costs", "No commission, charges, spread, slippage, swap.", "--no-costs", means=False),
    _switch("margin", "No margin limit.", "--no-margin", means=False),
    _some("instrument_set", "KEY=VALUE", "A fact of the instrument: lot=75."),
)
"""What trading costs, and the instrument's facts."""
BAND = _switch(
    "band", "Also run worst, nearest and best: net profit's range.", "--band", means=True
)
OUT = _one("out", "FOLDER", "Run folder; default: the next in runs/.")
REPORT = PlanOption("report", NoReport, means=False)
