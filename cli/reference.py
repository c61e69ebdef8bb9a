"""What there is to type: `strategies`, `completion`."""

from __future__ import annotations

from typing import Annotated

import typer

from backtests.verbs.console import App, show
from cli.options import Json, examples

reference_app = App()


@reference_app.command(epilog=examples("strategies", "strategies gold_smc"))
def strategies(
    name: Annotated[str | None, typer.Argument(help="One strategy: its parameters.")] = None,
    as_json: Json = False,
) -> None:
    """List the strategies, or one strategy's parameters with defaults and bounds."""
    from backtests.verbs import commands

    show(commands.strategies(name), as_json)


@reference_app.command(epilog=examples("completion bash", "completion powershell"))
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Print the script by which a shell completes command lines; its end says how to install it."""
    from backtests.verbs.completion import completion

    show(completion(shell, words or [], context.find_root().command), as_json)
