"""Fault plans: what strikes when, the same each time, and plans that are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from sandbox.faults import REQUEST, STREAM, Fault, FaultPlan, Kind, read_plan, require_target

NAMES = ("price", "order", "orders.place", "orders", "quote")


def hits(plan, count=50, name="price", kinds=STREAM):
    """Return which of some opportunities were struck."""
    return [place for place in range(count) if plan.strike(kinds, name, 0) is not None]


def test_skip_and_count_say_which_opportunities():
    assert hits(FaultPlan([Fault(Kind.DROP, skip=3, count=2)])) == [3, 4]


def test_chances_are_the_same_for_the_same_seed_and_others_for_another():
    one, same, other = (
        hits(FaultPlan([Fault(Kind.DROP, chance=0.3)], seed), 300) for seed in (7, 7, 8)
    )

    assert one == same != other
    assert 50 < len(one) < 130


def test_a_faults_chances_do_not_depend_on_those_beside_it():
    alone = FaultPlan([Fault(Kind.DROP, chance=0.5)], 1)
    beside = FaultPlan([Fault(Kind.DROP, chance=0.5), Fault(Kind.DUPLICATE, chance=0.5)], 1)

    first = [place for place in range(40) if alone.strike(STREAM, "price", 0)]
    both = [
        place
        for place in range(40)
        if (struck := beside.strike(STREAM, "price", 0)) and struck.kind is Kind.DROP
    ]

    assert first == both


def test_a_fault_strikes_what_it_names_and_nothing_else():
    plan = FaultPlan([Fault(Kind.STATUS, on="orders*")])

    struck = [name for name in NAMES if plan.strike(REQUEST, name, 0)]

    assert struck == ["orders.place", "orders"]
    assert plan.strike(STREAM, "order", 0) is None


def test_times_are_of_the_market():
    plan = FaultPlan([Fault(Kind.DROP, at="2024-09-04 09:16+05:30", until="2024-09-04 03:47")])
    minute = 60 * 10**9
    open_ = 1725421500 * 10**9  # 09:15 IST

    struck = [step for step in range(4) if plan.strike(STREAM, "price", open_ + step * minute)]

    assert struck == [1]


def test_what_ends_a_connection_strikes_once_unless_told_otherwise():
    assert hits(FaultPlan([Fault(Kind.CUT)])) == [0]
    assert len(hits(FaultPlan([Fault(Kind.CUT, count=3)]))) == 3


@given(
    st.lists(
        st.tuples(st.sampled_from([Kind.DROP, Kind.DELAY, Kind.TRUNCATE]), st.integers(0, 9),
                  st.one_of(st.none(), st.integers(1, 5)), st.floats(0.1, 1.0)),
        max_size=5,
    ),
    st.lists(st.sampled_from(NAMES), max_size=60),
)  # fmt: skip
def test_no_fault_strikes_more_often_than_it_may(lines, struck):
    faults = [
        Fault(kind, skip=skip, count=count, chance=chance, messages=1)
        for kind, skip, count, chance in lines
    ]
    plan = FaultPlan(faults, 3)

    found = [plan.strike(STREAM, name, 0) for name in struck]

    for fault in set(faults):
        most = None if fault.count is None else fault.count * faults.count(fault)
        assert most is None or found.count(fault) <= most
        assert all(found[place] != fault for place in range(min(fault.skip, len(found))))
    assert len(plan.struck) == len([item for item in found if item is not None])


def test_a_plan_is_read_from_a_file(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        "seed = 7\n"
        '[[fault]]\nkind = "drop"\non = "price"\nchance = 0.01\n'
        '[[fault]]\nkind = "hand"\naction = "close"\nat = 2024-09-04T09:20:00+05:30\n'
        '[[fault]]\nkind = "status"\non = "orders.place"\nstatus = 502\nhandled = true\n'
    )

    plan, other = read_plan(path), read_plan(path, seed=9)

    assert (plan.seed, other.seed) == (7, 9)
    assert [armed.fault.kind for armed in plan._armed] == [Kind.DROP, Kind.HAND, Kind.STATUS]
    assert plan._armed[1].fault.at == 1725421800 * 10**9


BAD = {
    "no toml": ("=", "not valid TOML"),
    "kind": ('[[fault]]\nkind = "dorp"', "did you mean 'drop'"),
    "no kind": ("[[fault]]\nchance = 1", "needs a kind"),
    "key": ('[[fault]]\nkind = "drop"\nchanse = 1', "did you mean 'chance'"),
    "table": ("[fault]\nx = 1", r"expected \[\[fault\]\] tables"),
    "row": ("fault = [1]", "expected a table"),
    "top": ("sede = 1", "did you mean 'seed'"),
    "seed": ('seed = "a"', "expected a whole number"),
    "chance": ('[[fault]]\nkind = "drop"\nchance = 2', "0 < chance <= 1"),
    "share": ('[[fault]]\nkind = "partial"\nshare = 1.0', "0 < share < 1"),
    "count": ('[[fault]]\nkind = "drop"\ncount = 0', "1 or more"),
    "skip": ('[[fault]]\nkind = "drop"\nskip = 1.5', "expected a whole number"),
    "text": ('[[fault]]\nkind = "drop"\nchance = "x"', "expected a number"),
    "on": ('[[fault]]\nkind = "drop"\non = 3', "expected a text"),
    "status": ('[[fault]]\nkind = "status"\nstatus = 200', "400 to 599"),
    "delay": ('[[fault]]\nkind = "delay"', "needs secs or messages"),
    "slow": ('[[fault]]\nkind = "slow"', "needs secs"),
    "action": ('[[fault]]\nkind = "hand"\naction = "steal"', "expected one of buy"),
    "time": ('[[fault]]\nkind = "drop"\nat = "noon"', "expected a date and time"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_wrong_plan_is_one_clear_error(tmp_path, text, words):
    path = tmp_path / "plan.toml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=words) as caught:
        read_plan(path)

    assert str(path) in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[[fault]]\nkind = "x"\n[[fault]]\nkind = "slow"\n')

    with pytest.raises(ConfigError, match="2 faults"):
        read_plan(path)


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nope\.toml: No such file"):
        read_plan(tmp_path / "nope.toml")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "hand", "action": "buy"}, "expected how much to buy"),
        ({"kind": "hand", "action": "modify"}, "needs a price"),
        ({"kind": "drop", "at": "2024-09-16", "until": "2024-09-15"}, "expected a time after at"),
        ({"kind": "slow", "secs": float("inf")}, "expected a number of seconds"),
        ({"kind": "drop", "count": 1.5}, "expected a whole number"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        Fault(**given)


@pytest.mark.parametrize(
    ("kind", "on"),
    [("drop", "prise"), ("reject", "markt"), ("status", "orders.plaice"), ("refuse", "strem")],
)
def test_a_fault_on_what_is_not_there_is_refused_with_the_near_name(kind, on):
    with pytest.raises(ConfigError, match=f"on='{on}'; did you mean"):
        require_target(Fault(kind, on=on), ("orders.place", "quote"))


def test_a_fault_may_name_orders_placed_of_a_kind():
    require_target(Fault("lose", on="orders.place.stop"), ("orders.place",))
