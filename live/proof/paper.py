"""The parity proof: what a session consumed, fed to the backtest, must give what the session did.

The record holds the bars as the strategies saw them, the ticks they were built of and every
command. From the ticks the bars are built again; through the ticks the backtest's broker plays
those bars under the same guard, and every command is carried out again in its place, by the same
code (`live.stepped`); its requests, fills and trades are held against the recorded ones. On paper
the recorded orders and fills are never an input. What is one, as commands are: that an entry was
withheld from the venue, as the journal could not take it or the process died before it was sent.
The backtest refuses it, too, and it is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backtests.request import AccountRequest
from core.errors import TolaError
from core.ledger import Trade
from core.schedule import FlatRule
from live.halting import STRATEGY_ERROR
from live.journal import Journal, SessionFacts
from live.proof.backtest import Proving
from live.proof.compare import compare_failures, compare_fills, compare_orders
from live.proof.orders import as_finding, orders_of, withheld_of
from live.proof.record import Finding, built_again, end_of, read_record
from live.watchdog import EngineHung


@dataclass
class Verified:
    """What the proof came to.

    Attributes
    ----------
    withheld : entries that were decided and never reached the venue. made : the backtest's trades.
    """

    findings: list[Finding]
    withheld: list[Finding]
    bars: int
    orders: int
    made: Sequence[Trade]
    fills: int
    missed: int
    commands: int

    @property
    def trades(self) -> int:
        """How many trades the backtest made."""
        return len(self.made)

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs."""
        return not self.findings


def verify(
    journal: Journal,
    chain: Sequence[SessionFacts],
    account: AccountRequest,
    flats: Sequence[Sequence[FlatRule]],
    calendar_file: str | None,
) -> Verified:
    """Prove a session.

    Parameters
    ----------
    chain : the starts it went on from, and its own, oldest first.
    account, flats : its plans as they were resolved again from what is stored with it.

    Raises
    ------
    TolaError : a strategy hung in it.
    """
    first, last = chain[0], chain[-1]
    if last.exit_reason.endswith(STRATEGY_ERROR + EngineHung.__name__):
        raise TolaError(
            "a strategy hung in that session, and would again: nothing can be proved; why it hung "
            "stands in the account's watchdog.jsonl"
        )
    stop = end_of(journal, last)
    events = ((seq, event) for seq, event in journal.events(first.first_seq) if seq <= stop)
    record = read_record(events)
    findings = list(built_again(record, account, calendar_file))
    ids = {item.session_id for item in chain}
    intents = [item for facts in chain for item in journal.intents(facts.session_id)]
    orders = orders_of(intents)
    withheld = withheld_of(orders, record.refusals)
    run = Proving(account, flats, record, first.document, calendar_file, orders, withheld)
    run.run()
    fills = [item for item in journal.executions() if item.session_id in ids]
    findings += compare_orders(orders, run)
    findings += compare_fills(fills, run)
    findings += compare_failures(last.exit_reason, run.halt.failure)
    return Verified(
        sorted(findings, key=lambda item: item.bar or "9"),
        [as_finding(orders[order_id].first, why) for order_id, why in withheld.items()],
        sum(len(bars) for name, bars in record.bars.items() if "/" not in name),
        sum(item.verb == "submit" for item in intents),
        run.broker.ledger.trades,
        len(fills),
        sum(sum(late) for name, late in record.late.items() if "/" not in name),
        sum(command.author != "session" for _, command in record.commands),
    )
