"""A fleet for tests: several real daemons that share one store in a real etcd cluster, each with links of its own to etcd and a
client configuration that names it alone."""

import shutil
import signal
import subprocess

from etcd import Etcd, Link
from lab import KEYCLAVED, PATIENCE
from processes import end_process, need, wait_until


def fleet_config(member, ports, etcd, offline="10m"):
    """What keyclaved.yaml says of a fleet."""
    endpoints = ", ".join(f"https://127.0.0.1:{port}" for port in ports)
    return (f"fleet:\n  member: {member}\n  offline: {offline}\n  etcd:\n    endpoints: [{endpoints}]\n    ca: {etcd.ca}\n"
            f"    certificate: {etcd.certificate}\n    key: {etcd.key}\n    deadline: 2s\n")


class Member:
    """One daemon. It has the lab's root secret, and of the store what the lab had before there was a fleet."""

    def __init__(self, lab, number, etcd, offline):
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
                               + fleet_config(self.name, [link.port for link in self.links], etcd, offline))
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


def make_fleet(lab, count, offline="10m"):
    """Stops the lab's daemon, makes its store the fleet's, and starts `count` members; all programs of the lab then have all
    of them. Returns the etcd cluster and the members."""
    lab.stop()
    etcd = Etcd(lab)
    members = [Member(lab, number, etcd, offline) for number in range(count)]
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
