"""Completion: what is offered, and the scripts in the shells themselves."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import run
from backtests.verbs.completion import complete, script
from core.environment import environment_python
from core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
COMMAND = typer.main.get_command(run.app)


def offered(*words):
    return [line.split("\t")[0] for line in complete(COMMAND, words)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "tola.toml").write_text(
        "[plans.mine]\nstrategy = 'breakout'\n\n[plans.mittags]\nstrategy = 'breakout'\n\n"
        "[risk.careful]\ndaily_loss = 100\n\n[settings]\ninstruments = 'own.toml'\n",
        encoding="utf-8",
    )
    (tmp_path / "own.toml").write_text("[instruments.SILVERM]\ndescription = 'mine'\n")
    for name in ("0001", "0002"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "summary.json").write_text("{}")
    (tmp_path / "runs" / "unfinished").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ba"], {"backtest"}),
        (["runs", ""], {"list", "show", "compare"}),
        (["data", "c"], {"check", "convert"}),
        (["--no-color", "ba"], {"backtest"}),
        (["backtest", "mi"], {"mine", "mittags"}),
        (["backtest", "mine", "mi"], {"mittags"}),
        (["backtest", "gold_"], {"gold_smc"}),
        (["audit", "mi"], {"mine", "mittags"}),
        (["ready", "mi"], {"mine", "mittags"}),
        (["odds", "m"], {"mine", "mittags"}),
        (["odds", "000"], {"0001", "0002"}),
        (["odds", "last", "--preset", "c"], {"careful"}),
        (["backtest", "--ris"], {"--risk"}),
        (["backtest", "--risk", "c"], {"careful"}),
        (["backtest", "--risk=topstep_1"], {"--risk=topstep_100k", "--risk=topstep_150k"}),
        (["backtest", "--intrabar", ""], {"worst", "nearest", "best", "drill"}),
        (["backtest", "--instrument", "SILV"], {"SILVERM"}),
        (["backtest", "--instrument", "XAUU"], {"XAUUSD"}),
        (["backtest", "--data", ""], {":files"}),
        (["backtest", "--with", "D"], {"DXY="}),
        (["backtest", "--with", "DXY=da"], {":files"}),
        (["backtest", "--strategy", "tut"], {"tutorial", ":files"}),
        (["backtest", "--no-c"], {"--no-costs", "--no-color"}),
        (["backtest", "--cash", ""], set()),
        (["runs", "show", ""], {"last", "0001", "0002"}),
        (["report", "00"], {"0001", "0002"}),
        (["runs", "show", "last", ""], set()),
        (["runs", "compare", "0001", ""], {"last", "0002"}),
        (["why", "--plan", ""], {"mine", "mittags"}),
        (["export", "tr"], {"trades"}),
        (["data", "check", "--tz", "ny"], {"ny+7"}),
        (["completion", ""], {"bash", "zsh", "fish", "powershell"}),
        (["strategies", "nif"], {"nifty_smc"}),
        (["nonsense", ""], set(COMMAND.commands)),
        (["backtest", "--", "--ri"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_may_stand_next(here, words, found):
    assert set(offered(*words)) == found


def test_an_option_once_given_is_not_offered_again_but_a_list_is(here):
    names = offered("backtest", "--risk", "careful", "--data", "a.csv", "--")

    assert "--risk" not in names
    assert {"--data", "--quiet", "--help"} <= set(names)


def test_a_broken_settings_file_leaves_the_rest_to_complete(here):
    (here / "tola.toml").write_text("[plans")

    assert set(offered("backtest", "g")) == {"gold", "gold_smc"}


def test_a_settings_file_named_on_the_line_is_the_one_read(here):
    (here / "other.toml").write_text("[plans.zeta]\nstrategy = 'breakout'\n")

    assert offered("backtest", "--config", "other.toml", "z") == ["zeta"]


def test_candidates_come_without_loading_what_is_slow(here):
    program = (
        "import sys; sys.argv = ['run.py']; import run, typer; "
        "from backtests.verbs.completion import complete; root = typer.main.get_command(run.app)\n"
        "for words in (['backtest', ''], ['backtest', '--risk', ''], ['runs', 'show', ''], "
        "['backtest', '--instrument', '']): assert complete(root, words)\n"
        "print(sorted({'numpy', 'numba', 'pandas', 'backtrader', 'rich'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_script_names_its_own_run_py_and_how_to_install_it(tola):
    for shell in ("bash", "zsh", "fish", "powershell"):
        said = tola("completion", shell)

        assert said.code == 0
        assert f"'{(ROOT / 'run.py').as_posix()}'" in said.out
        assert f"# Install it:\n#   python run.py completion {shell} " in said.out
        assert "@" not in said.out.replace("@(", "").replace("@given", "").replace("${(@", "") \
            .replace('"$@"', "").replace('[@]', "")  # fmt: skip


def test_a_path_with_a_quote_is_quoted_for_each_shell(tmp_path):
    root = Path("/home/o'brien/$tola dir")

    assert r"'/home/o'\''brien/$tola dir/run.py'" in script("bash", root)
    assert r"'/home/o\'brien/$tola dir/run.py'" in script("fish", root)
    assert "'/home/o''brien/$tola dir/run.py'" in script("powershell", root)
    with pytest.raises(ConfigError, match="did you mean 'bash'"):
        script("bsh")


# -- in the shells --------------------------------------------------------------------------------


class Shell:
    """An interactive shell on a pseudo-terminal, typed into as a person does."""

    def __init__(self, words, folder, env):
        import pty

        self.terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            words, cwd=folder, stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
            env={**os.environ, "TERM": "dumb", "HOME": str(folder), "ZDOTDIR": str(folder),
                 "COLUMNS": "200", **env},
        )  # fmt: skip
        os.close(inside)

    def type(self, text, until, seconds=30.0):
        """Type, and read until a text comes; return what came."""
        os.write(self.terminal, text.encode())
        seen, end = "", time.monotonic() + seconds
        while until not in seen:
            assert time.monotonic() < end, f"{until!r} did not come; seen: {seen!r}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                seen += os.read(self.terminal, 65536).decode(errors="replace")
        return seen

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def links(here):
    """The folder of `here` with run.py as a link, a price file and another project's run.py."""
    if not environment_python(ROOT).is_file():
        pytest.skip("the scripts start the interpreter of .venv")
    (here / "run.py").symlink_to(ROOT / "run.py")
    (here / "prices.csv").write_text("")
    (here / "other").mkdir()
    (here / "other" / "run.py").write_text("raise SystemExit('not ours')\n")
    return here


BASH, ZSH, FISH = (shutil.which(name) for name in ("bash", "zsh", "fish"))


@pytest.fixture
def bash(links):
    (links / "tola.bash").write_text(script("bash"))
    shell = Shell([BASH, "--norc", "--noprofile", "-i"], links, {"PS1": "ready> "})
    shell.type("bind 'set show-all-if-ambiguous on'; . ./tola.bash; echo lo''aded\n", "loaded")
    yield shell
    shell.close()


@pytest.mark.skipif(not BASH or os.name == "nt", reason="no bash here")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("python run.py ba", "cktest "),
        ("python3 -X utf8 run.py runs sh", "ow "),
        ("./run.py backtest --risk to", "pstep_1"),
        ("python ./run.py backtest --risk=topstep_5", "0k "),
        ("python run.py backtest --with DX", "Y="),
        ("python run.py backtest --with DXY=pri", "ces.csv "),
        ("python run.py data check pri", "ces.csv "),
        ("python run.py runs show 0002 --js", "on "),
        ("python run.py backtest mitt", "ags "),
        ("python other/ru", "n.py "),
        ("python other/run.py oth", "er/"),
    ],
)  # fmt: skip
def test_bash_completes(bash, typed, completed):
    stem = typed.split()[-1]
    if completed == "pstep_1":
        bash.type(f"{typed}\t", "topstep_150k")
    else:
        bash.type(f"{typed}\t", f"{stem}{completed}")


@pytest.mark.skipif(not ZSH or os.name == "nt", reason="no zsh here")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("python run.py ba", "cktest "),
        ("./run.py backtest --risk go", "ld_bot "),
        ("python run.py backtest --risk=topstep_5", "0k "),
        ("python run.py backtest --with DXY=pri", "ces.csv "),
        ("python run.py data check pri", "ces.csv "),
        ("python other/run.py oth", "er/"),
    ],
)
def test_zsh_completes(links, typed, completed):
    (links / "tola.zsh").write_text(script("zsh"))
    shell = Shell([ZSH, "-f", "-i"], links, {"PS1": "ready> "})
    try:
        shell.type(
            "autoload -Uz compinit; compinit -u -D; . ./tola.zsh; unsetopt zle_bracketed_paste; "
            "echo lo''aded\n", "loaded",
        )  # fmt: skip
        shell.type(f"{typed}\t", completed)
    finally:
        shell.close()


@pytest.mark.skipif(not FISH or os.name == "nt", reason="no fish here")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("python run.py ba", "backtest"),
        ("./run.py backtest --risk go", "gold_bot"),
        ("python run.py backtest --risk=topstep_5", "--risk=topstep_50k"),
        ("python run.py backtest --with DXY=pri", "DXY=prices.csv"),
        ("python run.py data check pri", "prices.csv"),
        ("python other/run.py oth", "other/"),
    ],
)
def test_fish_completes(links, typed, completed):
    (links / "tola.fish").write_text(script("fish"))

    done = subprocess.run(
        [FISH, "-N", "-c", f"source tola.fish; complete -C {typed!r}"],
        cwd=links, capture_output=True, text=True, timeout=60,
        env={**os.environ, "HOME": str(links)},
    )  # fmt: skip

    assert done.stderr == ""
    assert completed in [line.split("\t")[0] for line in done.stdout.splitlines()]
