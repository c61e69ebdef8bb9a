"""What a venue's face brings to the sandbox: its routes, its streams, its contracts, its limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.course import Step
from sandbox.faults import Fault
from sandbox.limits import Window
from sandbox.orders import BoxFill, BoxOrder

if TYPE_CHECKING:
    from aiohttp import web

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    name : in fault plans and in the ledger, such as orders.place. limit : the class of endpoints it
    is counted in, "" for none.
    """

    method: str
    path: str
    name: str
    handler: Handler
    limit: str = ""


class Face(ABC):
    """One venue, in front of the exchange. All of it runs on the sandbox's loop.

    Attributes
    ----------
    venue : its name. product : what orders of another hand are of, where none is named.
    windows : its request limits by class of endpoints.
    """

    venue: str
    product: str
    windows: Mapping[str, Sequence[Window]]

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Return its endpoints."""

    @abstractmethod
    def account_of(self, request: web.Request) -> str:
        """Return whose request it is, for counting; "" where it does not say."""

    async def detail_of(self, route: Route, request: web.Request) -> str:
        """Return what kind of order a request places, in our words; "" for any other request."""
        return ""

    @abstractmethod
    def fault_answer(self, fault: Fault) -> web.Response:
        """Return the venue's answer with a status that the plan asks for."""

    @abstractmethod
    def limit_answer(self, window: Window) -> web.Response:
        """Return the venue's answer to a request above a limit."""

    @abstractmethod
    def begin(self) -> None:
        """The market is about to move: list contracts, take note of the day."""

    @abstractmethod
    def order_changed(self, order: BoxOrder) -> None:
        """An order entered a state."""

    @abstractmethod
    def filled(self, fill: BoxFill) -> None:
        """A fill was booked."""

    @abstractmethod
    async def publish(self, step: Step) -> None:
        """Send what a step and all that came of it mean to those who listen."""

    @abstractmethod
    async def flush(self) -> None:
        """Send what happened without a price: what requests and other hands did."""

    @abstractmethod
    async def delivered(self) -> None:
        """Return when every connection that stands has received what was sent."""

    @abstractmethod
    def close(self) -> None:
        """Cut every stream: the sandbox ends."""

    @abstractmethod
    def login(self, user: str) -> str:
        """Log a user in without the venue's page; return the token that requests carry."""

    @abstractmethod
    def port_options(self, url: str, stream_url: str) -> Mapping[str, str]:
        """Return the settings that lead a venue port of ours here instead of to the venue."""

    @abstractmethod
    def credentials(self, token: str) -> Mapping[str, str]:
        """Return what a venue port of ours needs to be logged in, by its own names."""

    @abstractmethod
    def expire_tokens(self) -> None:
        """Let every login end now."""

    @abstractmethod
    def new_number(self) -> int:
        """Return the number of a new order, as the venue counts them."""

    @abstractmethod
    def summary(self, url: str) -> list[str]:
        """Return lines that tell a person how to connect."""
