"""Where the time of a P-256 signature goes, at both ends: perf samples the caller and the daemon while 32 threads sign.

Printed are the functions that have more than a threshold of an end's samples, and what each library has of them. A library
that Debian strips has no names for its inner functions: those stand together, as "(no name)". The clock that samples waits
while interrupts are off: what the kernel does then (waking threads up, switching) is found where it turns them on again.
"""

import collections
import json
import os
import re
import shutil
import subprocess

import report
from budgets import CALLERS
from lab import wait_until
from labs import SIGN_BENCH, key_uri, lab_with_keys

THRESHOLD = 3  # per cent
RATE = 999  # samples a second of each processor
LINE = re.compile(r"^\s*(\d+)\s*\|\s*(.*?)\s*\|\[(.)\] (.*?)\s*$")


def run(options):
    if not shutil.which("perf"):
        print("profile: skipped, perf is not installed (./run deps bench; Debian's package is linux-perf)")
        return True
    known = {**report.facts(options), "work": f"P-256 sign, {CALLERS} callers"}
    with lab_with_keys(kinds=("P-256",)) as lab:
        ends = record(lab, max(options.seconds, 5), options.warm_up)
        if not ends:
            return True
        found = {end: shares(lab, data) for end, data in ends.items()}
    report.RESULTS.mkdir(exist_ok=True)
    (report.RESULTS / "profile.json").write_text(json.dumps({**known, "ends": found}, indent=1) + "\n")
    text = "\n\n".join(table(end, one) for end, one in found.items())
    (report.RESULTS / "profile.md").write_text(text + "\n")
    print("\n" + text)
    return True


def record(lab, seconds, warm_up):
    """end -> perf's file; nothing if perf may not sample here."""
    load = lab.spawn([SIGN_BENCH, "--uri", key_uri("P-256"), "--threads", CALLERS, "--seconds", seconds + 2, "--warm-up", warm_up],
                     "profiled-load.log")
    # perf samples the threads that there are when it starts.
    wait_until(lambda: len(os.listdir(f"/proc/{load.pid}/task")) > CALLERS, "the callers' threads", process=load)
    started = {}
    for end, process in (("caller", load), ("daemon", lab.daemon)):
        data = lab.dir / f"{end}.perf"
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", RATE, "-p", process.pid, "-o", data, "--", "sleep", seconds]
        started[end] = (data, subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                               stderr=subprocess.STDOUT, text=True))
    said = {end: perf.communicate(timeout=seconds + 60)[0] for end, (_, perf) in started.items()}
    for end, (_, perf) in started.items():
        if perf.returncode != 0:
            print(f"profile: skipped, perf may not sample the {end} here: {said[end].strip()}")
            return {}
    if load.wait(timeout=seconds + 60) != 0:
        raise AssertionError((lab.dir / "profiled-load.log").read_text())
    return {end: data for end, (data, _) in started.items()}


def shares(lab, data):
    """Per cent of the samples: by library, and by function where that is more than the threshold."""
    said = lab.run(["perf", "report", "-i", data, "--stdio", "-q", "--no-children", "-F", "sample,dso,sym", "-t", "|"], timeout=300).stdout
    return parse(said)


def parse(said):
    """perf report's lines, "12|library|[.] function": the number of samples."""
    libraries, functions = collections.Counter(), collections.Counter()
    for samples, library, where, function in (found.groups() for found in map(LINE.match, said.splitlines()) if found):
        library = "kernel" if where == "k" else library
        if re.fullmatch(r"(0x)?[0-9a-f]{8,}", function):
            function = "(no name)"
        libraries[library] += int(samples)
        functions[(library, function)] += int(samples)
    if not libraries:
        raise AssertionError(f"perf report has no samples:\n{said[:2000]}")
    share = 100 / libraries.total()
    return {"samples": libraries.total(),
            "libraries": {name: round(count * share, 1) for name, count in libraries.most_common() if count * share >= 0.5},
            "functions": [{"library": library, "function": function, "percent": round(count * share, 1)}
                          for (library, function), count in functions.most_common() if count * share > THRESHOLD]}


def table(end, found):
    functions = [[one["function"], one["library"], f"{one['percent']:.1f} %"] for one in found["functions"]]
    libraries = [[name, f"{share:.1f} %"] for name, share in found["libraries"].items()]
    return (f"## Profile of the {end}: functions above {THRESHOLD} % of {found['samples']:,} samples\n\n"
            + report.table(["function", "library", "of its samples"], functions, left=2)
            + f"\n\n### Profile of the {end}: libraries\n\n" + report.table(["library", "of its samples"], libraries))
