"""Peers are installed once, and one that can't be is said in one line with the remedy."""

import subprocess
from pathlib import Path

import pytest

from backtests.bench import environments
from backtests.bench.environments import Peer, PeerMissing, python_of

PEER = Peer("shinybt", ("shinybt==1.2.3",), 30)


@pytest.fixture
def pip(monkeypatch):
    """Stands in for venv and pip; `calls` counts installs, `says` is the error to give."""

    class Pip:
        calls, says = 0, ""

    def create(folder, **_):
        for name in ("bin/python", "Scripts/python.exe"):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def run(command, **_):
        Pip.calls += 1
        if Pip.says:
            raise subprocess.CalledProcessError(1, command, stderr=Pip.says)

    monkeypatch.setattr(environments.venv, "create", create)
    monkeypatch.setattr(environments.subprocess, "run", run)
    return Pip


def test_a_peer_is_installed_once_with_progress(pip, tmp_path):
    lines = []
    for _ in range(2):
        python = python_of(PEER, lines.append, tmp_path)

    assert python.exists() and pip.calls == 1
    assert lines[0] == "installing shinybt 1.2.3 into its own environment, once (about 30 s)"
    assert len(lines) == 2


def test_without_an_index_the_remedy_is_named_and_nothing_is_left(pip, tmp_path):
    pip.says = "WARNING: Retrying: NewConnectionError\nERROR: No matching distribution found"

    with pytest.raises(PeerMissing, match=r"pip reaches no package index; .*PIP_INDEX_URL"):
        python_of(PEER, lambda _: None, tmp_path)

    assert list((tmp_path / "bench").iterdir()) == []


def test_another_failure_is_told_in_pips_own_words(pip, tmp_path):
    pip.says = "some words\nERROR: Could not build wheels for shinybt\nmore"

    with pytest.raises(PeerMissing, match="could not be installed: ERROR: Could not build wheels"):
        python_of(PEER, lambda _: None, tmp_path)


def test_an_environment_of_other_versions_is_made_anew(pip, tmp_path):
    python_of(PEER, lambda _: None, tmp_path)
    ready = next((tmp_path / "bench").rglob("tola-ready"))
    ready.write_text("shinybt==1.2.3\npandas==1", encoding="utf-8")

    python_of(PEER, lambda _: None, tmp_path)

    assert pip.calls == 2
