"""The kill switch of a group: all its accounts at once."""

from __future__ import annotations

from collections.abc import Callable

from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from core.config import Group, load
from core.errors import ConfigError, near_name
from live.account_folder import account_folder
from live.group_watch import group_switch
from live.lock import read_holder
from live.verbs.accounts import START, user
from live.verbs.hands_commands import left_open, wait_for_end


def kill(name: str, reason: str | None) -> Outcome:
    """Press the switch, and wait until the members' sessions are flat and have ended.

    Raises
    ------
    ConfigError : tola.toml has no such group.
    """
    group = _group(name)
    group_switch(name).press(reason or "", user())
    folders = [account_folder(member) for member in group.members]
    running = {folder.name: read_holder(folder) for folder in folders}
    is_flat, lines = True, [f"group {name} is killed: none of its accounts starts until release"]
    for folder in folders:
        holder = running[folder.name]
        if holder is None:
            lines.append(f"  {folder.name}: no session runs")
            continue
        ended = wait_for_end(folder, holder.pid)
        is_flat = is_flat and ended is not None and not ended.get("positions")
        told = f"process {holder.pid} has not ended" if ended is None else left_open(ended)
        lines.append(f"  {folder.name}: {told}")
    document = {"group": name, "pressed": True, "flat": is_flat, "members": list(group.members)}
    release_it = command_line(["release", "--group", name])
    return Outcome(document, lines, release_it, exit_code=DONE if is_flat else FAILED)


def release(name: str, typed: str | None, prompt: Callable[[str], str] | None) -> Outcome:
    """Let a killed group's accounts trade again: the group's name must be typed.

    Parameters
    ----------
    typed : what was given with --confirm.
    prompt : asks for it, None where nobody can be asked.

    Raises
    ------
    ConfigError : no such group, another name was typed, or nobody can be asked.
    """
    _group(name)
    switch = group_switch(name)
    document = {"group": name, "released": False}
    if not switch.is_pressed:
        return Outcome(document, [f"group {name} is not killed"], START)
    if typed is None:
        if prompt is None:
            again = command_line(["release", "--group", name, "--confirm", name])
            raise ConfigError(f"group {name}: to let it trade again: {again}")
        typed = prompt("type the group's name to let its accounts trade again")
    switch.release(typed)
    return Outcome({**document, "released": True}, [f"group {name} may trade again"], START)


def _group(name: str) -> Group:
    groups = load().groups
    if name not in groups:
        known = near_name(name, groups) if groups else ": tola.toml has no [groups.NAME]"
        raise ConfigError(f"group {name!r}{known}")
    return groups[name]
