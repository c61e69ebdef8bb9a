"""Walk-forward: parameters chosen on past days trade the days after them, window by window.

What trades a window was chosen by earlier prices alone; the windows' own days, one after the
other, are the out-of-sample result. It must not know how sets are chosen (`backtests.search`
does) nor how results are shown.
"""
