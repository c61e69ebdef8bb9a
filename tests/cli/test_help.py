"""Help pages: every verb has one, with examples that parse."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

import run

ROOT_COMMAND = typer.main.get_command(run.app)


def verbs(command=ROOT_COMMAND, path=()):
    """Yield (words, command) of every verb, groups' own pages included."""
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from verbs(sub, (*path, name))


ALL = dict(verbs())
VERBS = [path for path, command in ALL.items() if path and not hasattr(command, "commands")]


def test_all_verbs_are_there():
    assert {" ".join(path) for path in VERBS} == {
        "setup", "init", "backtest", "report", "strategies", "doctor", "login", "completion",
        "export", "why", "runs list", "runs show", "runs compare", "data check", "data list",
        "data fix", "data convert", "data fetch", "live", "verify", "status", "positions", "orders",
        "quote",
        "order buy", "order sell", "order modify", "order cancel", "close", "flatten", "pause",
        "sweep", "walkforward",
        "audit", "odds", "ready", "resume", "set", "stop", "kill", "release", "sandbox",
    }  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "run.py")
def test_help_exits_0_and_says_what_the_verb_does(tola, path):
    said = tola(*path, "--help")

    assert said.code == 0
    assert said.out.startswith("Usage: run.py")
    assert ALL[path].help.splitlines()[0][:40] in " ".join(said.out.split())


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_teaches_with_examples(tola, path):
    said = tola(*path, "--help")

    assert f"python run.py {' '.join(path)}" in said.out


EXAMPLES = [line for path in VERBS for line in re.findall(r"python run\.py (.*)", ALL[path].epilog)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_name_only_options_that_exist(example):
    words = shlex.split(example)
    path = next(p for p in ALL if p and tuple(words[: len(p)]) == p and p in VERBS)
    known = {name for parameter in ALL[path].params for name in parameter.opts}

    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_option_has_a_help_text(path):
    unexplained = [p.name for p in ALL[path].params if p.opts[0].startswith("-") and not p.help]

    assert not unexplained


def test_every_verb_but_setup_has_json():
    without = [path for path in VERBS if not any("--json" in p.opts for p in ALL[path].params)]

    assert without == [("setup",)]


def test_no_arguments_show_the_help(tola):
    said = tola()

    assert "python run.py backtest" in said.out + said.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["backtset"], "backtest"),
        (["backtest", "--strat", "x"], "--strategy"),
        (["data", "chek"], "check"),
        (["runs", "shwo"], "show"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_word_is_one_line_with_the_near_one(tola, words, hint):
    said = tola(*words)

    assert said.code == 2
    assert hint in said.error
    assert not said.out


def test_a_missing_argument_is_wrong_usage(tola):
    assert tola("data", "check").code == 2
