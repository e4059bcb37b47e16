"""What is promised of signing (rows with a budget), each measured side by side with what it is compared with.

Callers are threads of one process, 32 of them unless a row says otherwise; the key in memory is the same OpenSSL's, on the
same processors. TLS on the channel, evidence, policy and audit are on, as always.
"""

import contextlib
import os
import pathlib
import statistics

from lab import BUILD_DIR, SOURCE_DIR, Lab

SIGN_BENCH = BUILD_DIR / "bin" / "sign_bench"
TOKEN = "budgets"
KEYS = {"RSA-2048": ("rsa:2048", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        "RSA-4096": ("rsa:4096", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"]),
        "P-256": ("ec:p256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        "P-384": ("ec:p384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        "Ed25519": ("ed25519", ["-algorithm", "ED25519"])}
CALLERS = 32
# key, what of it is measured, how ours is driven, how the key in memory is, at least
BUDGETS = [("RSA-2048", "32 callers", {"threads": CALLERS}, {"threads": CALLERS}, 2.5),
           ("RSA-4096", "32 callers", {"threads": CALLERS}, {"threads": CALLERS}, 4.0),
           ("P-384", "32 callers", {"threads": CALLERS}, {"threads": CALLERS}, 15),
           ("P-256", "32 callers", {"threads": CALLERS}, {"threads": CALLERS}, 1.2),
           ("Ed25519", "32 callers", {"threads": CALLERS}, {"threads": CALLERS}, None),  # by what the library may sign
           ("P-256", "8 jobs on 1 thread", {"threads": 1, "jobs": 8}, {"threads": CALLERS}, 2.0)]
ALONE = ("P-256", "1 caller, spinning", {"threads": 1}, {"threads": 1}, 0.6)
ED25519 = {True: 2.0, False: 0.7}  # with and without groups
SPIN = 50  # microseconds


def crypto_mb():
    """The folder of the multi-buffer library that `./run deps crypto-mb` has unpacked, or nothing."""
    found = sorted((SOURCE_DIR / "build" / "deps" / "crypto-mb").glob("usr/lib/*/libcrypto_mb.so.*"))
    return str(found[0].parent) if found else ""


@contextlib.contextmanager
def lab_with_keys(spin=0):
    """A daemon with the library, if there is one, and a key of each kind in it and in a file."""
    with Lab(start=False, daemon_config=f"spin: {spin}\n") as lab:
        lab.env["LD_LIBRARY_PATH"] = crypto_mb()
        lab.client_config.write_text(lab.client_config.read_text() + f"spin: {spin}\nmax_connections: 64\n")
        lab.start_daemon()
        lab.make_token(TOKEN)
        for kind, (ours, options) in KEYS.items():
            lab.cli("key", "generate", "--token", TOKEN, "--type", ours, "--label", kind)
            lab.openssl("genpkey", *options, "-out", lab.dir / f"{kind}.pem", env={"OPENSSL_CONF": "/dev/null"})
        yield lab


def cpu_seconds(pid):
    user, system = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def groups_of(lab):
    return lab.cli("status", json=True)["signing"]["groups"]


def row(lab, budget, options, measure, interleaved):
    """One promise: a dictionary as bench/results/latest.json has them."""
    kind, how, ours, theirs, at_least = budget
    if kind == "Ed25519":
        at_least = ED25519["ed25519 from" in lab.cli("status", json=True)["signing"]["by"]]
    timing = {"seconds": options.seconds, "warm_up": options.warm_up}
    daemon_cpu = []

    def keyclave():
        before = cpu_seconds(lab.daemon.pid)
        found = measure(lab, [SIGN_BENCH, "--uri", f"pkcs11:token={TOKEN};object={kind};type=private"], None, **ours, **timing)
        # The daemon's time covers the warm-up too.
        share = found["seconds"] / (found["seconds"] + options.warm_up)
        daemon_cpu.append((cpu_seconds(lab.daemon.pid) - before) * share / max(found["operations"], 1))
        return found
    groups = groups_of(lab)
    work = f"{kind} sign, {how}"
    found = interleaved(options.repeats, {
        "keyclave provider": keyclave,
        "OpenSSL in process": lambda: measure(lab, [SIGN_BENCH, "--uri", lab.dir / f"{kind}.pem"],
                                              {"OPENSSL_CONF": "/dev/null"}, **theirs, **timing)}, work)
    mine, other = found.values()
    ratios = [a["per_second"] / b["per_second"] for a, b in zip(mine, other)]
    ratio = statistics.median(ratios)

    def median(values):
        return statistics.median(list(values))
    return {"work": work, "against": "OpenSSL in process", "ratio": round(ratio, 3),
            "spread": [round(min(ratios), 3), round(max(ratios), 3)], "budget": at_least, "met": ratio >= at_least,
            "ours": round(median(a["per_second"] for a in mine), 1), "theirs": round(median(b["per_second"] for b in other), 1),
            "unit": "signatures/s", "ours_median_us": round(median(a["median_us"] for a in mine), 1),
            "ours_p99_us": round(median(a["p99_us"] for a in mine), 1),
            "cpu_us": {"caller": round(1e6 * median(a["cpu_seconds"] / max(a["operations"], 1) for a in mine), 1),
                       "daemon": round(1e6 * median(daemon_cpu), 1),
                       "in process": round(1e6 * median(b["cpu_seconds"] / max(b["operations"], 1) for b in other), 1)},
            "groups": {size: count - groups.get(size, 0) for size, count in groups_of(lab).items()}}


def rows(options, measure, interleaved):
    with lab_with_keys() as lab:
        print(f"  signing by {lab.cli('status', json=True)['signing']['by']}")
        for budget in BUDGETS:
            yield row(lab, budget, options, measure, interleaved)
    with lab_with_keys(spin=SPIN) as lab:
        yield row(lab, ALONE, options, measure, interleaved)


def table(found):
    lines = [f"{'work':<34}{'ours/s':>10}{'theirs/s':>10}{'ratio':>8}{'budget':>8}  {'spread':<14}{'µs CPU caller+daemon/in process':<34}groups"]
    for one in found:
        cpu = one["cpu_us"]
        lines.append(f"{one['work']:<34}{one['ours']:>10,.0f}{one['theirs']:>10,.0f}{one['ratio']:>8.2f}{one['budget']:>8.2f}  "
                     f"{'{:.2f}–{:.2f}'.format(*one['spread']):<14}"
                     f"{cpu['caller']:.1f}+{cpu['daemon']:.1f}/{cpu['in process']:.1f}".ljust(84 + 34)
                     + " ".join(f"{size}:{count}" for size, count in one["groups"].items())
                     + ("" if one["met"] else "  BELOW ITS BUDGET"))
    return "\n".join(lines)
