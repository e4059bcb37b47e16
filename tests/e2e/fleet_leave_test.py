#!/usr/bin/env python3
# ctest: TIMEOUT=600 RUN_SERIAL
"""A member leaves a fleet of real daemons over a real etcd: it stops, nothing that is written later opens under what it has,
and the others sign on all the while, whoever was away when it left and whoever joins later, too."""

import shutil
import signal
import threading

from fleet import FoundedFleet
from lab import KEYCLAVED, main, wait_until


class Signing(threading.Thread):
    """Signs with a member, one signature after the other, until it is told to stop."""

    def __init__(self, lab):
        super().__init__()
        self.lab, self.ends, self.done, self.failed = lab, False, 0, []
        self.message = lab.write("signed", "message")

    def run(self):
        while not self.ends:
            process = sign(self.lab, "k", self.message)
            if process.returncode == 0:
                self.done += 1
            else:
                self.failed.append(process.stderr)

    def stop(self):
        self.ends = True
        self.join()


def sign(lab, label, message=None):
    """The finished command."""
    return lab.openssl("dgst", "-sha256", "-sign", f"pkcs11:token=web;object={label};type=private",
                       message or lab.write("m", "m"), check=False, text=False)


class Leaving(FoundedFleet):
    def remove(self, name, *more, lab=None, check=True):
        lab = lab or self.first
        return lab.cli("replica", "remove", name, "--token", "fleet", "--owner", f"ops={self.first.dir / 'ops.pem'}", *more,
                       check=check)

    def listed(self, lab):
        return lab.cli("replica", "list", json=True)

    def member(self, name):
        lab = self.joiner(name)
        self.join(lab)
        lab.start_daemon()
        return lab

    def generate(self, lab, label):
        lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label)

    def signs(self, lab, label):
        return sign(lab, label).returncode == 0

    def refused_start(self, lab):
        """What a daemon says that does not start."""
        process = lab.run([KEYCLAVED, "--config", lab.config], check=False)
        self.assertEqual(process.returncode, 1, process.stderr)
        return process.stderr

    def test_one_leaves_and_the_others_sign_on(self):
        self.found()
        self.first.make_token("web")
        self.generate(self.first, "k")
        second, leaver, sleeper = (self.member(name) for name in ("second", "leaver", "sleeper"))
        wait_until(lambda: self.signs(second, "k"), "the key to be everywhere")
        sleeper.stop()
        signing = [Signing(self.first), Signing(second)]
        for one in signing:
            one.start()
        for number in range(5):
            self.generate(self.first, f"before{number}")
        wait_until(lambda: all(one.done > 2 for one in signing), "signatures")

        self.assertIn("Generation 2", self.remove("leaver").stdout)
        wait_until(lambda: b"removed from the fleet" in sign(leaver, "k").stderr, "the member that left to stop")
        self.assertEqual(leaver.cli("status", check=False).returncode, 0)
        wait_until(lambda: self.listed(self.first)["older_rows"] == 0, "every row to be sealed anew", seconds=60)
        self.generate(second, "after")
        wait_until(lambda: self.signs(self.first, "after"), "the key to be everywhere")
        done = [one.done for one in signing]
        wait_until(lambda: all(one.done > before for one, before in zip(signing, done)), "signatures")
        for one in signing:
            one.stop()
            self.assertEqual(one.failed, [])

        # Its last audit checkpoint has no place in the store any more.
        self.assertEqual(leaver.kill_daemon(signal.SIGTERM), 0)
        self.assertIn("this machine was removed from the fleet", self.refused_start(leaver))
        for lab in (self.first, second):
            listed = self.listed(lab)
            self.assertEqual([one["name"] for one in listed["members"]], ["first", "second", "sleeper"])
            self.assertEqual((listed["generation"], listed["older_rows"]), (2, 0))
            lab.stop()
            lab.start_daemon()
            self.assertTrue(self.signs(lab, "after"))

        # Who was away comes by it, and who joins now gets it.
        sleeper.start_daemon()
        self.assertTrue(self.signs(sleeper, "after"))
        self.assertEqual(self.listed(sleeper)["generation"], 2)
        fourth = self.member("fourth")
        self.assertTrue(self.signs(fourth, "after"))
        self.generate(fourth, "last")
        wait_until(lambda: self.signs(sleeper, "last"), "the key to be everywhere")

        # What the machine that left has opens nothing of what the others have now.
        second.stop()
        shutil.copy2(leaver.state / "root.key", second.state / "root.key")
        process = second.run([KEYCLAVED, "--config", second.config, "--check-store"], check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("generation 2 of the root secret, which root.key does not have", process.stdout)
        self.assertIn("the row was edited", process.stdout)

    def test_what_cannot_be_removed_is_said(self):
        self.found()
        self.member("second")
        for name, words in (("nobody", "no member of this name"), ("first", "ask another one")):
            process = self.remove(name, check=False)
            self.assertEqual(process.returncode, 1)
            self.assertIn(words, process.stderr)
        unsigned = self.first.cli("replica", "remove", "second", "--token", "fleet", check=False)
        self.assertNotEqual(unsigned.returncode, 0)
        self.assertEqual(self.listed(self.first)["generation"], 1)
        # The owners' signatures may come in a file.
        request = self.first.dir / "remove.json"
        self.remove("second", "--out", request)
        self.assertIn("take member second out of the fleet", self.first.cli("request", "show", request).stdout)


if __name__ == "__main__":
    main()
