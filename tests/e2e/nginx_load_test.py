#!/usr/bin/env python3
# ctest: TIMEOUT=600 RUN_SERIAL
"""Full handshakes by the thousand against nginx, 64 at a time, while it is reloaded every second: no request fails, and
nothing grows in nginx or the daemon. `--handshakes 10000` says how many."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

from lab import BUILD_DIR, PATIENCE, LabTest, Nginx, alive, main, wait_until
from processes import SANITIZE
from provider_keys import make_keys

CLIENTS = 64
RELOAD_SECONDS = 1.0  # the pace of the reloads, not a wait for anything
# What memory may grow by from the first half to the second: of 10,000 handshakes, 200 bytes each. A sanitizer keeps what was
# freed, so there it says nothing.
GROWTH_KIB = 2**30 if SANITIZE else 1024
# A worker keeps what the most connections that it ever had at once needed, and one of two may have all of them.
PEAK_KIB = CLIENTS * 32
LISTENING = "0A"  # proc(5): the state of a socket
SAMPLE = 256  # handshakes of workers that have just begun, before they are looked at


class NginxLoad(LabTest):
    handshakes = 2000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"p256": "ec:p256"})

    def test_no_request_fails_and_nothing_grows(self):
        self.nginx = Nginx(self.lab, workers=2).configure(self.lab.dir / "p256.crt", self.lab.dir / "p256.key").start()
        self.reloads, self.rates = 0, []
        half = self.handshakes // 2
        self.shake_hands_and_reload(half // 2)  # warms up
        self.shake_hands_and_reload(half)
        self.shake_hands(SAMPLE)
        middle = self.sizes()
        self.shake_hands_and_reload(self.handshakes - half)
        self.shake_hands(SAMPLE)
        end = self.sizes()
        self.shake_hands(half)  # and none between: the same workers
        old = self.sizes()
        print(json.dumps({"handshakes": self.handshakes, "clients": CLIENTS, "reloads": self.reloads,
                          "handshakes per second": self.rates, "KiB, descriptors after the first half": middle,
                          "after the second": end, "after as many without a reload": old}, indent=1))
        self.assertGreater(self.reloads, 2)
        for before, after in ((middle, end), (end, old)):
            for process, (memory, descriptors) in after.items():
                with self.subTest(process):
                    self.assertLessEqual(descriptors, before[process][1])
                    peak = PEAK_KIB if process.startswith("worker") else 0
                    self.assertLess(memory, before[process][0] + GROWTH_KIB + peak)
        self.assertEqual(self.nginx.stop(), 0)

    def client(self, count):
        """A program that makes so many requests, each over a full handshake."""
        return self.lab.spawn([BUILD_DIR / "bin" / "handshake_bench", "--port", self.nginx.port, "--threads", CLIENTS,
                               "--count", count], "client.log")

    def shake_hands_and_reload(self, count):
        """Reloads every second until the client has done it all, and once more."""
        before = self.nginx.workers()
        client = self.client(count)
        while client.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(timeout=RELOAD_SECONDS)
            self.nginx.reload()
            self.reloads += 1
        self.assert_done(client, count)
        wait_until(lambda: not any(map(alive, before)), "the workers of before to end")

    def shake_hands(self, count):
        client = self.client(count)
        client.wait(timeout=300 * PATIENCE)
        self.assert_done(client, count)

    def assert_done(self, client, count):
        log = (self.lab.dir / "client.log").read_text()
        self.assertEqual(client.returncode, 0, log)
        measured = json.loads(log.splitlines()[-1])
        self.assertEqual(measured["operations"], count)
        self.rates.append(round(measured["per_second"]))

    def sizes(self):
        """Process -> (KiB of memory of its own, descriptors), once all connections are closed."""
        pids = {"daemon": self.lab.daemon.pid, "master": self.nginx.process.pid}
        pids |= {f"worker {number}": pid for number, pid in enumerate(self.nginx.workers())}
        wait_until(lambda: not any(connections(pid, self.nginx.port) for pid in self.nginx.workers()), "connections to end")
        return {name: (own_memory(pid), len(os.listdir(f"/proc/{pid}/fd"))) for name, pid in pids.items()}


def own_memory(pid):
    """KiB of anonymous memory that the process has in RAM."""
    return int(re.search(r"^RssAnon:\s*(\d+) kB$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def connections(pid, port):
    """How many sockets of the process belong to clients of this port."""
    rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] != LISTENING}
    found = 0
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(descriptor) in sockets
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--handshakes", type=int, default=NginxLoad.handshakes)
    chosen, rest = parser.parse_known_args()
    NginxLoad.handshakes = chosen.handshakes
    sys.argv[1:] = rest
    main()
