#!/usr/bin/env python3
"""./run demo: nginx serves TLS with keys that only it, attested, may use.

Everything is real (keyclaved, Debian's nginx, curl) and lives in a temporary folder; it ends by itself and leaves nothing
running. Each command is shown as you would type it. Any step that does not go as told ends the demo with an error.
"""

import os
import pathlib
import shlex
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
from lab import BUILD_DIR, KEYCLAVE, KEYCLAVED, SOURCE_DIR, Lab, Nginx, free_port, need  # noqa: E402

TOKEN = "edge"
KEYS = {"web-rsa": "rsa:2048", "web-ec": "ec:p256"}

POLICY = """\
policy: edge-tls
version: 1
permit:
  - operations: [sign]
    mechanisms: [ecdsa, rsa-pss]
    when:
      all:
        - tee: {{is: simulated}}
        - measurement: {{is: {measurement}}}
    allow_unattested: true      # simulated evidence protects nothing; a policy has to say that it knows
"""


class Screen:
    """What the person sees: headings, commands as typed, their output."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.began = time.monotonic()

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def step(self, text):
        print(self._paint("1", f"\n=== {text}"), flush=True)

    def command(self, text):
        print(self._paint("36", f"  $ {text}"), flush=True)

    def output(self, text):
        for line in text.rstrip().splitlines():
            print(f"    {line}", flush=True)

    def say(self, text):
        print(f"  {text}", flush=True)

    def point(self, text):
        print(self._paint("32", f"  {text}"), flush=True)


class Demo:
    def __init__(self, lab, screen):
        self.lab, self.screen = lab, screen
        self.names = {str(KEYCLAVED): "keyclaved", str(KEYCLAVE): "keyclave", str(lab.dir): "$D"}

    def shown(self, command):
        text = " ".join(shlex.quote(str(word)) for word in command)
        for long, short in self.names.items():
            text = text.replace(long, short)
        return text

    def keyclave(self, *arguments):
        self.screen.command(self.shown(["keyclave", *arguments]))
        process = self.lab.cli(*arguments)
        self.screen.output(process.stdout.replace(str(self.lab.dir), "$D"))
        return process

    def fetch(self, label, port, tls, *more, check=True):
        command = [need("curl"), "--silent", "--show-error", "--max-time", "20", "--cacert", self.lab.dir / f"{label}.crt",
                   f"--tlsv{tls}", "--tls-max", tls, *more, f"https://localhost:{port}/"]
        self.screen.command(self.shown(["curl", *command[5:]]))
        process = self.lab.run(command, check=check, env={"OPENSSL_CONF": "/etc/ssl/openssl.cnf"})
        self.screen.output(process.stdout + process.stderr)
        return process

    # ---- the steps ----

    def make_keys(self, nginx):
        self.screen.step("A token whose policy names one program: this nginx, by its measurement")
        measurement = self.lab.cli("evidence", "measure", nginx).stdout.split()[0]
        policy = self.lab.write("edge.yaml", POLICY.format(measurement=measurement))
        self.screen.command("cat $D/edge.yaml")
        self.screen.output(policy.read_text())
        self.keyclave("policy", "check", policy)
        self.keyclave("token", "create", TOKEN, "--policy", policy)
        self.screen.step("Two keys, made in the enclave, and certificates for them")
        for label, kind in KEYS.items():
            self.keyclave("key", "generate", "--token", TOKEN, "--type", kind, "--label", label)
            self.keyclave("cert", "self-sign", "--token", TOKEN, label, "--subject", "CN=localhost", "--san", "localhost",
                          "--out", self.lab.dir / f"{label}.crt")
            self.keyclave("key", "reference", "--token", TOKEN, label, "--out", self.lab.dir / f"{label}.key")
        self.screen.say("What nginx gets as its key file names the key; there is no secret in it:")
        self.screen.command("cat $D/web-ec.key")
        self.screen.output((self.lab.dir / "web-ec.key").read_text())

    def start_nginx(self, binary, name):
        ports = {label: free_port() for label in KEYS}
        server = Nginx(self.lab, [(port, self.lab.dir / f"{label}.crt", self.lab.dir / f"{label}.key")
                                  for label, port in ports.items()], binary=binary, name=name)
        return server.start(), ports

    def serve(self, nginx):
        self.screen.step("nginx, as Debian ships it, with 4 workers, serves with both keys")
        server, ports = self.start_nginx(nginx, "nginx")
        self.screen.say(f"nginx {server.process.pid}, workers {', '.join(map(str, server.workers()))}")
        for label, port in ports.items():
            for tls in ("1.3", "1.2"):
                self.fetch(label, port, tls)
        return server, ports

    def refuse(self, nginx):
        self.screen.step("The same nginx with one byte more is another program")
        other = self.lab.dir / "nginx-one-byte-more"
        shutil.copy(nginx, other)
        with other.open("ab") as out:
            out.write(b"\n")
        self.screen.command(f"cp {nginx} $D/{other.name}; echo >> $D/{other.name}")
        server, ports = self.start_nginx(other, "other")
        denied = self.fetch("web-ec", ports["web-ec"], "1.3", check=False)
        server.stop()
        if denied.returncode == 0:
            raise AssertionError("the other program was served with the key")
        self.screen.point("Refused: the handshake got no signature. Why, says the enclave to its operator:")
        explained = self.keyclave("explain", "--token", TOKEN, "web-ec")
        if "measurement" not in explained.stdout:
            raise AssertionError("keyclave explain does not name the failing term")

    def crash(self, ports):
        self.screen.step("The daemon is killed and started again; nginx is not touched")
        self.screen.command("kill -9 $(pidof keyclaved); keyclaved --config $D/etc/keyclaved.yaml &")
        self.lab.kill_daemon(signal.SIGKILL)
        self.lab.start_daemon()
        for label, port in ports.items():
            self.fetch(label, port, "1.3")

    def audit(self):
        self.screen.step("What the audit log has of all that")
        self.keyclave("audit", "show")
        self.screen.say("Each minute and at the end the enclave signs where the chain is. Anybody can check a copy, without it:")
        key = self.lab.dir / "audit.pub"
        self.keyclave("audit", "key", "--out", key)
        self.screen.command("kill $(pidof keyclaved)")
        self.lab.stop()
        self.keyclave("audit", "verify", self.lab.state / "audit", "--key", key)

    def run(self):
        nginx = pathlib.Path(need("nginx")).resolve()
        self.screen.step("An enclave: keyclaved, simulated (an ordinary process: it protects no key from root)")
        self.screen.command("keyclave init --simulated …; keyclaved --config $D/etc/keyclaved.yaml &")
        self.keyclave("status")
        self.make_keys(nginx)
        server, ports = self.serve(nginx)
        self.refuse(nginx)
        self.crash(ports)
        server.stop()
        self.audit()


def next_steps(screen):
    build = os.path.relpath(BUILD_DIR, SOURCE_DIR)
    screen.step(f"Done in {time.monotonic() - screen.began:.0f} s; nothing is left running. What to type next")
    screen.output(f"export PATH=$PWD/{build}/bin:$PATH\n"
                  "keyclave dev --token try -- bash     # a throw-away enclave of your own; README.md goes on from there\n"
                  "keyclave init --help                 # one for keeps\n"
                  "./run test                           # every test\n"
                  "./run bench                          # how fast it is")


def main():
    screen = Screen()
    for program in ("nginx", "curl"):
        need(program)
    if sys.argv[1:] not in ([], ["--tpm"]):
        sys.exit("usage: ./run demo [--tpm]")
    make_lab, demo = Lab, Demo
    if "--tpm" in sys.argv:
        from demo_tpm import TpmDemo
        from tpm_lab import TpmLab
        make_lab, demo = TpmLab, TpmDemo
    with make_lab() as lab:
        screen.say(f"Everything of this demo is in D={lab.dir}")
        demo(lab, screen).run()
    next_steps(screen)


if __name__ == "__main__":
    main()
