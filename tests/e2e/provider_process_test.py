#!/usr/bin/env python3
"""The provider inside programs of every kind: threads, forks, exits, and the PKCS#11 module in the same process."""

import sys

from lab import PKCS11_MODULE, PROVIDER, SOURCE_DIR, LabTest, main
from provider_keys import PLAIN, TOKEN, make_keys, operations_during, reference_pem

PROGRAM = SOURCE_DIR / "tests" / "e2e" / "provider_program.py"


class ProviderProcess(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"p256": "ec:p256", "rsa": "rsa:2048"})

    def program(self, what, *more, name="p256", key=None, certificate=None, **options):
        done = self.lab.run([sys.executable, PROGRAM, what, certificate or self.lab.dir / f"{name}.crt",
                             key or self.lab.dir / f"{name}.key", *more], **options)
        self.assertEqual(done.stderr, "")
        return done

    def test_threads_that_begin_together(self):
        """Nobody has a connection yet; each handshake waits for it and none fails."""
        for name in ("p256", "rsa"):
            self.program("threads", name=name)

    def test_threads_race_for_the_login(self):
        self.lab.make_token("locked", pin="123456", so_pin="87654321")
        self.lab.pkcs11_tool("--token-label", "locked", "--login", "--pin", "123456", "--keypairgen", "--key-type",
                             "EC:prime256v1", "--label", "k")
        uri = f"pkcs11:token=locked;object=k;type=private?pin-source=file:{self.lab.dir / 'pin-locked'}"
        certificate = self.lab.dir / "locked.crt"
        self.lab.openssl("req", "-new", "-x509", "-key", uri, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                         "-out", certificate)
        key = self.lab.write("locked.key", reference_pem(self.lab, uri))
        self.program("threads", key=key, certificate=certificate)

    def test_forks(self):
        self.program("fork")

    def test_forks_while_other_threads_sign(self):
        self.program("fork-while-signing", self.lab.daemon.pid)

    def test_exits(self):
        """A program ends well, whatever its threads are at."""
        for what in ("threads", "exit-while-signing"):
            self.assertEqual(self.program(what).returncode, 0)

    def test_beside_the_pkcs11_module(self):
        """Both in one process, with the provider active in the OpenSSL that everything there uses."""
        done = operations_during(self.lab, lambda: self.program("both", PKCS11_MODULE, TOKEN, "p256"))
        self.assertEqual(done["Sign"], 2 + 2 + 4 + 4)

    def test_preferred_provider(self):
        """With `?provider=keyclave` everything else still comes from the default provider."""
        conf = self.lab.write("etc/preferred.cnf", f"""\
openssl_conf = all
[all]
providers = both
alg_section = preferred
[preferred]
default_properties = ?provider=keyclave
[both]
default = standard
keyclave = ours
[standard]
activate = 1
[ours]
module = {PROVIDER}
activate = 1
""")
        signature = self.lab.dir / "signature"
        self.lab.openssl("dgst", "-sha256", "-sign", self.lab.dir / "p256.key", "-out", signature, conf,
                         env={"OPENSSL_CONF": str(conf)})
        self.lab.openssl("dgst", "-sha256", "-verify", self.lab.dir / "p256.pub", "-signature", signature, conf, env=PLAIN)
        verified = self.lab.openssl("dgst", "-sha256", "-verify", self.lab.dir / "p256.pub", "-signature", signature, conf,
                                    env={"OPENSSL_CONF": str(conf)})
        self.assertIn("Verified OK", verified.stdout)

    def test_keys_that_permit_one_form_only(self):
        """TLS 1.3 wants PSS: of a key whose CKA_ALLOWED_MECHANISMS has it bare, or hashed, or not at all."""
        forms = {"bare": ("RSA-PKCS-PSS", True), "hashed": ("SHA256-RSA-PKCS-PSS", True), "pkcs1": ("SHA256-RSA-PKCS", False)}
        for label, (mechanism, works) in forms.items():
            with self.subTest(label):
                self.lab.pkcs11_tool("--token-label", TOKEN, "--keypairgen", "--key-type", "rsa:2048", "--label", label, "--id",
                                     label.encode().hex(), "--allowed-mechanisms", mechanism)
                certificate = self.lab.dir / f"{label}.crt"
                self.lab.cli("cert", "self-sign", "--token", TOKEN, label, "--subject", "CN=localhost", "--san", "localhost",
                             "--out", certificate)
                key = self.lab.dir / f"{label}.key"
                self.lab.cli("key", "reference", "--token", TOKEN, label, "--out", key)
                done = self.lab.run([sys.executable, PROGRAM, "threads", certificate, key], check=False)
                self.assertEqual(done.returncode == 0, works, done.stderr)


if __name__ == "__main__":
    main()
