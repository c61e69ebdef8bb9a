"""Runs seeds: start, kill, put back what a power cut takes, start again, and judge what is left."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live.start_up import Remedy
from tests.chaos import powercut
from tests.chaos.checks import NEVER, NIGHT_CHECKS, Left, faults_of
from tests.chaos.lane import Lane
from tests.chaos.points import NOT_DRAWN
from tests.chaos.protection import unprotected
from tests.chaos.record import read_record
from tests.chaos.scenario import OVERNIGHT, Scenario, Wish
from tests.chaos.venue import Venue, get_venue

_SOON = 6
"""A process that goes on and is to die at work dies at one of the first so many points of a kind.
"""


@dataclass
class Row:
    """What came of a seed; a row of chaos.json."""

    seed: int
    venue: str
    fault: str
    step: str = ""
    ok: bool = True
    detail: str = ""
    is_cold: bool = False
    in_flight: int = 0
    kills: int = 0
    restarts: int = 0
    unprotected_secs: float = 0.0
    unprotected_with_downtime_secs: float = 0.0
    verify: str = ""
    lost: bool = False
    lost_bytes: int = 0

    def fail(self, words: str) -> None:
        """Note that something is wrong."""
        self.ok = False
        self.detail = f"{self.detail}; {words}" if self.detail else words


class SeedRun:
    """One seed, from its prices to its row."""

    def __init__(self, lane: Lane, seed: int, folder: Path, venue: Venue) -> None:
        self.lane = lane
        self.folder = folder
        self.venue = venue
        self.wanted: Scenario = self.venue.scenario(seed)
        self.row = Row(seed, venue.name, self.wanted.fault, is_cold=self.wanted.is_cold)
        self.chance = random.Random(f"cuts {seed}")
        self.starts = 0

    def run(self) -> Row:
        """Run it and judge it."""
        whole = self._run_whole()
        if whole is None:
            return self.row
        folder = self._begin("account")
        try:
            is_over = self._run_killed(folder, whole["counts"])
        finally:
            self.venue.close()
        if is_over:
            self._judge(folder, whole)
        return self.row

    def _begin(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        self.task = self.venue.write_inputs(self.wanted, self.folder) | {
            "folder": str(folder), "venue": self.venue.name, "kind": "session",
            "is_cold": self.wanted.is_cold,
        }  # fmt: skip
        self.task |= self.venue.open(self.lane, self.folder / f"market of {name}", self.task)
        return folder

    # -- never killed ------------------------------------------------------------------------

    def _run_whole(self) -> dict[str, Any] | None:
        """Run the session to its end: its points are counted, its trades are what is wanted."""
        folder = self._begin("whole")
        task = dict(self.task)
        if self.lane.shim is not None:
            task["cut"] = {"watched": f"{folder}/", "kept": str(folder / "kept")}
            powercut.begin(folder, folder / "kept")
        try:
            said = self.lane.do(0, task)
        finally:
            passed = self.venue.close()
        if said["outcome"] != "ended":
            self.row.fail(f"the run without a kill {said['outcome']}: {said['log']}")
            return None
        proved = self.lane.do(0, self.task | {"kind": "prove"})
        if proved["outcome"] != "ended":
            self.row.fail(f"verify of the run without a kill {proved['outcome']}: {proved['log']}")
            return None
        proof = json.loads((folder / "proof.json").read_text())
        said = json.loads((folder / "result.json").read_text())
        said["counts"] |= passed
        return {
            **said,
            "findings": proof["findings"],
            "is_provable": self.wanted.is_provable,
            "is_repeatable": self.wanted.is_repeatable,
        }

    # -- killed ------------------------------------------------------------------------------

    def _run_killed(self, folder: Path, counts: dict[str, int]) -> bool:
        """Start, kill and start again until a process reaches the end; False if none does."""
        down, steps = 0.0, []
        for wish in (*self.wanted.wishes, None):
            point, nth = ("", 0) if wish is None else self._point(wish, counts, folder)
            outcome = self._start(folder, point, nth, down)
            if outcome == "ended":
                break
            if outcome != "killed" or wish is None:
                self.row.step = ", ".join([*steps, point and f"{point} {nth}"])
                return False
            steps.append(f"{point} {nth}")
            self._after_death(folder, wish)
            down = wish.down_minutes
            if down == OVERNIGHT:  # what the day before filled nobody tells: a person has it closed
                self.task["remedy"] = Remedy.FLATTEN.value
            self.venue.pass_time(down)
        self.row.step = ", ".join(steps)
        self.row.restarts = self.starts - 1
        return True

    def _start(self, folder: Path, point: str, nth: int, down: float) -> str:
        task = self.task | {"point": point, "nth": nth, "down_minutes": down}
        self.venue.aim(folder, point, nth)
        if self.lane.shim is not None:
            powercut.begin(folder, self.folder / "kept")
            cut = {"watched": f"{folder}/", "kept": str(self.folder / "kept")}
            kind, _, phase = point.removeprefix("disk ").partition(" ")
            if point.startswith("disk "):
                cut |= {"kind": kind, "nth": nth, "after": phase == "after"}
            task["cut"] = cut
        said = self.lane.do(self.starts, task)
        self.starts += 1
        if said["outcome"] not in ("killed", "ended"):
            self.row.fail(f"start {self.starts} {said['outcome']}: {said['log']}")
        return str(said["outcome"])

    def _point(self, wish: Wish, counts: dict[str, int], folder: Path) -> tuple[str, int]:
        """Return the point a wish comes to, and at which of its turns."""
        groups = self.venue.at_work
        found = {name: n for name in groups.get(wish.where, ()) if (n := counts.get(name))}
        if wish.where == "start" and self.starts:
            found = {}
            names = list(self.venue.start_points)
        elif wish.where == "disk" and counts.get("disk write"):
            found = {f"disk {kind} {phase}": counts[f"disk {kind}"]
                     for kind in powercut.KINDS for phase in ("before", "after")}  # fmt: skip
            names = list(found)
        else:
            drawn = {name for names in groups.values() for name in names}
            if not found:
                found = {name: n for name, n in counts.items()
                         if name not in drawn and not name.startswith(NOT_DRAWN)}  # fmt: skip
            names = sorted(found)
        name = names[int(wish.place * len(names))]
        most = found.get(name, 1)
        if name == "recover event":
            most = _recorded(folder)
        elif self.starts:
            most = min(most, _SOON * (20 if name.startswith("disk") else 1))
        return name, 1 + int(wish.turn * max(most, 1))

    def _after_death(self, folder: Path, wish: Wish) -> None:
        self.row.kills += 1
        self.row.in_flight += self.venue.in_flight(folder / "box.jsonl") > 0
        if self.wanted.fault != "kill" and self.lane.shim is not None:
            lost = powercut.cut(folder, self.folder / "kept", wish.torn, self.chance)
            self.row.lost_bytes += bool(lost)

    # -- judging -----------------------------------------------------------------------------

    def _judge(self, folder: Path, whole: dict[str, Any]) -> None:
        if self.wanted.is_night:
            self._judge_night(folder)
            return
        proved = self.lane.do(0, self.task | {"kind": "prove"})
        if proved["outcome"] != "ended":
            self.row.fail(f"verify {proved['outcome']}: {proved['log']}")
            return
        proof = json.loads((folder / "proof.json").read_text())
        left = self._left(folder, proof, whole)
        findings = left.proof["findings"]
        same = len(findings) == len(whole["findings"])
        self.row.verify = "identical" if not findings else "as without kills" if same else "differs"
        self.row.lost = left.lost_from != NEVER
        for words in faults_of(left):
            self.row.fail(words)

    def _judge_night(self, folder: Path) -> None:
        """Judge what can be: fills of the first day that nobody saw are in no record."""
        left = self._left(folder, {"findings": []}, {})
        self.row.verify, self.row.lost = "not asked", True
        for words in faults_of(left, NIGHT_CHECKS):
            self.row.fail(words)

    def _left(self, folder: Path, proof: dict[str, Any], whole: dict[str, Any]) -> Left:
        record = read_record(folder / "journal.sqlite")
        books = self.venue.outside(folder)
        said = json.loads((folder / "result.json").read_text())
        bare = unprotected(books, record.pauses)
        self.row.unprotected_secs = round(bare.within, 1)
        self.row.unprotected_with_downtime_secs = round(bare.whole, 1)
        return Left(books, record, said, proof, whole, bare)


def _recorded(folder: Path) -> int:
    """Return how many events a journal holds."""
    path = folder / "journal.sqlite"
    if not path.exists():
        return 1
    file = sqlite3.connect(path)
    try:
        return int(file.execute("SELECT max(last_seq) FROM sequence").fetchone()[0] or 1)
    except sqlite3.Error:
        return 1
    finally:
        file.close()


def run_seed(lane: Lane, seed: int, keep: Path | None = None, name: str = "") -> Row:
    """Run one seed in a folder of its own; keep the folder of one that fails.

    name : of the venue; the one the lane was made for by default.
    """
    venue = get_venue(name or lane.venue)
    folder = Path(tempfile.mkdtemp(prefix=f"seed{seed}-", dir=lane.home))
    try:
        row = SeedRun(lane, seed, folder, venue).run()
    except Exception as failure:  # the harness itself: a seed that cannot be judged has failed
        row = Row(seed, venue.name, venue.scenario(seed).fault)
        row.fail(f"harness: {type(failure).__name__}: {failure}")
    if not row.ok and keep is not None:
        shutil.copytree(folder, keep / f"{venue.name} seed{seed}", dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return row
