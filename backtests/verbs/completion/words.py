"""What may stand at the end of an unfinished command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtests.verbs.console import EVERYWHERE

FILES = ":files"
"""A line that asks the shell to offer files too: it knows quoting, `~` and folders best."""

RUNS = Path("runs")
_INSTRUMENTS = Path(__file__).resolve().parents[3] / "core" / "instruments.toml"

_CHOICES = {
    "--market": ("gold", "nifty", "both"),
    "--currency": ("USD", "INR"),
    "--intrabar": ("worst", "nearest", "best", "drill"),
    "--fills": ("tola", "backtrader"),
    "--format": ("csv", "xlsx", "parquet"),
    "--fy": ("india", "calendar"),
    "--sort": ("run", "made", "trades", "net", "drawdown", "mean"),
    "--stamp": ("start", "end"),
    "--keep": ("first", "last"),
    "--search": ("grid", "random", "tpe", "nsga2"),
    "--engine": ("compiled", "backtrader"),
    "--objective": (
        *("sharpe", "sortino", "calmar", "net_profit", "return_pct", "profit_factor"),
        *("expectancy_r", "win_rate", "max_drawdown_pct", "trades", "costs"),
    ),
    "--cluster": ("local",),
}
_TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d")
_ZONES = ("UTC", "auto", "ny+7", "Asia/Kolkata", "America/New_York", "Europe/London")
_TABLES = ("trades", "fills", "orders", "equity", "all")


@dataclass(frozen=True)
class _Line:
    """What of a line is known: finished words, the one at work, and where values are looked up."""

    done: list[str]
    current: str

    def settings(self) -> dict[str, Any]:
        """Return the settings file the line names, or the usual one; {} if it cannot be read."""
        name = "tola.toml"
        for before, word in zip(self.done, self.done[1:], strict=False):
            name = word if before == "--config" else name
        try:
            return tomllib.loads(Path(name).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return {}


def complete(root: Any, words: Sequence[str]) -> list[str]:
    """Return the candidates for the last of these words, each with a tab and what it means.

    Parameters
    ----------
    root : Typer's command group
    words : sequence of str
        All words after run.py; the last is the unfinished one and may be empty.

    Returns
    -------
    list of str
        `candidate<TAB>meaning`, and the line `:files` where files fit too.
    """
    *done, current = words or [""]
    current = "" if current == '""' else current  # how PowerShell hands on an empty word
    line = _Line(list(done), current)
    command, rest = _descend(root, done)
    literal = "--" in rest
    value_of = None if literal else _awaiting(command, rest)
    if value_of is not None:
        found = _values(value_of, line)
    elif current.startswith("-") and not literal:
        name, equals, value = current.partition("=")
        option = _options(command).get(name) if equals else None
        if option is not None:
            asked = _values(option, _Line(line.done, value))
            found = [(f"{name}={text}" if text != FILES else text, help) for text, help in asked]
        else:
            found = _option_names(command, rest)
    elif hasattr(command, "commands"):
        found = [
            (name, verb.get_short_help_str(80))
            for name, verb in command.commands.items()
            if not verb.hidden
        ]
    else:
        found = _positional(command, rest, line)
    return [
        f"{text}\t{meaning}" if text != FILES else FILES
        for text, meaning in found
        if text == FILES or text.startswith(current)
    ]


def _descend(root: Any, words: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the verb (or group) a line has reached, and the words after it."""
    command, rest = root, list(words)
    while hasattr(command, "commands"):
        at = next((i for i, word in enumerate(rest) if word in command.commands), None)
        if at is None:
            break
        command, rest = command.commands[rest[at]], rest[at + 1 :]
    return command, rest


def _options(command: Any) -> dict[str, Any]:
    return {name: param for param in command.params for name in param.opts if name[0] == "-"}


def _takes_value(param: Any) -> bool:
    return not (getattr(param, "is_flag", False) or getattr(param, "count", False))


def _awaiting(command: Any, words: Sequence[str]) -> Any | None:
    """Return the option whose value comes next, None if none does."""
    option = _options(command).get(words[-1]) if words else None
    return option if option is not None and _takes_value(option) else None


def _option_names(command: Any, words: Sequence[str]) -> list[tuple[str, str]]:
    given = set(words)
    found = [
        (next((name for name in param.opts if name.startswith("--")), param.opts[0]), param)
        for param in command.params
        if param.opts[0].startswith("-")
        and not getattr(param, "hidden", False)
        and (getattr(param, "multiple", False) or not given & set(param.opts))
    ]
    common = [(names.split(", ")[-1], meaning) for names, meaning in EVERYWHERE]
    return [
        *((name, param.help or "") for name, param in found),
        *(pair for pair in common if pair[0] not in given),
        ("--help", "Show this message and exit."),
    ]


def _positional(command: Any, words: Sequence[str], line: _Line) -> list[tuple[str, str]]:
    arguments = [param for param in command.params if not param.opts[0].startswith("-")]
    if not arguments:
        return []
    options, standing, skip = _options(command), [], False
    for word in words:
        option = options.get(word)
        if skip or option is not None:
            skip = not skip and option is not None and _takes_value(option)
        elif not (word.startswith("-") and not word[1:].isdigit()):
            standing.append(word)
    at = min(len(standing), len(arguments) - 1)
    if len(standing) > at and arguments[at].nargs != -1:
        return []
    return [pair for pair in _values(arguments[at], line) if pair[0] not in standing]


def _values(param: Any, line: _Line) -> list[tuple[str, str]]:
    """Return what a parameter's value may be, as (text, meaning)."""
    for name in param.opts:
        if name in _CHOICES:
            return [(text, "") for text in _CHOICES[name]]
    kind = str(param.metavar or param.name).upper()
    look_up = _KINDS.get(kind)
    return look_up(line) if look_up is not None else []


def _files(_line: _Line) -> list[tuple[str, str]]:
    return [(FILES, "")]


def _named_files(line: _Line) -> list[tuple[str, str]]:
    return [(FILES, "")] if "=" in line.current else [("DXY=", "the dollar index")]


def _words(*texts: str) -> Callable[[_Line], list[tuple[str, str]]]:
    return lambda _line: [(text, "") for text in texts]


def _strategies(_line: _Line) -> list[tuple[str, str]]:
    from strategies import names

    return [(name, "strategy") for name in names()]


def _strategies_or_file(line: _Line) -> list[tuple[str, str]]:
    return [*_strategies(line), (FILES, "")]


def _plans(line: _Line) -> list[tuple[str, str]]:
    from core.config import BUNDLED_PLANS

    plans = line.settings().get("plans") or BUNDLED_PLANS
    return [(name, f"plan: {_about(table)}") for name, table in plans.items()]


def _about(table: Any) -> str:
    if not isinstance(table, dict):
        return ""
    return " ".join(str(table.get(key, "")) for key in ("strategy", "instrument", "timeframe"))


def _plans_and_strategies(line: _Line) -> list[tuple[str, str]]:
    return [*_plans(line), *_strategies(line)]


def _presets(line: _Line) -> list[tuple[str, str]]:
    from risk.presets import PRESETS

    own = line.settings().get("risk", {})
    return [(name, "preset") for name in PRESETS] + [(name, "your preset") for name in own]


def _instruments(line: _Line) -> list[tuple[str, str]]:
    files = [_INSTRUMENTS]
    own = line.settings().get("settings", {}).get("instruments")
    if isinstance(own, str):
        files.append(Path(own))
    return list(dict.fromkeys(_symbols(files)))


def _symbols(files: Iterable[Path]) -> Iterable[tuple[str, str]]:
    for file in files:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue
        for symbol, table in document.get("instruments", {}).items():
            yield symbol, str(table.get("description", "")) if isinstance(table, dict) else ""


def _runs(_line: _Line) -> list[tuple[str, str]]:
    found = [entry for entry in RUNS.glob("*") if (entry / "summary.json").is_file()]
    names = sorted((entry.name for entry in found), reverse=True)
    return [("last", "the newest run"), *((name, "run") for name in names)]


def _runs_and_plans(line: _Line) -> list[tuple[str, str]]:
    return [*_runs(line), *_plans(line)]


_KINDS: dict[str, Callable[[_Line], list[tuple[str, str]]]] = {
    "FILE": _files,
    "FILE...": _files,
    "FOLDER": _files,
    "OUT": _files,
    "NAME=FILE": _named_files,
    "FILE.PY:CLASS": _strategies_or_file,
    "NAME": _strategies,
    "PLAN": _plans,
    "[PLAN]": _plans,
    "[RUN OR PLAN]": _runs_and_plans,
    "[PLAN OR STRATEGY]...": _plans_and_strategies,
    "[PLAN OR STRATEGY]": _plans_and_strategies,
    "PRESET": _presets,
    "SYMBOL": _instruments,
    "RUN": _runs,
    "RUN RUN...": _runs,
    "[RUN] [TIME]": _runs,
    "TF": _words(*_TIMEFRAMES),
    "ZONE": _words(*_ZONES),
    "TABLE...": _words(*_TABLES),
    "SHELL": _words("bash", "zsh", "fish", "powershell"),
}
"""What the help pages call a value, and what stands for it."""
