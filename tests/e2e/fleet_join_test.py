#!/usr/bin/env python3
"""A machine joins a fleet: it proves itself to a member that runs, under a policy that owners have signed, and then has every
key; whoever the policy does not name, or who is offered something else, gets nothing."""

from fleet import JOIN_POLICY, FoundedFleet
from lab import PERMISSIVE_POLICY, main, wait_until


class Joining(FoundedFleet):
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
