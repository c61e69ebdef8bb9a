"""What the `data` verbs do: look at price files, mend, convert and list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.verbs.outcome import FAILED, Outcome, command_line
from backtests.verbs.progress import Progress
from core.environment import version
from core.errors import ConfigError, DataError
from core.wording import plural

if TYPE_CHECKING:
    from feeds.checking import FileCheck
    from feeds.converting import Reading
    from feeds.findings import Finding
    from feeds.listing import Listed

SHOWN_LINES = 3
_STAGES = 5
_BAR = 20


def read_as(
    instrument: str | None, tz: str | None, stamp: str | None, columns: Sequence[str]
) -> Reading:
    """Return how files are read, from the flags.

    Raises
    ------
    ConfigError : a column that is not written WORD=HEADER.
    """
    from feeds.converting import Reading

    named = {}
    for pair in columns:
        word, mark, header = pair.partition("=")
        if not mark or not header:
            raise ConfigError(f"columns {pair}: expected WORD=HEADER, such as close=Settle")
        named[word.strip().lower()] = header.strip()
    return Reading(instrument, tz, stamp, named)


def data_check(
    files: Sequence[str],
    reading: Reading,
    progress: Progress,
    *,
    timeframe: str | None = None,
    show_all: bool = False,
    strict: bool = False,
) -> Outcome:
    """Say what price files hold and every defect with its line.

    Exit code 1 if a run would refuse one; with `strict` also if there is a warning. Of several
    files one that cannot be read at all is named and the others are checked.

    Raises
    ------
    DataError : the only file cannot be read at all.
    ConfigError : unknown instrument or zone; a timeframe that cannot be built.
    """
    import feeds
    from feeds.archives import members
    from feeds.last_check import remember

    paths = [
        inner
        for path in files
        for inner in ([f"{path}/{m}" for m in members(Path(path))] if _has_many(path) else [path])
    ]
    checks: list[tuple[str, FileCheck]] = []
    unread: dict[str, str] = {}
    lines: list[str] = []
    for path in paths:
        try:
            found = feeds.check(path, tell=_stages(progress, path), **asdict(reading))
        except DataError as fault:
            if len(paths) == 1:
                raise
            unread[path] = str(fault)
            lines.append(f"error: {fault}")
            continue
        finally:
            progress.end()
        if Path(path).is_file():
            remember(Path(path), found)
        checks.append((path, found))
        lines += check_lines(path, found, show_all)
        if timeframe is not None and found.is_sound:
            series = feeds.load(path, timeframe=timeframe, **asdict(reading))
            lines.append(f"  as {timeframe}: {plural(len(series), 'bar')}")
    sound = not unread and all(found.is_sound for _, found in checks)
    clean = sound and not any(found.of("warning") for _, found in checks)
    document = {
        "files": [
            {"path": path, **found.facts, **found.totals(), "kinds": found.counts()}
            for path, found in checks
        ]
        + [{"path": path, "fault": fault} for path, fault in unread.items()],
        "findings": [
            {"file": path, **finding}
            for path, found in checks
            for finding in found.as_dict()["findings"]
        ],
        "sound": sound,
    }
    is_passed = clean if strict else sound
    return Outcome(
        document,
        lines,
        _after_check(checks, list(unread), is_passed=is_passed),
        [line for line in lines if not line.startswith(" ")],
        exit_code=0 if is_passed else FAILED,
    )


def _has_many(path: str) -> bool:
    from feeds.archives import members

    return len(members(Path(path))) > 1


def _stages(progress: Progress, path: str) -> Callable[[str, int], None]:
    """Return what is told of each stage and draws it as a bar in a terminal."""
    done = 0

    def tell(stage: str, rows: int) -> None:
        nonlocal done
        bar = ("#" * round(min(done / _STAGES, 1) * _BAR)).ljust(_BAR, ".")
        count = f"  {plural(rows, 'row')}" if rows else ""
        progress.note(f"{Path(path).name}  [{bar}]  {stage}{count}")
        done += 1

    return tell


def _after_check(
    checks: Sequence[tuple[str, FileCheck]], unread: Sequence[str], *, is_passed: bool
) -> str:
    for path, found in checks:
        kinds = {finding.kind for finding in found.of("error")}
        if kinds == {"zone"}:
            return "state the zone with --tz, as the error says"
        if kinds:
            return command_line(["data", "fix", path, "-o", _beside(path, "mended")])
    if unread:
        again = command_line(["data", "check", unread[0]])
        return f"what could not be read, once mended: {again}"
    if not is_passed:
        path = next(path for path, found in checks if found.of("warning"))
        return (
            f"all warnings, which --strict fails: {command_line(['data', 'check', path, '--all'])}"
        )
    return "python run.py init"


def _beside(path: str, word: str) -> str:
    """Return `gold_mended.csv` for `gold.csv`, the packing kept."""
    name = Path(path).name
    stem, dot, ending = name.partition(".csv")
    if not dot:
        stem, dot, ending = Path(name).stem, ".csv", ""
    return f"{stem}_{word}{dot}{ending}"


def check_lines(path: str, found: FileCheck, show_all: bool = False) -> list[str]:
    """Return what `data check` prints of one file."""
    totals = found.totals()
    text = ", ".join(
        f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in totals.items()
    )
    lines = [f"{path}: {understood(found.facts)}", *(f"  {line}" for line in details(found.facts))]
    lines.append(f"  {text}")
    groups = groupby(
        sorted(found.findings, key=lambda f: (_place(found, f), f.line or 0)),
        key=lambda finding: (finding.severity, finding.kind),
    )
    for (severity, kind), members_of in groups:
        lines += _group_lines(severity, kind, list(members_of), show_all)
    return lines


def _place(found: FileCheck, finding: Finding) -> tuple[int, int]:
    """Order kinds as they first appear, errors first."""
    from feeds.findings import KINDS, SEVERITIES

    return SEVERITIES.index(finding.severity), list(KINDS).index(finding.kind)


def _group_lines(severity: str, kind: str, found: Sequence[Finding], show_all: bool) -> list[str]:
    from feeds.findings import KINDS

    if len(found) == 1:
        return [f"  {severity}: {_said(found[0])}"]
    shown = found if show_all else found[:SHOWN_LINES]
    lines = [f"  {severity}: {kind}, {plural(len(found), 'time')}: {KINDS[kind]}"]
    lines += [f"    {_said(finding)}" for finding in shown]
    if len(found) > len(shown):
        lines.append(f"    and {len(found) - len(shown):,} more (--all names them)")
    return lines


def _said(finding: Finding) -> str:
    if finding.line is None:
        return finding.message
    span = finding.last_line is not None and finding.last_line != finding.line
    where = f"lines {finding.line} to {finding.last_line}" if span else f"line {finding.line}"
    return f"{where}: {finding.message}"


def understood(facts: Mapping[str, Any]) -> str:
    """Return in one line how a file was read."""
    zone = f"zone {facts['zone']} ({facts['zone_known']})"
    rows = "row" if facts["rows"] == 1 else "rows"
    return (
        f"{facts.get('dialect', 'bars')}, {facts['rows']:,} {rows} of {facts['timeframe']}, {zone},"
        f" stamps are bar {facts['stamp']}s ({facts['stamp_known']}),"
        f" prices are {facts['price_side']}"
    )


def details(facts: Mapping[str, Any]) -> list[str]:
    """Return what else was understood: separators, columns, stamps, and a file's own history."""
    lines = []
    if facts.get("separator"):
        columns = facts.get("columns", {})
        named = " ".join(
            word if header.lower() == word else f"{word}={header}"
            for word, header in columns.items()
        )
        stamp = facts.get("stamp_example", "")
        lines.append(f"{facts['separator']}, stamps such as {stamp}; columns {named}")
    own = facts.get("provenance")
    if own:
        names = ", ".join(str(source["name"]) for source in own["sources"])
        changes = "; ".join(f"{count:,} {what}" for what, count in own["changes"].items())
        told = f": {changes}" if changes else ""
        lines.append(f"made by {own['made_by']} from {names} on {own['made'][:10]}{told}")
    return lines


def data_fix(
    source: str,
    out: str,
    reading: Reading,
    progress: Progress,
    *,
    drop: Sequence[str] = (),
    keep: str | None = None,
    widen: bool = False,
    force: bool = False,
) -> Outcome:
    """Write a mended copy and the list of its changes; exit code 1 if something is left to mend.

    Raises
    ------
    DataError : the file cannot be read, or no row is sound.
    ConfigError : the copy exists, or an unknown kind is to be dropped.
    """
    from feeds.last_check import remember
    from feeds.mending import Rules, fix

    kinds = tuple(word.strip() for item in drop for word in item.split(",") if word.strip())
    rules = Rules(kinds, keep, widen)
    mended = fix(
        source,
        out,
        reading,
        rules,
        force=force,
        tool=f"tola {version()}",
        tell=_stages(progress, source),
    )
    progress.end()
    remember(mended.out, mended.left)
    totals = mended.left.totals()
    counts = mended.counts()
    changed = [f"  {count:,} {what}" for what, count in counts.items()] or ["  nothing to mend"]
    left = [line for line in check_lines(str(mended.out), mended.left)[1:] if "error" in line]
    lines = [
        f"wrote {mended.out}: {plural(mended.rows, 'row')}, "
        f"{plural(len(mended.changes), 'change')},"
        f" each in {mended.changes_file}",
        *changed,
        *([f"  left: {line.strip()}" for line in left] if totals["error"] else []),
    ]
    document = {
        "out": str(mended.out),
        "changes_file": str(mended.changes_file),
        "rows": mended.rows,
        "changes": counts,
        "left": {**totals, "kinds": mended.left.counts()},
        "findings": mended.left.as_dict()["findings"],
        "sound": mended.left.is_sound,
    }
    step = command_line(["data", "check", str(mended.out)])
    if "duplicate" in mended.left.counts():
        step = "the same command with --keep first or --keep last, for rows of one stamp"
    return Outcome(document, lines, step, lines[:1], 0 if mended.left.is_sound else FAILED)


def data_convert(
    files: Sequence[str],
    out: str,
    reading: Reading,
    progress: Progress,
    *,
    timeframe: str | None = None,
    keep: str | None = None,
    force: bool = False,
) -> Outcome:
    """Write one file of ours from one or several of any dialect.

    Raises
    ------
    DataError : a file is faulty, or two differ in a bar.
    ConfigError : the target exists, or the files hold several instruments.
    """
    from feeds.converting import convert

    made = convert(
        files,
        out,
        reading,
        timeframe=timeframe,
        keep=keep,
        force=force,
        tool=f"tola {version()}",
        tell=_stages(progress, out),
    )
    progress.end()
    own = made.provenance
    lines = [f"{source['name']}: {understood(source)}" for source in own.sources]
    merged = "; ".join(f"{count:,} {what}" for what, count in own.changes.items())
    lines.append(
        f"wrote {made.out}: {plural(len(made.series), 'bar')} of {own.timeframe}, {own.symbol}"
        + (f", {merged}" if merged else "")
    )
    document = {**asdict(own), "out": str(made.out), "rows": len(made.series)}
    return Outcome(document, lines, command_line(["data", "check", str(made.out)]), lines[-1:])


def data_list(folder: str | None, recursive: bool = False) -> Outcome:
    """List the price files of a folder with their span, the bundled samples by default.

    Raises
    ------
    ConfigError : no such folder.
    """
    import feeds
    from backtests.verbs.samples import FOLDER, is_sample

    top = Path(folder) if folder is not None else FOLDER
    if not top.is_dir():
        raise ConfigError(f"{top}: no such folder")
    found = [
        item
        for item in feeds.list_series(top, recursive=recursive)
        if folder is not None or is_sample(item.path)
    ]
    lines = _table(found, top) or [f"{top}: no price files"]
    return Outcome(
        {"folder": str(top), "files": [asdict(item) for item in found]},
        lines,
        "python run.py data check FILE",
    )


def _table(found: Sequence[Listed], top: Path) -> list[str]:
    names = [str(Path(item.path).relative_to(top)) for item in found]
    width = max((len(name) for name in names), default=0)
    kinds = max((len(item.dialect) for item in found), default=0)
    return [
        f"{name:<{width}}  cannot be read: {item.fault}"
        if item.fault
        else f"{name:<{width}}  {item.symbol:<13} {item.timeframe:>4} {item.bars:>9,} bars  "
        f"{item.first[:10]} to {item.last[:10]}  {item.dialect:<{kinds}}  "
        f"{item.zone:<14} {item.price_side:<4}  {_defects(item)}"
        for name, item in zip(names, found, strict=True)
    ]


def _defects(item: Listed) -> str:
    """Return what the last check found, and what else one should know."""
    words = []
    if item.findings:
        errors, warnings = item.findings.get("error", 0), item.findings.get("warning", 0)
        words.append(f"{plural(errors, 'error')}, {plural(warnings, 'warning')}")
    else:
        words.append("not checked")
    if item.made_from:
        words.append(f"made from {', '.join(item.made_from)}")
    if item.synthetic:
        words.append("synthetic")
    return ", ".join(words)
