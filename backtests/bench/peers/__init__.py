"""What runs a task in another library, each in a process and an environment of its own.

`job` is the part they share; the other modules import their library only when they run. Nothing
of ours beside this package is imported by them.
"""
