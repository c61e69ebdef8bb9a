"""The words all parts share: bars, prices, instruments, orders, calendars, costs, errors.

Nothing here knows Backtrader, a broker's wire format, a strategy or a file layout other than
its own settings. Every other package may import core; core imports none of them.
"""
