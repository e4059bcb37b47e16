#!/usr/bin/env python3
"""How fast Keyclave is, beside its alternatives, in one run on one machine.

Signatures per second of an RSA-2048 and a P-256 key, on 1 and 8 threads, through Keyclave's PKCS#11 module and its OpenSSL
provider, against the same OpenSSL with the key in memory, SoftHSM2 in the process, and SoftHSM2 behind `p11-kit server`.
Then full TLS handshakes per second of nginx with a key in the enclave, against the same nginx with a key file.

Then searches per second in a token of 100,000 objects, against the same in one of 100.

Then verifications of evidence per second, type by type on one thread, against the signatures alone that the evidence brings.
Then checks of a grant, and all that is found out before a signature, against the P-256 signature that follows.

Everybody gets the same digests, threads and time. The contenders take turns, repeat after repeat, so that what else the
machine does hits all of them; a ratio is computed within a repeat, and the median and the spread of the ratios are printed.
Nothing here is a promise: the table says what was measured, where.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
sys.dont_write_bytecode = True
import budgets  # noqa: E402
from lab import BUILD_DIR, PKCS11_MODULE, Lab, Nginx, free_port, is_socket, need, wait_until  # noqa: E402

SIGN_BENCH = BUILD_DIR / "bin" / "sign_bench"
HANDSHAKE_BENCH = BUILD_DIR / "bin" / "handshake_bench"
EVIDENCE_BENCH = BUILD_DIR / "bin" / "evidence_bench"
FIND_BENCH = BUILD_DIR / "bin" / "find_bench"
GRANT_BENCH = BUILD_DIR / "bin" / "grant_bench"
RESULTS = ROOT / "bench" / "results"
KEYS = {"rsa2048": ("rsa:2048", "rsa:2048", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        "p256": ("ec:p256", "EC:prime256v1", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])}
GRANT_BOUND = 0.02  # of a P-256 signature: what the check of a grant may cost
EVIDENCE_BOUND = 3  # times its signatures: what a verification may cost
TOKEN = "bench"
PIN = "24681357"


class Contenders:
    """The same two keys' worth of everybody, each ready to be measured: name -> key kind -> (command, environment)."""

    def __init__(self, lab):
        self.lab = lab
        self.pin_file = lab.write("bench-pin", PIN + "\n", 0o600)
        self.signers = {}
        self._keyclave()
        self._openssl()
        self._softhsm()

    def _add(self, name, kind, *options, env=None):
        self.signers.setdefault(name, {})[kind] = ([SIGN_BENCH, *options], env)

    def _keyclave(self):
        self.lab.make_token(TOKEN)
        for kind, (ours, _, _) in KEYS.items():
            self.lab.cli("key", "generate", "--token", TOKEN, "--type", ours, "--label", kind)
            self._add("keyclave pkcs11", kind, "--module", PKCS11_MODULE, "--token", TOKEN, "--label", kind)
            self._add("keyclave provider", kind, "--uri", f"pkcs11:token={TOKEN};object={kind};type=private")

    def _openssl(self):
        plain = {"OPENSSL_CONF": "/dev/null"}
        for kind, (_, _, options) in KEYS.items():
            key = self.lab.dir / f"{kind}.pem"
            self.lab.openssl("genpkey", *options, "-out", key, env=plain)
            self._add("openssl in process", kind, "--uri", key, env=plain)

    def _softhsm(self):
        module = next((p for p in ("/usr/lib/softhsm/libsofthsm2.so", *map(str, pathlib.Path("/usr/lib").glob(
            "*/softhsm/libsofthsm2.so"))) if os.path.exists(p)), None)
        client = next(map(str, pathlib.Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so")), None)
        if not module or not client:
            sys.exit("SoftHSM2 or p11-kit-client.so is missing: ./run deps")
        (self.lab.dir / "softhsm").mkdir()
        env = {"SOFTHSM2_CONF": str(self.lab.write("softhsm2.conf", f"directories.tokendir = {self.lab.dir}/softhsm\n")),
               "OPENSSL_CONF": "/dev/null"}
        self.lab.run([need("softhsm2-util"), "--init-token", "--free", "--label", TOKEN, "--so-pin", PIN, "--pin", PIN],
                     env=env)
        for kind, (_, theirs, _) in KEYS.items():
            self.lab.run([need("pkcs11-tool"), "--module", module, "--token-label", TOKEN, "--login", "--pin", PIN,
                          "--keypairgen", "--key-type", theirs, "--label", kind], env=env)
        socket = self.lab.dir / "p11-kit.sock"
        server = self.lab.spawn([need("p11-kit"), "server", "--provider", module, "-f", "-n", socket, f"pkcs11:token={TOKEN}"],
                                "p11-kit.log", env=env)
        wait_until(lambda: is_socket(socket), "p11-kit server", process=server)
        remote = {**env, "P11_KIT_SERVER_ADDRESS": f"unix:path={socket}"}
        for kind in KEYS:
            options = ["--token", TOKEN, "--label", kind, "--pin-file", self.pin_file]
            self._add("softhsm in process", kind, "--module", module, *options, env=env)
            self._add("softhsm over p11-kit", kind, "--module", client, *options, env=remote)


class WebServers:
    """nginx with the key in the enclave, and nginx with it in a file: the same configuration otherwise."""

    def __init__(self, lab, workers):
        self.ports = {}
        for kind in KEYS:
            certificate = lab.dir / f"{kind}-enclave.crt"
            reference = lab.dir / f"{kind}-reference.pem"
            lab.cli("cert", "self-sign", "--token", TOKEN, kind, "--subject", "CN=localhost", "--out", certificate)
            lab.cli("key", "reference", "--token", TOKEN, kind, "--out", reference)
            self._start(lab, "nginx enclave", kind, certificate, reference, workers)
            plain = lab.dir / f"{kind}-file.crt"
            lab.openssl("req", "-x509", "-new", "-key", lab.dir / f"{kind}.pem", "-subj", "/CN=localhost", "-days", "2",
                        "-out", plain, env={"OPENSSL_CONF": "/etc/ssl/openssl.cnf"})
            self._start(lab, "nginx key file", kind, plain, lab.dir / f"{kind}.pem", workers)

    def _start(self, lab, name, kind, certificate, key, workers):
        port = free_port()
        lines = ["ssl_session_cache off;", "ssl_session_tickets off;"]
        Nginx(lab, [(port, certificate, key, *lines)], workers=workers, name=f"{name}-{kind}".replace(" ", "-")).start()
        self.ports.setdefault(name, {})[kind] = port


def measure(lab, command, env, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return json.loads(lab.run([*command, *words], env=env).stdout)


def interleaved(repeats, contenders, label):
    """contenders: name -> function that measures once. Each repeat asks all of them, in an order that rotates."""
    names = list(contenders)
    found = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names[repeat % len(names):] + names[:repeat % len(names)]:
            found[name].append(contenders[name]())
        print(f"  {label}: {repeat + 1} of {repeats}", file=sys.stderr)
    return found


def compare(work, unit, found, ours, theirs):
    """The ratio of two contenders, repeat by repeat."""
    ratios = [a["per_second"] / b["per_second"] for a, b in zip(found[ours], found[theirs])]
    return {"work": work, "ours": ours, "against": theirs, "unit": unit,
            "ratio": round(statistics.median(ratios), 3), "spread": [round(min(ratios), 3), round(max(ratios), 3)],
            "ours_per_second": round(statistics.median(a["per_second"] for a in found[ours]), 1),
            "theirs_per_second": round(statistics.median(b["per_second"] for b in found[theirs]), 1),
            "ours_median_us": round(statistics.median(a["median_us"] for a in found[ours]), 1),
            "theirs_median_us": round(statistics.median(b["median_us"] for b in found[theirs]), 1)}


def sign_rows(lab, options):
    contenders = Contenders(lab)
    for kind in KEYS:
        for threads in options.threads:
            work = f"sign {kind}, {threads} thread{'s' if threads > 1 else ''}"
            once = {name: lambda of=of: measure(lab, *of[kind], threads=threads, seconds=options.seconds,
                                                warm_up=options.warm_up)
                    for name, of in contenders.signers.items()}
            found = interleaved(options.repeats, once, work)
            theirs = [name for name in found if not name.startswith("keyclave")]
            for ours in ("keyclave pkcs11", "keyclave provider"):
                yield from (compare(work, "signatures/s", found, ours, other) for other in theirs)


def handshake_rows(lab, options):
    servers = WebServers(lab, options.workers)
    for kind in KEYS:
        for tls in ("1.3", "1.2"):
            work = f"nginx, full TLS {tls} handshakes, {kind}, {options.clients} clients"
            once = {name: lambda port=of[kind]: measure(lab, [HANDSHAKE_BENCH, "--port", port, "--tls", tls],
                                                        {"OPENSSL_CONF": "/dev/null"}, threads=options.clients,
                                                        seconds=options.seconds, warm_up=options.warm_up)
                    for name, of in servers.ports.items()}
            yield compare(work, "handshakes/s", interleaved(options.repeats, once, work), "nginx enclave", "nginx key file")


def find_rows(lab, options):
    """The same search in a token with a hundred objects and in one with many: what it finds is one object each time."""
    sizes = {"100 objects": 100, f"{options.objects:,} objects": options.objects}
    command = [FIND_BENCH, "--module", PKCS11_MODULE, "--token"]
    for name, size in sizes.items():
        lab.make_token(name)
        lab.run([*command, name, "--fill", size], timeout=1800)
    for by in ("id", "label", "class"):
        once = {name: lambda name=name, size=size: measure(lab, [*command, name], None, by=by, objects=size,
                                                           seconds=options.seconds, warm_up=options.warm_up)
                for name, size in sizes.items()}
        few, many = sizes
        yield compare(f"find by {by}", "searches/s", interleaved(options.repeats, once, f"find by {by}"), many, few)


def evidence_rows(lab, options):
    """The program itself lets the two sides take turns. (A ratio of 0.5: a verification costs what two times its signatures do.)"""
    lines = lab.run([EVIDENCE_BENCH, "--seconds", options.seconds / 4, "--repeats", options.repeats], timeout=600).stdout
    for one in map(json.loads, lines.splitlines()):
        rows = {"verify": one["verifications"], "alone": one["alone"]}
        found = {name: [{"per_second": rate, "median_us": 1e6 / rate} for rate in rates] for name, rates in rows.items()}
        work = f"verify evidence, {one['type']}, 1 thread"
        yield {**compare(work, "verifications/s", found, "verify", "alone"), "ours": "keyclave",
               "against": f"its {one['signatures']} signature{'s' if one['signatures'] > 1 else ''} alone"}


def grant_rows(lab, options):
    """The program lets the sides take turns. (A ratio of 100: the check costs a hundredth of the signature.)"""
    lines = lab.run([GRANT_BENCH, "--seconds", options.seconds / 4, "--repeats", options.repeats], timeout=600).stdout
    for one in map(json.loads, lines.splitlines()):
        for side, work in (("grant_us", "check a grant"), ("all_us", "all before a signature")):
            found = {name: [{"per_second": 1e6 / us, "median_us": us} for us in one[key]]
                     for name, key in (("check", side), ("signature", "signature_us"))}
            work = f"{work}, {one['permits']} permit{'s' if one['permits'] > 1 else ''}"
            yield {**compare(work, "checks/s", found, "check", "signature"), "ours": "keyclave",
                   "against": "the P-256 signature"}


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    version = subprocess.run([need("openssl"), "version"], capture_output=True, text=True, check=True,
                             stdin=subprocess.DEVNULL).stdout.partition("(")[0].strip()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "openssl": version,
            "load": os.getloadavg()[0]}


def print_table(rows):
    headings = ("work", "ours", "against", "ours/s", "theirs/s", "ratio", "spread")
    table = [(row["work"], row["ours"], row["against"], f"{row['ours_per_second']:,.0f}",
              f"{row['theirs_per_second']:,.0f}", f"{row['ratio']:.2f}", "{:.2f}–{:.2f}".format(*row["spread"]))
             for row in rows]
    widths = [max(len(line[i]) for line in [headings, *table]) for i in range(len(headings))]
    lines = []
    for number, line in enumerate([headings, *table]):
        lines.append("  ".join(cell.ljust(width) if i < 3 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured time per contender and repeat")
    parser.add_argument("--warm-up", type=float, default=0.3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--workers", type=int, default=4, help="of nginx")
    parser.add_argument("--clients", type=int, default=8, help="threads of the handshake load")
    parser.add_argument("--objects", type=int, default=100_000, help="of the large token that is searched")
    parser.add_argument("--only", choices=("budgets", "sign", "handshake", "find", "evidence", "grant"))
    options = parser.parse_args()
    promised = list(budgets.rows(options, measure, interleaved)) if options.only in (None, "budgets") else []
    with Lab(start=options.only not in ("budgets", "evidence", "grant")) as lab:
        rows = []
        if options.only in (None, "sign"):
            rows += sign_rows(lab, options)
        if options.only == "handshake":
            Contenders(lab)  # makes the keys
        if options.only in (None, "handshake"):
            rows += handshake_rows(lab, options)
        if options.only in (None, "find"):
            rows += find_rows(lab, options)
        if options.only in (None, "evidence"):
            rows += evidence_rows(lab, options)
        if options.only in (None, "grant"):
            rows += grant_rows(lab, options)
    if shutil.which("git") and (ROOT / ".git").exists():
        commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True,
                                check=False, stdin=subprocess.DEVNULL).stdout.strip()
    else:
        commit = ""
    RESULTS.mkdir(exist_ok=True)
    record = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit, "machine": machine(),
              "repeats": options.repeats, "seconds": options.seconds, "budgets": promised, "rows": rows}
    (RESULTS / "latest.json").write_text(json.dumps(record, indent=1) + "\n")
    table = "\n\n".join(part for part in (budgets.table(promised) if promised else "", print_table(rows) if rows else "") if part)
    (RESULTS / "latest.txt").write_text(table + "\n")
    print(f"\n{record['machine']['cpu']}, {record['machine']['cpus']} CPUs, {record['machine']['openssl']}; "
          f"median of {options.repeats} repeats of {options.seconds:g} s; ratio above 1: Keyclave is faster\n")
    print(table)
    for row in rows:
        if row["against"].endswith("alone") and row["ratio"] * EVIDENCE_BOUND < 1:
            print(f"\nABOVE THE BOUND: {row['work']} costs more than {EVIDENCE_BOUND} times its signatures")
        if row["work"].startswith("check a grant") and row["ratio"] * GRANT_BOUND < 1:
            print(f"\nABOVE THE BOUND: {row['work']} costs more than {GRANT_BOUND:.0%} of a signature")
    print("\nHandshakes are full ones by bench/handshake_bench (OpenSSL, no resumption, no tickets), on the same machine.")
    print(f"written: {(RESULTS / 'latest.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
