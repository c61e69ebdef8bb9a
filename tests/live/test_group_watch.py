"""What a group's limits make of its members' status documents: commands of each session."""

from dataclasses import replace

import pytest

from core.config import Group
from core.events import Command
from live import group_watch
from live.account_folder import account_folder
from live.group_watch import GroupWatch, limits_of
from live.monitor import SessionState, to_document, write
from tests.live.status_sample import sample

GROUP = Group("all", ("mine", "other"), "USD", daily_loss=1000.0, open_risk=500.0)
DAY = 20_000


class Scene:
    """A session `mine` whose group has another account, with what it was told to do."""

    def __init__(self, root):
        self.root, self.day, self.own = root, DAY, {}
        self.commands, self.told = [], []
        limits = {
            "all": limits_of(GROUP, {}),
            "others": limits_of(replace(GROUP, members=("x",)), {}),
        }
        self.watch = GroupWatch(
            limits, "mine", root, lambda: self._document(**self.own), self._command,
            self.told.append, lambda: self.day,
        )  # fmt: skip

    def _command(self, name, arguments):
        self.commands.append((name, dict(arguments)))
        self.watch.hear(Command(name, arguments, "session"))

    @staticmethod
    def _document(**changes):
        document = to_document(sample(account="mine", positions=(), orders=(), **changes))
        return document | {"stale": False, "stale_reason": ""}

    def other(self, **changes):
        """Let the other account write its status."""
        folder = account_folder("other", self.root).make()
        write(folder.status, sample(account="other", **{"positions": (), "orders": (), **changes}))

    def look(self):
        """Let the session look again; return what it was told to do."""
        self.watch._next_look = 0.0
        self.commands.clear()
        self.watch.look()
        return self.commands


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "accounts")


def lost(money):
    return replace(sample().day, pnl=-money)


def test_an_account_that_is_not_known_keeps_entries_off_until_it_is(scene):
    ((name, block),) = scene.look()
    assert (name, block["rule"]) == ("block", "group")
    assert "other" in block["detail"] and "entries off by group all: unknown" in scene.told[0]

    scene.other(open_risk=0.0)

    assert scene.look() == [("unblock", {"rule": "group"})]
    assert scene.look() == []


def test_a_figure_that_moves_is_not_commanded_again(scene):
    scene.own["open_risk"] = 300.0
    scene.other(open_risk=250.0)
    assert [name for name, _ in scene.look()] == ["block"]

    scene.other(open_risk=251.0)

    assert scene.look() == []


def test_a_days_loss_together_flattens_and_locks_to_the_end_of_the_day(scene):
    scene.other(day=lost(900.0), open_risk=0.0)

    flatten, block = scene.look()
    scene.other(day=lost(0.0), open_risk=0.0)
    later = list(scene.look())
    scene.day += 1
    tomorrow = list(scene.look())

    assert flatten == ("flatten", {"reason": "group"})
    assert "daily_loss: 1,020.00 against a limit of 1,000.00" in block[1]["detail"]
    assert later == [("block", {"rule": "group", "detail": "its daily loss was met today"})]
    assert tomorrow == [("unblock", {"rule": "group"})]


def test_a_session_that_ended_with_something_open_is_unknown(scene):
    scene.other(state=SessionState.ENDED, positions=sample().positions)

    ((_, block),) = scene.look()

    assert "its session has ended and left 1 open" in block["detail"]


def test_a_groups_kill_switch_is_every_members(scene):
    scene.other(open_risk=0.0)
    scene.root.mkdir(exist_ok=True)
    group_watch.group_switch("all", scene.root).press("enough", "me")
    scene.watch._switches["all"]._next_look = 0.0

    assert scene.watch.killed_by == "all"
    assert ("flatten", {"reason": "group"}) in scene.look()
