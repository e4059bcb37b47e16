#!/usr/bin/env python3
"""keyclave ca crl and ocsp-sign: what a CA in the enclave says of certificates that it has revoked, judged by OpenSSL; and what
certificates tell of what their holders proved."""

import base64
import json
import re
import time

from lab import KEYCLAVE, LabTest, main, need

CA_POLICY = """\
policy: mesh-ca
version: 1
permit:
  - operations: [issue]
    issue:
      dns: [.mesh.example]
      usages: [server-auth, ocsp-signing]
      max_validity: 24h
      claims: [tee, measurement]
    when:
      tee: {is: simulated}
    allow_unattested: true
  - operations: [sign]
    input: [x509-crl, x509-ocsp]
    when:
      tee: {is: simulated}
    allow_unattested: true
"""
PLAIN = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}
CMW_OID = "1.3.6.1.5.5.7.1.35"


class CaRevoke(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("mesh", CA_POLICY)
        for label, kind in (("ec-ca", "ec:p256"), ("rsa-ca", "rsa:2048"), ("p384-ca", "ec:p384"), ("responder", "ec:p256"), ("plain", "ec:p256")):
            cls.lab.cli("key", "generate", "--token", "mesh", "--type", kind, "--label", label)
        for label in ("ec-ca", "rsa-ca", "p384-ca"):
            cls.lab.cli("cert", "self-sign", "--token", "mesh", label, "--subject", f"CN={label}", "--ca", "--import",
                        "--out", cls.lab.dir / f"{label}.crt")

    def test_a_ca_is_made_in_one_step(self):
        path = self.lab.dir / "fresh.crt"
        for kind in ("ec:p384", "rsa:3072", "ed25519"):
            label = "fresh-" + kind.partition(":")[0]
            self.lab.cli("ca", "init", label, "--token", "mesh", "--subject", f"CN={label},O=Mesh", "--type", kind, "-o", path)
            text = self.openssl("x509", "-in", path, "-noout", "-text").stdout
            self.assertIn("CA:TRUE, pathlen:0", text)
            listed = self.lab.cli("key", "list", "--token", "mesh", json=True)["objects"]
            self.assertIn((label, "mesh-ca"), {(one["label"], one["policy"]) for one in listed})
            leaf = self.leaf(label, "first")
            self.openssl("verify", "-x509_strict", "-CAfile", path, leaf)
            self.crl(label, "--revoke", self.serial(leaf), "-o", self.lab.dir / "fresh.crl")
        before = self.lab.cli("key", "list", "--token", "mesh").stdout
        for arguments, word in (((label, "--subject", "CN=x"), "already"), (("other", "--subject", "CN=x", "--type", "aes:256"), "secret key"),
                                (("other", "--subject", "nonsense"), "subject"), (("other", "--subject", "CN=x", "--policy", "none"), "policy")):
            refused = self.lab.cli("ca", "init", *arguments, "--token", "mesh", check=False)
            self.assertIn(refused.returncode, (1, 2), refused.stdout)
            self.assertIn(word, refused.stderr.lower())
        self.assertEqual(self.lab.cli("key", "list", "--token", "mesh").stdout, before)

    def openssl(self, *arguments, check=True):
        return self.lab.run(["openssl", *arguments], env=PLAIN, check=check)

    def leaf(self, ca, name):
        key, csr, out = (self.lab.dir / f"{ca}-{name}.{kind}" for kind in ("key", "csr", "crt"))
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key, "-out", csr,
                     "-subj", "/CN=x")
        self.lab.cli("ca", "issue", "--token", "mesh", ca, "--csr", csr, "--name", f"{name}.mesh.example", "--usage", "server-auth",
                     "--out", out)
        return out

    def serial(self, path):
        return self.openssl("x509", "-in", path, "-noout", "-serial").stdout.strip().removeprefix("serial=")

    def crl(self, ca, *options, check=True, **more):
        return self.lab.cli("ca", "crl", "--token", "mesh", ca, *options, check=check, **more)

    def revoked(self, ca, leaf, crl):
        done = self.openssl("verify", "-CAfile", self.lab.dir / f"{ca}.crt", "-CRLfile", crl, "-crl_check", leaf, check=False)
        self.assertIn(done.returncode, (0, 2), done.stderr)
        return "certificate revoked" in done.stdout + done.stderr

    def test_lists_of_each_kind_of_ca(self):
        for ca in ("ec-ca", "rsa-ca", "p384-ca"):
            good, bad, worse = (self.leaf(ca, name) for name in ("good", "bad", "worse"))
            first, second = (self.lab.dir / f"{ca}.{number}.crl" for number in (1, 2))
            made = self.crl(ca, "--revoke", f"{self.serial(bad)}:key-compromise", "-o", first, json=True)
            self.assertEqual(made["revoked"], 1)
            self.assertEqual([self.revoked(ca, leaf, first) for leaf in (good, bad, worse)], [False, True, False])
            self.crl(ca, "--from", first, "--revoke", self.serial(worse), "--next", "12h", "-o", second)
            self.assertEqual([self.revoked(ca, leaf, second) for leaf in (good, bad, worse)], [False, True, True])
            text = self.openssl("crl", "-in", second, "-noout", "-text").stdout
            self.assertIn("Key Compromise", text)
            numbers = [int(re.search(r"X509v3 CRL Number: *\n *(\d+)", self.openssl("crl", "-in", one, "-noout", "-text").stdout)
                           .group(1)) for one in (first, second)]
            self.assertLess(numbers[0], numbers[1])
            self.openssl("crl", "-in", second, "-CAfile", self.lab.dir / f"{ca}.crt", "-verify", "-noout")

    def test_mistakes_leave_the_list_as_it_was(self):
        bad = self.serial(self.leaf("ec-ca", "mistake"))
        path = self.lab.dir / "kept.crl"
        self.crl("ec-ca", "--revoke", bad, "-o", path)
        before = path.read_bytes()
        for ca, options, word in (("ec-ca", ["--from", path, "--revoke", bad], "in the list already"),
                                  ("ec-ca", ["--from", path, "--revoke", "xyz"], "hexadecimal digits"),
                                  ("ec-ca", ["--from", path, "--revoke", "12:lost"], "no such reason"),
                                  ("ec-ca", ["--from", self.lab.dir / "ec-ca.crt"], "no certificate revocation list"),
                                  ("rsa-ca", ["--from", path], "not signed by this CA"),
                                  ("plain", [], "no certificate of this key")):
            refused = self.crl(ca, *options, "-o", path, check=False)
            self.assertIn(refused.returncode, (1, 2))
            self.assertIn(word, refused.stderr)
            self.assertEqual(path.read_bytes(), before)

    def ask(self, ca, *leaves):
        """An OCSP request about these."""
        path = self.lab.dir / f"{ca}.ocsp-request"
        certs = [word for leaf in leaves for word in ("-cert", leaf)]
        self.openssl("ocsp", "-issuer", self.lab.dir / f"{ca}.crt", *certs, "-reqout", path)
        return path

    def read(self, ca, response, *leaves):
        certs = [word for leaf in leaves for word in ("-cert", leaf)]
        return self.openssl("ocsp", "-no_nonce", "-respin", response, "-issuer", self.lab.dir / f"{ca}.crt", *certs,
                            "-CAfile", self.lab.dir / f"{ca}.crt", check=False)

    def test_answers_by_the_ca_itself(self):
        for ca in ("ec-ca", "rsa-ca"):
            good, bad = self.leaf(ca, "ocsp-good"), self.leaf(ca, "ocsp-bad")
            crl, response = self.lab.dir / f"{ca}.ocsp.crl", self.lab.dir / f"{ca}.response"
            self.crl(ca, "--revoke", f"{self.serial(bad)}:superseded", "-o", crl)
            request = self.ask(ca, good, bad)
            made = self.lab.cli("ca", "ocsp-sign", "--token", "mesh", ca, "--request", request, "--crl", crl, "-o", response, json=True)
            self.assertEqual((made["good"], made["revoked"], made["unknown"]), (1, 1, 0))
            # The asker's own nonce comes back.
            texts = [self.openssl("ocsp", f"-{kind}in", path, f"-{kind}_text", "-noverify").stdout
                     for kind, path in (("req", request), ("resp", response))]
            self.assertEqual(*[re.search(r"OCSP Nonce: *\n *(\S+)", text).group(1) for text in texts])
            seen = self.read(ca, response, good, bad)
            self.assertIn("Response verify OK", seen.stdout + seen.stderr)
            self.assertIn(f"{good}: good", seen.stdout)
            self.assertIn(f"{bad}: revoked", seen.stdout)
            self.assertIn("superseded", seen.stdout)
        # What another CA has issued is unknown here.
        other = self.ask("p384-ca", self.leaf("p384-ca", "stranger"))
        made = self.lab.cli("ca", "ocsp-sign", "--token", "mesh", "ec-ca", "--request", other, "--crl",
                            self.lab.dir / "ec-ca.ocsp.crl", "-o", self.lab.dir / "x", json=True)
        self.assertEqual(made["unknown"], 1)

    def test_answers_by_a_responder_of_the_ca(self):
        ca, leaf = "ec-ca", self.leaf("ec-ca", "delegated")
        crl, response, certificate = (self.lab.dir / name for name in ("delegated.crl", "delegated.response", "responder.crt"))
        self.crl(ca, "-o", crl)
        self.lab.cli("cert", "csr", "--token", "mesh", "responder", "--subject", "CN=r", "--out", "responder.csr")
        self.lab.cli("ca", "issue", "--token", "mesh", ca, "--csr", "responder.csr", "--name", "ocsp.mesh.example", "--usage",
                     "ocsp-signing", "--out", certificate)
        self.lab.cli("cert", "import", "--token", "mesh", certificate)
        request = self.ask(ca, leaf)
        self.lab.cli("ca", "ocsp-sign", "--token", "mesh", "responder", "--issuer", self.lab.dir / f"{ca}.crt", "--request", request,
                     "--crl", crl, "-o", response)
        seen = self.read(ca, response, leaf)
        self.assertIn("Response verify OK", seen.stdout + seen.stderr)
        refused = self.lab.cli("ca", "ocsp-sign", "--token", "mesh", "responder", "--issuer", self.lab.dir / "rsa-ca.crt", "--request",
                               request, "--crl", crl, "-o", response, check=False)
        self.assertIn("not issued by", refused.stderr)

    def test_the_key_signs_nothing_else(self):
        refused = self.lab.openssl("dgst", "-sha256", "-sign", "pkcs11:token=mesh;object=ec-ca;type=private",
                                   self.lab.write("m", "message"), text=False, check=False)
        self.assertNotEqual(refused.returncode, 0)
        denials = [json.loads(line) for line in self.lab.cli("audit", "export").stdout.splitlines() if '"denial"' in line]
        self.assertEqual(denials[-1]["code"], "InputRefused")

    def test_a_certificate_tells_what_its_holder_proved(self):
        leaf = self.leaf("ec-ca", "told")
        text = self.openssl("x509", "-in", leaf, "-noout", "-text").stdout
        kind, value, indicator = json.loads(re.search(r"\[\"application/.*\]", text[text.index(CMW_OID):]).group(0))
        self.assertEqual((kind, indicator), ("application/eat-ucs+json", 8))
        result = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        own = self.lab.cli("evidence", "measure", KEYCLAVE, json=True)["programs"][0]["measurement"]
        self.assertEqual(result["keyclave"], {"tee": "simulated", "measurement": own})
        self.assertLess(abs(result["iat"] - time.time()), 3600)
        self.lab.run([need("certtool"), "--verify", "--load-ca-certificate", self.lab.dir / "ec-ca.crt", "--infile", leaf])


if __name__ == "__main__":
    main()
