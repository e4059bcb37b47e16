#!/usr/bin/env python3
"""A machine joins a fleet: it proves itself to a member that runs, under a policy that owners have signed, and then has every
key; whoever the policy does not name, or who is offered something else, gets nothing."""

import shutil
import unittest

from etcd import Etcd
from fleet import fleet_config
from lab import KEYCLAVED, PERMISSIVE_POLICY, Lab, free_port, main, wait_until

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
    limits: {uses: 3}
"""


class Joining(unittest.TestCase):
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

    def test_a_machine_that_the_policy_names_joins_and_has_every_key(self):
        self.found()
        self.first.make_token("web")
        self.first.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "k")
        second = self.joiner("second")
        self.join(second)
        second.start_daemon()
        self.assertEqual(second.cli("status", json=True)["enclave"], self.enclave)
        message = second.write("m", "m")
        second.openssl("dgst", "-sha256", "-sign", "pkcs11:token=web;object=k;type=private", message, text=False)
        members = self.first.cli("replica", "list", json=True)["members"]
        self.assertEqual([one["name"] for one in members], ["first", "second"])
        self.assertEqual(members[1]["claims"]["measurement"], self.measurement())
        # And the third asks the second.
        again = self.join(second, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("there is a store here already", again.stderr)
        second.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "k2")
        wait_until(lambda: "k2" in self.first.cli("key", "list", "--token", "web").stdout, "the key to be everywhere")
        self.assertIn("JoinFleet", self.first.cli("audit", "show", "--json").stdout)

    def test_nobody_else_gets_anything(self):
        self.found()
        other = self.joiner("other", enclave="0" * 32)
        self.assertIn("enclave", self.join(other, check=False).stderr)
        self.assertFalse(other.state.exists() and any(other.state.iterdir()))
        # A policy that names another measurement.
        refuse = (JOIN_POLICY % ("ab" * 32)).replace("version: 1", "version: 2")
        self.first.cli("policy", "apply", self.first.write("join2.yaml", refuse), "--token", "fleet", "--yes", "--owner",
                       f"ops={self.first.dir / 'ops.pem'}")
        second = self.joiner("second")
        process = self.join(second, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("refused", process.stderr)
        self.assertFalse(second.state.exists() and any(second.state.iterdir()))
        self.assertEqual([one["name"] for one in self.first.cli("replica", "list", json=True)["members"]], ["first"])

    def test_a_fleet_is_founded_before_there_are_keys_and_by_owners(self):
        self.first.make_token("web", PERMISSIVE_POLICY)
        process = self.first.cli("replica", "found", "--token", "web", check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("owners", process.stderr)
        with self.assertRaisesRegex(AssertionError, "all that the enclave has"):
            self.found()


if __name__ == "__main__":
    main()
