"""Who runs in task T1: our variants and the peers, each with its prices and settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backtests.bench.environments import BACKTESTING, NAUTILUS, VECTORBT, Peer, PeerMissing
from backtests.bench.race import Entrant
from backtests.bench.session import Session
from backtests.bench.t1_strategy import DENSE, SPARSE
from backtests.bench.walk import t1_bars, write_bars

_PEERS = "backtests.bench.peers"
_WARM_UP_BARS = 2_000


@dataclass(frozen=True)
class Variant:
    """One way to run the task in our engine or in a peer's.

    size : which of `Sizes`, by name. repeats, rounds : as of `Entrant`.
    fills, masked, whole, risk : ours alone. peer, module : theirs alone; stock Backtrader is our
        own interpreter's and has no peer.
    """

    title: str
    size: str = "whole"
    options: Mapping[str, Any] = field(default_factory=lambda: DENSE)
    repeats: int = 1
    rounds: int = 2
    fills: str = "backtrader"
    masked: bool = False
    whole: bool = False
    risk: str | None = None
    peer: Peer | None = None
    module: str = ""


@dataclass(frozen=True)
class Sizes:
    """Bars of the jobs."""

    whole: int
    hundredk: int

    def of(self, name: str) -> int:
        """Return a size by name."""
        parts = {"whole": 1, "half": 2, "quarter": 4}
        return self.hundredk if name == "hundredk" else self.whole // parts[name]


def _tola(title: str, **values: Any) -> Variant:
    return Variant(f"Tola, {title}", **values)


VARIANTS = {
    # Those that take longest come first: each runs once, and is not followed by repeats of others.
    "stock_dense": Variant("stock Backtrader, dense", rounds=1, module="stock"),
    "stock_sparse": Variant("stock Backtrader, sparse", rounds=1, module="stock", options=SPARSE),
    "stock_100k": Variant("stock Backtrader, 100k", size="hundredk", rounds=1, module="stock"),
    "next": _tola("untouched strategy"),
    "mask": _tola("entry mask, dense", masked=True),
    "sparse": _tola("entry mask, sparse", masked=True, options=SPARSE, repeats=4),
    "whole_next": _tola("whole run, untouched strategy", whole=True),
    "whole_mask": _tola("whole run, entry mask, dense", whole=True, masked=True),
    "whole_sparse": _tola("whole run, entry mask, sparse", whole=True, masked=True,
                          options=SPARSE, repeats=4),
    "tola": _tola("own fills", fills="tola"),
    # The preset asks for two contracts at least.
    "gold_bot": _tola("own fills, gold_bot limits", fills="tola", risk="gold_bot",
                      options={**DENSE, "size": 2}),
    "tola_next": _tola("whole run, own fills, untouched", fills="tola", whole=True),
    "tola_mask": _tola("whole run, own fills, entry mask", fills="tola", whole=True, masked=True),
    "tola_next_100k": _tola("whole run, own fills, untouched, 100k", fills="tola", whole=True,
                            size="hundredk", repeats=3),
    "tola_mask_100k": _tola("whole run, own fills, entry mask, 100k", fills="tola", whole=True,
                            masked=True, size="hundredk", repeats=3),
    "first_run": _tola("whole run, nothing compiled", whole=True, size="hundredk", rounds=1),
    "half": _tola("untouched strategy, half the bars", size="half"),
    "quarter": _tola("untouched strategy, a quarter of the bars", size="quarter"),
    "backtesting": Variant("backtesting.py", peer=BACKTESTING, module="backtesting_py", repeats=2),
    "nautilus": Variant("NautilusTrader", "hundredk", peer=NAUTILUS, module="nautilus", repeats=2),
    "vectorbt": Variant("vectorbt", repeats=4, rounds=1, peer=VECTORBT, module="vectorbt_t1"),
}  # fmt: skip
"""By the names the rows use."""


@dataclass
class Field:
    """Makes entrants of variants; what can't start here is noted in `missing`, with the reason."""

    session: Session
    sizes: Sizes
    missing: dict[str, str] = field(default_factory=dict)
    _bars: Any = None

    def note_missing(self, names: Iterable[str]) -> None:
        """Install the peers of these variants; note in `missing` which can't be, and why."""
        for name in names:
            peer = VARIANTS[name].peer
            if peer is None or name in self.missing:
                continue
            try:
                self.session.python_of(peer)
            except PeerMissing as cause:
                self.missing[name] = str(cause)

    def entrants(self, names: Iterable[str]) -> list[Entrant]:
        """Return the entrants, each once and as VARIANTS order them; their peers are installed."""
        wanted = set(names)
        return [self._entrant(name, made) for name, made in VARIANTS.items() if name in wanted]

    def _entrant(self, name: str, variant: Variant) -> Entrant:
        python = Path(sys.executable)
        module, options = "backtests.bench.t1_ours", dict(variant.options)
        if variant.peer is not None:
            python = self.session.python_of(variant.peer)
        if variant.module:
            module = f"{_PEERS}.{variant.module}"
        else:
            options |= {"fills": variant.fills, "masked": variant.masked}
            options |= {"whole": variant.whole, "risk": variant.risk}
        data = self.data(self.sizes.of(variant.size))
        entrant = Entrant(
            name, variant.title, python, module, data, options, variant.repeats, variant.rounds
        )
        if name == "first_run":
            empty = self.session.folder / "nothing-compiled"
            empty.mkdir(exist_ok=True)
            return replace(entrant, environment={"TOLA_CACHE_DIR": str(empty)})
        if variant.repeats == 1 and not variant.module:
            return replace(entrant, warm_up=self.data(_WARM_UP_BARS))
        return entrant

    def data(self, count: int) -> Path:
        """Return the folder with the walk's first bars."""
        folder = self.session.folder / f"walk-{count}"
        if not folder.exists():
            if self._bars is None:
                self.session.tell(f"making {self.sizes.whole:,} bars")
                self._bars = t1_bars(max(self.sizes.whole, self.sizes.hundredk, _WARM_UP_BARS))
            write_bars(self._bars[:count], folder)
        return folder
