"""What many keys, many callers and many attestations cost.

Tokens of 100, 1,000, 100,000 and 1,000,000 P-256 keys, each in an enclave of its own, whose daemons all run while they are
measured in turns. The promise: what one operation costs does not grow with the keys (at least 0.9 of the speed at 100), an
idle key costs less than 1 KiB of memory, and a daemon with a million keys starts in less than a minute and says meanwhile how
far it is. The stores are filled by bench/fill_store.cc, which does the daemon's work in thousands to a commit.
"""

import contextlib
import json
import pathlib
import re
import socket
import statistics
import subprocess
import time

from lab import BUILD_DIR, KEYCLAVED, Lab
from measuring import compare, row

FILL_STORE = BUILD_DIR / "bin" / "fill_store"
SCALE_BENCH = BUILD_DIR / "bin" / "scale_bench"
CALLERS_BENCH = BUILD_DIR / "bin" / "callers_bench"
SIZES = [100, 1_000, 100_000, 1_000_000]
TOKEN = "scale"
START = 60.0  # seconds
PER_KEY = 1024  # bytes
SPEED = 0.9  # of that at SIZES[0]
CALLERS = 1_000
FEW_CALLERS = 32
ATTESTATIONS = 10_000
LINGER = 70  # seconds after which the daemon has forgotten who left: session_map.h
FIRST_USES = 80  # keys used for the first time in one measurement
WARM_KEYS = 10  # that measurements of hot keys may have used
MAKE = {1: 200, 32: 1_000}  # callers: keys that they make in one measurement
LIMITS = "limits: {connections: 4096, sessions: 65536}\n"


class Enclave:
    """A token with that many keys, in a lab of its own."""

    def __init__(self, keys):
        self.keys, self.offset, self.made, self.started, self.said = keys, WARM_KEYS, 0, 0.0, []
        self.lab = Lab(start=False, daemon_config=LIMITS)
        try:
            # A thousand callers at once wait for each other.
            text = self.lab.client_config.read_text()
            self.lab.client_config.write_text(re.sub(r"^deadline: .*$", "deadline: 60s", text, flags=re.M))
            self.lab.start_daemon()
            self.lab.make_token(TOKEN)
            self.lab.stop()
            self.lab.run([FILL_STORE, "--config", self.lab.config, "--token", TOKEN, "--keys", keys], timeout=3600)
            self.start()
        except BaseException:
            self.lab.close()
            raise

    def start(self):
        """Starts the daemon and returns once it serves: `started` is how many seconds that took, `said` what it said meanwhile."""
        path = self.lab.dir / "notify.sock"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, self.lab.daemon_log.open("ab") as log:
            listener.bind(str(path))
            listener.settimeout(600)
            begin = time.monotonic()
            self.lab.daemon = subprocess.Popen([str(KEYCLAVED), "--config", str(self.lab.config)], stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=subprocess.STDOUT, cwd=self.lab.dir,
                                               env={**self.lab.foreign_env(KEYCLAVED), "NOTIFY_SOCKET": str(path)})
            self.said = []
            while "READY=1" not in self.said:
                self.said += listener.recv(4096).decode().split("\n")
            self.started = time.monotonic() - begin

    def rss(self):
        """Bytes of the daemon that are in memory."""
        status = pathlib.Path(f"/proc/{self.lab.daemon.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.M).group(1)) * 1024

    def cpu_seconds(self):
        """That the daemon's threads have run: to the nanosecond, where ticks would be coarser than a measurement."""
        return sum(int(one.read_text().split()[0]) for one in
                   pathlib.Path(f"/proc/{self.lab.daemon.pid}/task").glob("*/schedstat")) / 1e9

    def run(self, measure, work, **options):
        """With `cpu_us`: the daemon's part in one operation, whatever else the machine does meanwhile."""
        before = self.cpu_seconds()
        found = measure(self.lab, [SCALE_BENCH, "--config", self.lab.client_config, "--token", TOKEN, "--work", work], None,
                        keys=self.keys, **options)
        # The daemon's time covers the warm-up too.
        share = found["seconds"] / (found["seconds"] + options.get("warm_up", 0))
        found["cpu_us"]["daemon"] = 1e6 * (self.cpu_seconds() - before) * share / max(found["operations"], 1)
        return found

    def first_uses(self, measure):
        """Keys that nobody has used since the daemon started; it starts anew where they run out."""
        if self.offset + FIRST_USES > self.keys:
            self.lab.stop()
            self.start()
            self.offset = WARM_KEYS
        found = self.run(measure, "first", offset=self.offset, count=FIRST_USES)
        self.offset += FIRST_USES
        return found

    def make(self, measure, callers):
        self.made += 1
        return self.run(measure, "make", count=MAKE[callers], threads=callers, name=f"made {self.made}")


def named(keys):
    return f"{keys:,} keys"


def speed_rows(enclaves, work, unit, options, interleaved, once):
    """once(enclave) measures; a row for each size but the first, which all others are compared with."""
    least, *others = map(named, (one.keys for one in enclaves))
    found = interleaved(options.repeats, {named(one.keys): lambda one=one: once(one) for one in enclaves}, work)
    for keys in others:
        yield compare(f"{work}, {keys}", found, unit=unit, by=keys, against=least, budget=SPEED)


def idle_rows(enclaves):
    """Before anybody has asked for anything."""
    rss = {one.keys: one.rss() for one in enclaves}
    least = enclaves[0].keys
    for one in enclaves:
        progress = sum(text.startswith("STATUS=reading") for text in one.said)
        yield row(f"start, {named(one.keys)}", [one.started], [START], unit="s", by="keyclave", against=f"{START:.0f} s", budget=1,
                  cost=True, note=f"said {progress} times how far it is" if progress else "")
        if one.keys > least:
            each = (rss[one.keys] - rss[least]) / (one.keys - least)
            enough = one.keys >= 100_000  # below, what the daemon takes anyway decides
            yield row(f"memory of an idle key, {named(one.keys)}", [each], [PER_KEY], unit="bytes", by="keyclave",
                      against=f"{PER_KEY} bytes", budget=1 if enough else None, cost=True,
                      note=f"daemon: {rss[one.keys] / 2 ** 20:,.0f} MiB")


def together(enclave, callers, options):
    """All of them connect, then all sign at the same time: two lines of callers_bench, and what the daemon took."""
    command = [CALLERS_BENCH, "--config", enclave.lab.client_config, "--token", TOKEN, "--callers", callers, "--seconds",
               options.seconds, "--warm-up", options.warm_up]
    before = enclave.rss()
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=enclave.lab.foreign_env(CALLERS_BENCH)) as process:
        try:
            connected = json.loads(process.stdout.readline())
            rss, cpu = enclave.rss(), enclave.cpu_seconds()
            process.stdin.write("sign\n")
            process.stdin.flush()
            signed = json.loads(process.stdout.readline())
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise AssertionError(f"callers_bench ended with {process.returncode}")
    operations = max(signed["operations"], 1)
    return {**signed, "connected_per_second": connected["per_second"], "rss_per_caller": (rss - before) / callers,
            "cpu_us": {"caller": 1e6 * signed["cpu_seconds"] / operations,
                       "daemon": 1e6 * (enclave.cpu_seconds() - cpu) / operations}}


def caller_rows(enclave, options, interleaved):
    few, many = (f"{callers:,} callers" for callers in (FEW_CALLERS, CALLERS))
    found = interleaved(options.repeats, {few: lambda: together(enclave, FEW_CALLERS, options),
                                          many: lambda: together(enclave, CALLERS, options)}, "callers at once")
    connected, rss = (statistics.median(one[key] for one in found[many]) for key in ("connected_per_second", "rss_per_caller"))
    yield compare("sign, callers with evidence of their own", found, unit="signatures/s", by=many, against=few,
                  note=f"{connected:,.0f} of them connect and attest in a second; the daemon takes {rss / 1024:.1f} KiB for each")


def attestation_rows(enclave, measure):
    """Twice the same: the second time may not take more memory than the first did."""
    def attest():
        return measure(enclave.lab, [CALLERS_BENCH, "--config", enclave.lab.client_config, "--token", TOKEN], None,
                       attest=ATTESTATIONS)
    rates, rss = [], []
    for _ in range(2):
        rates.append(attest()["per_second"])
        time.sleep(LINGER)
        rss.append(enclave.rss())
    yield row(f"memory after {2 * ATTESTATIONS:,} attestations", [rss[1]], [rss[0]], unit="bytes", by="keyclave",
              against=f"after {ATTESTATIONS:,}", budget=1.1, cost=True, note=f"{statistics.median(rates):,.0f} attestations/s")


def rows(options, measure, interleaved):
    with contextlib.ExitStack() as stack:
        enclaves = []
        for keys in SIZES:
            if keys <= max(options.keys, SIZES[1]):
                print(f"  filling: {named(keys)}")
                enclaves.append(Enclave(keys))
                stack.callback(enclaves[-1].lab.close)
        yield from idle_rows(enclaves)
        timing = {"seconds": options.seconds, "warm_up": options.warm_up}
        yield from speed_rows(enclaves, "find by id", "searches/s", options, interleaved,
                              lambda one: one.run(measure, "find", **timing))
        yield from speed_rows(enclaves, "sign, key in use", "signatures/s", options, interleaved,
                              lambda one: one.run(measure, "sign", **timing))
        yield from speed_rows(enclaves, "sign, first use of a key", "signatures/s", options, interleaved,
                              lambda one: one.first_uses(measure))
        for callers in MAKE:
            yield from speed_rows(enclaves, f"make a key, {callers} caller{'s' if callers > 1 else ''}", "keys/s", options,
                                  interleaved, lambda one, callers=callers: one.make(measure, callers))
        if not options.promises:
            yield from caller_rows(enclaves[0], options, interleaved)
        yield from attestation_rows(enclaves[0], measure)

