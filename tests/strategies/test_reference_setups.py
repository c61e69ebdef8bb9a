"""Every setup of the five reference runs, from the machines alone."""

from __future__ import annotations

from tests.strategies import reference


def test_the_machine_emits_every_reference_setup_and_no_other(run, real_data):
    machine, rows = reference.emitted(run, real_data)

    assert len(rows) == run.setups
    assert rows == reference.expected_setups(run, real_data)
    assert machine.funnel()["bars"] == run.bars


def test_the_funnel_counts_what_the_reference_counts(run, real_data):
    machine, _ = reference.emitted(run, real_data)

    counted = machine.funnel()
    assert {name: counted[name] for name in run.funnel} == run.funnel
