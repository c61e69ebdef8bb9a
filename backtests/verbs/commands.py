"""What each verb of the command line does; every function returns an `Outcome` to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.verbs.outcome import FAILED, Outcome, command_line, settings_words
from backtests.verbs.progress import Progress
from core.errors import ConfigError, TolaError
from core.results import RunFolder, RunWriter, find_run

RUNS = Path("runs")
ROOT = Path(__file__).resolve().parents[2]

Ask = Callable[[str, str], str]
Draw = Callable[[RunFolder], Mapping[str, Any]]
DrawStudy = Callable[[Mapping[str, Any], Path], Mapping[str, Any]]


def init(
    config: str,
    market: str | None = None,
    risk: str | None = None,
    currency: str | None = None,
    ask: Ask | None = None,
) -> Outcome:
    """Write a settings file and `.env.example` from three answers.

    Parameters
    ----------
    ask : callable(question, default) -> answer
        Asks for what is not given; None takes the defaults.

    Raises
    ------
    ConfigError : wrong answers, or the settings file exists.
    """
    from core.config_text import MARKETS, InitAnswers, init_texts
    from risk.presets import PRESETS

    target = Path(config)
    if target.exists():
        raise ConfigError(f"{config}: exists already; edit it, or choose another with --config")
    if ask is not None:
        market = market or ask(f"market [{'/'.join(MARKETS)}]", "both")
        risk = risk or ask("account rules (a preset, or none)", "none")
        currency = currency or ask("account currency (or the market's own)", "own")
    answers = InitAnswers(market or "both", _unless(risk, "none"), _unless(currency, "own"))
    texts = init_texts(answers, PRESETS)
    wrote = [_write_new(target, texts.settings)]
    example = target.parent / ".env.example"
    if not example.exists():
        wrote.append(_write_new(example, texts.environment))
    plan = "gold" if answers.market == "both" else answers.market
    missing = [
        f"fill in [fx] {pair} in {config} first (remove its #): {pair[3:]} per 1 {pair[:3]}, a "
        f"number or a price file; without it the {pair[:3]} plans do not run"
        for pair in texts.rates
    ]
    return Outcome(
        {"wrote": wrote, "market": answers.market, "rates_to_fill": list(texts.rates)},
        [f"wrote {' and '.join(wrote)}", *missing],
        command_line(["backtest", plan, *settings_words(config)]),
    )


def _unless(value: str | None, nothing: str) -> str | None:
    return None if value in (None, "", nothing) else value


def _write_new(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)
    return str(path)


def backtest(
    names: Sequence[str],
    flags: Mapping[str, Any],
    config: str,
    progress: Progress,
    draw: Draw,
    again: Sequence[str] = ("backtest",),
) -> Outcome:
    """Run plans or strategies on history and leave a run folder.

    Parameters
    ----------
    names : sequence of str
        Plans or strategies; none: all of the settings file, or the bundled ones.
    flags : mapping
        Fields of plans and settings by name; None where not given.
    draw : callable(RunFolder) -> files
        Writes the report.
    again : sequence of str
        The words of this very command, to be told what to add to it.

    Raises
    ------
    TolaError : settings, data or a user's strategy are at fault; nothing is written.
    """
    from backtests.interrupts import keep
    from backtests.resolve import resolve
    from backtests.results.summary_text import short_lines, summary_lines
    from backtests.runner import finish, run, store
    from core.log import configure

    request = resolve(names, flags, config)
    level = log_level(request.origins, request.settings.log_level)
    configure(level, brief=level == "WARNING")
    out = None if request.settings.out is None else Path(request.settings.out)
    with RunWriter(RUNS, out) as writer:
        folder = store(run(request, progress, keep), writer)
    summary = finish(folder, None)
    if request.settings.report:
        summary = _with_report(folder, draw)
    overridden = [f"override: {line}" for line in request.overrides]
    return Outcome(
        summary,
        [*overridden, *summary_lines(summary)],
        _next_step(summary, again, request.settings.fills),
        short_lines(summary),
        FAILED if summary["interrupted"] else 0,
    )


def _with_report(folder: RunFolder, draw: Draw) -> dict[str, Any]:
    """Draw the report of a run that stands whole by now; a report that fails loses no result."""
    from backtests.interrupts import listening
    from backtests.runner import finish

    def drawn(folder: RunFolder) -> Mapping[str, Any]:
        with listening():
            return draw(folder)

    try:
        return finish(folder, drawn)
    except (OSError, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else error.strerror
        path = folder.path.as_posix()
        raise TolaError(
            f"the run is kept in {path}, its report was not finished ({reason}); "
            f"draw it again: python run.py report {path}"
        ) from error


def log_level(origins: Mapping[str, Any], level: str) -> str:
    """Return the level a run on history logs at: warnings only, unless one was set."""
    return level if origins["settings.log_level"]["source"] != "default" else "WARNING"


def _next_step(summary: Mapping[str, Any], again: Sequence[str], fills: str) -> str:
    """Return what makes sense after a run: one's own prices, a wider view, a closer look.

    Every line ends with a command. A band is for fills that follow the path inside a bar.
    """
    once_more = command_line(without_value(again, "--out"))
    if summary["interrupted"]:
        return f"for all bars: {once_more}"
    if all(plan["synthetic"] for plan in summary["plans"]):
        return "your own prices: python run.py data check FILE"
    if not any(plan["trades"] for plan in summary["plans"]):
        return _without_trades(summary, once_more)
    if fills == "tola" and not any(plan["band"] for plan in summary["plans"]):
        return f"how much hangs on the order of extremes inside a bar: {once_more} --band"
    audited = _audit_words(again) if fills == "tola" and len(summary["plans"]) == 1 else None
    if audited is not None:
        return f"whether it looks ahead: {command_line(audited)}"
    return f"what one bar did: {command_line(['why', run_name(summary)])}"


_AUDIT_TAKES = {
    "--strategy", "--data", "--instrument", "--timeframe", "--tz", "--with", "--from", "--to",
    "--set", "--risk", "--config", "--no-report",
}  # fmt: skip


def _audit_words(again: Sequence[str]) -> list[str] | None:
    """Return the audit of what a backtest ran; None where it has no such options."""
    words = [word for word in without_value(again, "--out") if word != "--band"]
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    if not options <= _AUDIT_TAKES:
        return None
    return ["audit" if word == "backtest" else word for word in words]


def run_name(summary: Mapping[str, Any]) -> str:
    """Return what a later command calls this run: its number, or its folder elsewhere."""
    folder = Path(summary["run"])
    return folder.name if folder.parent == RUNS else folder.as_posix()


def without_value(words: Sequence[str], option: str) -> list[str]:
    """Return a command's words without an option that takes a value."""
    kept = [word for word in words if not word.startswith(f"{option}=")]
    while option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept


def _without_trades(summary: Mapping[str, Any], once_more: str) -> str:
    """Return what to look at after a run without trades; a plain strategy has no funnel."""
    if any(plan["funnel"] for plan in summary["plans"]):
        name = summary["plans"][0]["strategy"]
        return f"the settings by which its setups were dropped: python run.py strategies {name}"
    refused = {rule for plan in summary["plans"] for rule in plan["refused"]}
    if "no_stop" in refused:
        return (
            "send a protecting stop with each entry (buy_bracket or sell_bracket, or a Stop order "
            f"with parent= the entry, which then has transmit=False), then {once_more}"
        )
    if "wrong_stop" in refused:
        return f"put the stop of a buy below its entry, of a sell above it, then {once_more}"
    return f"see in {summary['run']}/orders.csv why no order filled, then {once_more}"


def runs_show(wanted: str) -> Outcome:
    """Show a run's summary as it was printed when it ended."""
    from backtests.results.summary_text import short_lines, summary_lines

    folder = find_run(wanted, RUNS)
    summary, again = folder.summary, command_line(["report", wanted])
    if folder.is_sweep:
        from backtests.verbs.sweep_commands import show_sweep

        return show_sweep(summary, again)
    if folder.is_walk:
        from backtests.verbs.walkforward_commands import show_walk

        return show_walk(summary, again)
    return Outcome(summary, summary_lines(summary), again, short_lines(summary))


def report(wanted: str, draw: Draw, draw_study: DrawStudy) -> Outcome:
    """Draw a run's report and plots again.

    Parameters
    ----------
    draw_study : callable(content, folder) -> files
        Draws what is no single run: a sweep, a walk-forward.
    """
    folder = find_run(wanted, RUNS)
    if folder.is_sweep:
        from backtests.verbs.sweep_commands import draw_sweep

        files = draw_sweep(folder, draw_study)
    elif folder.is_walk:
        from backtests.verbs.walkforward_commands import draw_walk

        files = draw_walk(folder, draw_study)
    else:
        files = dict(draw(folder))
    return Outcome(
        {"run": str(folder.path), "files": files},
        [f"wrote {files['report']}", f"open it: {Path(files['report']).resolve().as_uri()}"],
        command_line(["runs", "show", wanted]),
    )


def doctor(config: str) -> Outcome:
    """Check the installation; exit code 1 if something a run needs is missing."""
    from backtests.verbs.doctor import FAIL, examine

    checks = examine(ROOT, config)
    failed = any(check.state == FAIL for check in checks)
    return Outcome(
        {"checks": [vars(check) for check in checks], "ok": not failed},
        [f"{check.state:<5} {check.name}: {check.text}" for check in checks],
        "python run.py setup" if failed else "python run.py backtest",
        exit_code=FAILED if failed else 0,
    )


def strategies(name: str | None) -> Outcome:
    """List the strategies, or one's parameters with defaults and bounds.

    Raises
    ------
    ConfigError : unknown name.
    """
    from strategies import get, names

    if name is None:
        rows = [_strategy_row(get(known), known) for known in names()]
        lines = [f"{row['name']:<10} {row['about']}" for row in rows]
        return Outcome({"strategies": rows}, lines, f"python run.py strategies {names()[0]}")
    found = get(name)
    row = {**_strategy_row(found, name), "parameters": _parameters(found)}
    lines = [f"{row['name']}: {row['about']}"]
    if row["further"]:
        lines.append(f"further series (--with NAME=FILE): {', '.join(row['further'])}")
    lines += [
        f"  {item['name']:<16} {_default(item['default']):<12} {item['meaning']}"
        + (f" ({item['allowed']})" if item["allowed"] else "")
        for item in row["parameters"]
    ]
    example = next((item for item in row["parameters"] if item["name"] == "rr"), None)
    change = " --set rr=3" if example else ""
    return Outcome(row, lines, f"python run.py backtest {name}{change}")


def _default(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _strategy_row(found: type[Any], name: str) -> dict[str, Any]:
    about = (found.__doc__ or "").strip().splitlines()[0]
    return {"name": name, "about": about, "further": list(getattr(found, "further", ()))}


def _parameters(found: type[Any]) -> list[dict[str, Any]]:
    """Return a strategy's parameters; a plain Backtrader strategy tells names and defaults only."""
    settings = getattr(found, "settings", None)
    if settings is None:
        pairs = found.params._getpairs().items()
        return [{"name": k, "default": v, "meaning": "", "allowed": ""} for k, v in pairs]
    return [
        {
            "name": item.name,
            "default": item.default,
            "meaning": item.meaning,
            "allowed": item.allowed(),
            "structural": item.structural,
        }
        for item in settings
    ]
