"""What is promised of signing through the provider, each row side by side with what it is compared with.

Callers are threads of one process, 32 of them unless a row says otherwise; the key in memory is the same OpenSSL's, on the
same processors. TLS on the channel, evidence, policy and audit are on, as always.
"""

from labs import PLAIN, SIGN_BENCH, key_file, key_uri, lab_with_keys
from measuring import compare

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


def groups_of(lab):
    return lab.cli("status", json=True)["signing"]["groups"]


def one_row(lab, budget, options, measure, interleaved):
    kind, how, ours, theirs, at_least = budget
    if kind == "Ed25519":
        at_least = ED25519["ed25519 from" in lab.cli("status", json=True)["signing"]["by"]]
    timing = {"seconds": options.seconds, "warm_up": options.warm_up}
    before = groups_of(lab)
    work = f"{kind} sign, {how}"
    found = interleaved(options.repeats, {
        "keyclave provider": lambda: measure(lab, [SIGN_BENCH, "--uri", key_uri(kind)], None,
                                             watch={"daemon": lab.daemon.pid}, **ours, **timing),
        "OpenSSL in process": lambda: measure(lab, [SIGN_BENCH, "--uri", key_file(lab, kind)], PLAIN, **theirs, **timing)}, work)
    groups = {size: count - before.get(size, 0) for size, count in groups_of(lab).items()}
    sizes = " ".join(f"{size}:{count}" for size, count in groups.items() if count)
    return compare(work, found, unit="signatures/s", by="keyclave provider", against="OpenSSL in process", budget=at_least,
                   groups=groups, note=f"groups by size: {sizes}" if sizes else "no groups")


def rows(options, measure, interleaved):
    with lab_with_keys() as lab:
        for budget in BUDGETS:
            yield one_row(lab, budget, options, measure, interleaved)
    with lab_with_keys(spin=SPIN, kinds=("P-256",)) as lab:
        yield one_row(lab, ALONE, options, measure, interleaved)
