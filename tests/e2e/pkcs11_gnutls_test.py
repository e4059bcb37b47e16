#!/usr/bin/env python3
"""GnuTLS and p11-kit with the module: p11tool, certtool, gnutls-serv, and the registration that finds the module."""

import os
import re

from lab import PKCS11_MODULE, SOURCE_DIR, LabTest, accepts, free_port, main, need, wait_until

PIN, SO_PIN = "1234", "87654321"
TEMPLATE = """\
cn = localhost
dns_name = localhost
expiration_days = 10
tls_www_server
signing_key
encryption_key
"""


class GnuTls(LabTest):
    """The tests; each subclass says which token."""

    token, login, pin = "web", [], ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")
        cls.lab.make_token("pins", pin=PIN, so_pin=SO_PIN)
        cls.url = f"pkcs11:token={cls.token}"
        cls.template = cls.lab.write("template", TEMPLATE)
        cls.p11tool("--generate-privkey", "rsa", "--bits", "2048", "--label", "rsa", "--outfile", "rsa.pub", cls.url)
        cls.p11tool("--generate-privkey", "ecdsa", "--curve", "secp256r1", "--label", "ec", "--outfile", "ec.pub", cls.url)
        for key in ("rsa", "ec"):
            cls.certtool("--generate-self-signed", "--load-privkey", cls.private(key), "--load-pubkey",
                         f"{cls.url};object={key};type=public", "--template", cls.template, "--outfile", f"{key}.crt")

    @classmethod
    def private(cls, key):
        return f"{cls.url};object={key};type=private{cls.pin}"

    @classmethod
    def p11tool(cls, *arguments, check=True):
        return cls.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", *cls.login, *arguments], check=check)

    @classmethod
    def certtool(cls, *arguments):
        return cls.lab.run([need("certtool"), "--provider", PKCS11_MODULE, *arguments])

    def test_lists_everything(self):
        listing = self.p11tool("--list-all", self.url).stdout
        for wanted in ("Private key (RSA-2048)", "Private key (EC/ECDSA-SECP256R1)", "Public key (RSA-2048)",
                       "CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE"):
            self.assertIn(wanted, listing)

    def test_signs_and_verifies(self):
        for key in ("rsa", "ec"):
            done = self.p11tool("--test-sign", f"{self.url};object={key};type=private")
            self.assertIn("Verifying against public key in the token... ok", done.stderr)

    def test_makes_certificates_that_openssl_accepts(self):
        for key in ("rsa", "ec"):
            self.lab.openssl("verify", "-CAfile", f"{key}.crt", "-check_ss_sig", f"{key}.crt")

    def test_makes_certificate_requests(self):
        self.certtool("--generate-request", "--load-privkey", self.private("ec"), "--load-pubkey",
                      f"{self.url};object=ec;type=public", "--template", self.template, "--outfile", "ec.csr")
        self.lab.openssl("req", "-in", "ec.csr", "-verify", "-noout")

    def test_keeps_certificates_beside_their_keys(self):
        self.p11tool("--write", "--load-certificate", "rsa.crt", "--label", "rsa", self.url)
        exported = self.p11tool("--export", f"{self.url};object=rsa;type=cert").stdout
        self.assertEqual(re.sub(r"\s", "", exported), re.sub(r"\s", "", (self.lab.dir / "rsa.crt").read_text()))
        listing = self.p11tool("--list-all", self.url).stdout
        certificate = re.search(r"id=([^;]+);object=rsa;type=cert", listing).group(1)
        key = re.search(r"id=([^;]+);object=rsa;type=private", listing).group(1)
        self.assertEqual(certificate, key)
        self.p11tool("--delete", f"{self.url};object=rsa;type=cert")
        self.assertNotIn("type=cert", self.p11tool("--list-all", self.url).stdout)

    def test_serves_tls(self):
        port = free_port()
        self.lab.spawn([need("gnutls-serv"), "--provider", PKCS11_MODULE, "--http", "--port", str(port),
                        "--x509keyfile", self.private("rsa"), "--x509certfile", "rsa.crt",
                        "--x509keyfile", self.private("ec"), "--x509certfile", "ec.crt"], log=f"serv-{self.token}.log")
        wait_until(lambda: accepts(port), "gnutls-serv")
        for versions, wanted in (("+VERS-TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256", r"TLS1\.3.*RSA-PSS"),
                                 ("+VERS-TLS1.3:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256", r"TLS1\.3.*ECDSA"),
                                 ("+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA", r"TLS1\.2.*ECDHE.*RSA"),
                                 ("+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA", r"TLS1\.2.*ECDSA"),
                                 ("+VERS-TLS1.2:-KX-ALL:+RSA", r"TLS1\.2.*\(RSA\)")):  # decryption of the key exchange
            done = self.lab.run([need("gnutls-cli"), "--no-ca-verification", "--port", str(port), "--priority",
                                 f"NORMAL:-VERS-ALL:{versions}", "localhost"], input="GET / HTTP/1.0\r\n\r\n")
            self.assertRegex(done.stdout, r"Description: .*" + wanted)
            self.assertIn("200 OK", done.stdout)


class WithPins(GnuTls):
    token, login, pin = "pins", ["--login", "--set-pin", PIN], f";pin-value={PIN}"

    def test_private_keys_are_hidden_without_login(self):
        done = self.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", "--list-all", self.url], check=False)
        self.assertNotIn("type=private", done.stdout)


class Registration(LabTest):
    """The module file as p11-kit reads it, with the built module in the place where a package would put it."""

    def test_programs_find_the_module(self):
        self.lab.make_token("web")
        text = (SOURCE_DIR / "conf" / "keyclave.module").read_text()
        self.assertRegex(text, r"(?m)^module: keyclave-pkcs11\.so$")
        home = self.lab.dir / "home"
        self.lab.write("home/.config/pkcs11/modules/keyclave.module",
                       text.replace("module: keyclave-pkcs11.so", f"module: {PKCS11_MODULE}"))
        self.lab.write("home/.config/pkcs11/pkcs11.conf", "user-config: only\n")  # not the machine's other modules
        # p11-kit reads no configuration below the home directory of root.
        somebody = {"env": {"HOME": str(home)}, **({"user": "nobody"} if os.geteuid() == 0 else {})}
        listing = self.lab.run([need("p11-kit"), "list-modules"], **somebody).stdout
        self.assertIn("Keyclave PKCS#11 module", listing)
        self.assertRegex(listing, r"token: web\b")
        self.assertIn("token=web", self.lab.run([need("p11tool"), "--list-token-urls"], **somebody).stdout)


if __name__ == "__main__":
    main()
