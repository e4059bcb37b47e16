"""A fleet for tests: several real daemons that share one store in a real etcd cluster, each with links of its own to etcd and a
client configuration that names it alone."""

import shutil
import signal
import subprocess
import unittest

from etcd import Etcd
from lab import KEYCLAVED, PATIENCE, PERMISSIVE_POLICY, Lab
from links import Link
from processes import end_process, free_port, need, wait_until

JOIN_POLICY = """\
policy: join
version: 1
permit:
  - operations: [join]
    when:
      all:
        - tee: {is: simulated}
        - measurement: {is: "%s"}
    allow_unattested: true
    limits: {uses: 6}
"""


def fleet_config(member, ports, etcd, offline="10m"):
    """What keyclaved.yaml says of a fleet."""
    endpoints = ", ".join(f"https://127.0.0.1:{port}" for port in ports)
    return (f"fleet:\n  member: {member}\n  offline: {offline}\n  etcd:\n    endpoints: [{endpoints}]\n    ca: {etcd.ca}\n"
            f"    certificate: {etcd.certificate}\n    key: {etcd.key}\n    deadline: 2s\n")


def counted(uses):
    """A policy under which each key may be used so often."""
    return PERMISSIVE_POLICY.replace("policy: development", "policy: counted").replace(
        "    allow_unattested: true", f"    allow_unattested: true\n    limits: {{uses: {uses}}}")


class Member:
    """One daemon. It has the lab's root secret, and of the store what the lab had before there was a fleet."""

    def __init__(self, lab, number, etcd, offline, more=""):
        self.lab, self.name, self.process = lab, f"m{number}", None
        folder = lab.dir / f"member{number}"
        self.state = folder / "state"
        self.socket = folder / "keyclaved.sock"
        self.endpoint = f"unix:{self.socket}"
        self.config = folder / "keyclaved.yaml"
        self.client_config = folder / "client.yaml"
        self.log = lab.dir / f"member{number}.log"
        folder.mkdir()
        shutil.copytree(lab.state, self.state, ignore=shutil.ignore_patterns("audit"))
        self.links = [Link(lab, ports[0]) for ports in etcd.ports]
        self.config.write_text(lab.config.read_text().replace(str(lab.state), str(self.state))
                               .replace(str(lab.socket), str(self.socket))
                               + fleet_config(self.name, [link.port for link in self.links], etcd, offline) + more)
        self.client_config.write_text(lab.client_config.read_text().replace(str(lab.socket), str(self.socket)))

    def keyclaved(self, *options, check=True):
        return self.lab.run([KEYCLAVED, "--config", self.config, *options], check=check)

    def start(self):
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([str(KEYCLAVED), "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT, env=self.lab.foreign_env(KEYCLAVED),
                                            cwd=self.lab.dir)
        self.lab.on_close(end_process, self.process)
        wait_until(lambda: self.cli("status", check=False).returncode == 0, "a member to answer", process=self.process)
        return self

    def end(self, how=signal.SIGTERM):
        """Returns the exit status (negative: the signal's number)."""
        self.process.send_signal(how)
        return self.process.wait(timeout=30 * PATIENCE)

    def cli(self, *arguments, **more):
        return self.lab.cli(*arguments, env={"KEYCLAVE_CONFIG": str(self.client_config)}, **more)

    def openssl(self, *arguments, **more):
        return self.lab.run([need("openssl"), *arguments], env={"KEYCLAVE_CONFIG": str(self.client_config)}, **more)

    def signatures(self):
        return self.cli("status", json=True)["operations"].get("Sign", 0)


def peers(lab, count, number):
    """What `fleet:` says of the others, for member `number`."""
    others = ", ".join(f"unix:{lab.dir}/member{one}/keyclaved.sock" for one in range(count) if one != number)
    return f"  peers:\n    endpoints: [{others}]\n    expect: {{tee: {{is: simulated}}}}\n"


def make_fleet(lab, count, offline="10m", size=3, ask_peers=False):
    """Stops the lab's daemon, makes its store the fleet's, and starts `count` members; all programs of the lab then have all
    of them. Returns the etcd cluster (of `size`) and the members."""
    lab.stop()
    etcd = Etcd(lab, size=size)
    members = [Member(lab, number, etcd, offline, peers(lab, count, number) if ask_peers else "") for number in range(count)]
    members[0].keyclaved("--publish")
    for member in members:
        member.start()
    text = lab.client_config.read_text()
    one = next(line for line in text.splitlines() if line.startswith("endpoint:"))
    endpoints = ", ".join(member.endpoint for member in members)
    # Patience with a busy machine: a signature that takes a third of the deadline is asked for once more.
    assert "deadline: 5s" in text
    lab.client_config.write_text(text.replace(one, f"endpoints: [{endpoints}]").replace("deadline: 5s", "deadline: 15s"))
    return etcd, members


class FoundedFleet(unittest.TestCase):
    """Tests of machines that join: `first` runs, over an etcd of one, and listens for those who ask."""

    def setUp(self):
        self.first = Lab(start=False)
        self.addCleanup(self.first.close)
        self.etcd = Etcd(self.first, size=1)
        self.port = free_port()
        text = self.first.config.read_text()
        self.first.config.write_text(self.with_port(text, self.port) + self.fleet("first"))
        self.first.run([KEYCLAVED, "--config", self.first.config, "--publish"])
        self.first.start_daemon()
        self.enclave = self.first.cli("status", json=True)["enclave"]

    def fleet(self, member):
        return fleet_config(member, [self.etcd.ports[0][0]], self.etcd)

    def with_port(self, text, port):
        """keyclaved.yaml with another address beside the socket."""
        lines = text.splitlines(keepends=True)
        place = next(number for number, line in enumerate(lines) if line.startswith("listen:"))
        self.assertTrue(lines[place + 1].lstrip().startswith("-") or "[" in lines[place])
        if "[" in lines[place]:
            lines[place] = lines[place].replace("[", f'["tcp:127.0.0.1:{port}", ', 1)
        else:
            lines.insert(place + 1, f'  - "tcp:127.0.0.1:{port}"\n')
        return "".join(lines)

    def found(self):
        self.first.cli("owner", "keygen", "ops", "-o", self.first.dir / "ops.pem")
        policy = self.first.write("join.yaml", JOIN_POLICY % self.measurement())
        self.first.cli("token", "create", "fleet", "--policy", policy, "--owner", f"ops={self.first.dir / 'ops.pem'}")
        self.first.cli("replica", "found", "--token", "fleet")

    def measurement(self):
        claims = {one["name"]: one["value"] for one in self.first.cli("status", json=True)["evidence"]}
        return claims["measurement"]

    def joiner(self, name, enclave=None, roots=None):
        lab = Lab(start=False)
        self.addCleanup(lab.close)
        shutil.rmtree(lab.state)
        # One simulated maker of TEEs for all.
        for path in self.first.config_dir.glob("simulated-root*"):
            shutil.copy2(path, lab.config_dir / path.name)
        join = (f"  join:\n    endpoint: tcp:127.0.0.1:{self.port}\n    enclave: {enclave or self.enclave}\n"
                "    expect:\n      tee: {is: simulated}\n")
        lab.config.write_text(lab.config.read_text() + self.fleet(name) + join)
        return lab

    def join(self, lab, check=True):
        return lab.run([KEYCLAVED, "--config", lab.config, "--join"], check=check)
