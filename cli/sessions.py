"""Sessions on a moving market: `live`, `ready`, `verify`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backtests.verbs.console import App, console, show
from cli.joints import draw_report, open_sandbox
from cli.options import RUN_NAMES, Config, Json, Plans, RunName, examples, option, switch
from cli.plan_options import CASH, PARAMS, PRICES, REPLAY, REPORT, RISK, TERMS, Flags, plan_options

sessions_app = App()


@sessions_app.command(
    epilog=examples(
        "live",
        "live gold --speed 60 --for 2m",
        "live nifty --venue kite --sandbox --account sandbox",
        "live gold_smc --data XAUUSD_M15.csv --instrument XAUUSD --speed max --at-end keep",
        "live --strategy my.py:Cross --instrument MGC --data gold.csv --risk gold_bot",
    )
)
@plan_options(*REPLAY, CASH, PARAMS, RISK, *TERMS, REPORT)
def live(
    plans: Plans = None,
    paper: Annotated[
        bool, switch("Paper fills, also for an account at a venue.", "--paper")
    ] = False,
    account: Annotated[
        str | None, option("NAME", "An account of tola.toml, or a paper account's folder.")
    ] = None,
    confirm: Annotated[
        str | None, option("SUFFIX", "A real account's last 4 characters, instead of typing them.")
    ] = None,
    venue: Annotated[
        str | None, option("VENUE", "Follow a venue's prices (kite); fills stay on paper.")
    ] = None,
    sandbox: Annotated[
        bool,
        switch("A local server speaks the venue's wire; no network.", "--sandbox"),
    ] = False,
    speed: Annotated[
        str | None, option("N", "Times faster than the clock; max: without waiting.")
    ] = None,
    lasts: Annotated[
        str | None, option("TIME", "How long it may run: 90s, 2m, 1h.", "--for")
    ] = None,
    at_end: Annotated[
        str | None, option("WHAT", "keep or flatten what is open at the end.")
    ] = None,
    history_bars: Annotated[
        int | None, option("N", "Bars of history before the first live one.")
    ] = None,
    adopt: Annotated[
        bool, switch("Accept what the venue holds where we differ.", "--adopt")
    ] = False,
    flatten: Annotated[bool, switch("Close at the venue what is not ours.", "--flatten")] = False,
    *,
    flags: Flags,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Run strategies on a moving market without risk: paper fills on replayed prices.

    With --account NAME, where tola.toml puts NAME at a venue, it is for real: only with
    PAPER_TRADING=False in the environment and the account's last 4 characters typed.

    Ctrl-C ends it in order: no further entry, positions closed (--at-end keep leaves them),
    journal written, report drawn. Started again after a crash it goes on where it was. Where the
    venue's books differ from ours it says so and takes no entry: --adopt or --flatten then.
    """
    from live.verbs.live_command import live as run_live

    flags = {**flags, "speed": speed, "at_end": at_end, "history_bars": history_bars}
    ask = typer.prompt if sys.stdin.isatty() and not as_json else None
    done = run_live(
        plans or [], flags, config, draw_report, account=account, paper=paper, confirm=confirm,
        ask=ask, lasts=lasts, venue=venue, open_sandbox=open_sandbox if sandbox else None,
        quiet=console.quiet, adopt=adopt, flatten=flatten,
    )  # fmt: skip
    show(done, as_json)


@sessions_app.command(
    epilog=examples("ready gold", "ready gold --set rr=2.5", "ready gold --paper-days 10 --json")
)
@plan_options(*PRICES, PARAMS, RISK)
def ready(
    plan: Annotated[
        list[str] | None, typer.Argument(metavar="[PLAN]", help="Of tola.toml, or bundled.")
    ] = None,
    paper_days: Annotated[int, option("N", "Verified trading days on paper asked for.")] = 5,
    *,
    flags: Flags,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Say whether a plan may go to a real account: pass or fail, with the reason of each check.

    Asked for: an audit of this plan, data and code that found nothing; a walk-forward that earned
    out of sample; days on paper, in their own time and verified; slippage within what is assumed;
    a limit on the day's loss; a login that lives. Exit code 0 only if all hold. What audit and
    walk-forward were given is given here, too.
    """
    from live.verbs.ready_command import ready as run_ready

    show(run_ready(plan or [], flags, config, paper_days), as_json)


@sessions_app.command(
    context_settings=RUN_NAMES, epilog=examples("verify last", "verify 12 --json")
)
def verify(run: RunName = "last", as_json: Json = False) -> None:
    """Prove a session: what it consumed, fed to the backtest, gives what it did.

    Bars are built again from the recorded ticks, orders and fills made again; exit code 0 only if
    all are identical, else the first differing bar is named.
    """
    from live.verbs.verify_command import verify as run_verify

    show(run_verify(run), as_json)
