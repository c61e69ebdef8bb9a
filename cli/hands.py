"""The verbs that look at a running session and lay hands on it: what is typed, said in functions.

Their work is in `state_commands` and `hands_commands`, which are loaded when one is called.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backtests.verbs.console import App, show
from cli.options import AccountName, Json, argument, examples, option, switch

hands_app = App()
order_app = App(help="Orders by hand on a running session, through its guard, on their own plan.")


GroupName = Annotated[
    str | None, option("NAME", "All accounts of [groups.NAME] in tola.toml.", "--group")
]


@hands_app.command(epilog=examples("status", "status --watch", "status --account demo --json"))
def status(
    watch: Annotated[
        bool, switch("Show it anew until Ctrl-C or its end.", "--watch", "-w")
    ] = False,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Show how a session stands: state, day, positions, limits, and how old that is."""
    from live.verbs import state_commands

    show(state_commands.status(account, watch, as_json), as_json)


@hands_app.command(epilog=examples("positions", "positions --json"))
def positions(account: AccountName = None, as_json: Json = False) -> None:
    """Show what is open, with its stop and its profit now."""
    from live.verbs import state_commands

    show(state_commands.positions(account), as_json)


@hands_app.command(epilog=examples("orders", "orders --json"))
def orders(account: AccountName = None, as_json: Json = False) -> None:
    """Show the orders at work."""
    from live.verbs import state_commands

    show(state_commands.orders(account), as_json)


@hands_app.command(epilog=examples("quote", "quote XAUUSD --json"))
def quote(
    symbol: Annotated[
        str | None, argument("[SYMBOL]", "One of the session's; all of them.")
    ] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Show the last prices of a session."""
    from live.verbs import state_commands

    show(state_commands.quote(account, symbol), as_json)


_QUANTITY = argument("QUANTITY", "Lots, contracts or units, as the instrument trades.")
_SYMBOL = argument("[SYMBOL or PLAN]", "What to trade; the session's only symbol.")
_LIMIT = option("PRICE", "At this price or better.")
_STOP = option("PRICE", "Once this price is reached.")
_STOP_LOSS = option("PRICE", "Protecting stop, at work from the fill on.")
_TAKE_PROFIT = option("PRICE", "Target, at work from the fill on.")


@order_app.command(
    epilog=examples(
        "order buy 2 XAUUSD --stop-loss 2400",
        "order buy 1 --limit 2405.5 --stop-loss 2400 --take-profit 2420",
    )
)
def buy(
    quantity: Annotated[float, _QUANTITY],
    target: Annotated[str | None, _SYMBOL] = None,
    limit: Annotated[float | None, _LIMIT] = None,
    stop: Annotated[float | None, _STOP] = None,
    stop_loss: Annotated[float | None, _STOP_LOSS] = None,
    take_profit: Annotated[float | None, _TAKE_PROFIT] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Buy by hand: at the next price, or at a limit or a stop."""
    from live.verbs import hands_commands

    terms = {"limit": limit, "stop": stop, "stop_loss": stop_loss, "take_profit": take_profit}
    show(hands_commands.order(account, "buy", quantity, target, terms), as_json)


@order_app.command(
    epilog=examples(
        "order sell 2 XAUUSD --stop-loss 2420", "order sell 1 --stop 2400 --stop-loss 2406"
    )
)
def sell(
    quantity: Annotated[float, _QUANTITY],
    target: Annotated[str | None, _SYMBOL] = None,
    limit: Annotated[float | None, _LIMIT] = None,
    stop: Annotated[float | None, _STOP] = None,
    stop_loss: Annotated[float | None, _STOP_LOSS] = None,
    take_profit: Annotated[float | None, _TAKE_PROFIT] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Sell by hand: at the next price, or at a limit or a stop."""
    from live.verbs import hands_commands

    terms = {"limit": limit, "stop": stop, "stop_loss": stop_loss, "take_profit": take_profit}
    show(hands_commands.order(account, "sell", quantity, target, terms), as_json)


_ORDER_ID = argument("ID", "As `orders` shows it, or the number it ends with.")


@order_app.command(
    epilog=examples("order modify 12 --price 2408.5", "order modify 12 --quantity 2")
)
def modify(
    order_id: Annotated[str, _ORDER_ID],
    price: Annotated[
        float | None, option("PRICE", "New limit of a limit order, new trigger of a stop.")
    ] = None,
    limit: Annotated[float | None, option("PRICE", "New limit of a stop-limit order.")] = None,
    quantity: Annotated[float | None, option("QUANTITY", "New quantity.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Change an order at work; a protecting stop moves only to less risk."""
    from live.verbs import hands_commands

    terms = {"price": price, "limit": limit, "quantity": quantity}
    show(hands_commands.order_modify(account, order_id, terms), as_json)


@order_app.command(epilog=examples("order cancel 12"))
def cancel(
    order_id: Annotated[str, _ORDER_ID], account: AccountName = None, as_json: Json = False
) -> None:
    """Cancel an order at work."""
    from live.verbs import hands_commands

    show(hands_commands.order_cancel(account, order_id), as_json)


@hands_app.command(epilog=examples("close", "close gold --half", "close XAUUSD --share 0.25"))
def close(
    target: Annotated[str | None, argument("[SYMBOL or PLAN]", "Whose positions; all.")] = None,
    half: Annotated[bool, switch("Half of each.", "--half")] = False,
    share: Annotated[float | None, option("SHARE", "So much of each: 0.25.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Close positions at the next price; what is working stays."""
    from live.verbs import hands_commands

    if half and share is not None:
        raise typer.BadParameter("--half and --share: give one of them")
    part = 0.5 if half else 1.0 if share is None else share
    show(hands_commands.close(account, target, part), as_json)


@hands_app.command(epilog=examples("flatten", "flatten gold"))
def flatten(
    plan: Annotated[str | None, argument("[PLAN]", "One plan, or symbol; all.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Cancel orders and close positions; strategies go on and may enter again (see pause)."""
    from live.verbs import hands_commands

    show(hands_commands.flatten(account, plan), as_json)


@hands_app.command(epilog=examples("pause", "pause gold --reason news"))
def pause(
    plan: Annotated[str | None, argument("[PLAN]", "One plan, or symbol; all.")] = None,
    reason: Annotated[str | None, option("TEXT", "Why: it is shown and kept.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Take no further entry and leave none working; positions keep their stops and targets."""
    from live.verbs import hands_commands

    show(hands_commands.pause(account, plan, reason), as_json)


@hands_app.command(epilog=examples("resume", "resume gold"))
def resume(
    plan: Annotated[str | None, argument("[PLAN]", "One plan, or symbol; all.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Take entries again after pause."""
    from live.verbs import hands_commands

    show(hands_commands.resume(account, plan), as_json)


@hands_app.command(
    "set",
    epilog=examples("set gold rr=3 risk_pct=0.25", "set gold max_trades_day=1",
                    "set account daily_loss=400"),
)  # fmt: skip
def set_(
    plan: Annotated[str, argument("PLAN", "A plan; hand; or account, for a limit of all.")],
    values: Annotated[list[str], argument("NAME=VALUE...", "A setting, or a limit.")],
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """Change a running session: a management setting for new setups, or a limit to a stricter one.

    Hard limits only tighten until the next trading day; then the settings file holds again.
    """
    from live.verbs import hands_commands

    show(hands_commands.set_values(account, plan, values), as_json)


@hands_app.command(epilog=examples("stop", "stop --reason 'enough for today'"))
def stop(
    reason: Annotated[str | None, option("TEXT", "Why: it is kept.")] = None,
    account: AccountName = None,
    as_json: Json = False,
) -> None:
    """End a session in order, as Ctrl-C in its own terminal does, and wait for its end."""
    from live.verbs import hands_commands

    show(hands_commands.stop(account, reason), as_json)


@hands_app.command(epilog=examples("kill", "kill --account demo --reason 'feed is wrong'"))
def kill(
    reason: Annotated[str | None, option("TEXT", "Why: it is shown and kept.")] = None,
    account: AccountName = None,
    group: GroupName = None,
    as_json: Json = False,
) -> None:
    """Press the kill switch: flat at once, the session ends, none starts until release."""
    from live.verbs import group_commands, hands_commands

    if group is not None:
        show(group_commands.kill(group, reason), as_json)
    else:
        show(hands_commands.kill(account, reason), as_json)


@hands_app.command(epilog=examples("release", "release --account demo --confirm demo"))
def release(
    confirm: Annotated[str | None, option("NAME", "The account's name, instead of typing.")] = None,
    account: AccountName = None,
    group: GroupName = None,
    as_json: Json = False,
) -> None:
    """Let a killed account trade again; its name must be typed."""
    from live.verbs import group_commands, hands_commands

    prompt = typer.prompt if sys.stdin.isatty() and not as_json else None
    if group is not None:
        show(group_commands.release(group, confirm, prompt), as_json)
    else:
        show(hands_commands.release(account, confirm, prompt), as_json)
