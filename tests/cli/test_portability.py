"""What differs between Linux, macOS and Windows: modules, paths, editors, disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from backtests.resolve import resolve
from backtests.verbs.outcome import command_line
from core import environment, files
from core.config import load
from core.config_fields import split_file_name
from core.errors import ConfigError
from tests.cli import market

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_POSIX = """
import builtins, os, signal, sys

OURS = ("core", "indicators", "risk", "feeds", "strategies", "backtests", "reports", "cli", "run")
GONE = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline", "curses"}
real = builtins.__import__

def refuse(name, globals=None, locals=None, fromlist=(), level=0):
    asking = (globals or {}).get("__name__", "").split(".")[0]
    if name.split(".")[0] in GONE and (asking in OURS or asking == "__main__"):
        raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = refuse
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "chown", "mkfifo", "nice",
             "getpgid", "setsid", "killpg", "getloadavg", "sched_getaffinity",
             "pread"):
    if hasattr(os, name):
        hidden = getattr(os, name)
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE",
             "alarm", "setitimer", "pause", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)

sys.path.insert(0, sys.argv.pop(1))
import run

sys.exit(run.main(sys.argv[1:]))
"""


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "Pépin & Söhne 金"
    folder.mkdir()
    market.write(folder / "XAUUSD M15.csv")
    (folder / "my.py").write_text(market.EVERY_TENTH)
    return folder


def test_nothing_of_posix_is_needed_from_start_to_report(own):
    program = own / "start.py"
    program.write_text(WITHOUT_POSIX)

    for words in (
        ["backtest", "--strategy", "my.py:EveryTenth", "--data", "XAUUSD M15.csv", "--no-report"],
        ["runs", "list"],
        ["data", "check", "XAUUSD M15.csv"],
        ["completion", "words", "--", "backtest", ""],
        ["doctor"],
    ):
        done = subprocess.run(
            [sys.executable, str(program), str(ROOT), *words], cwd=own, capture_output=True,
            text=True, encoding="utf-8", timeout=300,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_folders_and_files_with_spaces_and_letters_of_any_script(tola, own):
    said = tola(
        "backtest", "--strategy", str(own / "my.py") + ":EveryTenth", "--data",
        str(own / "XAUUSD M15.csv"), "--out", str(own / "Lauf 1 é"), "--no-report",
    )  # fmt: skip

    assert said.code == 0, said.err
    assert (own / "Lauf 1 é" / "trades.csv").is_file()
    again = tola("runs", "show", str(own / "Lauf 1 é"))
    assert again.out.startswith("EveryTenth  XAUUSD 15m")


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("line", ["\n", "\r\n"], ids=["unix", "windows"])
def test_settings_and_variables_as_any_editor_saves_them(tmp_path, mark, line):
    text = mark + "[plans.gold]\nstrategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
    (tmp_path / "tola.toml").write_bytes(text.replace("\n", line).encode())
    (tmp_path / ".env").write_bytes((mark + "TOLA_INTRABAR=best\n").replace("\n", line).encode())

    config = load(tmp_path / "tola.toml", env={})

    assert config.plans["gold"].strategy == "gold_smc"
    assert config.settings.intrabar == "best"


def plan_with(folder, data):
    (folder / "tola.toml").write_text(
        "[plans.gold]\nstrategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
        f"data = {data}\n"
    )
    return folder / "tola.toml"


def test_windows_paths_in_single_quotes_are_taken_as_they_stand(tmp_path):
    paths = r"['C:\data\new.csv', '\\server\share\gold.csv']"

    data = load(plan_with(tmp_path, paths), env={}).plans["gold"].data

    assert [PureWindowsPath(path).name for path in data] == ["new.csv", "gold.csv"]
    assert data[1].endswith(r"\\server\share\gold.csv")


@pytest.mark.parametrize(
    ("data", "remedy"),
    [(r'"C:\prices\gold.csv"', "write Windows paths in single quotes, or with /"),
     (r'"C:\new\table.csv"', "write '...' or / in paths")],
    ids=["not TOML", "TOML of another meaning"],
)  # fmt: skip
def test_windows_paths_in_double_quotes_are_refused_with_the_remedy(tmp_path, data, remedy):
    with pytest.raises(ConfigError) as caught:
        load(plan_with(tmp_path, data), env={})

    assert remedy in str(caught.value)


def test_settings_in_another_encoding_say_what_to_do(tmp_path):
    (tmp_path / "tola.toml").write_text("[plans]\n", encoding="utf-16")

    with pytest.raises(ConfigError, match="not UTF-8: save it as such"):
        load(tmp_path / "tola.toml", env={})


def test_a_drive_in_a_strategys_file_is_not_its_class():
    assert split_file_name(r"C:\my files\my.py:Cross") == (r"C:\my files\my.py", "Cross")
    assert split_file_name(r"C:\my files\my.py") == (r"C:\my files\my.py", "")


def test_the_interpreter_of_a_windows_installation(monkeypatch, tmp_path):
    monkeypatch.setattr(environment.os, "name", "nt")

    assert environment.environment_python(tmp_path) == tmp_path / ".venv" / "Scripts" / "python.exe"


def test_a_command_to_paste_is_quoted_for_its_shell(monkeypatch):
    words = ["backtest", "--data", "my gold.csv"]

    assert command_line(words) == "python run.py backtest --data 'my gold.csv'"
    monkeypatch.setattr(os, "name", "nt")
    assert command_line(words) == 'python run.py backtest --data "my gold.csv"'


class Busy(type(Path())):
    """A file that another program holds open for a while, as on Windows."""

    held = 2

    def replace(self, target):
        if Busy.held > 0:
            Busy.held -= 1
            raise PermissionError(13, "used by another process", str(self))
        return super().replace(target)


@pytest.mark.parametrize(("held", "passes"), [(2, True), (10**6, False)])
def test_a_file_held_open_by_another_program_is_waited_for(tmp_path, monkeypatch, held, passes):
    fresh, target = Busy(tmp_path / "new"), tmp_path / "old"
    fresh.write_text("new")
    target.write_text("old")
    monkeypatch.setattr(Busy, "held", held)
    monkeypatch.setattr(files, "PATIENCE_SECS", 0.2)
    monkeypatch.setattr(files, "_waiting_helps", lambda *paths: True)

    if passes:
        files.put_in_place(fresh, target)
    else:
        with pytest.raises(PermissionError):
            files.put_in_place(fresh, target)

    assert target.read_text() == ("new" if passes else "old")


def test_plans_whose_files_would_collide_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = "strategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
    (tmp_path / "tola.toml").write_text(f"[plans.Gold]\n{plan}\n[plans.gold]\n{plan}")

    with pytest.raises(ConfigError, match="'Gold' and 'gold' would write the same files"):
        resolve([], {}, "tola.toml")


def test_a_plan_may_be_named_in_any_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = "strategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
    (tmp_path / "tola.toml").write_text(f"[plans.'金 fast']\n{plan}", encoding="utf-8")

    assert [item.plan_id for item in resolve([], {}, "tola.toml").plans] == ["金-fast"]
