"""Runs on history: requests, the runner, the backtest broker, metrics and what a run leaves.

It brings feeds, strategies, risk and Backtrader together and knows how to lay out a run folder
(through core/results). It must not know venues, live sessions, the sandbox or how a report is
drawn; only run.py calls reports.
"""
