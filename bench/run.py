#!/usr/bin/env python3
"""How fast Keyclave is, beside its alternatives, in one run on one machine.

Everybody gets the same digests, threads and time, and takes turns with the others; measuring.py says how, and what a row is.
The tables say which promises were met and which were not: a run that measures is a success either way. What each subject is
stands at the head of its file, and how to get one figure in bench/README.md.
"""

import argparse
import os
import pathlib
import sys

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "tests" / "e2e"))
sys.dont_write_bytecode = True
import budgets  # noqa: E402
import handshakes  # noqa: E402
import inside  # noqa: E402
import profiling  # noqa: E402
import report  # noqa: E402
import scale  # noqa: E402
import searches  # noqa: E402
import signing  # noqa: E402
import soak  # noqa: E402
from lab import SOURCE_DIR  # noqa: E402
from measuring import interleaved, measure  # noqa: E402

# Each is a function (options, measure, interleaved) -> rows.
SUBJECTS = {"budgets": budgets.rows, "sign": signing.rows, "handshake": handshakes.rows, "find": searches.rows,
            "evidence": inside.evidence_rows, "grant": inside.grant_rows, "scale": scale.rows}
# What takes its own time and makes no rows, only if it is asked for: a function (options) -> whether all was well.
ALONE = {"soak": soak.run, "profile": profiling.run}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=(*SUBJECTS, *ALONE), default=list(SUBJECTS), metavar="SUBJECT",
                        help=f"of {', '.join((*SUBJECTS, *ALONE))}; without it all but {' and '.join(ALONE)}")
    parser.add_argument("--promises", action="store_true", help="only rows with a budget")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured time per contender and repeat")
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds before, not counted")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 8], help="of those who sign")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="handshakes at a time")
    parser.add_argument("--workers", type=int, default=8 * os.cpu_count(), help="of nginx: each waits for its signatures")
    parser.add_argument("--objects", type=int, default=100_000, help="of the large token that is searched")
    parser.add_argument("--keys", type=int, default=1_000_000, help="of the largest token of `scale` (2 GB of memory, 3 of disk)")
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    parser.add_argument("--with", dest="suites", action="append", default=[], choices=("trixie",),
                        help="contenders in a Debian 13 tree too: OpenSSL 3.5 (needs root)")
    return parser.parse_args()


def main():
    options = arguments()
    known = report.facts(options)
    rows = []
    try:
        for name in options.only:
            for row in SUBJECTS[name](options, measure, interleaved) if name in SUBJECTS else ():
                rows.append({"subject": name, **row})
    finally:  # what was measured before something failed is not lost
        if rows:
            print("\n" + report.write(rows, known))
            print(f"written: {report.RESULTS.relative_to(SOURCE_DIR)}/")
    if not all([ALONE[name](options) for name in options.only if name in ALONE]):
        sys.exit(1)


if __name__ == "__main__":
    main()
