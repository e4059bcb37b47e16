"""Full load for a long time: do rate, latency and memory stay what they are?

32 threads of one process sign through the provider with keys of all kinds in turn. Every window bench/soak_bench says what it
counted, and the resident memory of both ends is read. What grows is found by a straight line (least squares) through the
windows after the warm-up: its rise from the first to the last of them, in per cent of their mean.
"""

import json
import statistics
import subprocess

import plots
import report
from lab import BUILD_DIR
from labs import KEYS, key_uri, lab_with_keys

SOAK_BENCH = BUILD_DIR / "bin" / "soak_bench"
CALLERS = 32
# glibc keeps some freed memory for each thread and size, and takes hours to fill all of these: what grows should be what is in use.
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=2"}
WINDOW = 30  # seconds
WARM_UP = 0.1  # of the run, and at least one window
# What may change over the whole run, in per cent: figure -> (name, least, most). Getting better is no fault.
FLAT = {"per_second": ("rate", -10, None),
        "median_us": ("p50", None, 10), "p99_us": ("p99", None, 20), "p999_us": ("p99.9", None, 50),
        "daemon_rss": ("memory of the daemon", None, 3), "caller_rss": ("memory of the caller", None, 3)}


def rss(pid):
    """Resident memory of a process, MiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def run(options):
    seconds = options.minutes * 60
    window = min(WINDOW, seconds / 10)
    count = round(seconds / window)
    known = {**report.facts(options), "callers": CALLERS, "keys": list(KEYS), "window": window}
    report.RESULTS.mkdir(exist_ok=True)
    with lab_with_keys() as lab:
        windows = soak(lab, count, window)
    found = verdict(windows)
    (report.RESULTS / "soak.json").write_text(json.dumps({**known, "windows": windows, "verdict": found}, indent=1) + "\n")
    (report.RESULTS / "soak.svg").write_text(plot(windows))
    print("\n" + table(found, windows))
    return all(one["flat"] for one in found) and not sum(one["errors"] for one in windows)


def soak(lab, count, window):
    """The windows; each is on the disk as soon as it is over."""
    uris = [word for kind in KEYS for word in ("--uri", key_uri(kind))]
    command = [SOAK_BENCH, *uris, "--threads", CALLERS, "--windows", count, "--window", window]
    windows = []
    with (report.RESULTS / "soak.jsonl").open("w") as kept, (lab.dir / "soak-errors.log").open("w") as errors:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   stderr=errors, env={**lab.foreign_env(SOAK_BENCH), **TUNED},
                                   cwd=lab.dir)
        lab.on_close(process.kill)
        for line in process.stdout:
            one = {**json.loads(line), "daemon_rss": rss(lab.daemon.pid)}
            one["keys"] = dict(zip(KEYS, one["keys"]))
            windows.append(one)
            print(json.dumps(one), file=kept, flush=True)
            print(f"  {one['at'] / 60:5.1f} min: {one['per_second']:,.0f} signatures/s, p50 {one['median_us']:,.0f} µs, p99 "
                  f"{one['p99_us']:,.0f}, p99.9 {one['p999_us']:,.0f}; daemon {one['daemon_rss']:.1f} MiB, caller "
                  f"{one['caller_rss']:.1f} MiB; {one['errors']} errors", flush=True)
    said = (lab.dir / "soak-errors.log").read_text()[-2000:]
    if process.wait() != 0 or not windows:
        raise AssertionError("soak_bench failed:\n" + said)
    print(said, end="")
    return windows


def rise(times, values):
    """Of the straight line through the points, from the first time to the last, in per cent of the values' mean."""
    if len(times) < 2:
        return 0.0
    slope = statistics.linear_regression(times, values).slope
    mean = statistics.fmean(values)
    return 100 * slope * (times[-1] - times[0]) / mean if mean else 0.0


def verdict(windows):
    steady = windows[max(1, round(WARM_UP * len(windows))):] or windows
    times = [one["at"] for one in steady]
    found = []
    for figure, (name, least, most) in FLAT.items():
        values = [one[figure] for one in steady]
        change = rise(times, values)
        flat = (least is None or change >= least) and (most is None or change <= most)
        found.append({"figure": name, "first": values[0], "last": values[-1], "mean": statistics.fmean(values),
                      "rise_percent": round(change, 2), "allowed_percent": least if most is None else most, "flat": flat})
    return found


def table(found, windows):
    lines = [[one["figure"], *(report.number(one[key]) for key in ("first", "last", "mean")), f"{one['rise_percent']:+.2f} %",
              f"{one['allowed_percent']:+d} %", "yes" if one["flat"] else "NO"] for one in found]
    operations, errors = (sum(one[key] for one in windows) for key in ("operations", "errors"))
    return (f"{operations:,} signatures in {windows[-1]['at'] / 60:.1f} minutes, {errors} errors\n\n"
            + report.table(["figure", "first", "last", "mean", "rise", "allowed", "flat"], lines)
            + "\n\nThe rise of a straight line (least squares) through the windows after the warm-up, over all of them, in per cent of "
              "the mean. Latencies in µs, memory in MiB.")


def plot(windows):
    def of(*figures):
        return {name: [one[figure] for one in windows] for figure, name in figures}
    panels = [("signatures/s", False, of(("per_second", "rate"))),
              ("µs", True, of(("median_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9"))),
              ("MiB", False, of(("daemon_rss", "daemon"), ("caller_rss", "caller"))),
              ("errors", False, of(("errors", "errors in a window")))]
    return plots.over_time(f"Soak: {CALLERS} callers, {', '.join(KEYS)} in turn", panels, [one["at"] / 60 for one in windows])
