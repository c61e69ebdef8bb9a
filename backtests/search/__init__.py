"""Search for parameter sets: which to run, where to run them, and what is remembered of each.

`space` and `objective` read what is asked, `drivers` choose the sets, `runners` run them on one
machine, in worker processes or on a cluster, `study` keeps every result; `search` joins them. It
must not know how a set is run compiled (`backtests.sweep`) nor how results are shown.
"""
