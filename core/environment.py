"""Makes `.venv`, finds it, and starts the program inside it.

Only the standard library is used: this runs before anything is installed, on Linux, macOS and
Windows alike. It is the one place that knows how an installation looks.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
_COLLECT_SELDOM = (100_000, 20, 100)
"""Importing makes half a million objects that all stay: searching them for cycles a hundred times
costs a sixth of a start."""
LOCKS = {"core": "requirements.lock", "dev": "requirements-dev.lock"}
"""What can be installed, and the file of exact versions it is installed from."""
_EVERYWHERE = ("--quiet", "-q", "--no-color")
"""Words every verb takes (backtests/verbs/console.py); `setup` is plain and short without them."""


def environment_python(root: Path = ROOT) -> Path:
    """Return where the interpreter of `.venv` lies (it need not exist)."""
    if os.name == "nt":
        return root / ".venv" / "Scripts" / "python.exe"
    return root / ".venv" / "bin" / "python"


def version(root: Path = ROOT) -> str:
    """Return the program's version, as the project file says it."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def enter(arguments: list[str], root: Path = ROOT) -> None:
    """Go on inside `.venv`; do `setup` here and now, since it must work before all else.

    Returns if this interpreter already has what the program needs. Otherwise the process is
    replaced (on Windows: a child is run) by the interpreter of `.venv`, or ends with one line
    saying what to do.

    Parameters
    ----------
    arguments : list of str
        `sys.argv`.
    """
    gc.set_threshold(*_COLLECT_SELDOM)
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(_fail(f"Python {found} is too old: 3.11 or newer is needed"))
    words = [word for word in arguments[1:] if word not in _EVERYWHERE]
    if words[:1] == ["setup"] and not {"--help", "-h"} & set(words):
        sys.exit(_setup_command(words[1:], root))
    inside = environment_python(root)
    in_some_venv = sys.prefix != sys.base_prefix
    complete = all(importlib.util.find_spec(name) for name in ("typer", "backtrader", "numba"))
    if complete and (in_some_venv or not inside.is_file()):
        return
    if not inside.is_file() or Path(sys.prefix).resolve() == (root / ".venv").resolve():
        sys.exit(_fail("Tola is not installed yet; run: python run.py setup"))
    command = [str(inside), *arguments]
    if os.name == "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears it too, and says how it ends
        sys.exit(subprocess.call(command))
    sys.stdout.flush()
    os.execv(command[0], command)


def leave(code: int) -> NoReturn:
    """End the process with an exit code.

    Python's last search for cycles would walk through all that was ever imported: after a
    backtest that takes a fifth of the command's time, and the memory goes with the process anyway.
    All is written by now: a further Ctrl-C must not make it look like a failure.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    sys.exit(code)


def setup(extra: str = "core", root: Path = ROOT) -> str:
    """Install the locked versions into `.venv`, making it if needed; return a line to show.

    A second call with an unchanged lock file does nothing.

    Parameters
    ----------
    extra : str
        'core' to run the program, 'dev' to test and check it too.

    Raises
    ------
    OSError : `.venv` cannot be written.
    subprocess.CalledProcessError : pip failed (its own words have been shown).
    """
    began = time.monotonic()
    folder, lock = root / ".venv", root / LOCKS[extra]
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / f"installed-{extra}"
    python = environment_python(root)
    if python.is_file() and stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return f"ready: {extra} is installed in .venv"
    if not python.is_file():
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "-r", str(lock)], check=True, cwd=root)
    stamp.write_text(wanted, encoding="ascii")
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return f"ready: {extra} installed in .venv ({took})"


def _setup_command(arguments: list[str], root: Path) -> int:
    """Run `setup [--dev]` and return its exit code."""
    unknown = [argument for argument in arguments if argument != "--dev"]
    if unknown:
        return _fail(f"setup: unknown option {unknown[0]}; only --dev is known")
    try:
        line = setup("dev" if arguments else "core", root)
    except (OSError, subprocess.CalledProcessError) as error:
        return _fail(f"setup failed: {error}", code=1)
    print(line)
    print("next: python run.py backtest")
    return 0


def _fail(line: str, code: int = 2) -> int:
    print(line, file=sys.stderr)
    return code
