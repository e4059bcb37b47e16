#!/usr/bin/env python3
# ctest: TIMEOUT=300
"""keyclave apply in a fleet: what one member keeps all have, and of two who apply at once one does it, whole."""

import concurrent.futures
import json
import unittest

from fleet import make_fleet
from lab import PERMISSIVE_POLICY, Lab, main, wait_until

POLICY = "      " + PERMISSIVE_POLICY.replace("policy: development", "policy: applied").replace("\n", "\n      ").rstrip()
SECRETS = "token: web\npolicies:\n  - text: |\n" + POLICY + """
secrets:
  - {name: pair, type: ec:p256, policy: applied}
  - {name: key, type: aes:256, policy: applied}
  - {name: tls, type: certificate, subject: CN=web, policy: applied}
"""
OBJECTS = 2 + 1 + 3


class ApplyInFleet(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(start=False)
        self.addCleanup(self.lab.close)
        self.etcd, self.members = make_fleet(self.lab, 2, size=1)
        self.a, self.b = self.members
        self.a.cli("token", "create", "web", "--policy", self.lab.write("web.yaml", PERMISSIVE_POLICY))
        self.file = self.lab.write("secrets.yaml", SECRETS)
        wait_until(lambda: self.objects(self.b) == [], "the token to arrive")

    def objects(self, member):
        process = member.cli("key", "list", "--token", "web", "--all", "--json", check=False)
        if process.returncode != 0:
            return None
        return sorted((o["label"], o["class"], o["object"]) for o in json.loads(process.stdout)["objects"])

    def test_what_one_keeps_all_have(self):
        # By the lab's own configuration, which has both members.
        self.lab.cli("apply", "-f", self.file)
        for member in self.members:
            wait_until(lambda: len(self.objects(member) or []) == OBJECTS, f"{member.name} to have all of it")
        self.assertEqual(self.objects(self.a), self.objects(self.b))
        for member in self.members:
            again = member.cli("apply", "-f", self.file, json=True)
            self.assertEqual(({s["action"] for s in again["secrets"]}, {p["action"] for p in again["policies"]}),
                             ({"unchanged"}, {"unchanged"}))

    def test_of_two_at_once_one_does_it(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda member: member.cli("apply", "-f", self.file, check=False), self.members))
        said = [process.stdout + process.stderr for process in done]
        self.assertIn(0, [process.returncode for process in done], said)
        for process in done:
            self.assertIn(process.returncode, (0, 1), said)
            self.assertEqual(process.returncode == 1, "nothing was changed" in process.stderr, said)
        for member in self.members:
            wait_until(lambda: len(self.objects(member) or []) >= OBJECTS, f"{member.name} to have all of it")
        self.assertEqual(self.objects(self.a), self.objects(self.b))
        self.assertEqual(len(self.objects(self.a)), OBJECTS, "no secret is there twice")


if __name__ == "__main__":
    main()
