"""Venues, ours and real ones: `sandbox`, `login`, `doctor`."""

from __future__ import annotations

import sys
from typing import Annotated, cast

import typer

from backtests.verbs.console import App, console, show
from cli.options import Config, Json, examples, option, switch

venues_app = App()


@venues_app.command(
    epilog=examples(
        "sandbox kite",
        "sandbox kite --replay nifty50_1m.csv --speed 60 --faults plan.toml --seed 7",
        "sandbox kite --generate NIFTY-FUT --from 2024-09-02 --to 2024-09-30 --lock-step",
        "sandbox kite --replay nifty50_1m.csv --from 2024-09-16 --port 8200 --ledger box.sqlite",
    )
)
def sandbox(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Whose wire it speaks: kite.")],
    replay: Annotated[
        list[str] | None, option("FILE", "Bars to replay; default: the bundled Nifty future.")
    ] = None,
    instrument: Annotated[
        str | None, option("SYMBOL", "Whose bars the files hold, where no name tells.")
    ] = None,
    generate: Annotated[
        list[str] | None, option("SYMBOL", "Made-up prices instead: NIFTY-FUT, GOLDM.")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day told; what is before is history.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    ticks: Annotated[
        str, option("MODEL", "path: prices walk from one to the next; trades: they jump.")
    ] = "path",
    speed: Annotated[float | None, option("N", "Market seconds a second; default 1.")] = None,
    lock_step: Annotated[
        bool, switch("Go on as the sessions come to rest.", "--lock-step")
    ] = False,
    step_timeout: Annotated[
        float, option("SECS", "Longest wait for a session in lock-step.")
    ] = 30.0,
    faults: Annotated[str | None, option("FILE", "What goes wrong: a plan in TOML.")] = None,
    seed: Annotated[int | None, option("N", "Of chances, tokens, made-up prices.")] = None,
    port: Annotated[int, option("PORT", "Where it listens; 0: a free one.")] = 0,
    host: Annotated[str, option("ADDRESS", "On which address.")] = "127.0.0.1",
    ledger: Annotated[str | None, option("FILE", "A new SQLite file for its own books.")] = None,
    cash: Annotated[float | None, option("AMOUNT", "The account's money.")] = None,
    as_json: Json = False,
) -> None:
    """Run a local server that speaks a venue's own wire, for the venue's genuine SDK.

    It fills orders on replayed or made-up prices; no order can leave this machine. It ends with
    its prices or on Ctrl-C (docs/sandbox.md).
    """
    from backtests.verbs.outcome import Outcome
    from core.ticks import TickModel
    from feeds.loading import load
    from sandbox.verb import Wanted, serve

    model = cast(TickModel, ticks)  # read where prices are: anything else is told there
    wanted = Wanted(
        venue, replay or [], instrument, generate or [], start, end, model, speed,
        lock_step, step_timeout, faults, seed, port, host, ledger, cash,
    )  # fmt: skip
    tell = (lambda *lines: typer.echo("\n".join(lines), err=True)) if as_json else console.say
    document, lines = serve(wanted, lambda file, symbol: load(file, symbol=symbol), tell)
    show(Outcome(document, lines, "python run.py live nifty"), as_json)


@venues_app.command(epilog=examples("login kite", "login kite --check", "login kite --paste"))
def login(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="kite, ...")],
    account: Annotated[str | None, option("NAME", "Of several accounts at the venue.")] = None,
    check: Annotated[
        bool, switch("Only ask whether the kept login lives; exit 1 if not.", "--check")
    ] = False,
    paste: Annotated[bool, switch("Paste the address the browser ended on.", "--paste")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Log in to a venue in the browser and keep the token, for its owner's eyes alone."""
    from live.verbs.venue_commands import login as log_in

    ask = typer.prompt if sys.stdin.isatty() else None

    def say(line: str) -> None:
        typer.echo(line, err=True)

    show(log_in(venue, account, config, check=check, paste=paste, say=say, ask=ask), as_json)


@venues_app.command(epilog=examples("doctor", "doctor kite"))
def doctor(
    venue: Annotated[
        str | None, typer.Argument(metavar="[VENUE]", help="What trading there needs.")
    ] = None,
    account: Annotated[str | None, option("NAME", "Of several accounts at the venue.")] = None,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Check the installation: versions, cache, calendars, settings, disk; or a venue's access."""
    if venue is not None:
        from live.verbs.venue_commands import examine_venue

        show(examine_venue(venue, account, config), as_json)
        return
    from backtests.verbs import commands

    show(commands.doctor(config), as_json)
