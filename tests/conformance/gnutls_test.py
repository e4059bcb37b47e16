#!/usr/bin/env python3
"""GnuTLS and p11-kit with the module: p11tool, certtool, gnutls-serv, and the registration that finds the module."""

import os
import re

from clients import PIN, PKCS11_MODULE, SO_PIN, ClientTest, OnPins, main, need
from lab import SOURCE_DIR, LabTest, accepts, free_port, wait_until

TEMPLATE = """\
cn = localhost
dns_name = localhost
expiration_days = 10
tls_www_server
signing_key
encryption_key
"""


class GnuTls(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.url = f"pkcs11:token={cls.token}"
        cls.template = cls.lab.write("template", TEMPLATE)
        cls.p11tool("--generate-privkey", "rsa", "--bits", "2048", "--label", "rsa", "--outfile", "rsa.pub", cls.url)
        cls.p11tool("--generate-privkey", "ecdsa", "--curve", "secp256r1", "--label", "ec", "--outfile", "ec.pub", cls.url)
        for key in ("rsa", "ec"):
            cls.certtool("--generate-self-signed", "--load-privkey", cls.private(key), "--load-pubkey",
                         f"{cls.url};object={key};type=public", "--template", cls.template, "--outfile", f"{key}.crt")

    @classmethod
    def private(cls, key):
        return f"{cls.url};object={key};type=private" + (f";pin-value={cls.pin}" if cls.pin else "")

    @classmethod
    def p11tool(cls, *arguments, check=True, login=True):
        user = ["--login", "--set-pin", cls.pin] if login and cls.pin else []
        return cls.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", *user, *arguments], check=check)

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

    def test_generates_every_size(self):
        for kind, shown in ((("rsa", "--bits", "3072"), "RSA-3072"), (("ecdsa", "--curve", "secp384r1"), "ECDSA-SECP384R1"),
                            (("ecdsa", "--curve", "secp521r1"), "ECDSA-SECP521R1")):
            self.p11tool("--generate-privkey", *kind, "--label", "sized", "--id", "5152", "--outfile", "sized.pub", self.url)
            one = f"{self.url};object=sized;type=private"
            self.assertIn(shown, self.p11tool("--info", one).stdout)
            self.p11tool("--test-sign", one)
            self.lab.openssl("pkey", "-pubin", "-in", "sized.pub", "-noout")
            for kind in ("private", "public"):
                self.p11tool("--delete", f"{self.url};object=sized;type={kind}")
        self.assertNotIn("object=sized", self.p11tool("--list-all", self.url).stdout)

    def test_signs_as_it_is_told(self):
        for options in (("--sign-params", "RSA-PSS", "--hash", "SHA256"), ("--sign-params", "RSA-PSS", "--hash", "SHA512"),
                        ("--hash", "SHA384")):
            done = self.p11tool("--test-sign", *options, f"{self.url};object=rsa;type=private")
            self.assertIn("Verifying against public key in the token... ok", done.stderr)

    def test_imports_and_renames(self):
        self.certtool("--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1", "--no-text", "--outfile", "own.key")
        self.p11tool("--write", "--load-privkey", "own.key", "--label", "own", "--id", "0102", self.url)
        self.p11tool("--set-label", "new name", f"{self.url};object=own;type=private")
        self.p11tool("--set-id", "0a0b", f"{self.url};object=new%20name;type=private")
        listing = self.p11tool("--list-all", self.url).stdout
        self.assertIn("id=%0A%0B;object=new%20name;type=private", listing)
        self.p11tool("--write", "--secret-key", "00112233445566778899aabbccddeeff", "--label", "secret", self.url)
        self.assertIn("object=secret;type=secret-key", self.p11tool("--list-all", self.url).stdout)
        for object in ("new%20name;type=private", "secret;type=secret-key"):
            self.p11tool("--delete", f"{self.url};object={object}")

    def test_lists_mechanisms_and_makes_random_bytes(self):
        self.assertIn("CKM_ECDSA_SHA256 keysize range (256, 521) hw sign verify",
                      self.p11tool("--list-mechanisms", self.url).stdout)
        self.p11tool("--generate-random", "100", "--outfile", "random", self.url)
        self.assertEqual(len(self.file("random")), 100)

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
                        "--x509keyfile", self.private("ec"), "--x509certfile", "ec.crt"], log="serv.log")
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


class WithPins(OnPins, GnuTls):
    def test_private_keys_are_hidden_without_login(self):
        self.assertNotIn("type=private", self.p11tool("--list-all", self.url, login=False, check=False).stdout)

    def test_the_security_officer_trusts_a_certificate(self):
        self.p11tool("--so-login", "--set-so-pin", SO_PIN, "--write", "--load-certificate", "rsa.crt", "--label", "anchor",
                     "--mark-trusted", "--mark-ca", self.url, login=False)
        listing = self.p11tool("--list-all-trusted", self.url, login=False).stdout
        self.assertRegex(listing, r"object=anchor;type=cert(.|\n)*CKA_CERTIFICATE_CATEGORY=CA; CKA_TRUSTED;")
        refused = self.p11tool("--write", "--load-certificate", "rsa.crt", "--label", "mine", "--mark-trusted", self.url, check=False)
        self.assertIn("Error writing certificate", refused.stderr)
        self.p11tool("--delete", f"{self.url};object=anchor;type=cert")


class Tokens(LabTest):
    """Making a token and its PINs."""

    def test_makes_a_token(self):
        def p11tool(*arguments):
            return self.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", *arguments])
        p11tool("--initialize", "--label", "made", "--set-so-pin", SO_PIN, "pkcs11:manufacturer=Keyclave")
        url = "pkcs11:token=made"
        p11tool("--initialize-pin", "--set-so-pin", SO_PIN, "--set-pin", PIN, url)
        p11tool("--login", "--set-pin", PIN, "--generate-privkey", "ecdsa", "--curve", "secp384r1", "--label", "k", "--outfile",
                "k.pub", url)
        self.assertIn("... ok", p11tool("--login", "--set-pin", PIN, "--test-sign", f"{url};object=k;type=private").stderr)


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
