"""Venues: one folder each, and above them what all share.

It knows the wire of venues and Backtrader's broker protocol; never a strategy, a file of prices
or a run.
"""
