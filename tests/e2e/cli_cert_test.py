#!/usr/bin/env python3
"""keyclave cert: self-sign, csr, import."""

from lab import LabTest, main


class Cert(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("edge")
        for label, kind in (("rsa", "rsa:2048"), ("ec", "ec:p256")):
            cls.lab.cli("key", "generate", "--token", "edge", "--type", kind, "--label", label)
        cls.plain = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}

    def openssl(self, *arguments):
        return self.lab.run(["openssl", *arguments], env=self.plain).stdout

    def self_sign(self, label, *more):
        path = self.lab.dir / f"{label}.crt"
        self.lab.cli("cert", "self-sign", "--token", "edge", label, "--subject", "CN=www.example.org,O=Example", "--san",
                     "www.example.org,127.0.0.1", "--out", path, *more)
        return path

    def refused(self, *arguments, code=1):
        process = self.lab.cli(*arguments, check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def objects(self):
        return self.lab.cli("key", "list", "--token", "edge", "--all", json=True)["objects"]

    def test_self_signed(self):
        for label in ("rsa", "ec"):
            path = self.self_sign(label, "--days", "7")
            self.assertIn("OK", self.openssl("verify", "-CAfile", path, path))
            text = self.openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253", "-ext",
                                "subjectAltName,basicConstraints")
            self.assertIn("www.example.org", text)
            self.assertIn("O=Example", text)
            self.assertIn("DNS:www.example.org, IP Address:127.0.0.1", text)
            self.assertIn("CA:FALSE", text)
            self.openssl("x509", "-in", path, "-noout", "-checkend", str(6 * 86400))
            over = self.lab.run(["openssl", "x509", "-in", path, "-noout", "-checkend", str(8 * 86400)], check=False, env=self.plain)
            self.assertEqual(over.returncode, 1)

    def test_request(self):
        path = self.lab.dir / "ec.csr"
        self.lab.cli("cert", "csr", "--token", "edge", "ec", "--subject", "CN=www.example.org", "--san", "www.example.org", "--out", path)
        process = self.lab.run(["openssl", "req", "-in", path, "-verify", "-noout", "-text"], env=self.plain)
        self.assertIn("verify OK", process.stdout + process.stderr)
        self.assertIn("DNS:www.example.org", process.stdout)

    def test_bad_arguments_are_named(self):
        base = ["cert", "self-sign", "--token", "edge", "ec"]
        self.refused(*base, "--subject", "no equals sign", code=2)
        self.refused(*base, "--subject", "CN=x", "--days", "0", code=2)
        self.refused(*base, "--subject", "CN=x", "--days", "3651", code=2)
        self.refused(*base, "--subject", "CN=x", "--san", "not a name!", code=2)
        self.assertIn("absent", self.refused("cert", "csr", "--token", "edge", "absent", "--subject", "CN=x"))

    def test_import_goes_beside_the_key(self):
        path = self.self_sign("rsa")
        stored = self.lab.cli("cert", "import", "--token", "edge", path, json=True)
        key = next(o for o in self.objects() if o["label"] == "rsa" and o["class"] == "private key")
        self.assertEqual((stored["class"], stored["label"], stored["id"]), ("certificate", "rsa", key["id"]))
        self.assertIn("already", self.refused("cert", "import", "--token", "edge", path))

    def test_self_sign_can_import(self):
        self.self_sign("ec", "--import")
        self.assertIn(("certificate", "ec"), {(o["class"], o["label"]) for o in self.objects()})

    def foreign(self):
        key, path = self.lab.dir / "foreign.key", self.lab.dir / "foreign.crt"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", "/CN=foreign", "-out", path)
        return path

    def test_a_certificate_of_another_key(self):
        path = self.foreign()
        error = self.refused("cert", "import", "--token", "edge", path)
        self.assertIn("does not match", error)
        self.assertIn("--no-key", error)
        stored = self.lab.cli("cert", "import", "--token", "edge", path, "--no-key", "--label", "ca", json=True)
        self.assertEqual(stored["label"], "ca")

    def test_files_that_are_no_certificates(self):
        self.assertIn("no whole certificate", self.refused("cert", "import", "--token", "edge", self.lab.write("x", "hello")))
        path = self.foreign()
        cut = self.lab.write("cut.crt", path.read_text()[:400])
        self.assertIn("no whole certificate", self.refused("cert", "import", "--token", "edge", cut))
        self.assertIn("absent", self.refused("cert", "import", "--token", "edge", self.lab.dir / "absent"))

    def test_der(self):
        path, der = self.foreign(), self.lab.dir / "foreign.der"
        self.openssl("x509", "-in", path, "-outform", "DER", "-out", der)
        self.lab.cli("cert", "import", "--token", "edge", der, "--no-key", "--label", "der")


if __name__ == "__main__":
    main()
