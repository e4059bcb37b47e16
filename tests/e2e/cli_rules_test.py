#!/usr/bin/env python3
"""Sets, approvals and revocations from the command line, and what they do to a session that is open."""
# ctest: TIMEOUT=600

import hashlib
import os

from lab import KEYCLAVE, main
from owned import APPROVED, MEASUREMENT, SET, OwnedTest, Workload

LIMITED = """\
policy: twice
version: 1
permit:
  - operations: [sign]
    mechanisms: [ecdsa]
    when: {tee: {is: simulated}, measurement: {is: %s}}
    limits: {uses: %%d}
    allow_unattested: true
""" % MEASUREMENT


class Rules(OwnedTest):
    def setUp(self):
        self.workload = Workload(self.lab)
        self.addCleanup(self.workload.close)

    @classmethod
    def make_token(cls):
        super().make_token()
        lab = cls.lab
        lab.cli("set", "apply", "--token", "edge", lab.write("workloads.yaml", SET), *cls.ops)
        lab.cli("policy", "apply", "--token", "edge", lab.write("drill.yaml", APPROVED), *cls.ops)
        lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "drill", "--policy", "drill", *cls.ops)
        lab.cli("set", "add", "workloads", "--token", "edge", "--value", MEASUREMENT, "--reason", "release 4.2", *cls.security)

    def revoke(self, *arguments, owner=None):
        answer = self.lab.cli("revoke", *arguments, "--token", "edge", "--reason", "a test", *(owner or self.ops), json=True)
        self.assertEqual(self.workload.sign("www") == "signed", False)
        listed = self.lab.cli("revoke", "list", "--token", "edge", *self.ops, json=True)["revocations"]
        self.assertEqual([r["id"] for r in listed], [answer["id"]])
        self.assertIn("more owners", self.refused("revoke", "lift", answer["id"], "--token", "edge", *self.ops))
        self.lab.cli("revoke", "lift", answer["id"], "--token", "edge", *self.ops, *self.security)
        self.assertEqual(self.workload.sign("www"), "signed")

    def test_a_set_is_followed_at_once(self):
        self.assertEqual(self.workload.sign("www"), "signed")
        shown = self.lab.cli("set", "show", "workloads", "--token", "edge", *self.ops, json=True)
        self.assertIn("# what may run at the edge", shown["text"])
        without = shown["text"].replace(MEASUREMENT, "cd" * 32).replace(f"version: {shown['version']}",
                                                                        f"version: {shown['version'] + 1}")
        path = self.lab.write("without.yaml", without)
        diff = self.lab.cli("set", "diff", path, "--token", "edge", *self.ops, json=True)
        self.assertEqual([line[:5] for line in diff["differences"]], ["- " + MEASUREMENT[:3], "+ cdc"])
        process = self.lab.cli("set", "apply", "--token", "edge", path, *self.ops, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("cd" * 32, process.stderr)
        self.lab.cli("set", "apply", "--token", "edge", path, *self.ops, "--yes")
        self.assertNotEqual(self.workload.sign("www"), "signed")
        self.lab.cli("set", "add", "workloads", "--token", "edge", "--value", MEASUREMENT, "--reason", "back", *self.vault)
        self.assertEqual(self.workload.sign("www"), "signed")
        self.lab.cli("set", "history", "workloads", "--token", "edge", "--verify", *self.ops)

    # lesson 15: two approvals are those of two owners.
    def test_approvals(self):
        self.assertNotEqual(self.workload.sign("drill"), "signed")
        approve = ("approve", "drill", "--token", "edge", "--operation", "sign", "--reason", "a drill")
        self.lab.cli(*approve, "--tee", "simulated", "--measurement", MEASUREMENT, *self.ops)
        self.lab.cli(*approve, "--tee", "simulated", "--measurement", MEASUREMENT, *self.ops)
        self.assertNotEqual(self.workload.sign("drill"), "signed")
        self.lab.cli(*approve, "--last-denied", "--for", "10m", *self.security)
        self.assertEqual(self.workload.sign("drill"), "signed")
        listed = self.lab.cli("approvals", "list", "--token", "edge", *self.vault, json=True)["approvals"]
        self.assertEqual({(a["operation"], a["measurement"], *a["by"]) for a in listed if a["measurement"] == MEASUREMENT},
                         {("sign", MEASUREMENT, "ops"), ("sign", MEASUREMENT, "security")})

    def test_limits(self):
        self.lab.cli("policy", "apply", "--token", "edge", self.lab.write("twice.yaml", LIMITED % 2), *self.ops)
        self.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "twice", "--policy", "twice", *self.ops)
        self.assertEqual([self.workload.sign("twice") == "signed" for _ in range(3)], [True, True, False])
        why = self.lab.cli("explain", "--token", "edge", "twice", *self.ops, json=True)["permits"][0]
        self.assertEqual((why["term"], why["got"], why["used"]), ("limits", "all of 2 uses", 2))
        self.lab.stop()
        self.lab.start_daemon()
        self.assertNotEqual(self.workload.sign("twice"), "signed")
        self.lab.cli("policy", "apply", "--token", "edge", self.lab.write("thrice.yaml", LIMITED.replace("version: 1", "version: 2") % 3),
                     *self.ops, "--yes")
        self.assertEqual([self.workload.sign("twice") == "signed" for _ in range(2)], [True, False])

    def test_an_approval_takes_its_workload_from_genuine_evidence(self):
        evidence = self.lab.dir / "simulated.bin"
        self.lab.cli("evidence", "collect", "--out", evidence, "--report-data", "0102")
        approve = ("approve", "www", "--token", "edge", "--operation", "sign", "--reason", "a drill", *self.ops)
        said = self.lab.cli(*approve, "--from-evidence", evidence, json=True)
        self.assertEqual((said["tee"], said["measurement"]), ("simulated", hashlib.sha256(KEYCLAVE.read_bytes()).hexdigest()))
        forged = bytearray(evidence.read_bytes())
        forged[-1] ^= 1
        evidence.write_bytes(forged)
        self.refused(*approve, "--from-evidence", evidence)

    def test_revoking_evidence(self):
        self.revoke("evidence", "--measurement", MEASUREMENT)
        self.revoke("evidence", "tee: {is: simulated}", owner=self.vault)

    def test_revoking_callers(self):
        self.revoke("caller", "--uid", str(os.getuid()))

    def test_revoking_a_key(self):
        self.revoke("key", "www")

    def test_weakening_is_told_and_asked(self):
        version = self.next_version()
        weaker = self.lab.write("weaker.yaml", self.policy(version).read_text().replace("[sign]", "[sign, decrypt]"))
        process = self.lab.cli("policy", "apply", "--token", "edge", weaker, *self.ops, *self.vault, check=False)
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("permit 1", process.stderr)
        self.assertEqual(self.next_version(), version)
        self.lab.cli("policy", "apply", "--token", "edge", weaker, *self.ops, *self.vault, "--yes")
        self.assertEqual(self.next_version(), version + 1)

    def test_a_restart_keeps_everything(self):
        revoked = self.lab.cli("revoke", "evidence", "--measurement", "ef" * 32, "--token", "edge", "--reason", "x",
                               *self.ops, json=True)["id"]
        before = self.lab.cli("owner", "list", "--token", "edge", json=True)
        self.lab.stop()
        self.lab.start_daemon()
        self.assertEqual(self.lab.cli("owner", "list", "--token", "edge", json=True), before)
        listed = self.lab.cli("revoke", "list", "--token", "edge", *self.ops, json=True)["revocations"]
        self.assertIn(revoked, [r["id"] for r in listed])
        self.lab.cli("revoke", "lift", revoked, "--token", "edge", *self.ops, *self.vault)
        self.lab.cli("set", "history", "workloads", "--token", "edge", "--verify", *self.ops)
        self.assertEqual(self.workload.sign("www"), "signed")


if __name__ == "__main__":
    main()
