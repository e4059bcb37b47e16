#!/usr/bin/env python3
"""Lesson 26: members that ask each other about the fleet's history: whoever rules etcd shows two of them two histories, or one of them
the same state for ever. Two real clusters play that part, the second made from what the first had at one moment."""

import unittest

from etcd import Etcd
from fleet import make_fleet
from lab import Lab, main, wait_until


class Peers(unittest.TestCase):
    def begin(self, offline="10m"):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.make_token("web")
        self.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "k0")
        self.etcd, self.members = make_fleet(self.lab, 2, offline, size=1, ask_peers=True)
        self.message = self.lab.write("m", "message")

    def part(self):
        """From now on the second member has a cluster of its own, that begins as the first one's is now."""
        other = Etcd(self.lab, size=1, name="other", like=self.etcd)
        other.put_back(self.etcd.snapshot())
        self.members[1].links[0].lead_to(other.ports[0][0])

    def make(self, member, label, check=True):
        return member.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label, check=check)

    def sign(self, member, check=True):
        return member.openssl("dgst", "-sha256", "-sign", "pkcs11:token=web;object=k0;type=private", self.message, text=False,
                              check=check)

    def status(self, member):
        return member.cli("status", json=True)["fleet"]

    def test_two_histories_stop_both_halves(self):
        self.begin()
        self.make(self.members[0], "before")
        wait_until(lambda: "before" in self.members[1].cli("key", "list", "--token", "web").stdout, "the key to be everywhere")
        self.part()
        self.make(self.members[0], "a")
        # The second member has to find its other cluster first.
        wait_until(lambda: self.make(self.members[1], "b", check=False).returncode == 0, "a change in the other history")
        for member in self.members:
            wait_until(lambda: "two histories" in self.status(member)["trouble"], "the fork to be noticed")
            self.assertTrue(self.status(member)["stale"])
            self.assertNotEqual(self.sign(member, check=False).returncode, 0)
            refused = self.make(member, "c", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("different histories", refused.stderr)
            self.assertIn("another state of epoch", member.log.read_text())

    def test_the_same_state_for_ever_is_no_contact(self):
        self.begin(offline="5s")
        self.part()
        self.make(self.members[0], "a")
        self.sign(self.members[1])
        wait_until(lambda: "etcd shows epoch" in self.status(self.members[1])["trouble"], "the old state to be noticed")
        wait_until(lambda: self.status(self.members[1])["stale"], "the time to be over")
        self.assertNotEqual(self.sign(self.members[1], check=False).returncode, 0)
        self.assertEqual(self.status(self.members[0])["trouble"], "")
        self.sign(self.members[0])
        # Shown the truth it goes on.
        self.members[1].links[0].lead_to(self.etcd.ports[0][0])
        wait_until(lambda: not self.status(self.members[1])["stale"], "the member to be up to date")
        self.assertIn("a", {one["label"] for one in self.members[1].cli("key", "list", "--token", "web", json=True)["objects"]})
        self.sign(self.members[1])

    def test_a_member_that_is_away_stops_nobody(self):
        self.begin(offline="5s")
        self.members[1].end()
        self.make(self.members[0], "a")
        wait_until(lambda: "cannot be asked about" in self.members[0].log.read_text(), "the other to be missed")
        self.sign(self.members[0])
        self.assertEqual(self.status(self.members[0])["trouble"], "")
        self.members[1].start()
        self.sign(self.members[1])


if __name__ == "__main__":
    main()
