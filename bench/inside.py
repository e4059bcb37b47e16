"""What the daemon does before it signs, which no application sees alone: verifications of evidence, checks of a grant.

The programs link Keyclave's libraries and let the two sides take turns themselves. Rows are costs: microseconds, and less is
better.
"""

import json

from lab import BUILD_DIR, Lab
from measuring import row

EVIDENCE_BENCH = BUILD_DIR / "bin" / "evidence_bench"
GRANT_BENCH = BUILD_DIR / "bin" / "grant_bench"
GRANT_BOUND = 0.02  # of a P-256 signature
EVIDENCE_BOUND = 3  # times its signatures


def lines(program, options):
    with Lab(start=False) as lab:
        out = lab.run([program, "--seconds", options.seconds / 4, "--repeats", options.repeats], timeout=600).stdout
    return [json.loads(line) for line in out.splitlines()]


def plural(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def evidence_rows(options, measure, interleaved):
    for one in lines(EVIDENCE_BENCH, options):
        ours, theirs = ([1e6 / rate for rate in one[side]] for side in ("verifications", "alone"))
        yield row(f"verify evidence, {one['type']}", ours, theirs, unit="µs", by="keyclave",
                  against=f"its {plural(one['signatures'], 'signature')} alone", budget=EVIDENCE_BOUND, cost=True)


def grant_rows(options, measure, interleaved):
    for one in lines(GRANT_BENCH, options):
        for side, work, budget in (("grant_us", "check a grant", GRANT_BOUND), ("all_us", "all before a signature", None)):
            if budget is not None or not options.promises:
                yield row(f"{work}, {plural(one['permits'], 'permit')}", one[side], one["signature_us"], unit="µs", by="keyclave",
                          against="the P-256 signature", budget=budget, cost=True)
