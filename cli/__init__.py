"""The command line: what is typed, said in functions, a module an area; `run.py` is its door.

It may import anything and holds no logic: the work of a verb is in the package it calls, which is
loaded when the verb is. Nothing imports it.
"""
