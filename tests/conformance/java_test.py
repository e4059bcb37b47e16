#!/usr/bin/env python3
"""Java's SunPKCS11: keytool, jarsigner, and a program over KeyStore, Signature, Cipher, Mac, KeyAgreement (SunPkcs11.java)."""

import re

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main, need
from lab import SOURCE_DIR

SOURCE = SOURCE_DIR / "tests" / "conformance" / "SunPkcs11.java"
# The slot by its id, and templates that must be honoured as given.
CONFIGURATION = """\
name = token
library = {module}
slot = {slot}
attributes(generate, *, *) = {{
  CKA_TOKEN = {token}
}}
attributes(*, CKO_PRIVATE_KEY, CKK_EC) = {{
  CKA_SIGN = true
  CKA_DERIVE = true
}}
attributes(*, CKO_SECRET_KEY, CKK_GENERIC_SECRET) = {{
  CKA_SIGN = true
  CKA_SENSITIVE = false
  CKA_EXTRACTABLE = true
}}
"""
PROVIDER = ("-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "store.cfg")


class Java(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        slots = cls.lab.pkcs11_tool("-L").stdout
        cls.slot = int(re.search(rf"Slot (\d+) [^\n]*\n +token label +: {cls.token}", slots).group(1))
        for name, token in (("store", "true"), ("session", "false")):
            cls.lab.write(f"{name}.cfg", CONFIGURATION.format(module=PKCS11_MODULE, slot=cls.slot, token=token))
        cls.keytool("-genkeypair", "-alias", "rsa", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=rsa")
        cls.keytool("-genkeypair", "-alias", "ec", "-keyalg", "EC", "-groupname", "secp384r1", "-dname", "CN=ec")
        cls.lab.run([need("keytool"), "-genkeypair", "-alias", "imported", "-keyalg", "RSA", "-dname", "CN=imported", "-keystore",
                     "imported.p12", "-storetype", "PKCS12", "-storepass", "password"])
        cls.lab.run([need("javac"), "-d", ".", SOURCE])

    @classmethod
    def keytool(cls, *arguments, check=True):
        """keytool on the token."""
        return cls.lab.run([need("keytool"), *arguments, "-keystore", "NONE", "-storetype", "PKCS11", "-storepass", PIN,
                            *PROVIDER], check=check)

    def test_program(self):
        done = self.lab.run([need("java"), "-cp", ".", "SunPkcs11", "session.cfg", PIN])
        self.assertTrue(done.stdout.endswith("done\n"), done.stdout)

    def test_keytool_lists_requests_imports_and_deletes(self):
        listing = self.keytool("-list").stdout
        for alias in ("rsa", "ec"):
            self.assertIn(f"{alias}, PrivateKeyEntry", listing)
            self.keytool("-certreq", "-alias", alias, "-file", f"{alias}.csr")
            self.lab.openssl("req", "-in", f"{alias}.csr", "-verify", "-noout")
            self.keytool("-exportcert", "-rfc", "-alias", alias, "-file", f"{alias}.pem")
            self.lab.openssl("verify", "-check_ss_sig", "-CAfile", f"{alias}.pem", f"{alias}.pem")
        self.lab.run([need("keytool"), "-importkeystore", "-srckeystore", "imported.p12", "-srcstoretype", "PKCS12",
                      "-srcstorepass", "password", "-srcalias", "imported", "-destkeystore", "NONE", "-deststoretype", "PKCS11",
                      "-deststorepass", PIN, *PROVIDER])
        self.assertIn("imported, PrivateKeyEntry", self.keytool("-list").stdout)
        self.keytool("-changealias", "-alias", "imported", "-destalias", "other")
        self.keytool("-delete", "-alias", "other")
        self.assertNotIn("other", self.keytool("-list").stdout)

    def test_jarsigner_signs(self):
        self.lab.run([need("jar"), "--create", "--file", "signed.jar", "SunPkcs11.class"])
        for alias in ("rsa", "ec"):
            self.lab.run([need("jarsigner"), "-keystore", "NONE", "-storetype", "PKCS11", "-storepass", PIN, *PROVIDER,
                          "signed.jar", alias])
        shown = self.lab.run([need("jarsigner"), "-verify", "-verbose", "-certs", "signed.jar"]).stdout
        self.assertIn("jar verified.", shown)
        for name in ("CN=rsa", "CN=ec"):
            self.assertIn(name, shown)


class WithPins(OnPins, Java):
    def test_a_wrong_pin_is_refused(self):
        done = self.lab.run([need("java"), "-cp", ".", "SunPkcs11", "session.cfg", "9999"], check=False)
        self.assertIn("CKR_PIN_INCORRECT", done.stderr)
        self.keytool("-list")


if __name__ == "__main__":
    main()
