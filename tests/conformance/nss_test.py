#!/usr/bin/env python3
"""NSS with the module beside its own database: modutil, certutil, cmsutil, pk12util, selfserv."""

import re

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main, need
from lab import accepts, free_port, wait_until


class Nss(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.write("passwords", f"{cls.token}:{PIN}\n")
        cls.file("noise", bytes(range(256)) * 8)
        (cls.lab.dir / "nss").mkdir()
        # certutil keeps trust in NSS's own database, and logs in to the token when that has a password of its own.
        cls.nss("certutil", "-N", "--empty-password")
        cls.lab.run([need("modutil"), "-dbdir", "sql:nss", "-add", "keyclave", "-libfile", PKCS11_MODULE,
                     "-mechanisms", "FRIENDLY", "-force"])  # certificates may be read without a login
        cls.make_certificate("authority", "rsa", "-g", "2048", trust="CT,C,C", number="1", more=("-2",),
                             answers="y\n\ny\n")

    @classmethod
    def nss(cls, program, *arguments, check=True, **more):
        return cls.lab.run([need(program), "-d", "sql:nss", *arguments], check=check, **more)

    @classmethod
    def certutil(cls, *arguments, check=True, **more):
        return cls.nss("certutil", *arguments, "-f", "passwords", check=check, **more)

    @classmethod
    def make_certificate(cls, name, *kind, trust=",,", number="2", more=(), answers=None):
        """A key in the token and a self-signed certificate beside it."""
        cls.certutil("-S", "-h", cls.token, "-k", *kind, "-s", f"CN={name}", "-n", name, "-x", "-t", trust, "-m", number,
                     "-z", "noise", *more, input=answers)

    def test_module_is_registered(self):
        shown = self.lab.run([need("modutil"), "-dbdir", "sql:nss", "-list", "keyclave"]).stdout
        for wanted in (f"Library file: {PKCS11_MODULE}", f"Token Name: {self.token}", "PKCS #11 Version 3."):
            self.assertIn(wanted, shown)
        self.assertIn(f"token={self.token};manufacturer=Keyclave", self.certutil("-U").stdout)

    def test_lists_keys_and_certificates(self):
        self.assertRegex(self.certutil("-L", "-h", self.token).stdout, rf"{self.token}:authority +CTu,Cu,Cu")
        self.assertRegex(self.certutil("-K", "-h", self.token).stdout, rf"rsa +[0-9a-f]{{40}} +{self.token}:authority")

    def test_verifies_and_exports_a_certificate(self):
        self.assertIn("certificate is valid", self.certutil("-V", "-n", f"{self.token}:authority", "-u", "L").stdout)
        pem = self.certutil("-L", "-n", f"{self.token}:authority", "-a").stdout
        self.lab.write("authority.pem", pem)
        self.lab.openssl("verify", "-CAfile", "authority.pem", "-check_ss_sig", "authority.pem")

    def test_issues_and_imports_certificates(self):
        """A key of the token asks, the authority of the token answers, and the certificate joins its key."""
        for name, kind in (("rsa", ("rsa", "-g", "2048")), ("p256", ("ec", "-q", "nistp256")),
                           ("p384", ("ec", "-q", "nistp384")), ("p521", ("ec", "-q", "nistp521"))):
            with self.subTest(name):
                self.certutil("-R", "-h", self.token, "-k", *kind, "-s", f"CN={name}", "-o", "request", "-a", "-z", "noise")
                self.lab.openssl("req", "-in", "request", "-verify", "-noout")
                self.certutil("-C", "-c", f"{self.token}:authority", "-i", "request", "-a", "-o", "certificate", "-m",
                              str(100 + len(name) + ord(name[1])))
                self.certutil("-A", "-h", self.token, "-n", name, "-t", ",,", "-a", "-i", "certificate")
                self.assertRegex(self.certutil("-L", "-h", self.token).stdout, rf"{self.token}:{name} +u,u,u")
                self.certutil("-F", "-n", f"{self.token}:{name}")
                self.assertNotIn(f"{self.token}:{name}", self.certutil("-K", "-h", self.token).stdout)

    def test_signs_and_encrypts_messages(self):
        self.lab.write("message", "dear reader\n")
        nickname = f"{self.token}:authority"
        self.nss("cmsutil", "-S", "-f", "passwords", "-N", nickname, "-i", "message", "-o", "signed", "-G")
        self.lab.write("authority.pem", self.certutil("-L", "-n", nickname, "-a").stdout)
        shown = self.lab.openssl("cms", "-verify", "-inform", "DER", "-in", "signed", "-CAfile", "authority.pem", "-purpose",
                                 "any")
        self.assertEqual(shown.stdout.replace("\r", ""), "dear reader\n")
        self.lab.openssl("cms", "-encrypt", "-aes256", "-binary", "-in", "message", "-outform", "DER", "-out", "sealed",
                         "authority.pem")
        opened = self.nss("cmsutil", "-D", "-f", "passwords", "-i", "sealed")
        self.assertEqual(opened.stdout, "dear reader\n")

    def test_serves_tls(self):
        """selfserv with an RSA key: SSL_ConfigServerCert takes more of a module than a signature does."""
        port = free_port()
        self.lab.spawn([need("selfserv"), "-d", "sql:nss", "-p", port, "-n", f"{self.token}:authority", "-f", "passwords",
                        "-V", "tls1.2:tls1.3"], log="selfserv.log")
        wait_until(lambda: accepts(port), "selfserv")
        for version in ("-tls1_3", "-tls1_2"):
            done = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", version, "-nameopt", "RFC2253",
                                    input="GET / HTTP/1.0\r\n\r\n")
            self.assertIn("subject=CN=authority", done.stdout)
            self.assertRegex(done.stdout, "Peer signature type: (RSA-PSS|rsa_pss_)")

    def test_imports_a_pkcs12_file(self):
        self.lab.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "in.key", "-out", "in.pem", "-subj",
                         "/CN=imported", "-days", "10")
        self.lab.openssl("pkcs12", "-export", "-inkey", "in.key", "-in", "in.pem", "-name", "imported", "-passout", "pass:p12",
                         "-out", "in.p12")
        self.nss("pk12util", "-i", "in.p12", "-W", "p12", "-h", self.token, "-k", "passwords")
        self.assertRegex(self.certutil("-K", "-h", self.token).stdout, r"rsa +[0-9a-f]{40} +imported")

    def test_keys_do_not_leave(self):
        done = self.nss("pk12util", "-o", "out.p12", "-W", "p12", "-n", f"{self.token}:authority", "-k", "passwords",
                        check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(re.search("(?i)unable to export|failed", done.stdout + done.stderr), done.stderr)


class WithPins(OnPins, Nss):
    def test_keys_are_hidden_without_the_pin(self):
        self.lab.write("no-pin", "\n")
        done = self.nss("certutil", "-K", "-h", self.token, "-f", "no-pin", check=False)
        self.assertNotIn("authority", done.stdout)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    main()
