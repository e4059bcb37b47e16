#!/usr/bin/env python3
"""Owners of a token: what only they can do, with which keys, alone and together, and what nobody can forge."""
# ctest: TIMEOUT=600

import json
import os
import stat

from lab import main
from owned import APPROVED, POLICY, OwnedTest


class Owners(OwnedTest):
    def test_keys_are_private_and_never_overwritten(self):
        path = self.lab.dir / "ops.pem"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        before = path.read_bytes()
        self.refused("owner", "keygen", "ops", "-o", path)
        self.assertEqual(path.read_bytes(), before)

    def test_who_they_are(self):
        listed = self.lab.cli("owner", "list", "--token", "edge", json=True)
        self.assertEqual([(o["name"], o["role"], o["key"]) for o in listed["owners"]],
                         [("ops", "owner", "P-256"), ("security", "owner", "Ed25519"), ("vault", "owner", "RSA 2048")])
        self.assertEqual(listed["quorum"], 2)
        token = [t for t in self.lab.cli("token", "list", json=True)["tokens"] if t["label"] == "edge"][0]
        self.assertEqual(token["owners"], 3)

    def test_operators_neither_see_nor_change_keys(self):
        for command in (("key", "list"), ("key", "show", "www"), ("key", "delete", "www", "--yes"),
                        ("policy", "list"), ("policy", "show"), ("policy", "apply", self.policy(9)),
                        ("key", "generate", "--type", "ec:p256", "--label", "x"), ("revoke", "key", "www", "--reason", "x")):
            self.assertIn("owner", self.refused(*command, "--token", "edge"), command)
        self.assertIn("owner", self.refused("token", "delete", "edge", "--yes"))
        self.assertIn("owners", self.refused("owner", "add", "--token", "edge", f"root={self.lab.dir}/ops.pem"))

    def test_each_kind_of_key_reads_and_changes(self):
        for index, owner in enumerate((self.ops, self.security, self.vault)):
            label = f"made-{index}"
            self.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", label, *owner)
            labels = [o["label"] for o in self.lab.cli("key", "list", "--token", "edge", *owner, json=True)["objects"]]
            self.assertIn(label, labels)
            # What takes a key from under its policy needs those who may change that.
            self.assertIn("more owners", self.refused("key", "delete", label, "--token", "edge", "--yes", *owner))
            other = self.security if owner is self.ops else self.ops
            self.lab.cli("key", "delete", label, "--token", "edge", "--yes", *owner, *other)

    def test_an_owner_in_the_configuration_or_the_environment(self):
        self.lab.cli("key", "list", "--token", "edge", env={"KEYCLAVE_OWNER": self.ops[1]})
        config = self.lab.write("client-ops.yaml", self.lab.client_config.read_text() +
                                f"owner: {{name: ops, key: {self.lab.dir}/ops.pem}}\n")
        self.lab.cli("key", "list", "--token", "edge", "--config", config)

    def test_a_key_under_a_passphrase(self):
        encrypted, secret = self.lab.dir / "ops-encrypted.pem", self.lab.write("pass", "open sesame\n", 0o600)
        self.lab.openssl("pkcs8", "-topk8", "-in", self.lab.dir / "ops.pem", "-out", encrypted, "-passout", f"file:{secret}",
                         env={"OPENSSL_CONF": "/dev/null"})
        owner = ("--owner", f"ops={encrypted}", "--key-pass-file")
        self.lab.cli("key", "list", "--token", "edge", *owner, secret)
        wrong = self.lab.write("wrong-pass", "open barley\n", 0o600)
        self.assertIn("passphrase", self.refused("key", "list", "--token", "edge", *owner, wrong))

    def test_another_key_under_an_owners_name(self):
        self.lab.cli("owner", "keygen", "stranger", "-o", self.lab.dir / "stranger.pem")
        for name in ("ops", "stranger"):
            error = self.refused("key", "list", "--token", "edge", "--owner", f"{name}={self.lab.dir}/stranger.pem")
            self.assertRegex(error, "signed request|no such owner")

    def test_a_pin_on_the_command_line_is_refused(self):
        uri = "vault=pkcs11:token=vault;object=owner?pin-value=4711"
        error = self.refused("key", "list", "--token", "edge", "--owner", uri, code=2)
        self.assertIn("pin-source", error)
        self.assertNotIn("4711", error)

    # lesson 15: distinct owners are counted, not signatures.
    def test_a_quorum_signs_at_once(self):
        version = self.next_version()
        policy = self.policy(version)
        self.assertIn("more owners", self.refused("policy", "apply", "--token", "edge", policy, *self.ops))
        self.refused("policy", "apply", "--token", "edge", policy, *self.ops, *self.ops, code=2)
        self.lab.cli("policy", "apply", "--token", "edge", policy, *self.ops, *self.vault)
        self.assertEqual(self.next_version(), version + 1)

    # lesson 21, 22: owners are named when the token is made, each by a proof for this enclave and token.
    def test_proofs_of_keys_that_are_elsewhere(self):
        enclave = self.lab.cli("status", json=True)["enclave"]
        proof = self.lab.dir / "proof.json"
        self.lab.cli("owner", "prove", self.security[1], "--token-label", "later", "--enclave", enclave, "-o", proof)
        self.assertIn("another", self.refused("token", "create", "other", "--owner-file", proof))
        edited = self.lab.write("edited.json", proof.read_text().replace('"security"', '"root"'))
        self.assertIn("edited", self.refused("token", "create", "later", "--owner-file", edited))
        self.lab.cli("token", "create", "later", "--owner-file", proof, "--auditor", self.ops[1], "--policy",
                     self.lab.write("drill.yaml", APPROVED.replace(", vault", "").replace("quorum: 2", "quorum: 1")
                                    .replace("ops, security", "security")))
        self.assertEqual([(o["name"], o["role"]) for o in self.lab.cli("owner", "list", "--token", "later", json=True)["owners"]],
                         [("ops", "auditor"), ("security", "owner")])
        self.lab.cli("audit", "show", "--token", "later", *self.ops)
        self.refused("policy", "list", "--token", "later", *self.ops)

    def test_owners_come_and_go(self):
        self.lab.cli("token", "create", "moving", *self.ops)
        self.lab.cli("owner", "add", "--token", "moving", self.security[1], *self.ops)
        self.lab.cli("owner", "remove", "--token", "moving", "ops", *self.security)
        self.assertIn("no such owner", self.refused("key", "list", "--token", "moving", *self.ops))
        self.refused("owner", "remove", "--token", "moving", "security", *self.security, code=2)
        self.lab.cli("token", "delete", "moving", "--yes", *self.security)


class Requests(OwnedTest):
    def request(self, name="r.json", *more):
        path = self.lab.dir / name
        path.unlink(missing_ok=True)
        self.lab.cli("policy", "sign", "--token", "edge", self.policy(self.next_version()), *self.ops, "--out", path,
                     *more)
        return path

    # lesson 19: what was signed is one request, to one enclave and token, once.
    def test_two_owners_sign_one_file(self):
        early = self.request("early.json")
        self.assertIn("more owners", self.refused("request", "send", early))
        self.lab.cli("request", "sign", early, *self.security, "--yes")
        self.assertIn("used before", self.refused("request", "send", early))  # a number is used up, whatever comes of it
        path = self.request()
        shown = self.lab.cli("request", "show", path, json=True)["requests"][0]
        self.assertEqual((shown["operation"], shown["signed_by"], shown["text_differs"]), ("ApplyPolicy", ["ops"], False))
        self.assertTrue(any("in-set: workloads" in line for line in shown["what"]))
        self.assertIn("--yes", self.refused("request", "sign", path, *self.security, code=2))
        self.lab.cli("request", "sign", path, *self.security, "--yes")
        self.assertIn("has signed", self.refused("request", "sign", path, *self.security, "--yes", code=2))
        self.lab.cli("request", "send", path)
        self.assertIn("used before", self.refused("request", "send", path))

    def test_an_edited_file(self):
        path = self.request()
        document = json.loads(path.read_text())
        document["requests"][0]["what"][0] = "nothing of importance"
        lying = self.lab.write("lying.json", json.dumps(document))
        self.assertEqual(self.lab.cli("request", "show", lying, check=False).returncode, 1)
        self.assertIn("edited", self.refused("request", "sign", lying, *self.security, "--yes"))
        document = json.loads(path.read_text())
        other = json.loads(self.request("other.json", "--expires", "6d").read_text())
        document["requests"][0]["signatures"] = other["requests"][0]["signatures"]
        swapped = self.lab.write("swapped.json", json.dumps(document))
        self.lab.cli("request", "sign", swapped, *self.security, "--yes")
        self.assertIn("signed request is not valid", self.refused("request", "send", swapped))

    def test_an_expired_file(self):
        path = self.lab.dir / "short.json"
        self.lab.cli("policy", "sign", "--token", "edge", self.policy(self.next_version()), *self.ops, "--out", path,
                     "--expires", "1s")
        self.refused("policy", "sign", "--token", "edge", self.policy(99), *self.ops, "--out", path)  # never overwrites
        self.refused("policy", "sign", "--token", "edge", self.policy(99), *self.ops, "--out", self.lab.dir / "long.json",
                     "--expires", "91d", code=2)

    def test_deleting_a_key_in_a_file_takes_both_halves(self):
        self.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "gone", *self.ops)
        path = self.lab.dir / "delete.json"
        self.lab.cli("key", "delete", "gone", "--token", "edge", "--out", path, *self.vault)
        self.assertEqual(len(self.lab.cli("request", "show", path, json=True)["requests"]), 2)
        self.lab.cli("request", "sign", path, "--yes", *self.ops)
        self.lab.cli("request", "send", path)
        labels = [o["label"] for o in self.lab.cli("key", "list", "--all", "--token", "edge", *self.ops, json=True)["objects"]]
        self.assertNotIn("gone", labels)

    def test_a_private_key_is_never_in_a_file(self):
        path = self.lab.dir / "import.json"
        error = self.refused("key", "import", "--token", "edge", "--label", "x", self.lab.dir / "ops.pem", *self.ops,
                             "--out", path, code=2)
        self.assertIn("private key", error)
        self.assertFalse(os.path.exists(path))

    def test_history_names_who_signed(self):
        path = self.request()
        self.lab.cli("request", "sign", path, *self.vault, "--yes")
        self.lab.cli("policy", "apply", path)
        history = self.lab.cli("policy", "history", "edge", "--token", "edge", "--verify", *self.ops, json=True)["versions"]
        self.assertEqual(history[0]["good_signatures"], ["ops", "vault"])
        self.assertEqual(history[-1]["text"], POLICY)
        public = self.lab.dir / "ops.pub"
        self.lab.openssl("pkey", "-in", self.lab.dir / "security.pem", "-pubout", "-out", public, env={"OPENSSL_CONF": "/dev/null"})
        process = self.lab.cli("policy", "history", "edge", "--token", "edge", "--verify", *self.ops, "--owner-key",
                               f"ops={public}", check=False)
        self.assertEqual(process.returncode, 1, process.stdout)
        self.assertIn("BAD", process.stdout)


if __name__ == "__main__":
    main()
