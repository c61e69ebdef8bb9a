"""The command line whole: all verbs in the order of the help page, and what runs a line of it."""

from __future__ import annotations

from backtests.verbs.console import App, console
from cli.data import data_app
from cli.hands import hands_app, order_app
from cli.reference import reference_app
from cli.research import research_app
from cli.results import results_app, runs_app
from cli.sessions import sessions_app
from cli.start import start_app
from cli.venues import venues_app

app = App(
    help="Tola: one strategy, one result, on historical files, on paper, on a live account.\n\n"
    "Start here: python run.py backtest",
    epilog="Times are shown in the market's zone and stored in UTC. "
    "Exit codes: 0 done, 1 failed, 2 wrong usage. Each verb has its own --help.",
)
for verbs in (start_app, research_app, sessions_app, results_app, reference_app, venues_app):
    app.add_typer(verbs)
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(order_app, name="order")
app.add_typer(hands_app)
_TYPERS_CTRL_C = 130


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    words = console.open(arguments)
    with console.results_alone():
        try:
            if words == ["--version"]:
                from core.environment import version

                console.say(f"Tola {version()}")
                return 0
            code = app(words, prog_name="run.py", standalone_mode=False)
            if code == _TYPERS_CTRL_C:
                raise KeyboardInterrupt
            return code if isinstance(code, int) else 0
        except (Exception, KeyboardInterrupt) as error:
            return console.explain(error)
