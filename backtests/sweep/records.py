"""The records a compiled run works on: its terms, its rules, its state, and what it leaves."""

from __future__ import annotations

from core.compile import record_dtype
from core.matching.records import REASONS

MAX_LEGS = 8
"""Exit legs a compiled run has room for."""
PATTERN_CODES = 8
"""Pattern codes that the clock is asked about; `strategies.words.PATTERNS` has fewer."""

TERMS = record_dtype(
    [
        ("rr", "f8"),
        ("risk_pct", "f8"),
        ("max_quantity", "f8"),
        ("max_spread_risk", "f8"),
        ("stop_trigger_r", "f8"),
        ("stop_distance", "f8"),
        ("share", "f8", (MAX_LEGS,)),
        ("at_r", "f8", (MAX_LEGS,)),
        ("stop_to_r", "f8", (MAX_LEGS,)),
        ("legs", "i8"),
        ("max_trades_day", "i8"),
        ("max_losses_row", "i8"),
        ("warmup", "i8"),
        ("order_bars", "i8"),
        ("filters", "i8"),
        ("stop_kind", "i1"),
        ("pays_costs", "i1"),
        ("watches_choch", "i1"),
        ("day_orders", "i1"),
        ("closes_opposite", "i1"),
    ]
)
"""Management settings of one parameter set (`strategies.base.COMMON_SETTINGS`, `Handling`).

max_quantity : inf for no limit. stop_kind : of `StopRuleKind`. pays_costs : a break-even stop is
set where the round trip's costs are paid. stop_to_r : nan leaves the stop.
"""

RULES = record_dtype(
    [
        ("daily_money", "f8"),
        ("daily_percent", "f8"),
        ("trail_amount", "f8"),
        ("lock_offset", "f8"),
        ("consistency", "f8"),
        ("trade_money", "f8"),
        ("trade_percent", "f8"),
        ("max_quantity", "f8"),
        ("min_quantity", "f8"),
        ("weight", "f8"),
        ("open_money", "f8"),
        ("open_percent", "f8"),
        ("collar", "f8"),
        ("max_trades", "i8"),
        ("max_losses", "i8"),
        ("order_rate", "i8"),
        ("on_balance", "i1"),
        ("trail_intraday", "i1"),
        ("of_plan", "i1"),
        ("any", "i1"),
    ]
)
"""The limits of one guard, of one source (`RiskSettings`): nan or 0 where there is none.

of_plan : trades and losses are limited by the plan's own, so their locks cancel nothing.
any : there is at least one rule. Rules of time stand in arrays by bar.
"""

LOCKS = 4
DAILY_LOCK, TRAIL_LOCK, TRADES_LOCK, LOSSES_LOCK = range(LOCKS)

GUARD_REFUSALS = (
    "",
    "daily_loss",
    "trailing_drawdown",
    "max_trades",
    "losses",
    "consistency",
    "window",
    "flat_by",
    "news",
    "no_stop",
    "wrong_stop",
    "trade_risk",
    "position",
    "open_risk",
    "price_collar",
    "order_rate",
    "fx_stale",
)
"""Why the guard (or, last, the broker) refused an entry, by code; the first four are locks too."""
(
    PASSED,
    BY_DAILY,
    BY_TRAIL,
    BY_TRADES,
    BY_LOSSES,
    BY_CONSISTENCY,
    BY_WINDOW,
    BY_FLAT_BY,
    BY_NEWS,
    BY_NO_STOP,
    BY_WRONG_STOP,
    BY_TRADE_RISK,
    BY_POSITION,
    BY_OPEN_RISK,
    BY_COLLAR,
    BY_RATE,
    BY_STALE,
) = range(17)

GUARD = record_dtype(
    [
        ("day", "i8"),
        ("start_equity", "f8"),
        ("day_equity", "f8"),
        ("day_balance", "f8"),
        ("peak", "f8"),
        ("lock_level", "f8"),
        ("entries", "i8"),
        ("losses", "i8"),
        ("last_entry", "i8"),
        ("locked_until", "i8", (LOCKS,)),
        ("locked_as", "i8", (LOCKS,)),
        ("lock_count", "i8"),
        ("sent_at", "i8", (8,)),
        ("sent_orders", "i8", (8,)),
        ("sent_count", "i8"),
        ("tracked", record_dtype([("size", "f8"), ("average", "f8"), ("money", "f8")])),
    ]
)
"""What the guard remembers (`risk.context`, `risk.rules`), for one plan alone on its account.

last_entry : order id of the entry counted last. locked_until : trading day a lock ends with, 0
none; locked_as : its place in the order in which locks were made. sent_* : ring of order groups.
"""

TRADE = record_dtype(
    [
        ("entry_row", "i8"),
        ("exit_row", "i8"),
        ("entry_at_open", "i1"),
        ("exit_at_open", "i1"),
        ("direction", "i8"),
        ("pattern", "i8"),
        ("reason", "i8"),
        ("legs", "i8"),
        ("ambiguous", "i1"),
        ("planned_entry", "f8"),
        ("stop", "f8"),
        ("target", "f8"),
        ("point_value", "f8"),
        ("open_quantity", "f8"),
        ("average", "f8"),
        ("entered", "f8"),
        ("entry_price", "f8"),
        ("left", "f8"),
        ("exit_price", "f8"),
        ("gross", "f8"),
        ("costs", "f8"),
        ("adverse", "f8"),
        ("favourable", "f8"),
    ]
)
"""One trade, open or closed; fields as in `core.ledger.OpenTrade`.

entry_row, exit_row : index of the bar that holds the first and the last fill. *_at_open : that
fill was at the bar's open. reason : index into `EXIT_REASONS`. target : nan for none.
"""

EXIT_ROLES = 16
"""Exit codes below it are the engine's (`core.matching.records.REASONS`)."""
BY_STOP, BY_TARGET, BY_OPPOSITE, BY_FLAT_BY_RULE, BY_NEWS_RULE = range(EXIT_ROLES, EXIT_ROLES + 5)
EXIT_REASONS = (
    *REASONS,
    *("",) * (EXIT_ROLES - len(REASONS)),
    "stop",
    "target",
    "opposite",
    "flat_time",
    "news",
)
"""Why a trade ended, by code; the engine's `flat_time` is called what the strategy calls it."""

BRACKET = record_dtype(
    [
        ("entry_id", "i8"),
        ("stop_id", "i8"),
        ("last_id", "i8"),
        ("exit_id", "i8"),
        ("direction", "i8"),
        ("pattern", "i8"),
        ("sent_at", "i8"),
        ("order_bars", "i8"),
        ("planned_entry", "f8"),
        ("planned_stop", "f8"),
        ("planned_target", "f8"),
        ("target", "f8"),
        ("risk", "f8"),
        ("sweep_extreme", "f8"),
        ("offset", "f8"),
        ("entry_size", "f8"),
        ("entry_price", "f8"),
        ("at_work", "i1"),
        ("filled", "i1"),
        ("leaving", "i1"),
    ]
)
"""The setup at work (`strategies.bracket.Bracket`). planned_target : of the furthest leg."""

RUN = record_dtype(
    [
        ("value", "f8"),
        ("step", "f8"),
        ("next_id", "i8"),
        ("period", "i8"),
        ("day", "i8"),
        ("day_place", "i8"),
        ("entries_day", "i8"),
        ("entries", "i8"),
        ("losses_day", "i8"),
        ("losses", "i8"),
        ("flat_reason", "i8"),
        ("live", "i1"),
        ("is_open", "i1"),
        ("bracket", BRACKET),
        ("guard", GUARD),
        ("open", TRADE),
        ("bt_size", "f8"),
        ("bt_price", "f8"),
        ("bt_pnl", "f8"),
        ("bt_costs", "f8"),
        ("peak", "f8"),
        ("drawdown", "f8"),
        ("low", "f8"),
        ("high", "f8"),
        ("spread", "f8"),
        ("trades", "i8"),
    ]
)
"""The state of one run.

value : equity at the last mark. step : quantity the book counts in. day_place : place of the
trading day among the file's. bt_* : the open trade as Backtrader sums it up, by whose sign the
strategy counts losses. low, high : base prices between which bars of this spread are quiet.
"""

STOCK = record_dtype(
    [
        ("cash", "f8"),
        ("margin", "f8"),
        ("marked", "f8"),
        ("close", "f8"),
        ("value", "f8"),
        ("open_profit", "f8"),
        ("flat_at", "i8"),
        ("activates", "i1"),
        ("is_new", "i1"),
    ]
)
"""The account as Backtrader's broker keeps it (`fills = "backtrader"`).

margin : money one unit binds, the whole run long. marked : price the position was last marked at.
flat_at : flat time of the last entry. activates : the children of an entry that filled on the last
bar work from this one on. is_new : a bracket was sent at the last close.
"""

SUMMARY = record_dtype(
    [
        ("equity_end", "f8"),
        ("net_profit", "f8"),
        ("max_drawdown_pct", "f8"),
        ("trades", "i8"),
        ("wins", "i8"),
        ("ambiguous", "i8"),
        ("won", "f8"),
        ("lost", "f8"),
        ("costs", "f8"),
        ("sum_r", "f8"),
        ("sum_r2", "f8"),
        ("with_r", "i8"),
        ("setups", "i8"),
        ("taken", "i8"),
        ("filled", "i8"),
        ("open_trades", "i8"),
    ]
)
"""What one parameter set came to. Money in account currency.

won, lost : sums of winning and of losing trades' pnl, both >= 0. sum_r, sum_r2, with_r : sums over
trades with a stop. setups, taken, filled : counts of the funnel.
"""

FATE = record_dtype([("reason", "i1"), ("refused", "i1"), ("cancel", "i1"), ("taken", "i1"),
                     ("filled", "i1")])  # fmt: skip
"""What became of a setup: codes of `words.REFUSALS`, `GUARD_REFUSALS` and `words.CANCELS`."""


FATE_ENGINE, FATE_FLATTENED = 16, 64
"""Cancel codes from here on are the engine's reasons (`core.matching.records.REASONS`), and the
exit codes of what the guard's rules flattened."""
