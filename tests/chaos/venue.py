"""The seam to a venue: how it is started, how its port is watched, what it says from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.points import AT_WORK, START, Monitor, requests_out

if TYPE_CHECKING:
    from live.session import SessionRequest
    from tests.chaos.lane import Lane
    from tests.chaos.scenario import Scenario

ALIVE = ("SENT", "UNKNOWN", "RECEIVED", "HELD", "WORKING")


@dataclass(frozen=True)
class OutsideOrder:
    """An order as the venue's own books have it. began, ended : market time, ns; None: it works."""

    number: int
    order_id: str
    author: str
    plan_id: str
    side: int
    quantity: float
    role: str
    parent: int
    status: str
    filled: float
    made: int
    changed: int

    @property
    def is_alive(self) -> bool:
        return self.status in ALIVE


@dataclass(frozen=True)
class OutsideFill:
    """An execution as the venue's own books have it."""

    number: int
    order: int
    order_id: str
    plan_id: str
    side: int
    quantity: float
    price: float
    ts: int
    reason: str
    costs: float
    pnl: float
    symbol: str
    position_id: str


@dataclass
class OutsideBooks:
    """A venue's own books, read without the program that is being judged.

    shut : (from, to) of the times in which its market is known to be shut.
    """

    orders: list[OutsideOrder]
    fills: list[OutsideFill]
    cash: float
    balance: float
    now: int
    paid: list[tuple[int, str, float]] = field(default_factory=list)
    shut: list[tuple[int, int]] = field(default_factory=list)


class Venue:
    """What the harness needs of a venue; a further one is a further class.

    Attributes
    ----------
    name : as in chaos.json.
    is_stepped : the session's clock on the wall goes on by looks at it; else it is a real one.
    strategies : that its scenarios run.
    at_work : points at which a request is out, by what a wish calls them. start : of a start that
        goes on from a record.
    """

    name = ""
    is_stepped = True
    strategies: tuple[str, ...] = ("busy",)
    at_work: Mapping[str, tuple[str, ...]] = AT_WORK
    start_points = START

    # -- in the harness ----------------------------------------------------------------------

    def scenario(self, seed: int) -> Scenario:
        """Return what a seed stands for here."""
        raise NotImplementedError

    def write_inputs(self, wanted: Scenario, folder: Path) -> dict[str, Any]:
        """Write prices and settings; return what a process needs to run the session."""
        raise NotImplementedError

    def open(self, lane: Lane, folder: Path, task: dict[str, Any]) -> dict[str, Any]:
        """Start it before the first process; return what its processes need to find it."""
        return {}

    def aim(self, folder: Path, point: str, nth: int) -> None:
        """Let the next process die at a point that is the venue's to know."""

    def pass_time(self, minutes: float) -> None:
        """Let market time pass while no process runs."""

    def close(self) -> dict[str, int]:
        """Stop it after the last process; return how often each point of its own was passed."""
        return {}

    def outside(self, folder: Path) -> OutsideBooks:
        """Read its books."""
        raise NotImplementedError

    def in_flight(self, box: Path) -> int:
        """Return how many requests were out when the last process died."""
        return requests_out(box)

    # -- in the processes --------------------------------------------------------------------

    def warm(self, folder: Path) -> None:
        """Load what sessions here need besides what those on paper do."""

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """In the process that will die: watch its port; let market time pass before it goes on."""
        raise NotImplementedError

    def request(self, asked: SessionRequest, task: dict[str, Any]) -> SessionRequest:
        """Return a session's request as it runs here."""
        return asked


def after_init(kind: type[Any], watch: Callable[[Any], None]) -> None:
    """Watch each object of a class; the class stays the same."""
    plain = kind.__init__

    def init(thing: Any, *given: Any, **named: Any) -> None:
        plain(thing, *given, **named)
        watch(thing)

    kind.__init__ = init


def watch_recovery(monitor: Monitor, heard: Callable[[Any], None] = lambda built: None) -> None:
    """Count the end of a recovery; tell of the session that stands then."""
    from live import session

    plain = session.recover

    def recover(built: Any, *given: Any) -> Any:
        result = plain(built, *given)
        heard(built)
        monitor.pass_by("recover after")
        return result

    session.recover = recover  # type: ignore[assignment]


def get_venue(name: str) -> Venue:
    """Return a venue by its name."""
    from tests.chaos.kite import Kite, KiteNight, KitePair
    from tests.chaos.paper import Paper

    return {kind.name: kind for kind in (Paper, Kite, KitePair, KiteNight)}[name]()
