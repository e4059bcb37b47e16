#!/usr/bin/env python3
"""keyclave key: generate, list, show, delete, reference."""

import base64
import re

from lab import KEYCLAVE, LabTest, main

TYPES = {"rsa:2048": "RSA 2048", "rsa:3072": "RSA 3072", "ec:p256": "EC P-256", "ec:p384": "EC P-384", "ec:p521": "EC P-521",
         "aes:128": "AES 128", "aes:256": "AES 256"}


class Key(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("keys")

    def generate(self, label, kind="ec:p256", *more):
        return self.lab.cli("key", "generate", "--token", "keys", "--type", kind, "--label", label, *more, json=True)

    def refused(self, *arguments, code=1):
        process = self.lab.cli(*arguments, check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def attributes(self, label):
        return self.lab.cli("key", "show", "--token", "keys", label, json=True)["attributes"]

    def test_every_type(self):
        for kind, shown in TYPES.items():
            key = self.generate(f"type {kind}", kind)
            self.assertEqual(key["type"], shown)
            self.assertEqual(key["policy"], "development")
        listed = {o["label"]: o["type"] for o in self.lab.cli("key", "list", "--token", "keys", json=True)["objects"]}
        for kind, shown in TYPES.items():
            self.assertEqual(listed[f"type {kind}"], shown)

    def test_keys_are_sensitive_and_stay(self):
        self.generate("private")
        shown = self.attributes("private")
        self.assertEqual((shown["sensitive"], shown["extractable"], shown["always_sensitive"], shown["never_extractable"],
                          shown["local"], shown["private"]), ("yes", "no", "yes", "yes", "yes", "yes"))

    def test_extractable_only_when_asked_for(self):
        self.generate("leaves", "aes:256", "--extractable")
        self.assertEqual(self.attributes("leaves")["extractable"], "yes")

    def test_usage(self):
        self.assertEqual(self.generate("u1", "rsa:2048")["usage"], ["sign", "decrypt"])
        self.assertEqual(self.generate("u2", "rsa:2048", "--usage", "sign")["usage"], ["sign"])
        self.assertEqual(self.generate("u3", "ec:p256", "--usage", "sign,derive")["usage"], ["sign", "derive"])
        self.assertEqual(self.generate("u4", "aes:256", "--usage", "wrap,unwrap")["usage"], ["wrap", "unwrap"])
        self.assertIn("fly", self.refused("key", "generate", "--token", "keys", "--label", "u5", "--type", "ec:p256",
                                          "--usage", "fly", code=2))

    def test_id(self):
        self.assertEqual(self.generate("id1", "ec:p256", "--id", "0aFF")["id"], "0aff")
        self.assertRegex(self.generate("id2")["id"], "^[0-9a-f]{16}$")

    def test_a_label_twice(self):
        self.generate("twice")
        self.assertIn("already", self.refused("key", "generate", "--token", "keys", "--label", "twice", "--type", "ec:p256"))

    def test_list_shows_keys_and_with_all_everything(self):
        self.generate("listed")
        keys = self.lab.cli("key", "list", "--token", "keys", json=True)["objects"]
        self.assertEqual({o["class"] for o in keys} - {"private key", "secret key"}, set())
        everything = self.lab.cli("key", "list", "--token", "keys", "--all", json=True)["objects"]
        self.assertIn("public key", {o["class"] for o in everything if o["label"] == "listed"})
        self.assertRegex(self.lab.cli("key", "list", "--token", "keys").stdout, r"(?m)^listed +[0-9a-f]{16} +private key +EC P-256 +sign ")

    def test_show_by_label_and_by_uri(self):
        key = self.generate("shown")
        by_label = self.lab.cli("key", "show", "--token", "keys", "shown", json=True)
        self.assertEqual(by_label["object"], key["object"])
        self.assertTrue(by_label["uri"].startswith("pkcs11:"))
        for uri in (by_label["uri"], "pkcs11:token=keys;object=shown;type=private", "pkcs11:object=shown",
                    "keyclave:token=keys;object=shown"):
            self.assertEqual(self.lab.cli("key", "show", uri, json=True)["object"], key["object"], uri)
        public = self.lab.cli("key", "show", "pkcs11:token=keys;object=shown;type=public", json=True)
        self.assertEqual(public["class"], "public key")

    def test_names_that_mean_nothing_or_too_much(self):
        self.assertIn("absent", self.refused("key", "show", "--token", "keys", "absent"))
        self.assertIn("nowhere", self.refused("key", "show", "pkcs11:token=nowhere;object=x"))
        self.refused("key", "show", "pkcs11:no-such-attribute=1", code=2)
        self.assertIn("no key", self.refused("key", "list", "--token", "no key here"))

    def test_secret_values_are_not_shown(self):
        self.generate("quiet", "aes:256", "--extractable")
        self.assertNotIn("value", self.attributes("quiet"))

    def test_delete_takes_the_public_half_along(self):
        self.generate("gone")
        self.assertIn("--yes", self.refused("key", "delete", "--token", "keys", "gone", code=2))
        deleted = self.lab.cli("key", "delete", "--token", "keys", "gone", "--yes", json=True)["deleted"]
        self.assertEqual(sorted(o["class"] for o in deleted), ["private key", "public key"])
        everything = self.lab.cli("key", "list", "--token", "keys", "--all", json=True)["objects"]
        self.assertNotIn("gone", {o["label"] for o in everything})
        self.refused("key", "delete", "--token", "keys", "gone", "--yes")

    def test_reference_holds_the_uri_and_the_public_key(self):
        key = self.generate("referred")
        path = self.lab.dir / "referred.pem"
        self.lab.cli("key", "reference", "--token", "keys", "referred", "--out", path)
        pem = path.read_text()
        self.assertTrue(pem.startswith("-----BEGIN PKCS#11 PROVIDER URI-----\n"))
        der = base64.b64decode("".join(pem.splitlines()[1:-1]))
        uri = re.search(rb"pkcs11:[^\x00]*", der).group(0).decode()
        self.assertIn("token=keys", uri)
        self.assertIn("object=referred", uri)
        spki = re.search(r"x-keyclave-spki=([\w-]+)", uri).group(1)
        self.assertEqual(base64.urlsafe_b64decode(spki + "=" * (-len(spki) % 4)), base64.b64decode(key["public_key_info"]))
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)

    def test_openssl_takes_the_reference_for_the_key(self):
        key = self.generate("used", "rsa:2048")
        path = self.lab.dir / "used.pem"
        path.write_text(self.lab.cli("key", "reference", "--token", "keys", "used").stdout)
        spki = self.lab.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], text=False).stdout
        self.assertEqual(spki, base64.b64decode(key["public_key_info"]))

    def test_references_are_for_private_keys(self):
        self.generate("secret", "aes:256")
        self.assertIn("secret key", self.refused("key", "reference", "--token", "keys", "secret", code=2))


class TokenWithPin(LabTest):
    def test_the_pin_comes_from_a_file_or_is_missed(self):
        self.lab.make_token("locked", pin="123456", so_pin="87654321")
        command = ["key", "generate", "--token", "locked", "--type", "ec:p256", "--label", "k"]
        refused = self.lab.run([str(part) for part in self.command(command)], check=False, start_new_session=True)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("PIN", refused.stderr)
        wrong = self.lab.write("wrong-pin", "654321\n", 0o600)
        process = self.lab.cli(*command, "--pin-file", wrong, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertNotIn("654321", process.stderr)
        self.assertIn("PIN", process.stderr)
        right = self.lab.write("right-pin", "123456\n", 0o600)
        self.lab.cli(*command, "--pin-file", right)
        self.lab.cli("key", "delete", "--token", "locked", "k", "--yes", "--pin-file", right)

    def command(self, arguments):
        return [KEYCLAVE, *arguments]


if __name__ == "__main__":
    main()
