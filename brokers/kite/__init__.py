"""Zerodha Kite Connect v3 through its official SDK: futures and index of NSE, gold of MCX.

`wire` reads and writes what Kite documents and knows nothing else; all other modules stand on it.
"""
