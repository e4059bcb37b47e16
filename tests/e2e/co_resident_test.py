#!/usr/bin/env python3
"""Evidence `co-resident`: the daemon asks the kernel who is at the other end of its socket."""

import hashlib
import os
import pathlib
import unittest

from lab import KEYCLAVED, PKCS11_MODULE, LabTest, main, need

POLICY = """\
policy: residents
version: 1
permit:
  - operations: [sign]
    when:
      all:
        - tee: {is: co-resident}
        - co-resident.uid: {is: UID}
        - measurement: {is: "MEASUREMENT"}
"""


class CoResident(LabTest):
    lab_options = {"daemon_config": lambda text: text.replace("accept: [simulated]", "accept: [simulated, co-resident]")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tool = pathlib.Path(need("pkcs11-tool")).resolve()
        cls.policy = POLICY.replace("UID", str(os.geteuid())).replace("MEASUREMENT", hashlib.sha256(tool.read_bytes()).hexdigest())
        cls.lab.make_token("web", policy=cls.policy)
        cls.lab.cli("key", "generate", "--token", "web", "--label", "p256", "--type", "ec:p256", "--id", "01")
        config = cls.lab.client_config.read_text()
        cls.resident = cls.lab.write("resident.yaml", config.replace("evidence: simulated", "evidence: co-resident"))
        cls.lab.write("digest", "d" * 32)

    def sign(self, check=True, **more):
        return self.lab.run([need("pkcs11-tool"), "--module", PKCS11_MODULE, "--token-label", "web", "--sign", "--id", "01",
                             "-m", "ECDSA", "-i", self.lab.dir / "digest", "-o", "/dev/null"], check=check,
                            env={"KEYCLAVE_CONFIG": str(self.resident)}, **more)

    def test_the_user_and_program_that_the_policy_names_may_sign(self):
        self.sign()

    def test_simulated_evidence_is_not_what_the_policy_names(self):
        done = self.lab.run([need("pkcs11-tool"), "--module", PKCS11_MODULE, "--token-label", "web", "--sign", "--id", "01",
                             "-m", "ECDSA", "-i", self.lab.dir / "digest", "-o", "/dev/null"], check=False)
        self.assertNotEqual(done.returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root may run a program as another user")
    def test_another_user_may_not(self):
        done = self.sign(check=False, user="nobody")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No slots", done.stderr)  # who has no grant in a token does not see it
        self.sign()

    def test_a_policy_must_name_the_user(self):
        nameless = self.policy.replace("        - co-resident.uid: {is: %d}\n" % os.geteuid(), "")
        done = self.lab.cli("policy", "check", self.lab.write("p.yaml", nameless), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("co-resident.uid", done.stderr)


class Elsewhere(LabTest):
    lab_options = {"start": False}

    def test_not_in_an_enclave_that_is_no_whole_machine(self):
        text = self.lab.config.read_text().replace("tee: simulated", "tee: sgx").replace("accept: [simulated]", "accept: [co-resident]")
        start = text.index("simulated:\n  key")
        end = text.index("\n", text.index("root:", start))
        config = self.lab.write("sgx.yaml", text[:start] + text[end + 1:])
        done = self.lab.run([KEYCLAVED, "--config", config], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("virtual machine", done.stderr + done.stdout)


if __name__ == "__main__":
    main()
