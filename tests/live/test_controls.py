"""Hands on a session: what each command does and answers, and that no strategy notices."""

from types import SimpleNamespace

import pytest

from backtests import runner
from backtests.resolve import resolve
from core.events import Bars, Command
from live.build import SessionTerms, build_paper
from live.controls import Controls
from live.outcomes import told_of
from risk import RiskSettings
from tests.cli import market
from tests.live.sessions import ROOT

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
NEVER = ["every=100000"]


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """Two days of a saw-toothed gold price in 15-minute bars: 2900 + place - slope."""
    path = tmp_path_factory.mktemp("prices") / "XAUUSD_15m.csv"
    return market.write(path, market.rows(120))


@pytest.fixture
def play(prices):
    """Run a session with a script of commands: {bars delivered: [(name, arguments), ...]}."""

    def run(script, *limits, params=NEVER, strategy=STRATEGY, **flags):
        flags = {"instrument": "XAUUSD", "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
                 "params": list(params), **flags}  # fmt: skip
        whole = resolve([strategy], flags, "tola.toml")
        (account,) = whole.accounts
        if limits:
            account = SimpleNamespace(**{**vars(account), "limits": limits})
        loaded = runner.load_account(whole.accounts[0], whole)
        flats = [runner.flats_of(plan.request, account) for plan in loaded]
        record = []
        recorder = SimpleNamespace(append=lambda event: record.append(event) or len(record))
        built = build_paper(account, loaded, flats, SessionTerms(), recorder=recorder)
        played = Played(built, record, dict(script))
        built.cerebro.run()
        return played

    return run


class Played:
    """A session that was played, with the answer to each command."""

    def __init__(self, built, record, script):
        self.built, self.record, self.script = built, record, script
        self.controls = Controls(built, built.engine.stop)
        self.answers, self.watched, self.sizes = [], [], {}
        built.engine.on_command = self.controls.apply
        built.engine.on_cycle = self.act
        built.engine.on_event = self.look

    def act(self):
        for name, arguments in self.script.pop(len(self.built.plans[0].data), ()):
            engine = self.built.engine
            given = self.controls.complete(name, arguments, engine.now, {})
            engine.consume(Command(name, given, "ann", ts_event=engine.now))
            self.answers.append(self.controls.answer)
            self.watched.append(self.controls.watched)

    def look(self, event):
        if isinstance(event, Bars):
            count = len(self.built.plans[0].data)
            self.sizes[count] = {
                plan.plan_id: plan.size(plan.position_steps) for plan in self.built.broker.plans
            }

    @property
    def answer(self):
        return self.answers[-1]

    @property
    def told(self):
        """What the asker of each command is told in the end."""
        return [
            answer | (told_of(watched) if watched else {})
            for answer, watched in zip(self.answers, self.watched, strict=True)
        ]

    @property
    def texts(self):
        return [told["text"] for told in self.told]

    @property
    def fills(self):
        return self.built.broker.ledger.fills


def buy(quantity=1, **terms):
    return ("order", {"side": "buy", "quantity": quantity, **terms})


# -- orders by hand --------------------------------------------------------------------------


def test_an_order_by_hand_trades_a_plan_of_its_own(play):
    played = play({20: [buy(2, stop_loss=2800.0)], 22: [("close", {"plan": "hand"})]})

    (entry, leave) = played.fills
    assert (entry.plan_id, entry.side, entry.quantity) == ("hand", "buy", 2.0)
    assert (leave.plan_id, leave.reason) == ("hand", "by_hand")
    assert played.sizes[21] == {"EveryBars": 0.0, "hand": 2.0}
    order_id = played.answers[0]["order_id"]
    assert played.texts == [
        f"bought 2 XAUUSD @ {entry.price:.10g} (order {order_id}, stop 2800)",
        f"closed 2 XAUUSD @ {leave.price:.10g}",
    ]


def test_the_strategy_hears_nothing_of_it_and_trades_as_without(play):
    alone = play({}, params=["every=7"])
    beside = play({20: [buy(2, stop_loss=2800.0)], 60: [("close", {})]}, params=["every=7"])

    own = [fill for fill in beside.fills if fill.plan_id != "hand"]
    assert len(own) == len(alone.fills) > 4
    assert [(f.time, f.side, f.price, f.quantity) for f in own[:4]] == [
        (f.time, f.side, f.price, f.quantity) for f in alone.fills[:4]
    ]
    refs = {order.ref for order in beside.built.plans[0].strategy._orders}
    assert not refs & {fill.order_id for fill in beside.fills if fill.plan_id == "hand"}


def test_it_counts_in_the_accounts_equity(play):
    played = play({20: [buy(3)]})

    plan = next(plan for plan in played.built.broker.plans if plan.plan_id == "hand")
    assert plan.open_pnl != 0.0
    broker = played.built.broker
    assert broker.getvalue() == pytest.approx(broker.balance + plan.open_pnl)


def test_an_entry_without_a_stop_is_refused_by_the_guard_where_a_trade_is_limited(play):
    rules = RiskSettings(trade_risk=500)

    played = play({20: [buy(2), buy(2, stop_loss=2000.0)]}, rules)

    assert [answer["outcome"] for answer in played.answers] == ["refused", "refused"]
    assert played.answers[0]["rule"] == "no_stop"
    assert played.answers[0]["text"] == "refused by no_stop: the entry has no stop (limit 500)"
    assert played.answers[1]["rule"] == "trade_risk"
    assert played.answers[1]["limit"] == 500
    assert not played.fills


def test_a_refusal_is_judged_at_the_last_price_not_at_the_last_close(play):
    played = play({20: [buy(1, stop_loss=2950.0)]})

    close = played.built.plans[0].data.bars["close"][19]
    assert played.answer["text"] == f"stop_loss=2950: expected below the entry at {close:.10g}"


def test_limit_and_stop_entries_work_until_their_price_comes(play):
    played = play({20: [buy(1, limit=2000.0, take_profit=3000.0), buy(1, stop=2916.0)]})

    waiting, filled = played.told
    assert waiting["text"].startswith("buy 1 XAUUSD limit 2000 working (order ")
    assert waiting["text"].endswith(", target 3000)")
    assert filled["text"].startswith("bought 1 XAUUSD @ ")
    assert filled["orders"][0]["price"] >= 2916.0


def test_both_children_work_once_the_entry_has_filled_and_one_ends_the_other(play):
    played = play({20: [buy(1, stop_loss=2800.0, take_profit=2917.0)]})

    assert [fill.reason for fill in played.fills] == ["entry", "target"]
    assert played.built.broker.tickets() == []


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"quantity": 0}, "quantity=0: expected more than 0"),
        ({"quantity": "much"}, "quantity='much': expected a number"),
        ({"quantity": 0.015}, "quantity=0.015: XAUUSD trades in steps of 0.01"),
        ({"limit": 2900, "stop": 2910}, "limit and stop: give one of them"),
        ({"limit": -1}, "limit=-1: expected a price above 0"),
        ({"limit": float("nan")}, "limit=nan: expected a number"),
        (
            {"limit": 2890.0, "stop_loss": 2895.0},
            "stop_loss=2895: expected below the entry at 2890",
        ),
        ({"limit": 2890.0, "take_profit": 2885.0}, "take_profit=2885: expected above the entry"),
        ({"stop": 2890.0}, "stop=2890: a stop that buys waits above the price 29"),
        ({"side": "long"}, "side='long': expected buy or sell"),
        ({"side": None}, "side=None: expected a word"),
        ({"plan": "XAUUDS"}, "did you mean 'XAUUSD'?"),
    ],
)
def test_what_is_no_order_is_answered_with_why(play, terms, why):
    played = play({20: [("order", {"side": "buy", "quantity": 1, **terms})]})

    assert played.answer["outcome"] == "wrong"
    assert why in played.answer["text"]
    assert not played.fills


def test_no_order_before_the_first_bar(play):
    played = play({0: [buy()]})

    assert "XAUUSD has no bar yet" in played.answer["text"]


def test_an_order_by_hand_that_closes_needs_no_stop_and_turns_nothing_round(play):
    rules = RiskSettings(trade_risk=1e6)
    sell = {"side": "sell"}
    played = play(
        {20: [buy(2, stop_loss=2800.0)],
         23: [("order", {**sell, "quantity": 3}),
              ("order", {**sell, "quantity": 1, "stop_loss": 1}),
              ("order", {**sell, "quantity": 1})]},
        rules,
    )  # fmt: skip

    assert "hand holds 2 XAUUSD the other way" in played.answers[1]["text"]
    assert "needs no stop" in played.answers[2]["text"]
    assert played.texts[3].startswith("sold 1 XAUUSD @ ")
    assert played.sizes[24]["hand"] == 1.0


# -- orders at work --------------------------------------------------------------------------


def test_an_order_is_cancelled_by_its_number(play):
    asked = {20: [buy(1, limit=2000.0)], 22: [("cancel", {"order_id": "1"})]}

    played = play(asked)

    assert played.texts[1] == f"order {played.answers[0]['order_id']} cancelled"
    assert played.built.broker.tickets() == []


def test_an_order_is_changed_and_the_new_terms_are_told(play):
    order_id = "t000001"
    played = play(
        {
            20: [buy(1, limit=2000.0)],
            22: [("modify", {"order_id": order_id, "price": 2100.0, "quantity": 2})],
        }
    )

    (ticket,) = played.built.broker.tickets()
    assert played.texts[1] == f"order {order_id}: price 2100, size 2"
    assert (ticket.order.created.price, ticket.order.created.size) == (2100.0, 2.0)


def test_a_strategys_stop_moves_only_to_less_risk_and_not_beyond_the_price(play):
    stop = {"order_id": "2"}
    asked = [("modify", stop | {"price": price}) for price in (2880.0, 2950.0)]

    played = play({12: asked}, params=["every=10", "points=20"])

    assert played.answers[0]["outcome"] == "refused"
    assert played.answers[0]["rule"] == "stop_widening"
    assert "a stop that sells waits below the price 29" in played.answers[1]["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("cancel", {"order_id": "77"}, "order '77' is not working"),
        ("modify", {"order_id": "t000001"}, "name a price, a limit or a quantity"),
        ("modify", {"order_id": "t000001", "quantity": 0.001}, "trades in steps of 0.01"),
        ("close", {"plan": "hnd"}, "did you mean 'hand'?"),
        ("close", {}, "nothing to close: no position is open"),
        ("close", {"share": 2}, "share=2: expected 0 < share <= 1"),
        ("pasue", {}, "did you mean 'pause'?"),
    ],
)
def test_what_cannot_be_done_is_answered_with_why(play, name, arguments, why):
    played = play({20: [buy(1, limit=2000.0), (name, arguments)]})

    assert played.answer["outcome"] in ("wrong", "failed")
    assert why in played.answer["text"]


# -- out of positions ------------------------------------------------------------------------


def test_half_of_a_position_is_closed(play):
    played = play({20: [buy(4)], 23: [("close", {"plan": "XAUUSD", "share": 0.5})]})

    assert played.texts[1].startswith("closed 2 XAUUSD @ ")
    assert played.sizes[24]["hand"] == 2.0


def test_flatten_closes_what_is_open_and_cancels_what_works(play):
    asked = {20: [buy(2, stop_loss=2800.0), buy(1, limit=2000.0)], 23: [("flatten", {})]}

    played = play(asked)

    text = played.texts[2]
    assert text.startswith("closed 2 XAUUSD @ ") and text.endswith("; cancelled 2 of 2 orders")
    assert played.built.broker.tickets() == []


def test_flatten_of_one_plan_leaves_the_other(play):
    played = play({12: [buy(1)], 14: [("flatten", {"plan": "EveryBars"})]},
                  params=["every=10", "points=50"])  # fmt: skip

    assert played.sizes[13] == {"EveryBars": 1.0, "hand": 1.0}
    assert played.sizes[15] == {"EveryBars": 0.0, "hand": 1.0}


# -- entries off and on ----------------------------------------------------------------------


def test_pause_takes_no_entry_and_leaves_none_working_until_resume(play):
    played = play({20: [buy(1, limit=2000.0), ("pause", {}), buy()], 30: [("resume", {}), buy()]})

    assert played.texts[1] == "entries off; 1 working entry cancelled"
    assert played.answers[2]["rule"] == "paused"
    assert played.texts[3] == "entries on"
    assert [fill.plan_id for fill in played.fills] == ["hand"]


def test_one_plan_is_paused_and_the_others_go_on(play):
    played = play({5: [("pause", {"plan": "EveryBars"})], 12: [buy()]}, params=["every=10"])

    assert played.texts[0] == "entries of EveryBars off"
    assert {fill.plan_id for fill in played.fills} == {"hand"}
    assert played.built.guard.refused["paused"] > 5


def test_what_else_keeps_entries_off_is_told_by_resume(play):
    block = ("block", {"rule": "journal", "detail": "disk full"})

    played = play({20: [block, ("pause", {}), ("resume", {})]})

    assert played.answer["text"] == "entries stay off: journal (disk full)"


# -- settings and limits ---------------------------------------------------------------------

GOLD = {"strategy": "gold_smc", "params": ["dxy=false"]}


def change(name, value, plan="gold_smc"):
    return ("set", {"plan": plan, "name": name, "value": value})


def test_a_management_setting_changes_for_new_setups(play):
    played = play({20: [change("rr", "3")]}, **GOLD)

    end = played.built.plans[0].data.bars["end"][19]
    assert played.answer["text"].startswith("gold_smc: rr 2 -> 3 from the bar of 2025-03-0")
    assert played.built.plans[0].strategy.values["rr"] == 3.0
    (command,) = [event for event in played.record if isinstance(event, Command)]
    assert (command.author, command.arguments["old"]) == ("ann", 2.0)
    assert command.ts_event == end


@pytest.mark.parametrize(
    ("name", "value", "outcome", "why"),
    [
        ("disp_k", "2", "wrong", "disp_k is structural"),
        ("rrr", "2", "wrong", "did you mean 'rr'?"),
        ("rr", "x", "wrong", "rr='x': expected a number"),
        ("max_trades_day", "3", "refused", "3 against a limit of 2 (hard limits only tighten"),
        ("daily_loss_pct", "5", "refused", "5 against a limit of 2 (hard limits only tighten"),
    ],
)
def test_what_may_not_change_is_refused_with_why(play, name, value, outcome, why):
    played = play({20: [change(name, value)]}, **GOLD)

    assert played.answer["outcome"] == outcome
    assert why in played.answer["text"]


def test_a_limit_is_tightened_in_the_guard_and_where_the_strategy_keeps_it(play):
    played = play({20: [change("max_trades_day", "1"), change("daily_loss", 400)]}, **GOLD)

    run, guard = played.built.plans[0], played.built.guard
    assert run.strategy.values["max_trades_day"] == 1
    assert [item.settings.max_trades_day for item in guard.tightenings] == []  # a day has passed
    assert played.texts[0].startswith("gold_smc: max_trades_day 2 -> 1 from the bar of ")
    assert played.texts[1].startswith("gold_smc: daily_loss none -> 400 from the bar of ")
    assert [(event.rule, event.action) for event in guard.events][:2] == [
        ("max_trades", "tightened"), ("daily_loss", "tightened"),
    ]  # fmt: skip


def test_a_plain_strategy_has_limits_to_tighten_and_no_settings(play):
    played = play({20: [change("every", 3, "EveryBars"), change("trade_risk", 300, "account"),
                        buy(1)]})  # fmt: skip

    assert "limits can be tightened: daily_loss" in played.texts[0]
    assert played.answers[1]["done"]
    assert played.answers[2]["rule"] == "no_stop"


def test_stop_ends_the_session(play):
    played = play({20: [("stop", {"reason": "enough"})]})

    assert played.built.engine.exit_reason == "enough"


def test_an_order_in_a_gap_is_refused(play):
    played = play({20: [("order", {"side": "buy", "quantity": 1, "gap": "prices are missing"})]})

    assert played.answer["text"] == "refused by gap: prices are missing"
