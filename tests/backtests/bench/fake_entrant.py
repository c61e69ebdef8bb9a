"""A library for tests of the race: `python -m tests.backtests.bench.fake_entrant JOB.json`.

options : pnl, the profit it reports; broken, to raise.
"""

from backtests.bench.peers.job import TRADE_COLUMNS, Answer, serve


def prepare(folder, options):
    if options.get("broken"):
        raise RuntimeError("no such indicator")
    pnl = options["pnl"]

    def work():
        columns = {name: [pnl, 2.0] for name in TRADE_COLUMNS}
        return Answer(2, 2 * pnl, 100.0 + 2 * pnl, columns)

    return work


if __name__ == "__main__":
    serve(prepare, "9.9")
