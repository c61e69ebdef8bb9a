"""`odds`: what else might have come of a run's trades, and what account rules would have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.verbs.commands import RUNS, DrawStudy
from backtests.verbs.outcome import Outcome, command_line, plan_words, settings_words
from backtests.verbs.progress import Progress
from backtests.verbs.study_folder import study_folder, write_study
from core.config_fields import flag_name, is_file_name
from core.errors import ConfigError
from core.results import RunFolder, find_run, list_runs

MOST_PATHS = 1_000_000


def odds(
    names: Sequence[str],
    flags: Mapping[str, Any],
    asked: Mapping[str, Any],
    config: str,
    progress: Progress,
    draw: DrawStudy | None,
) -> Outcome:
    """Work out the odds of a run or of a plan, and write them to runs/odds-NAME.

    Parameters
    ----------
    names : a run (last, -1, a number), or a plan or strategy, which is run first; none: last, which
        is the last one that holds trades.
    asked : `paths`, `horizon`, `seed`, `ruin_pct`, `block`, `perturbed`, `presets`, `plan`.
    draw : callable(content, folder) -> files
        Writes the page and the pictures; None leaves them out.

    Raises
    ------
    TolaError : no such run or plan, too few trades, a value that makes no sense.
    """
    from backtests.odds.accounts import limits_of
    from backtests.odds.source import source_of_plan, source_of_run
    from backtests.odds.study import Asked, study
    from backtests.odds.telling import lines, page_content, short_lines
    from backtests.resolve import resolve
    from core.config import load

    _check(asked)
    given = {name: value for name, value in flags.items() if value is not None}
    if _is_run(names, given):
        folder = _run_folder(names[0] if names else "last")
        if given:
            flag = flag_name(next(iter(given)))
            raise ConfigError(
                f"{flag}: run {folder.name} stays as it was made; give it with a plan, which is "
                f"run first: python run.py odds PLAN {flag} ..."
            )
        source = source_of_run(folder, asked["plan"], config)
        step = ["runs", "show", folder.name]
    else:
        request = resolve(names, flags, config)
        source = source_of_plan(request, progress)
        step = ["ready", request.plans[0].plan.name, *plan_words(names, flags)]
        step += settings_words(config)
    sample = source.sample
    accounts = limits_of(asked["presets"], load(config).risk, sample.cash, sample.currency)
    told = {name: asked[name] for name in ("paths", "horizon", "seed", "ruin_pct", "block",
                                           "perturbed")}  # fmt: skip
    done = study(source, Asked(**told, accounts=accounts), progress)
    progress.end()
    out = study_folder("odds", source.name or source.plan_id)
    document = {**done.document, "out": out.as_posix()}
    document["files"] = write_study("odds", out, document, page_content(done), draw)
    text = lines(document)
    if draw is not None:
        text.append(f"report {document['files']['report']}")
    return Outcome(document, text, command_line(step), short_lines(document))


def _is_run(names: Sequence[str], flags: Mapping[str, Any]) -> bool:
    """Say whether a run is meant: nothing at all, last, a number, or a folder of one."""
    if len(names) > 1:
        raise ConfigError(f"odds take one run or plan; {len(names)} were named")
    if not names:
        return not flags
    name = names[0]
    is_number = name.lstrip("-").isdigit()
    is_path = len(Path(name).parts) > 1 and not is_file_name(name)
    return name == "last" or is_number or is_path or (Path(name) / "summary.json").is_file()


def _run_folder(wanted: str) -> RunFolder:
    """Return a run; the last is the last that holds trades, where there is one."""
    from backtests.odds.source import SEARCHES

    if wanted == "last":
        for folder in reversed(list_runs(RUNS)):
            if folder.summary.get("mode") not in SEARCHES:
                return folder
    return find_run(wanted, RUNS)


def _check(asked: Mapping[str, Any]) -> None:
    """Raise ConfigError for numbers out of their range, all in one message."""
    from backtests.odds.study import MOST_DAYS

    faults = []
    for name, flag, low, high in (
        ("paths", "--paths", 100, MOST_PATHS), ("horizon", "--days", 1, 5_000),
        ("ruin_pct", "--ruin", 0.1, 100.0), ("perturbed", "--perturb", 0, 10_000),
        ("block", "--block", 1.0, 1_000.0), ("seed", "--seed", 0, 2**32 - 1),
    ):  # fmt: skip
        value = asked[name]
        if value is not None and not low <= value <= high:
            faults.append(f"{flag} {value:,.10g}: expected {low:,.10g} to {high:,.10g}")
    in_all = asked["paths"] * asked["horizon"]
    if not faults and in_all > MOST_DAYS:
        faults.append(
            f"--paths {asked['paths']:,} of --days {asked['horizon']:,}: {in_all:,} days in all; "
            f"expected at most {MOST_DAYS:,}, which take a gigabyte"
        )
    if faults:
        raise ConfigError("; ".join(faults))
