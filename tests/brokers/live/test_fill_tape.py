"""Executions in the order they happened, whatever order they were told in."""

from hypothesis import given
from hypothesis import strategies as st

from brokers.fill_tape import FillTape, TapeRow

rows = st.lists(
    st.builds(
        TapeRow, st.integers(1, 50), st.uuids().map(str), st.sampled_from([1, -1]),
        st.integers(1, 5), st.floats(1, 100), st.just(10.0),
    ),
    max_size=30,
)  # fmt: skip


@given(rows)
def test_rows_stand_in_the_order_of_time_and_only_the_newest_is_last(told):
    tape = FillTape()
    for row in told:
        newest = all(row.place >= held.place for held in tape.rows)

        assert tape.add(row) is newest

    assert [row.place for row in tape.rows] == sorted(row.place for row in told)


@given(rows, st.integers(1, 50))
def test_a_changed_row_moves_to_its_new_place(told, time):
    tape = FillTape()
    for row in told:
        tape.add(row)
    for row in told[:1]:
        tape.change(TapeRow(time, row.fill_id, row.side, row.steps, 5.0, row.step_value))

        found = tape.row(row.fill_id)
        assert found is not None and (found.ts_event, found.price) == (time, 5.0)
    assert [row.place for row in tape.rows] == sorted(row.place for row in tape.rows)
    assert len(tape) == len(told)


def test_a_tape_that_begins_anew_knows_what_is_held_and_no_fill():
    tape = FillTape()
    tape.add(TapeRow(1, "a", 1, 2, 100.0, 10.0))

    tape.begin(2, 100.0)

    assert (len(tape), tape.steps, tape.average, tape.row("a")) == (0, 2, 100.0, None)
