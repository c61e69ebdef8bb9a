"""Hands on a running session: orders, close, flatten, pause, set, stop, kill and release.

All but the kill switch are requests to the session, which carries them out through its guard and
answers; what is shown is its answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from core.errors import ConfigError, TolaError
from core.log import redact
from live import monitor
from live.account_folder import AccountFolder
from live.kill import KillSwitch
from live.lock import read_holder
from live.verbs.accounts import (
    ask,
    existing_account,
    named,
    outcome_of,
    running_account,
    start_line,
    user,
)

END_SECS = 30.0
"""How long a session may take to end before that is told instead."""
_POLL_SECS = 0.1


def order(
    account: str | None, side: str, quantity: float, target: str | None, terms: Mapping[str, Any]
) -> Outcome:
    """Order by hand: on a virtual plan of its own, through the guard.

    Parameters
    ----------
    target : a symbol, or a plan that trades it; None: the session's only symbol.
    terms : limit, stop, stop_loss, take_profit; None where not given.
    """
    folder, _ = running_account(account)
    given = {"side": side, "quantity": quantity, "plan": target, **terms}
    answer = ask(folder, "order", _told(given))
    if answer.get("rule") == "no_stop":
        found = outcome_of(folder, answer, "quote")
        lines = [*found.lines, "say where it gets out: --stop-loss PRICE"]
        return Outcome(found.document, lines, found.next, exit_code=found.exit_code)
    return outcome_of(folder, answer, "positions" if answer.get("done") else "status")


def order_modify(account: str | None, order_id: str, terms: Mapping[str, Any]) -> Outcome:
    """Change a working order; terms are price, limit, quantity."""
    given = _told(terms)
    if not given:
        raise ConfigError("order modify: give --price, --limit or --quantity")
    folder, _ = running_account(account)
    answer = ask(folder, "modify", {"order_id": order_id, **given})
    return outcome_of(folder, answer, "orders")


def order_cancel(account: str | None, order_id: str) -> Outcome:
    """Cancel a working order."""
    folder, _ = running_account(account)
    return outcome_of(folder, ask(folder, "cancel", {"order_id": order_id}), "orders")


def close(account: str | None, target: str | None, share: float) -> Outcome:
    """Close (a share of) positions: a plan's, a symbol's, or all."""
    if not 0.0 < share <= 1.0:
        raise ConfigError(f"--share {share:g}: expected 0 < share <= 1")
    folder, _ = running_account(account)
    answer = ask(folder, "close", _told({"plan": target, "share": share}))
    return outcome_of(folder, answer, "positions")


def flatten(account: str | None, plan: str | None) -> Outcome:
    """Cancel orders and close positions, of one plan or of all."""
    folder, _ = running_account(account)
    return outcome_of(folder, ask(folder, "flatten", _told({"plan": plan})), "positions")


def pause(account: str | None, plan: str | None, reason: str | None) -> Outcome:
    """Take no further entry, of one plan or of all."""
    folder, _ = running_account(account)
    answer = ask(folder, "pause", _told({"plan": plan, "reason": reason}))
    return outcome_of(folder, answer, "resume", *([plan] if plan else []))


def resume(account: str | None, plan: str | None) -> Outcome:
    """Take entries again."""
    folder, _ = running_account(account)
    return outcome_of(folder, ask(folder, "resume", _told({"plan": plan})), "status")


def set_values(account: str | None, plan: str, pairs: Sequence[str]) -> Outcome:
    """Change settings or tighten limits, one after the other; the first that fails ends it."""
    wanted = [_pair(text) for text in pairs]
    folder, _ = running_account(account)
    answers = []
    for name, value in wanted:
        answers.append(ask(folder, "set", {"plan": plan, "name": name, "value": value}))
        if not answers[-1].get("done"):
            break
    if len(answers) == 1:
        return outcome_of(folder, answers[0], "status")
    last = outcome_of(folder, answers[-1], "status")
    texts = [str(answer.get("text")) for answer in answers]
    document = {"account": folder.name, "done": not last.exit_code, "changes": answers}
    return Outcome(document, texts, last.next, exit_code=last.exit_code)


def stop(account: str | None, reason: str | None) -> Outcome:
    """End a session in order, and wait until it has ended."""
    folder, holder = running_account(account)
    answer = ask(folder, "stop", {"reason": reason or f"stopped by {user()}"})
    ended = wait_for_end(folder, holder.pid)
    if ended is None:
        text = f"the session takes the request and has not ended within {END_SECS:g} s"
        return outcome_of(folder, {**answer, "done": False, "text": text}, "status")
    told = {"exit_reason": ended.get("exit_reason"), "positions": ended.get("positions")}
    text = f"{ended.get('exit_reason')}: {left_open(ended)}"
    found = outcome_of(folder, {**answer, **told, "text": text})
    return Outcome(found.document, found.lines, start_line(folder), exit_code=found.exit_code)


# -- the kill switch -------------------------------------------------------------------------


def kill(account: str | None, reason: str | None) -> Outcome:
    """Press the kill switch, and wait until the session is flat and has ended."""
    folder = existing_account(account)
    switch = KillSwitch(folder.kill, folder.name)
    holder = read_holder(folder)
    was_pressed = switch.is_pressed
    switch.press(reason or "", user())
    release = command_line(["release", *named(folder)])
    document = {"account": folder.name, "pressed": True, "was_pressed": was_pressed,
                "session": holder is not None}  # fmt: skip
    pressed = "is killed already" if was_pressed else "is killed"
    if holder is None:
        text = f"account {folder.name} {pressed}; no session runs, none starts until it is released"
        return Outcome({**document, "flat": None}, [text], release)
    ended = wait_for_end(folder, holder.pid)
    is_flat = ended is not None and not ended.get("positions")
    document |= {"flat": is_flat, "positions": (ended or {}).get("positions")}
    if ended is None:
        text = (
            f"account {folder.name} {pressed}, but its session has not ended within {END_SECS:g} "
            f"s: end process {holder.pid}, then close at the venue what is open"
        )
        return Outcome(document, [text], command_line(["status", *named(folder)]), exit_code=FAILED)
    text = f"account {folder.name} {pressed}: {left_open(ended)}, session ended"
    return Outcome(document, [text], release, exit_code=DONE if is_flat else FAILED)


def release(account: str | None, typed: str | None, prompt: Callable[[str], str] | None) -> Outcome:
    """Let a killed account trade again: its name must be typed.

    Parameters
    ----------
    typed : what was given with --confirm.
    prompt : asks for it, None where nobody can be asked.
    """
    folder = existing_account(account)
    switch = KillSwitch(folder.kill, folder.name)
    document = {"account": folder.name, "released": False}
    if not switch.is_pressed:
        return Outcome(document, [f"account {folder.name} is not killed"], start_line(folder))
    note = switch.note()
    why = f" ({note.reason})" if note.reason else ""
    if typed is None:
        told = f"killed by {note.author or 'somebody'} at {note.time or 'an unknown time'}{why}"
        if prompt is None:
            raise ConfigError(
                f"account {folder.name}: {told}; to let it trade again: "
                f"{command_line(['release', *named(folder), '--confirm', folder.name])}"
            )
        typed = prompt(f"{told}\ntype the account's name to let it trade again")
    switch.release(typed)
    _log(folder, f"account released author={user()} killed_by={note.author} reason={note.reason}")
    return Outcome({**document, "released": True, "reason": note.reason},
                   [f"account {folder.name} may trade again"], start_line(folder))  # fmt: skip


# -- inside ----------------------------------------------------------------------------------


def _log(folder: AccountFolder, text: str) -> None:
    """Add a line to the account's log: no session runs that would write it."""
    stamp = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    with contextlib.suppress(OSError), folder.log.open("a", encoding="utf-8") as file:
        file.write(f"{stamp} INFO {__name__} {redact(text)}\n")


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name.strip() and sign and value.strip()):
        raise ConfigError(f"set {text}: expected NAME=VALUE, such as rr=3 or daily_loss=400")
    return name.strip(), value.strip()


def wait_for_end(folder: AccountFolder, pid: int) -> dict[str, Any] | None:
    """Return the last status of a session once it has ended, None if it does not in time."""
    end = time.monotonic() + END_SECS
    while time.monotonic() < end:
        if read_holder(folder) is None:
            break
        time.sleep(_POLL_SECS)
    else:
        return None
    try:
        document = monitor.read(folder.status)
    except TolaError:
        return None
    return document if document.get("pid") == pid else None


def left_open(document: Mapping[str, Any]) -> str:
    """Return what a session left open, in words: flat, or what it holds."""
    left = document.get("positions") or []
    if not left:
        return "flat"
    held = [f"{row['side']} {row['quantity']:g} {row['symbol']}" for row in left]
    return f"NOT FLAT, {', '.join(held)} is open"
