"""Which account a command means, whether a session runs on it, and asking that session."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Mapping
from typing import Any

from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from core.errors import ConfigError, TolaError, near_name
from live import monitor
from live.account_folder import AccountFolder, account_folder, account_names
from live.kill import KillSwitch
from live.lock import Holder, read_holder
from live.mailbox import Mailbox

ANSWER_SECS = 12.0
"""How long an answer is waited for: a session may itself wait 5 s for a fill."""
START = "python run.py live"

Document = Mapping[str, Any]


def find_account(name: str | None) -> AccountFolder | None:
    """Return the account that is meant: by name, else the only one that runs, else the only one.

    None where no account has a folder yet and none was named.

    Raises
    ------
    ConfigError : no such account; or there are several, which it lists.
    """
    names = account_names()
    if name is not None:
        folder = account_folder(name)
        if name not in names:
            known = near_name(name, names) if names else f": none has run here; {START} starts one"
            raise ConfigError(f"account {name!r}{known}")
        return folder
    if not names:
        return None
    folders = [account_folder(item) for item in names]
    running = [item for item in folders if read_holder(item) is not None]
    if len(running) == 1:
        return running[0]
    if len(folders) == 1:
        return folders[0]
    told = "; ".join(f"{item.name} ({_state(item)})" for item in folders)
    raise ConfigError(f"which account? name one with --account: {told}")


def _state(folder: AccountFolder) -> str:
    holder = read_holder(folder)
    return "idle" if holder is None else f"running since {holder.since}"


def existing_account(name: str | None) -> AccountFolder:
    """Return the account that is meant; there must be one.

    Raises
    ------
    TolaError : no account has run here.
    """
    folder = find_account(name)
    if folder is None:
        raise TolaError(f"no account has run here: start one: {START}")
    return folder


def running_account(name: str | None) -> tuple[AccountFolder, Holder]:
    """Return the account that is meant, and who runs a session on it.

    Raises
    ------
    TolaError : no session runs.
    """
    folder = existing_account(name)
    holder = read_holder(folder)
    if holder is None:
        raise TolaError(
            f"account {folder.name} has no session running{ended_text(folder)}: start it: "
            f"{start_line(folder)}"
        )
    return folder, holder


def ended_text(folder: AccountFolder) -> str:
    """Return ` (last one ended TIME: REASON)` of an account without a session, "" if none ran."""
    try:
        document = monitor.read(folder.status)
    except TolaError:
        return ""
    time, reason = document.get("wall_time"), document.get("exit_reason")
    if reason:
        return f" (last one ended {time}: {reason})"
    return f" (last one was cut off after {time})"


def start_line(folder: AccountFolder) -> str:
    """Return the command that starts a session on an account, or lets it start again."""
    words = ["release"] if KillSwitch(folder.kill, folder.name).is_pressed else ["live"]
    plans: list[str] = []
    with contextlib.suppress(TolaError):
        plans = [plan["plan_id"] for plan in monitor.read(folder.status).get("plans") or []]
    more = plans if words == ["live"] else []
    return command_line([*words, *more, "--account", folder.name])


def named(folder: AccountFolder) -> list[str]:
    """Return the words that name an account in a further command; none if it is the only one."""
    return [] if len(account_names()) == 1 else ["--account", folder.name]


def user() -> str:
    """Return who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


def ask(folder: AccountFolder, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Ask an account's session for something and return its answer.

    Raises
    ------
    ConfigError : what was asked for is wrong. Unanswered : no answer came.
    """
    mail = Mailbox(folder.commands)
    answer = mail.answer_of(mail.send(name, arguments, user()), ANSWER_SECS)
    if answer.get("outcome") == "wrong":
        raise ConfigError(str(answer.get("text")))
    return answer


def outcome_of(folder: AccountFolder, answer: Document, *following: str) -> Outcome:
    """Return an answer as what to show; a refusal is exit code 1.

    following : words of the command that makes sense next.
    """
    done = bool(answer.get("done"))
    document = {"account": folder.name, **{k: v for k, v in answer.items() if k != "id"}}
    text = str(answer.get("text") or answer.get("error") or answer.get("outcome"))
    words = [*(following or ("status",)), *named(folder)]
    return Outcome(document, [text], command_line(words), exit_code=DONE if done else FAILED)
