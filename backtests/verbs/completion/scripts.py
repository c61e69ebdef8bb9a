"""The completion scripts of the shells, made for where this program lies."""

from __future__ import annotations

from pathlib import Path

from core.environment import environment_python
from core.errors import ConfigError, near_name

ROOT = Path(__file__).resolve().parents[3]

SHELLS = {"bash": "tola.bash", "zsh": "tola.zsh", "fish": "tola.fish", "powershell": "tola.ps1"}


def script(shell: str, root: Path = ROOT) -> str:
    """Return a shell's completion script, with the hint how to install it at its end.

    Parameters
    ----------
    shell : str
        One of SHELLS.
    root : Path
        Where run.py lies: the script completes that one alone, whatever other run.py there is.

    Raises
    ------
    ConfigError : unknown shell.
    """
    if shell not in SHELLS:
        raise ConfigError(f"unknown shell {shell!r}{near_name(shell, SHELLS)}")
    text = (Path(__file__).parent / SHELLS[shell]).read_text(encoding="utf-8")
    paths = {"@PYTHON@": environment_python(root), "@RUN@": root / "run.py"}
    for mark, path in paths.items():
        text = text.replace(mark, _quoted(path.as_posix(), shell))
    return text


def _quoted(text: str, shell: str) -> str:
    """Return a text as a shell's literal string."""
    inner = {
        "bash": text.replace("'", "'\\''"),
        "zsh": text.replace("'", "'\\''"),
        "fish": text.replace("\\", "\\\\").replace("'", "\\'"),
        "powershell": text.replace("'", "''"),
    }[shell]
    return f"'{inner}'"
