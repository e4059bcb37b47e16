#!/usr/bin/env python3
"""Backups of an enclave that goes on working, and enclaves that come back out of them: where their platform still has the root
secret, and on another machine with enough holders of recovery keys, under the fleet's policy."""

import json
import pathlib
import shutil
import signal
import subprocess
import threading
import unittest

from etcd import Etcd
from fleet import JOIN_POLICY, fleet_config
from lab import KEYCLAVE, KEYCLAVED, Lab, main, wait_until
from processes import end_process, need

HOLDERS = ("ops", "security", "audit", "board", "notary")
RECOVERY = "recovery:\n  threshold: 3\n  keys:\n" + "".join(f"    {name}: %s/{name}.pub\n" for name in HOLDERS)


class Backups(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(start=False)
        self.addCleanup(self.lab.close)
        self.keys = self.lab.dir / "recovery"
        self.keys.mkdir()
        for number, name in enumerate(HOLDERS):
            kind = (("-algorithm", "X25519"), ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
                    ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"))[number % 3]
            self.plain_openssl("genpkey", *kind, "-out", self.keys / f"{name}.pem")
            self.plain_openssl("pkey", "-in", self.keys / f"{name}.pem", "-pubout", "-out", self.keys / f"{name}.pub")

    def plain_openssl(self, *arguments):
        subprocess.run([need("openssl"), *map(str, arguments)], check=True, capture_output=True, timeout=60)

    def begin(self, recovery=True):
        """Makes the state (with these holders) and starts."""
        shutil.rmtree(self.lab.state)
        text = self.lab.config.read_text()
        self.assertIn("recovery: none\n", text)
        if recovery:
            self.lab.config.write_text(text.replace("recovery: none\n", RECOVERY % ((self.keys,) * len(HOLDERS))))
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--init"])
        self.lab.start_daemon()
        self.lab.make_token("web")
        self.make("k0")

    def make(self, label):
        self.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label)

    def labels(self, lab):
        return {one["label"] for one in lab.cli("key", "list", "--token", "web", json=True)["objects"]}

    def elsewhere(self):
        """Another machine: the same maker of simulated TEEs, no state."""
        lab = Lab(start=False)
        self.addCleanup(lab.close)
        shutil.rmtree(lab.state)
        for path in self.lab.config_dir.glob("simulated-root*"):
            shutil.copy2(path, lab.config_dir / path.name)
        return lab

    def restoring(self, lab, backup):
        log = (lab.dir / "restore.log").open("w+")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(KEYCLAVED), "--config", str(lab.config), "--restore", str(backup)], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, env=lab.foreign_env(KEYCLAVED))
        lab.on_close(end_process, process)
        wait_until(lambda: "waiting for 3 of" in (lab.dir / "restore.log").read_text(), "the enclave to wait for holders",
                   process=process)
        return process

    def give(self, lab, *names, check=True, keys=None):
        arguments = [part for name in names for part in ("--key", f"{name}={keys or self.keys}/{name}.pem")]
        return lab.cli("backup", "restore", *arguments, check=check)

    def test_while_keys_are_made_and_used(self):
        self.begin()
        stop, made, errors = threading.Event(), [], []

        def work():
            try:
                while not stop.is_set():
                    self.make(f"w{len(made)}")
                    made.append(f"w{len(made)}")
            except Exception as error:  # noqa: BLE001: told by the test
                errors.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        backups = []
        while len(made) < 12 and not errors:
            before = set(made)
            backups.append((self.lab.dir / f"b{len(backups)}.kcb", before))
            self.lab.cli("backup", "create", backups[-1][0])
        stop.set()
        worker.join()
        self.assertEqual(errors, [])
        for backup, before in backups:
            verified = json.loads(self.lab.cli("backup", "verify", backup, "--json").stdout)
            self.assertTrue(verified["opened"])
            self.assertLessEqual(verified["epoch"], verified["epoch_now"])
        # What was acknowledged before the last one began is in it.
        self.lab.stop()
        (self.lab.state / "store.db").unlink()
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--restore", backups[-1][0]])
        self.lab.start_daemon()
        self.assertLessEqual(backups[-1][1] | {"k0"}, self.labels(self.lab))
        self.assertIn('"event":"restore"', self.lab.cli("audit", "show", "--json").stdout.replace(": ", ":"))
        self.make("afterwards")

    def test_on_another_machine_with_enough_holders(self):
        self.begin()
        status = self.lab.cli("status", json=True)
        self.assertEqual(status["recovery"]["threshold"], 3)
        self.assertEqual(set(status["recovery"]["keys"]), set(HOLDERS))
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        self.make("later")
        public = self.lab.dir / "www.pem"
        self.lab.openssl("pkey", "-in", "pkcs11:token=web;object=k0;type=private", "-pubout", "-out", public)
        self.lab.stop()
        other = self.elsewhere()
        process = self.restoring(other, backup)
        # Anything else is refused with what it waits for.
        self.assertIn("is being restored", other.cli("token", "list", check=False).stderr)
        self.assertIn("2 more holders are needed", self.give(other, "ops").stdout)
        self.assertIn("2 more holders are needed", self.give(other, "ops").stdout)
        wrong = self.give(other, "security", check=False, keys=self.misnamed("security", "audit"))
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("not the private key of security", wrong.stderr)
        self.assertIn("All shares are there", self.give(other, "notary", "audit", "board").stdout)
        self.assertEqual(process.wait(timeout=60), 0, (other.dir / "restore.log").read_text())
        other.start_daemon()
        self.assertEqual(other.cli("status", json=True)["enclave"], status["enclave"])
        self.assertEqual(self.labels(other), {"k0"})
        message, signature = other.write("m", "m"), other.dir / "s"
        other.openssl("dgst", "-sha256", "-sign", "pkcs11:token=web;object=k0;type=private", "-out", signature, message)
        self.plain_openssl("dgst", "-sha256", "-verify", public, "-signature", signature, message)
        self.assertGreater(other.cli("status", json=True)["epoch"], status["epoch"])
        # The holders of the first machine are those of this one.
        self.assertEqual(other.cli("status", json=True)["recovery"], status["recovery"])
        self.assertIn("notary", other.cli("audit", "show", "--json").stdout)

    def test_other_holders_in_the_configuration_change_nothing(self):
        self.begin()
        before = self.lab.cli("status", json=True)
        said = "is not what this enclave was made with"
        self.assertFalse(any(said in warning for warning in before["warnings"]))
        self.lab.stop()
        self.lab.config.write_text(self.lab.config.read_text().replace("threshold: 3", "threshold: 1"))
        self.lab.start_daemon()
        status = self.lab.cli("status", json=True)
        self.assertEqual(status["recovery"], before["recovery"])
        self.assertTrue(any(said in warning for warning in status["warnings"]), status["warnings"])

    def misnamed(self, name, owner):
        folder = self.lab.dir / "wrong"
        folder.mkdir()
        shutil.copy2(self.keys / f"{owner}.pem", folder / f"{name}.pem")
        return folder

    def test_what_verify_says(self):
        self.begin()
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        again = self.lab.cli("backup", "create", backup, check=False)
        self.assertIn("is there already", again.stderr)
        self.assertIn("notary's key opens its share",
                      self.lab.cli("backup", "verify", backup, "--key", f"notary={self.keys}/notary.pem").stdout)
        self.assertEqual(self.lab.cli("backup", "verify", backup, "--key", f"ops={self.keys}/audit.pem", check=False).returncode, 1)
        data = backup.read_bytes()
        damaged = self.lab.dir / "damaged.kcb"
        for what in (data[:len(data) // 2], data[:-1], data[:200] + bytes([data[200] ^ 1]) + data[201:], b"", data + b"x"):
            damaged.write_bytes(what)
            for more in ([], ["--offline"]):
                refused = self.lab.cli("backup", "verify", damaged, *more, check=False)
                self.assertEqual(refused.returncode, 1)
                self.assertIn("damaged or not whole", refused.stderr)
            self.assertIn("damaged or not whole", self.refused_restore(damaged))
        self.lab.stop()
        self.assertIn("cannot", self.lab.cli("backup", "verify", backup, check=False).stderr)
        self.assertIn("The file is whole", self.lab.cli("backup", "verify", backup, "--offline").stdout)
        # No part of what is written tells anything that is sealed.
        for text in (b"k0", b"web", b"permissive"):
            self.assertNotIn(text, data)

    def refused_restore(self, backup, lab=None):
        lab = lab or self.elsewhere()
        before = sorted(path.name for path in lab.state.iterdir()) if lab.state.exists() else None
        refused = lab.run([KEYCLAVED, "--config", lab.config, "--restore", backup], check=False)
        self.assertEqual(refused.returncode, 1)
        after = sorted(path.name for path in lab.state.iterdir()) if lab.state.exists() else None
        self.assertEqual(after, before, "nothing is left behind")
        return refused.stderr

    def test_without_holders_only_the_platform_opens_it(self):
        self.begin(recovery=False)
        self.assertEqual(self.lab.cli("status", json=True)["recovery"], "none")
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        self.assertIn("recovery: none", self.refused_restore(backup))
        self.lab.stop()
        self.assertIn("there is a store here already", self.refused_restore(backup, self.lab))
        (self.lab.state / "store.db").unlink()
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--restore", backup])
        self.lab.start_daemon()
        self.assertEqual(self.labels(self.lab), {"k0"})

    def test_a_restore_that_is_given_up_leaves_nothing(self):
        self.begin()
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        other = self.elsewhere()
        process = self.restoring(other, backup)
        self.give(other, "ops", "audit")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 1)
        self.assertFalse(other.state.exists())

    def test_init_says_who_can_recover(self):
        folder = self.lab.dir / "new"
        base = [KEYCLAVE, "init", "--simulated", "--config-dir", folder / "etc", "--state", folder / "state", "--socket", folder / "s"]
        keys = [part for name in HOLDERS[:3] for part in ("--key", f"{name}={self.keys}/{name}.pub")]
        for wrong, why in ((["--recovery", "2of4", *keys], "needs 4 --key"), (["--recovery", "two", *keys], "3of5"), (keys, "--recovery"),
                           (["--recovery", "4of3", *keys], "3of5"), (["--recovery", "2of3", "--no-recovery"], "excludes"),
                           (["--recovery", "1of1", "--key", f"a={self.keys}/ops.pem"], "ops.pem")):
            refused = self.lab.run([*base, *wrong], check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(why, refused.stderr)
            self.assertFalse((folder / "state").exists(), refused.stderr)
        made = self.lab.run([*base, "--recovery", "2of3", *keys])
        self.assertIn("2of3", made.stdout)
        self.assertIn("threshold: 2", (folder / "etc" / "keyclaved.yaml").read_text())

    def test_the_fleets_policy_says_which_machine(self):
        """And members of before notice that their fleet was restored without them."""
        self.begin()
        etcd = Etcd(self.lab, size=1)
        self.lab.stop()
        text = self.lab.config.read_text()
        self.lab.config.write_text(text + fleet_config("first", [etcd.ports[0][0]], etcd))
        shutil.rmtree(self.lab.state)
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--init"])
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--publish"])
        self.lab.start_daemon()
        self.lab.cli("owner", "keygen", "ops", "-o", self.lab.dir / "ops.pem")
        claims = {one["name"]: one["value"] for one in self.lab.cli("status", json=True)["evidence"]}
        for measurement, permitted in (("00" * 32, False), (claims["measurement"], True)):
            policy = self.lab.write("join.yaml", JOIN_POLICY % measurement)
            if not permitted:
                self.lab.cli("token", "create", "fleet", "--policy", policy, "--owner", f"ops={self.lab.dir / 'ops.pem'}")
                self.lab.cli("replica", "found", "--token", "fleet")
            else:
                self.lab.write("join.yaml", (JOIN_POLICY % measurement).replace("version: 1", "version: 2"))
                self.lab.cli("policy", "apply", "--yes", "--token", "fleet", policy, "--owner", f"ops={self.lab.dir / 'ops.pem'}")
            backup = self.lab.dir / f"b{permitted}.kcb"
            self.lab.cli("backup", "create", backup)
            other = self.elsewhere()
            process = self.restoring(other, backup)
            self.give(other, *HOLDERS[:3])
            code = process.wait(timeout=60)
            log = (other.dir / "restore.log").read_text()
            self.assertEqual(code, 0 if permitted else 1, log)
            if not permitted:
                self.assertIn("measurement", log)
                self.assertFalse(other.state.exists())
        # The restored store into the emptied prefix, under the eyes of the member of before.
        other.config.write_text(other.config.read_text() + fleet_config("second", [etcd.ports[0][0]], etcd))
        etcd.put_back({})
        other.run([KEYCLAVED, "--config", other.config, "--publish"])
        wait_until(lambda: self.lab.cli("status", json=True)["fleet"]["stale"], "the member of before to stop using keys")
        self.assertIn("restored from a backup", self.lab.cli("status", json=True)["fleet"]["trouble"])
        other.start_daemon()
        other.make_token("web")
        self.assertIn("restored from a backup", pathlib.Path(self.lab.daemon_log).read_text())


if __name__ == "__main__":
    main()
