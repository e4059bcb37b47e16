"""How the benchmarks measure, and the one form of a row.

A load program prints what it counted as one line of JSON; contenders take turns, repeat after repeat, so that what else the
machine does hits all of them; a ratio is computed within a repeat, and a row has the median and the spread of the ratios.

A row is a dictionary:

    work, by, against   what is measured, whose figure it is, and whose it is compared with
    ours, theirs, unit  the two figures (medians)
    ratio, spread       ours to theirs: the median, and [least, greatest] of the repeats
    budget, met         what the ratio is promised to be, and whether it is so; None where nothing is promised
    cost                true where less is better: the ratio may then not exceed its budget; else it must reach it
    latency_us          {"ours": {"p50": …, "p99": …, "p99.9": …}, "theirs": …} of one operation, where one is measured
    cpu_us              {"ours": {"caller": …, "daemon": …}, "theirs": …} of one operation, process by process
    note                what one must know to read it, or nothing
"""

import json
import statistics
import sys

QUANTILES = {"p50": "median_us", "p99": "p99_us", "p99.9": "p999_us"}


def measure(lab, command, env, watch=None, **options):
    """What a load program prints. `watch`: name -> id of each server whose processor time counts beside the caller's;
    `cpu_us` has them all, for one operation."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    if watch:
        words += ["--watch", *watch.values()]
    found = json.loads(lab.run([*command, *words], env=env).stdout)
    seconds = dict(zip(["caller", *(watch or {})], [found["cpu_seconds"], *found.get("watched_cpu_seconds", [])]))
    found["cpu_us"] = {name: 1e6 * cpu / max(found["operations"], 1) for name, cpu in seconds.items()}
    return found


def interleaved(repeats, contenders, label):
    """contenders: name -> function that measures once. Each repeat asks all of them, in an order that rotates."""
    names = list(contenders)
    found = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names[repeat % len(names):] + names[:repeat % len(names)]:
            found[name].append(contenders[name]())
        print(f"  {label}: {repeat + 1} of {repeats}", file=sys.stderr)
    return found


def row(work, ours, theirs, *, unit, by, against, budget=None, cost=False, **more):
    """A row of two lists of figures, one of each for every repeat."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    met = None if budget is None else ratio <= budget if cost else ratio >= budget
    made = {"work": work, "by": by, "against": against, "ours": rounded(statistics.median(ours)),
            "theirs": rounded(statistics.median(theirs)), "unit": unit, "ratio": rounded(ratio),
            "spread": [rounded(min(ratios)), rounded(max(ratios))], "budget": budget, "met": met, "cost": cost}
    return {**made, **{name: value for name, value in more.items() if value}}


def compare(work, found, *, unit, by, against, **more):
    """A row of two contenders of `interleaved`, by their rates."""
    sides = {"ours": found[by], "theirs": found[against]}
    rates = [[one["per_second"] for one in side] for side in sides.values()]
    return row(work, *rates, unit=unit, by=by, against=against, **more,
               latency_us={name: {short: median_of(side, long) for short, long in QUANTILES.items()}
                           for name, side in sides.items()},
               cpu_us={name: {process: rounded(statistics.median(one["cpu_us"][process] for one in side))
                              for process in side[0]["cpu_us"]} for name, side in sides.items()})


def median_of(measured, key):
    return rounded(statistics.median(one[key] for one in measured))


def rounded(number):
    """Four digits are more than any of these figures deserves."""
    return float(f"{number:.4g}") if abs(number) < 1000 else round(number, 1)
