"""Jobs that measure the live core: `python -m live.bench.JOB`, each prints one JSON document.

A job takes its sizes as one JSON object on the command line and tells figures, no judgement: what
they are held against stands in `backtests/bench/live.py`, which starts them. QUICK sizes are its
to choose. Latencies are wall milliseconds, work is CPU; the disk's own speed is measured beside
whatever waits for it.
"""
