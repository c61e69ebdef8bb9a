"""Markets that clients are measured on: `python -m sandbox.bench.NAME`, each in its own process.

A market prints where it is as one line of JSON. Each line on its standard input is something to be
done, answered with a line; it ends with its input.
"""
