#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""docs/operations.md, block by block, as it stands there. Its machines are folders: each has its own /etc/keyclave,
/var/lib/keyclave and /run/keyclave, host names are ports of this machine, `systemctl` starts the real daemon, SEV-SNP is simulated,
and etcd's own client is the owner of the real etcd. Commands are not changed otherwise."""

import hashlib
import os
import re
import signal
import subprocess
import unittest

from etcd import Etcd
from lab import KEYCLAVE, KEYCLAVED, PATIENCE, SOURCE_DIR, Lab, alive, free_port, main, wait_until

BLOCK = re.compile(r"^```(sh on|yaml) (\S+)( append| &)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SYSTEMCTL = """#!/bin/bash
# systemctl start|stop|restart keyclaved, for one machine of the test.
set -e
[[ $2 == keyclaved && $# == 2 ]] || { echo "systemctl $*: not here" >&2; exit 1; }
case $1 in start|stop|restart) ;; *) echo "systemctl $*: not here" >&2; exit 1 ;; esac
if [[ $1 != start ]]; then
  pid=$(cat "$MACHINE/pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
if [[ $1 != stop ]]; then
  setsid keyclaved </dev/null >>"$MACHINE/log" 2>&1 &
  echo $! >"$MACHINE/pid"
  until keyclave status >/dev/null 2>&1; do
    kill -0 "$(cat "$MACHINE/pid")" || { cat "$MACHINE/log" >&2; exit 1; }
    sleep 0.1
  done
fi
"""


class Machine:
    def __init__(self, lab, name):
        self.name, self.folder = name, lab.dir / name
        for part in ("etc", "run", "bin"):
            (self.folder / part).mkdir(parents=True)
        self.script("systemctl", SYSTEMCTL)
        self.script("keyclaved", f'#!/bin/sh\nexec {KEYCLAVED} --config {self.folder}/etc/keyclaved.yaml "$@"\n')
        self.env = dict(lab.env, PATH=f"{self.folder}/bin:{KEYCLAVE.parent}:{os.environ['PATH']}", MACHINE=str(self.folder),
                        KEYCLAVE_CONFIG=str(self.folder / "etc" / "client.yaml"))

    def script(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def end(self):
        pid = self.folder / "pid"
        if not pid.exists():
            return
        number = int(pid.read_text())
        if alive(number):
            os.kill(number, signal.SIGTERM)
            wait_until(lambda: not alive(number), "a daemon to end")


class Operations(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(start=False)
        self.addCleanup(self.lab.close)
        self.etcd = Etcd(self.lab, size=1)
        self.shared = self.lab.dir / "shared"
        self.shared.mkdir()
        self.machines, self.ports, self.background = {}, {}, None

    def machine(self, name):
        if name not in self.machines:
            self.machines[name] = Machine(self.lab, name)
            self.addCleanup(self.machines[name].end)
        return self.machines[name]

    def translate(self, text, machine):
        """What the machine's own paths and names are here."""
        text = text.replace("/etc/keyclave/etcd-ca.pem", str(self.etcd.ca)).replace("/etc/keyclave/etcd-key.pem", str(self.etcd.key))
        text = text.replace("/etc/keyclave/etcd.pem", str(self.etcd.certificate))
        text = text.replace("https://etcd-1:2379", f"https://127.0.0.1:{self.etcd.ports[0][0]}")
        folder = machine.folder
        places = {"/etc/keyclave": folder / "etc", "/var/lib/keyclave": folder / "state", "/run/keyclave": folder / "run",
                  "/root": self.shared, "/var/backups": self.shared}
        text = re.sub(r"(?<![\w./-])(?:unix:)?(/etc/keyclave|/var/lib/keyclave|/run/keyclave|/root|/var/backups)(?=[/\s]|$)",
                      lambda found: found.group(0).replace(found.group(1), str(places[found.group(1)])), text)
        return re.sub(r"(host-[a-z]):7443", lambda found: f"127.0.0.1:{self.port(found.group(1))}", text)

    def port(self, name):
        return self.ports.setdefault(name, free_port())

    def configuration(self, text, path):
        """Simulated in place of SEV-SNP, and the values that the text leaves to its reader."""
        roots = "simulated: {key: %s, root: %s}\n" % (self.lab.config_dir / "simulated-root.key", self.lab.config_dir / "simulated-root.pub")
        text = re.sub(r"^(tee|evidence): sev-snp\n", lambda found: f"{found.group(1)}: simulated\n{roots}", text, flags=re.MULTILINE)
        if "\ntee: simulated" in text and os.geteuid() != 0:
            text += "allow_unlocked_memory: true\n"
        text = text.replace("{is: sev-snp}", "{is: simulated}")
        text = text.replace("MEASUREMENT", hashlib.sha256(KEYCLAVED.read_bytes()).hexdigest()).replace("WORKLOAD", "ab" * 32)
        if "ENCLAVE" in text:
            text = text.replace("ENCLAVE", self.enclave_of("host-a"))
        return text + ("    allow_unattested: true\n" if re.search(r"^permit:", text, re.MULTILINE) else "")

    def enclave_of(self, name):
        status = self.shell("keyclave status --json", self.machines[name])
        return re.search(r'"enclave": "([0-9a-f]{32})"', status).group(1)

    def shell(self, text, machine):
        done = subprocess.run(["bash", "-euc", text], env=machine.env, cwd=machine.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120 * PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, f"on {machine.name}:\n{text}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start(self, text, machine):
        """What goes on while the next block runs, and has to end well after it."""
        log = machine.folder / "background.log"
        with log.open("w") as out:
            process = subprocess.Popen(["bash", "-euc", "exec " + text], env=machine.env, cwd=machine.folder, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=subprocess.STDOUT)
        self.lab.on_close(lambda: process.poll() is None and process.kill())
        wait_until(lambda: "waiting for" in log.read_text(), "the enclave to wait", process=process)
        self.background = (process, log)

    def run_block(self, place, how, text):
        if place == "etcd-1":
            self.assertEqual(text.split(), ["etcdctl", "del", "--prefix", "/keyclave"])
            return self.etcd.put_back({})
        # Holders and owners have machines of their own; the client.yaml of theirs names the first one.
        machine = self.machine(place)
        if place in ("holders", "owners") and "host-a" in self.machines:
            machine.env["KEYCLAVE_CONFIG"] = self.machines["host-a"].env["KEYCLAVE_CONFIG"]
        text = self.translate(text, machine)
        if how == " &":
            return self.start(text, machine)
        out = self.shell(text, machine)
        if self.background is not None:
            process, log = self.background
            self.background = None
            self.assertEqual(process.wait(timeout=120 * PATIENCE), 0, log.read_text())
        return out

    def write_block(self, place, how, text):
        name, path = place.split(":")
        machine = self.machine(name)
        text = self.configuration(self.translate(text, machine), path)
        with open(self.translate(path, machine), "a" if how == " append" else "w", encoding="utf-8") as out:
            out.write(text)

    def test_everything_that_it_says(self):
        blocks = BLOCK.findall((SOURCE_DIR / "docs" / "operations.md").read_text())
        fences = (SOURCE_DIR / "docs" / "operations.md").read_text().count("\n```")
        self.assertEqual(2 * len(blocks), fences, "a block that is not run")
        said = []
        for kind, place, how, text in blocks:
            with self.subTest(place=place, text=text):
                if kind == "yaml":
                    self.write_block(place, how, text)
                else:
                    said.append(self.run_block(place, how, text) or "")
        self.assertGreater(len(said), 12)
        everything = "".join(said)
        for expected in ("2 of ops", "host-b", "The backup is whole", "The store is whole", "ops's key opens its share", "solo",
                         "All shares are there"):
            self.assertIn(expected, everything)
        # In the end the other machine has the key that only the backup had.
        self.assertIn("www", said[-1])


if __name__ == "__main__":
    main()
