#!/usr/bin/env python3
"""keyclave ca issue: a CA whose key is in the enclave, judged by OpenSSL and GnuTLS."""

import json

from lab import LabTest, main, need

CA_POLICY = """\
policy: mesh-ca
version: 1
permit:
  - operations: [issue]
    issue:
      dns: [.mesh.example, "*.apps.mesh.example"]
      uri: ["spiffe://mesh.example/*"]
      ip: [10.0.0.0/8]
      usages: [server-auth, client-auth]
      max_validity: 24h
    when:
      tee: {is: simulated}
    allow_unattested: true
"""
PLAIN = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}


class CaIssue(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("mesh", CA_POLICY)
        for label, kind in (("ec-ca", "ec:p256"), ("rsa-ca", "rsa:2048"), ("p384-ca", "ec:p384")):
            cls.lab.cli("key", "generate", "--token", "mesh", "--type", kind, "--label", label)
            cls.lab.cli("cert", "self-sign", "--token", "mesh", label, "--subject", f"CN={label},O=Mesh", "--ca", "--import",
                        "--out", cls.lab.dir / f"{label}.crt")

    def openssl(self, *arguments, check=True):
        return self.lab.run(["openssl", *arguments], env=PLAIN, check=check)

    def csr(self, name, *kind):
        """A key and a request for it that asks for what nobody shall have."""
        key, path = self.lab.dir / f"{name}.key", self.lab.dir / f"{name}.csr"
        self.openssl("req", "-new", "-newkey", *(kind or ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")), "-noenc", "-keyout", key,
                     "-out", path, "-subj", "/CN=evil.example", "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "subjectAltName=DNS:evil.example")
        return path

    def issue(self, ca, csr, *names, options=(), **more):
        out = csr.with_suffix(f".{ca}.crt")
        listed = [word for name in names for word in ("--name", name)]
        process = self.lab.cli("ca", "issue", "--token", "mesh", ca, "--csr", csr, *listed, "--out", out, *options, **more)
        return out if more.get("check", True) else process

    def text(self, path):
        return self.openssl("x509", "-in", path, "-noout", "-text", "-nameopt", "RFC2253").stdout

    def audit(self, event):
        lines = self.lab.cli("audit", "export").stdout.splitlines()
        return [record for record in map(json.loads, lines) if record.get("event") == event]

    def test_openssl_and_gnutls_accept_what_each_kind_of_ca_issues(self):
        for number, (ca, kind) in enumerate((("ec-ca", ()), ("rsa-ca", ("rsa:2048",)), ("p384-ca", ("ed25519",)))):
            root = self.lab.dir / f"{ca}.crt"
            path = self.issue(ca, self.csr(f"leaf{number}", *kind), "web.mesh.example", "10.1.2.3", "spiffe://mesh.example/ns/web")
            self.openssl("verify", "-x509_strict", "-CAfile", root, "-purpose", "sslserver", "-verify_hostname", "web.mesh.example",
                         path)
            self.openssl("verify", "-x509_strict", "-CAfile", root, "-purpose", "sslclient", "-verify_ip", "10.1.2.3", path)
            refused = self.openssl("verify", "-CAfile", root, "-verify_hostname", "evil.example", path, check=False)
            self.assertNotEqual(refused.returncode, 0)
            verdict = self.lab.run([need("certtool"), "--verify", "--load-ca-certificate", root, "--infile", path,
                                    "--verify-hostname", "web.mesh.example"])
            self.assertIn("Verified. The certificate is trusted.", verdict.stdout)
            text = self.text(path)
            self.assertIn("CA:FALSE", text)
            self.assertNotIn("evil", text)
            self.assertIn("URI:spiffe://mesh.example/ns/web", text)

    def test_the_ca_is_one_and_its_leaves_are_none(self):
        text = self.text(self.lab.dir / "ec-ca.crt")
        self.assertIn("CA:TRUE, pathlen:0", text)
        self.assertIn("Certificate Sign, CRL Sign", text)
        leaf = self.issue("ec-ca", self.csr("below"), "a.mesh.example")
        other = self.lab.dir / "forged.crt"
        self.openssl("x509", "-req", "-in", self.csr("forged"), "-CA", leaf, "-CAkey", self.lab.dir / "below.key", "-out", other,
                     "-CAcreateserial", "-days", "1")
        refused = self.openssl("verify", "-CAfile", self.lab.dir / "ec-ca.crt", "-untrusted", leaf, other, check=False)
        self.assertIn("invalid CA certificate", refused.stdout + refused.stderr)

    def test_subject_chain_usage_and_time(self):
        csr = self.csr("more")
        path = self.issue("ec-ca", csr, "a.mesh.example", options=["--subject", "CN=a.mesh.example", "--usage", "client-auth",
                                                                   "--ttl", "90s", "--chain"])
        text = path.read_text()
        self.assertEqual(text.count("BEGIN CERTIFICATE"), 2)
        self.assertTrue(text.endswith((self.lab.dir / "ec-ca.crt").read_text()))
        described = self.text(path)
        self.assertIn("Subject: CN=a.mesh.example", described)
        self.assertIn("TLS Web Client Authentication", described)
        self.assertNotIn("TLS Web Server Authentication", described)
        self.openssl("x509", "-in", path, "-noout", "-checkend", "0")
        self.assertEqual(self.openssl("x509", "-in", path, "-noout", "-checkend", "91", check=False).returncode, 1)

    def test_refusals_name_their_reason_and_are_recorded(self):
        csr = self.csr("refused")
        for names, options, word in ((["web.evil.example"], [], "web.evil.example"),
                                     (["mesh.example"], [], "mesh.example"),
                                     (["*.mesh.example"], [], "*.mesh.example"),
                                     (["192.0.2.1"], [], "address"),
                                     (["spiffe://evil.example/x"], [], "spiffe://evil.example/x"),
                                     (["a.mesh.example"], ["--ttl", "25h"], "valid for too long"),
                                     (["a.mesh.example"], ["--usage", "code-signing"], "usage"),
                                     (["a.mesh.example"], ["--subject", "CN=evil.example"], "evil.example")):
            before = len(self.audit("denial"))
            process = self.issue("ec-ca", csr, *names, options=options, check=False)
            self.assertEqual(process.returncode, 1, process.stderr)
            self.assertIn("the policy does not issue such a certificate", process.stderr)
            self.assertIn(word, process.stderr)
            denials = self.audit("denial")
            self.assertEqual(len(denials), before + 1)
            self.assertEqual((denials[-1]["operation"], denials[-1]["names"]), ("issue", ",".join(names)))
        explained = self.lab.cli("explain", "--token", "mesh", "ec-ca").stdout
        self.assertIn("issue", explained)

    def test_a_request_that_proves_nothing_is_refused(self):
        csr = self.csr("proof")
        other = self.csr("other")
        # The signature of one request under the contents of another.
        body, foreign = (self.der(path) for path in (csr, other))
        path = self.lab.dir / "spliced.csr"
        path.write_bytes(body[:-8] + foreign[-8:])
        process = self.issue("ec-ca", path, "a.mesh.example", check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("does not prove", process.stderr)
        path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        self.assertEqual(self.issue("ec-ca", path, "a.mesh.example", check=False).returncode, 1)

    def der(self, path):
        out = path.with_suffix(".der")
        self.openssl("req", "-in", path, "-outform", "DER", "-out", out)
        return out.read_bytes()

    def test_each_issue_is_a_record(self):
        path = self.issue("ec-ca", self.csr("record"), "record.mesh.example")
        record = self.audit("issue")[-1]
        serial = self.openssl("x509", "-in", path, "-noout", "-serial").stdout.strip().partition("=")[2]
        self.assertEqual(record["names"], "record.mesh.example")
        self.assertEqual(record["serial"], serial.lower())
        self.assertEqual(record["usages"], "server-auth, client-auth")
        self.lab.cli("audit", "verify", self.lab.state / "audit")

    def test_usage_errors_are_usage_errors(self):
        csr = self.csr("usage")
        for arguments in (["--csr", csr], ["--name", "a.mesh.example"],
                          ["--csr", csr, "--name", "a.mesh.example", "--ttl", "1h", "--days", "2"],
                          ["--csr", csr, "--name", "a.mesh.example", "--ttl", "soon"]):
            process = self.lab.cli("ca", "issue", "--token", "mesh", "ec-ca", *arguments, check=False)
            self.assertEqual(process.returncode, 2, process.stdout + process.stderr)


if __name__ == "__main__":
    main()
