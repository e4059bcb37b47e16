"""What a run leaves: the rows (latest.json), tables of them (latest.md), plots, and the machine that it ran on (machine.json)."""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import time

import plots
from lab import SOURCE_DIR, need
from labs import crypto_mb

RESULTS = SOURCE_DIR / "bench" / "results"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "openssl": output("openssl", "version").partition("(")[0].strip(), "crypto_mb": bool(crypto_mb()), "load": os.getloadavg()[0]}


def output(program, *arguments):
    return subprocess.run([need(program), *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL).stdout.strip()


def facts(options):
    """What one must know to compare this run with another; taken before it, while its own load is not there yet."""
    commit = output("git", "-C", str(SOURCE_DIR), "describe", "--always", "--dirty") if shutil.which("git") else ""
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit, **machine(),
            "repeats": options.repeats, "seconds": options.seconds}


def headline(known):
    library = "with" if known["crypto_mb"] else "without"
    return (f"{known['cpu']}, {known['cpus']} CPUs, {known['openssl']}, {library} crypto_mb; {known['time']}, "
            f"load {known['load']:.1f} before; median of {known['repeats']} repeats of {known['seconds']:g} s")


# ---- tables ----

def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(headings, lines, left=1):
    """A table of Markdown that can be read as it is; the first `left` columns are words."""
    widths = [max(len(line[i]) for line in [headings, *lines]) for i in range(len(headings))]

    def shown(line):
        return "| " + " | ".join(cell.ljust(width) if i < left else cell.rjust(width)
                                 for i, (cell, width) in enumerate(zip(line, widths))) + " |"
    rule = "|" + "|".join("-" * (width + 1) + ("-" if i < left else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([shown(headings), rule, *map(shown, lines)])


def budget_of(row):
    return ("at most " if row.get("cost") else "at least ") + f"{row['budget']:g}"


def ratio_table(rows, promised):
    headings = ["work", "by", "against", "ours", "theirs", "unit", "ratio", "spread"] + (["budget", "met"] if promised else [])
    lines = []
    for row in rows:
        low, high = row["spread"]
        line = [row["work"], row.get("by", "keyclave"), row["against"], number(row["ours"]), number(row["theirs"]), row["unit"],
                f"{row['ratio']:.3g}", f"{low:.3g}–{high:.3g}"]
        lines.append(line + ([budget_of(row), "yes" if row["met"] else "NO"] if promised else []))
    return table(headings, lines, left=3)


def side(row, key, name, shown):
    values = row.get(key, {}).get(name, {})
    return shown(values) if values else "–"


def cost_table(rows):
    """Latencies, and processor time by process, of the rows that measure operations."""
    def quantiles(values):
        return " / ".join(number(value) for value in values.values())

    def processes(values):
        return " + ".join(f"{name} {number(value)}" for name, value in values.items())
    lines = [[row["work"], row.get("by", "keyclave"), row["against"],
              *(side(row, "latency_us", name, quantiles) for name in ("ours", "theirs")),
              *(side(row, "cpu_us", name, processes) for name in ("ours", "theirs")), row.get("note") or ""]
             for row in rows if row.get("latency_us") or row.get("cpu_us") or row.get("note")]
    if not lines:
        return ""
    headings = ["work", "by", "against", "ours: p50 / p99 / p99.9 µs", "theirs: p50 / p99 / p99.9 µs", "ours: CPU µs",
                "theirs: CPU µs", "note"]
    return table(headings, lines, left=8)


def text(rows, known):
    promised = [row for row in rows if row["budget"] is not None]
    others = [row for row in rows if row["budget"] is None]
    parts = [headline(known)]
    if promised:
        met = sum(bool(row["met"]) for row in promised)
        parts += [f"## Promised: {met} of {len(promised)} met", ratio_table(promised, True)]
    if others:
        parts += ["## Measured, without a promise", ratio_table(others, False)]
    costs = cost_table(rows)
    if costs:
        parts += ["## One operation: how long it takes, and whose processor time", costs]
    return "\n\n".join(parts) + "\n"


def write(rows, known):
    """Everything, into the folder of results. Returns the tables."""
    RESULTS.mkdir(exist_ok=True)
    for name, what in (("latest", rows), ("machine", known)):
        (RESULTS / f"{name}.json").write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n")
    found = text(rows, known)
    (RESULTS / "latest.md").write_text(found)
    for name, drawn in plots.of_rows(rows).items():
        (RESULTS / f"{name}.svg").write_text(drawn)
    return found
