"""The first verbs anyone types: `setup`, `init`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backtests.verbs.console import App, console, show
from cli.options import Config, Json, examples, option, switch

start_app = App()


@start_app.command(epilog=examples("setup --dev"))
def setup(
    dev: Annotated[bool, switch("Also what tests and checks need.", "--dev")] = False,
) -> None:
    """Install the locked versions into .venv; doing it again changes nothing."""
    from core import environment

    console.say(environment.setup("dev" if dev else "core"), "next: python run.py backtest")


@start_app.command(epilog=examples("init", "init --market gold --risk topstep_50k --currency USD"))
def init(
    market: Annotated[str | None, option("NAME", "gold, nifty or both.")] = None,
    risk: Annotated[str | None, option("PRESET", "Account rules, such as topstep_50k.")] = None,
    currency: Annotated[str | None, option("CODE", "Account currency: USD, INR, ...")] = None,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Ask three questions and write tola.toml and .env.example."""
    from backtests.verbs import commands

    asked = sys.stdin.isatty() and not as_json
    ask = (lambda text, default: typer.prompt(text, default=default)) if asked else None
    show(commands.init(config, market, risk, currency, ask), as_json)
