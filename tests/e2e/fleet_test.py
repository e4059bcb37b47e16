#!/usr/bin/env python3
# ctest: TIMEOUT=900 RUN_SERIAL
"""Several daemons share one store in a real etcd cluster of three, over TLS with client certificates: what one changes the
others have within a moment; whatever is cut, stopped or killed, no more than a limit is used, and in the end all are the same."""

import base64
import concurrent.futures
import contextlib
import json
import signal
import unittest

from etcd import Etcd
from fleet import counted, fleet_config, make_fleet
from lab import KEYCLAVED, PERMISSIVE_POLICY, Lab, main, wait_until

SIGNED = "Verified OK"


class FleetTest(unittest.TestCase):
    def found(self, size=3, **options):
        self.lab = Lab(start=False)
        self.addCleanup(self.lab.close)
        self.etcd, self.members = make_fleet(self.lab, size, **options)
        self.a, self.b, self.c = (*self.members, None)[:3]
        self.make_token("web")
        self.message = self.lab.write("message", "message")

    def make_token(self, label, policy=PERMISSIVE_POLICY):
        self.a.cli("token", "create", label, "--policy", self.lab.write(f"policy-{label}.yaml", policy))

    def generate(self, member, label, *more, check=True):
        return member.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label, *more, check=check)

    def labels(self, member):
        """What the member has; nothing before the token has arrived there."""
        listed = member.cli("key", "list", "--token", "web", "--json", check=False)
        return {one["label"] for one in json.loads(listed.stdout)["objects"]} if listed.returncode == 0 else set()

    def sign(self, member, label, token="web"):
        """The finished command."""
        return member.openssl("dgst", "-sha256", "-sign", f"pkcs11:token={token};object={label};type=private", self.message,
                              check=False, text=False)

    def signs(self, member, label, token="web"):
        return self.sign(member, label, token).returncode == 0

    def everybody_has(self, *labels):
        for member in self.members:
            wait_until(lambda: self.labels(member) >= set(labels), f"{member.name} to have {labels}")

    def fleet_status(self, member):
        return member.cli("status", json=True)["fleet"]

    def test_what_one_changes_all_have(self):
        self.found()
        self.generate(self.a, "one")
        self.everybody_has("one")
        for member in self.members:
            self.assertTrue(self.signs(member, "one"), member.log.read_text())
        # A policy that one member is told holds everywhere.
        nobody = PERMISSIVE_POLICY.replace("version: 1", "version: 2").replace("sign, ", "")
        self.b.cli("policy", "apply", self.lab.write("p2.yaml", nobody), "--token", "web", "--yes")
        for member in self.members:
            wait_until(lambda: not self.signs(member, "one"), "the policy to be everywhere")
        status = self.fleet_status(self.c)
        self.assertEqual((status["member"], status["stale"], status["trouble"]), ("m2", False, ""))

    def test_there_is_one_store_and_none_beside_it(self):
        self.found()
        self.a.end()
        process = self.a.keyclaved("--publish", check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("there is a store here already", process.stderr)
        alone = self.a.config.read_text().partition("fleet:\n")[0]
        self.a.config.write_text(alone)
        process = self.a.keyclaved(check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("a copy of a fleet's store", process.stderr)

    def test_who_owns_etcd_puts_nothing_back_unnoticed(self):
        self.found(size=2)
        self.generate(self.a, "one")
        self.everybody_has("one")
        old = self.etcd.snapshot()
        self.generate(self.a, "two")
        self.everybody_has("one", "two")
        new = self.etcd.snapshot()
        head = next(key for key in new if base64.b64decode(key).endswith(b"/0/head"))
        offers = {"rolled back": old, "damaged or edited": {**new, head: new[head][:-8] + "AAAAAAA="},
                  "no store here": {key: value for key, value in new.items() if key != head}}
        for said, offer in offers.items():
            self.etcd.put_back(offer)
            for member in self.members:
                wait_until(lambda: said in self.fleet_status(member)["trouble"], f"{member.name} to say: {said}")
                self.assertTrue(self.signs(member, "two"), "what it has it uses")
            self.assertNotEqual(self.generate(self.b, "three", check=False).returncode, 0)
            # A daemon that starts believes it as little.
            self.a.end(signal.SIGKILL)
            process = self.a.keyclaved(check=False)
            self.assertEqual(process.returncode, 1)
            self.assertIn(said, process.stderr)
            self.etcd.put_back(new)
            self.a.start()
            wait_until(lambda: self.generate(self.b, f"after {said}", check=False).returncode == 0, "changes to go on")
            new = self.etcd.snapshot()

    def test_etcd_is_believed_by_the_named_authority_and_believes_members_by_theirs(self):
        base = Lab(start=False)
        self.addCleanup(base.close)
        etcd, other = Etcd(base, size=1), Etcd(base, size=1, name="other")
        right = base.config.read_text() + fleet_config("m0", [etcd.ports[0][0]], etcd)
        without = "".join(line for line in right.splitlines(keepends=True) if "certificate:" not in line and "    key: /" not in line)
        for text in (right.replace(str(etcd.ca), str(other.ca)), right.replace(str(etcd.certificate), str(other.certificate)).replace(
                str(etcd.key), str(other.key)), without):
            base.config.write_text(text)
            process = base.run([KEYCLAVED, "--config", base.config, "--publish"], check=False)
            self.assertEqual(process.returncode, 1, text)
            self.assertIn("etcd", process.stderr)
        self.assertNotIn("kvs", etcd.ask(0, "/v3/kv/range", {"key": "AA==", "range_end": "AA=="}))
        base.config.write_text(right)
        base.run([KEYCLAVED, "--config", base.config, "--publish"])

    def test_without_etcd_keys_are_used_and_nothing_is_changed(self):
        self.found()
        self.generate(self.a, "one")
        self.everybody_has("one")
        self.etcd.pause()
        for member in self.members:
            self.assertTrue(self.signs(member, "one"), member.log.read_text())
        refused = self.generate(self.b, "two", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("fleet's store", refused.stderr)
        wait_until(lambda: self.fleet_status(self.b)["trouble"], "the daemon to notice")
        self.etcd.resume()
        wait_until(lambda: self.generate(self.b, "three", check=False).returncode == 0, "changes to be possible again")
        self.everybody_has("one", "three")

    def test_a_member_of_etcd_may_die(self):
        self.found()
        self.generate(self.a, "one")
        for turn, number in enumerate((self.etcd.leader(), 1, 2)):
            self.etcd.kill(number)
            wait_until(lambda: self.generate(self.a, f"after{turn}", check=False).returncode == 0, "changes to go on")
            self.everybody_has(f"after{turn}")
            self.assertTrue(self.signs(self.c, f"after{turn}"))
            self.etcd.start(number)

    def test_who_is_cut_off_for_too_long_uses_no_keys(self):
        self.found(offline="5s")
        self.generate(self.a, "one")
        self.everybody_has("one")
        for link in self.c.links:
            link.cut()
        wait_until(lambda: not self.signs(self.c, "one"), "the member to stop", seconds=40)
        self.assertTrue(self.fleet_status(self.c)["stale"])
        self.assertIn("cut off", self.c.cli("key", "list", "--token", "web", check=False).stderr)
        self.assertTrue(self.signs(self.a, "one"), "the others go on")
        self.generate(self.b, "meanwhile")
        for link in self.c.links:
            link.heal()
        wait_until(lambda: self.signs(self.c, "meanwhile"), "the member to be back")

    def test_a_limit_holds_over_all_members_whatever_is_cut(self):
        self.found()
        self.make_token("counted", counted(120))
        self.a.cli("key", "generate", "--token", "counted", "--type", "ec:p256", "--label", "k")
        for member in self.members:
            wait_until(lambda: self.signs(member, "k", "counted"), "the key")

        def use(member, times):
            done = [self.sign(member, "k", "counted") for _ in range(times)]
            said[member.name] = [process.stderr.decode()[-600:] for process in done if process.returncode != 0]
            return sum(process.returncode == 0 for process in done)
        said = {}
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            first = list(pool.map(use, self.members, [15] * 3))
            self.assertEqual(sum(first), 45, said)
            for link in self.b.links:
                link.cut()
            self.etcd.kill(self.etcd.leader())
            self.c.end(signal.SIGKILL)
            self.c.start()
            second = list(pool.map(use, self.members, [60] * 3))
            for link in self.b.links:
                link.heal()
            wait_until(lambda: not self.fleet_status(self.b)["trouble"], "b to be back")
            third = list(pool.map(use, self.members, [60] * 3))
        used = sum(first + second + third)
        used += 3  # with which the members were waited for
        self.assertLessEqual(used, 120)
        self.assertGreaterEqual(used, 100, "what a crash and a cut lose is a block or two")
        self.assertFalse(any(self.signs(member, "k", "counted") for member in self.members))

    def test_what_was_acknowledged_is_there_whoever_is_killed(self):
        self.found()
        made = []

        def make(member):
            for number in range(25):
                label = f"{member.name}-{number}"
                if self.generate(member, label, check=False).returncode == 0:
                    made.append(label)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            working = [pool.submit(make, member) for member in self.members]
            for victim in (self.b, self.c, self.b):
                known = len(made)
                wait_until(lambda: len(made) > known + 4 or all(work.done() for work in working), "some keys")
                victim.end(signal.SIGKILL)
                with contextlib.suppress(AssertionError):
                    self.etcd.kill(self.etcd.leader())
                victim.start()
                for number, process in enumerate(self.etcd.processes):
                    if process.poll() is not None:
                        self.etcd.start(number)
            for work in working:
                work.result()
        self.assertGreater(len(made), 12, "those that the kills waited for")
        self.everybody_has(*made)
        everything = [sorted((one["id"], one["label"]) for one in member.cli("key", "list", "--token", "web", json=True)["objects"])
                      for member in self.members]
        self.assertEqual(everything[0], everything[1])
        self.assertEqual(everything[0], everything[2])


if __name__ == "__main__":
    main()
