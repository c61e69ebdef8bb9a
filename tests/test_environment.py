"""Making and entering .venv, without installing anything."""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import environment

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path):
    for name in environment.LOCKS.values():
        (tmp_path / name).write_text("# nothing to install\n")
    return tmp_path


@pytest.fixture
def pip_calls(monkeypatch):
    calls = []
    monkeypatch.setattr(environment.subprocess, "run", lambda command, **_: calls.append(command))
    monkeypatch.setattr(environment.venv.EnvBuilder, "create", _make_interpreter)
    return calls


def _make_interpreter(builder, folder):
    python = environment.environment_python(Path(folder).parent)
    python.parent.mkdir(parents=True)
    python.touch()


def test_setup_installs_the_locked_versions(checkout, pip_calls):
    line = environment.setup("core", checkout)

    assert line.startswith("ready: core installed in .venv (")
    assert pip_calls[0][-2:] == ["-r", str(checkout / "requirements.lock")]


def test_a_second_setup_does_nothing_until_the_lock_changes(checkout, pip_calls):
    environment.setup("core", checkout)
    environment.setup("core", checkout)
    done_twice = len(pip_calls)
    (checkout / "requirements.lock").write_text("# changed\n")
    environment.setup("core", checkout)

    assert (done_twice, len(pip_calls)) == (1, 2)


def test_a_failed_install_leaves_no_mark(checkout, pip_calls, monkeypatch):
    def fail(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(environment.subprocess, "run", fail)

    with pytest.raises(subprocess.CalledProcessError):
        environment.setup("core", checkout)

    assert not (checkout / ".venv" / "installed-core").exists()


def test_without_an_installation_one_line_says_what_to_do(checkout, monkeypatch, capsys):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(SystemExit) as leave:
        environment.enter(["run.py", "backtest"], checkout)

    assert leave.value.code == 2
    assert capsys.readouterr().err == "Tola is not installed yet; run: python run.py setup\n"


def test_a_bare_python_goes_on_inside_the_venv(checkout, monkeypatch):
    _make_interpreter(None, checkout / ".venv")
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    started = []
    monkeypatch.setattr(environment.os, "execv", lambda path, command: started.append(command))
    monkeypatch.setattr(environment.subprocess, "call", started.append)
    monkeypatch.setattr(environment.sys, "prefix", sys.base_prefix)

    with contextlib.suppress(SystemExit):  # Windows ends with the child's code
        environment.enter(["run.py", "doctor"], checkout)

    assert started == [[str(environment.environment_python(checkout)), "run.py", "doctor"]]


def test_setup_refuses_an_unknown_option(checkout, capsys):
    with pytest.raises(SystemExit) as leave:
        environment.enter(["run.py", "setup", "--fast"], checkout)

    assert leave.value.code == 2
    assert "unknown option --fast" in capsys.readouterr().err


@pytest.mark.parametrize("lock", environment.LOCKS.values())
def test_lock_files_name_exact_versions_and_no_address(lock):
    lines = (ROOT / lock).read_text().splitlines()

    assert lines
    assert all("==" in line for line in lines)
    assert not any("://" in line or "--hash" in line or "@" in line for line in lines)


def test_lock_files_cover_what_the_project_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = (ROOT / "requirements-dev.lock").read_text().lower().replace("-", "_")

    for requirement in asked:
        name = re.split(r"[;=>\[]", requirement)[0].strip().lower()
        assert f"\n{name.replace('-', '_')}==" in "\n" + locked


def test_the_stamp_is_the_locks_own_hash(checkout, pip_calls):
    environment.setup("core", checkout)

    stamp = (checkout / ".venv" / "installed-core").read_text()

    assert stamp == hashlib.sha256((checkout / "requirements.lock").read_bytes()).hexdigest()


def test_this_suite_runs_inside_an_environment_that_needs_no_second_start():
    assert environment.enter([sys.argv[0], "doctor"]) is None
