#!/usr/bin/env python3
"""Lesson 26: another enclave as the witness of the store: what somebody who has a whole machine, and every file of it, can put back."""

import shutil
import signal
import unittest

from lab import KEYCLAVED, Lab, main


class PeerWitness(unittest.TestCase):
    def setUp(self):
        self.keeper = Lab(daemon_config="keep_marks:\n  of: {tee: {is: simulated}}\n  most: 2\n")
        self.addCleanup(self.keeper.close)
        self.lab = self.machine()
        self.keyclaved(self.lab, "--init")
        self.lab.start_daemon()
        self.lab.make_token("web")
        self.make(self.lab, "k0")
        self.message = self.lab.write("m", "message")

    def machine(self):
        """One that has this witness, and no state."""
        lab = Lab(start=False)
        self.addCleanup(lab.close)
        shutil.rmtree(lab.state)
        # One simulated maker of TEEs for all.
        for path in self.keeper.config_dir.glob("simulated-root*"):
            shutil.copy2(path, lab.config_dir / path.name)
        enclave = self.keeper.cli("status", json=True)["enclave"]
        with lab.config.open("a") as out:
            out.write(f"witness:\n  peer:\n    endpoint: unix:{self.keeper.socket}\n    enclave: {enclave}\n"
                      "    expect: {tee: {is: simulated}}\n")
        return lab

    def keyclaved(self, lab, *options, check=True):
        return lab.run([KEYCLAVED, "--config", lab.config, *options], check=check)

    def make(self, lab, label, check=True):
        return lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label, check=check)

    def sign(self, lab):
        lab.openssl("dgst", "-sha256", "-sign", "pkcs11:token=web;object=k0;type=private", self.message, text=False)

    def save(self, name):
        shutil.copytree(self.lab.state, self.lab.dir / name)

    def put_back(self, name):
        shutil.rmtree(self.lab.state)
        shutil.copytree(self.lab.dir / name, self.lab.state)

    def test_a_machine_that_is_put_back_as_a_whole_does_not_start(self):
        self.assertFalse((self.lab.state / "witness").exists())
        self.assertFalse(any("witness" in one for one in self.lab.cli("status", json=True)["warnings"]))
        self.lab.stop()
        self.save("yesterday")
        self.lab.start_daemon()
        for label in ("k1", "k2"):
            self.make(self.lab, label)
        self.lab.stop()
        self.save("today")
        self.put_back("yesterday")
        for option in ((), ("--accept-store",)):
            refused = self.keyclaved(self.lab, *option, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("rolled back", refused.stderr)
        checked = self.keyclaved(self.lab, "--check-store", check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("rolled back", checked.stdout)
        self.put_back("today")
        # The witness remembers through a crash of its own.
        self.assertEqual(self.keeper.kill_daemon(), -signal.SIGKILL)
        self.assertIn("cannot be reached", self.keyclaved(self.lab, check=False).stderr)
        self.keeper.start_daemon()
        self.lab.start_daemon()
        self.sign(self.lab)

    def test_without_the_witness_keys_are_used_and_nothing_is_changed(self):
        self.assertEqual(self.keeper.kill_daemon(), -signal.SIGKILL)
        # What was made before the witness was missed counts; the next change waits for it.
        self.make(self.lab, "k1")
        refused = self.make(self.lab, "k2", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the enclave that is the witness cannot be reached", refused.stderr)
        self.sign(self.lab)
        self.keeper.start_daemon()
        self.make(self.lab, "k2")
        labels = {one["label"] for one in self.lab.cli("key", "list", "--token", "web", json=True)["objects"]}
        self.assertEqual(labels, {"k0", "k1", "k2"})
        self.assertIn("The store is whole", self.lab.cli("store", "check").stdout)

    def test_of_two_copies_only_one_goes_on(self):
        # Taken while it runs and nothing is changed: the same state, whose next commit is that of its start.
        copy = self.machine()
        shutil.copytree(self.lab.state, copy.state)
        copy.start_daemon()
        self.make(copy, "theirs")
        self.make(self.lab, "mine")
        refused = self.make(self.lab, "mine2", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has gone on with a copy", refused.stderr)
        self.sign(self.lab)
        self.make(copy, "theirs2")
        self.assertEqual(self.lab.kill_daemon(signal.SIGTERM), 1)  # what it records of its end is a change, too
        self.assertIn("rolled back", self.keyclaved(self.lab, check=False).stderr)

    def test_a_backup_counts_as_newer_than_what_the_witness_remembers(self):
        backup = self.lab.dir / "backup"
        self.lab.cli("backup", "create", backup)
        self.make(self.lab, "k1")
        self.lab.stop()
        self.save("lost")
        (self.lab.state / "store.db").unlink()
        for leftover in self.lab.state.glob("store.db-*"):
            leftover.unlink()
        self.keyclaved(self.lab, "--restore", backup)
        # Once more, as after a crash in the middle.
        (self.lab.state / "store.db").unlink()
        self.keyclaved(self.lab, "--restore", backup)
        self.lab.start_daemon()
        self.assertEqual({one["label"] for one in self.lab.cli("key", "list", "--token", "web", json=True)["objects"]}, {"k0"})
        self.lab.stop()
        self.put_back("lost")
        self.assertIn("rolled back", self.keyclaved(self.lab, check=False).stderr)

    def test_it_is_the_witness_of_those_alone_that_it_names(self):
        second = self.machine()
        self.keyclaved(second, "--init")
        third = self.machine()
        refused = self.keyclaved(third, "--init", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertFalse(third.state.exists() and any(third.state.iterdir()))
        text = self.keeper.config.read_text()
        self.keeper.config.write_text(text.replace("  of: {tee: {is: simulated}}", '  of: {measurement: {is: "%s"}}' % ("ab" * 32)))
        self.keeper.stop()
        self.keeper.start_daemon()
        self.lab.stop()
        refused = self.keyclaved(self.lab, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("keep_marks: measurement", refused.stderr)


if __name__ == "__main__":
    main()
