"""Sessions killed at seeded points and started again, judged by what lies on the disk afterwards.

`make chaos SEEDS=n SEED=k` runs it: each seed is a market, a strategy that is never at rest, an
account, and the moments at which its process dies. Nothing in production code knows of it.
"""
