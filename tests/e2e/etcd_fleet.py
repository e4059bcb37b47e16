"""Daemons that share one store: each is a lab of its own, with links of its own to etcd."""

import shutil

from etcd import Etcd, Link
from lab import KEYCLAVED, Lab


def fleet_config(member, links, etcd, offline):
    endpoints = ", ".join(f"https://127.0.0.1:{link.port}" for link in links)
    return (f"fleet:\n  member: {member}\n  offline: {offline}\n  etcd:\n    endpoints: [{endpoints}]\n    ca: {etcd.ca}\n"
            f"    certificate: {etcd.certificate}\n    key: {etcd.key}\n    deadline: 2s\n")


class Member(Lab):
    """A machine that has the founder's root secret and configuration, and nothing of its store's later life."""

    def __init__(self, founder, name, etcd, offline="10m"):
        self.founder, self.name, self.etcd, self.offline = founder, name, etcd, offline
        super().__init__(start=False)

    def _prepare(self, daemon_config):
        self._prepare_environment()
        shutil.copytree(self.founder.config_dir, self.config_dir, dirs_exist_ok=True)
        for path in self.config_dir.rglob("*"):
            if path.is_file() and str(self.founder.dir).encode() in path.read_bytes():
                path.write_text(path.read_text().replace(str(self.founder.dir), str(self.dir)))
        shutil.copytree(self.founder.state, self.state)
        shutil.rmtree(self.state / "audit", ignore_errors=True)
        text = self.config.read_text().partition("fleet:\n")[0]
        self.links = [Link(self, ports[0]) for ports in self.etcd.ports]
        self.config.write_text(text + fleet_config(self.name, self.links, self.etcd, self.offline))


class Fleet:
    """`size` daemons and three etcds. The first one's enclave is the founder."""

    def __init__(self, test, size=3, offline="10m"):
        base = Lab(start=False)
        test.addCleanup(base.close)
        self.base = base
        self.etcd = Etcd(base)
        self.members = []
        for number in range(size):
            member = Member(base, f"m{number}", self.etcd, offline)
            test.addCleanup(member.close)
            if not self.members:
                member.run([KEYCLAVED, "--config", member.config, "--publish"])
            self.members.append(member)
        for member in self.members:
            member.start_daemon()
