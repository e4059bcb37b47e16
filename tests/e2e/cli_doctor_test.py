#!/usr/bin/env python3
"""keyclave doctor finds each thing that can be wrong, names it by its code, and says how to mend it."""

import json
import os
import shutil
import socket
import unittest

from lab import PKCS11_MODULE, PROVIDER, Lab, main
from processes import SANITIZER_RUNTIME

# doctor starts openssl, which loads our provider.
PRELOAD = {"LD_PRELOAD": SANITIZER_RUNTIME} if SANITIZER_RUNTIME else {}


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def findings(self, healthy, env=None, config=None):
        more = ["--config", config] if config else []
        env = {**PRELOAD, **(env or {})}
        process = self.lab.cli("doctor", *more, "--json", check=False, env=env)
        self.assertIn(process.returncode, (0, 1), process.stderr)
        answer = json.loads(process.stdout)
        self.assertEqual(answer["healthy"], healthy, answer)
        self.assertEqual(process.returncode, 0 if healthy else 1)
        for finding in answer["findings"]:
            if finding["result"] == "problem":
                self.assertTrue(finding["mend"], finding)
        return answer["findings"]

    def problem(self, code, **more):
        found = [f for f in self.findings(False, **more) if f["code"] == code and f["result"] == "problem"]
        self.assertEqual(len(found), 1, self.findings(False, **more))
        return found[0]["what"] + " -> " + found[0]["mend"]

    def config_with(self, change):
        """A copy of the configuration folder whose client.yaml is changed."""
        folder = self.lab.dir / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.lab.config_dir, folder)
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "client.yaml"
        path.write_text(change(path.read_text()))
        return path

    def test_a_healthy_enclave(self):
        findings = self.findings(True)
        codes = {f["code"] for f in findings if f["result"] == "ok"}
        self.assertLessEqual({"KD100", "KD200", "KD204", "KD301", "KD400", "KD500", "KD501", "KD504", "KD600", "KD601"}, codes)
        simulated = [f for f in findings if f["code"] == "KD206"]
        self.assertEqual([f["result"] for f in simulated], ["warning"])
        self.assertIn("Nothing is wrong", self.lab.cli("doctor", env=PRELOAD).stdout)

    def test_configuration(self):
        self.assertIn("keyclave init", self.problem("KD100", config="/no/such/client.yaml"))
        self.assertIn("colour", self.problem("KD100", config=self.config_with(lambda text: text + "colour: red\n")))

    def test_configuration_that_others_can_write(self):
        path = self.config_with(lambda text: text)
        path.chmod(0o666)
        self.assertIn("chmod go-w", self.problem("KD101", config=path))

    def test_no_socket(self):
        path = self.config_with(lambda text: text.replace(str(self.lab.socket), "/no/such.sock"))
        self.assertIn("start it", self.problem("KD200", config=path))

    def test_a_socket_that_is_none(self):
        fake = self.lab.write("fake.sock", "")
        path = self.config_with(lambda text: text.replace(str(self.lab.socket), str(fake)))
        self.assertIn("not a socket", self.problem("KD201", config=path))

    def test_the_wrong_owner(self):
        path = self.config_with(lambda text: text.replace(f"socket_owner: {os.getuid()}", "socket_owner: 12345"))
        self.assertIn("socket_owner", self.problem("KD202", config=path))

    def test_a_socket_that_nobody_listens_on(self):
        dead = self.lab.dir / "dead.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(dead))
        path = self.config_with(lambda text: text.replace(str(self.lab.socket), str(dead)))
        self.assertIn("start it", self.problem("KD203", config=path))

    def test_another_enclave_than_expected(self):
        path = self.config_with(lambda text: text.replace("tee: {is: simulated}", 'measurement: {is: "%s"}' % ("00" * 32)))
        self.assertIn("expect", self.problem("KD204", config=path))

    def test_evidence_that_cannot_be_made(self):
        path = self.config_with(lambda text: text)
        key = path.parent / "gone.key"
        path.write_text(path.read_text().replace(str(self.lab.config_dir / "simulated-root.key"), str(key)))
        self.assertIn("gone.key", self.problem("KD301", config=path))

    def openssl_config(self, text):
        return {"OPENSSL_CONF": str(self.lab.write("try.cnf", text))}

    def test_a_provider_without_default(self):
        env = self.openssl_config("openssl_conf = i\n[i]\nproviders = p\n[p]\nkeyclave = k\n"
                                  f"[k]\nmodule = {PROVIDER}\nactivate = 1\n")
        self.assertIn("default", self.problem("KD505", env=env))

    def test_a_configuration_without_keyclave(self):
        self.problem("KD504", env=self.openssl_config("openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\n[d]\nactivate = 1\n"))
        self.problem("KD504", env=self.openssl_config("openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\nkeyclave = k\n"
                                                      "[d]\nactivate = 1\n[k]\nmodule = /no/keyclave.so\nactivate = 1\n"))
        self.problem("KD502", env={"OPENSSL_CONF": "/no/such.cnf"})

    def test_keyclave_before_default(self):
        env = self.openssl_config("openssl_conf = i\n[i]\nproviders = p\n[p]\nkeyclave = k\ndefault = d\n[d]\nactivate = 1\n"
                                  f"[k]\nmodule = {PROVIDER}\nactivate = 1\n")
        self.assertIn("before", self.problem("KD506", env=env))

    def key_problem(self, code, *arguments):
        process = self.lab.cli("doctor", *arguments, "--json", check=False, env=PRELOAD)
        found = [f for f in json.loads(process.stdout)["findings"] if f["code"] == code]
        self.assertEqual(len(found), 1, process.stdout)
        return found[0]

    def test_a_key(self):
        self.lab.make_token("doctored")
        for name in ("www", "other"):
            self.lab.cli("key", "generate", "--token", "doctored", "--type", "ec:p256", "--label", name)
            self.lab.cli("cert", "self-sign", "--token", "doctored", name, "--subject", f"CN={name}", "--out", self.lab.dir / f"{name}.crt")
            self.lab.cli("key", "reference", "--token", "doctored", name, "--out", self.lab.dir / f"{name}.key")
        good = ["--key", self.lab.dir / "www.key", "--certificate", self.lab.dir / "www.crt"]
        for code in ("KD700", "KD702", "KD703"):
            self.assertEqual(self.key_problem(code, *good)["result"], "ok")
        wrong = self.key_problem("KD703", "--key", self.lab.dir / "www.key", "--certificate", self.lab.dir / "other.crt")
        self.assertEqual(wrong["result"], "problem")
        self.assertIn("CN=other", wrong["what"])
        self.assertIn("no key reference", self.key_problem("KD700", "--key", self.lab.dir / "www.crt")["what"])
        self.assertIn("no such token", self.key_problem("KD701", "--key", "pkcs11:token=none;object=www")["what"])
        self.assertIn("no such object", self.key_problem("KD701", "--key", "pkcs11:token=doctored;object=none")["what"])
        secret = self.lab.write("secret.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        self.assertIn("holds a private key itself", self.key_problem("KD700", "--key", secret)["what"])

    def test_a_key_that_was_rotated(self):
        self.lab.make_token("rotated")
        self.lab.cli("key", "generate", "--token", "rotated", "--type", "ec:p256", "--label", "www")
        old, current = self.lab.dir / "old.key", self.lab.dir / "current.key"
        self.lab.cli("key", "reference", "--token", "rotated", "www", "--out", old)
        self.lab.cli("key", "reference", "--token", "rotated", "www", "--current", "--out", current)
        self.lab.cli("key", "rotate", "--token", "rotated", "www", "--self-sign", "--subject", "CN=www", "--drain", "0", "--write",
                     self.lab.dir / "rotated.crt")
        self.assertIn("is retired", self.key_problem("KD702", "--key", old)["what"])
        self.assertEqual(self.key_problem("KD703", "--key", current, "--certificate", self.lab.dir / "rotated.crt")["result"], "ok")

    def test_a_key_that_refused(self):
        policy = ("policy: others\nversion: 1\npermit:\n  - operations: [sign]\n    when:\n      all:\n"
                  "        - tee: {is: simulated}\n        - measurement: {is: " + "ab" * 32 + "}\n    allow_unattested: true\n")
        self.lab.make_token("closed", policy=policy)
        self.lab.cli("key", "generate", "--token", "closed", "--type", "ec:p256", "--label", "k")
        reference = self.lab.dir / "closed.key"
        self.lab.cli("key", "reference", "--token", "closed", "k", "--out", reference)
        refused = self.lab.openssl("dgst", "-sha256", "-sign", reference, reference, check=False, text=False)
        self.assertNotEqual(refused.returncode, 0)
        finding = self.key_problem("KD704", "--key", reference)
        self.assertEqual(finding["result"], "warning")
        self.assertIn("measurement", finding["what"])
        self.assertIn("keyclave explain", finding["mend"])

    def test_a_state_that_is_open_to_others(self):
        root = self.lab.state / "root.key"
        root.chmod(0o644)
        self.addCleanup(root.chmod, 0o600)
        self.assertIn("root.key", self.problem("KD603"))

    def test_a_bad_daemon_configuration(self):
        path = self.config_with(lambda text: text)
        daemon = path.parent / "keyclaved.yaml"
        daemon.write_text(daemon.read_text() + "colour: red\n")
        self.assertIn("colour", self.problem("KD600", config=path))

    def test_the_module_is_named(self):
        named = [f["what"] for f in self.findings(True) if f["code"] == "KD500"]
        self.assertIn(str(PKCS11_MODULE), named[0])


if __name__ == "__main__":
    main()
