#!/usr/bin/env python3
"""The enclave's evidence about its keys: files and certificate requests that anybody checks without the enclave; and pins."""

import base64
import json
import re

from lab import KEYCLAVED, PKCS11_MODULE, LabTest, accepts, free_port, main, need, wait_until

SIMULATED = "expect: {{tee: {{is: simulated}}, measurement: {{is: {measurement}}}}}\n"


class KeyAttest(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("edge")
        cls.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "www")
        cls.lab.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "brought.key")
        cls.lab.cli("key", "import", "--token", "edge", "brought.key", "--label", "brought")
        measured = cls.lab.cli("evidence", "measure", KEYCLAVED, json=True)["programs"][0]["measurement"]
        cls.lab.write("expect.yaml", SIMULATED.format(measurement=measured))
        cls.lab.write("other.yaml", SIMULATED.format(measurement="ab" * 32))
        cls.root = re.search(r'root: "?([^",}\n]+)', cls.lab.client_config.read_text()).group(1)

    def verify(self, *arguments, code=0):
        process = self.lab.cli("evidence", "verify", *arguments, "--trust", self.root, "--json", check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return json.loads(process.stdout)

    def attest(self, label="www", out="www.attestation", *more):
        return self.lab.cli("key", "attest", "--token", "edge", label, "-o", out, *more, json=True)

    def test_says_what_the_key_is_and_is_checked_offline(self):
        self.attest("www", "www.attestation", "--nonce", "c0ffee")
        self.lab.stop()  # nobody is asked
        try:
            outcome = self.verify("www.attestation", "--expect", "expect.yaml")
        finally:
            self.lab.start_daemon()
        self.assertEqual(outcome["verdict"], "accept")
        key = outcome["key"]
        self.assertEqual((key["type"], key["origin"], key["extractable"], key["never_extractable"], key["nonce"]),
                         ("EC", "generated", False, True, "c0ffee"))
        self.assertEqual(key["usage"], ["sign"])
        shown = self.lab.cli("key", "show", "--token", "edge", "www", json=True)
        self.assertEqual(key["public_key_info"], shown["public_key_info"])
        self.assertEqual(key["policy"], "development")
        self.assertEqual(key["policy_digest"], self.policy_digest())

    def policy_digest(self):
        return self.lab.cli("policy", "list", "--token", "edge", json=True)["policies"][0]["digest"]

    def test_expectations_decide(self):
        self.attest()
        self.assertEqual(self.verify("www.attestation", code=1)["verdict"], "policy", "simulated by default")
        refused = self.verify("www.attestation", "--expect", "other.yaml", code=1)
        self.assertEqual((refused["verdict"], refused["failure"]["wanted"]), ("policy", "is " + "ab" * 32))

    # Lesson 34: what is claimed of a key is what the enclave keeps: an imported one does not say that it was made there.
    def test_a_brought_key_says_so(self):
        self.attest("brought", "brought.attestation")
        key = self.verify("brought.attestation", "--expect", "expect.yaml")["key"]
        self.assertEqual((key["origin"], key["never_extractable"], key["always_sensitive"]), ("brought", False, False))

    # Lesson 8: one bit of the document, of the nonce or of the evidence, and they part.
    def test_document_and_evidence_must_fit(self):
        self.attest()
        lines = (self.lab.dir / "www.attestation").read_text().splitlines()
        whole = bytearray(base64.b64decode("".join(lines[1:-1])))
        document = whole.find(b"keyclave/key-attestation/1")
        self.assertGreater(document, 0)
        label = whole.find(b"development", document)
        for place in (label, len(whole) - 1):
            edited = bytearray(whole)
            edited[place] ^= 1
            text = base64.encodebytes(bytes(edited)).decode()
            self.lab.write("edited.attestation", f"{lines[0]}\n{text}{lines[-1]}\n")
            outcome = self.verify("edited.attestation", "--expect", "expect.yaml", code=1)
            self.assertEqual(outcome["verdict"], "reject")
            self.assertEqual(outcome["failure"]["code"], "EvidenceBinding")

    def test_a_request_carries_it(self):
        self.lab.cli("cert", "csr", "--token", "edge", "www", "--subject", "CN=www.example", "--san", "www.example", "--attest",
                     "--nonce", "00ff", "--out", "www.csr")
        text = self.lab.openssl("req", "-in", "www.csr", "-verify", "-noout", "-text")
        self.assertIn("2.25.198156245413755402898810567918963610521", text.stdout)
        self.assertIn("DNS:www.example", text.stdout)
        outcome = self.verify("--csr", "www.csr", "--expect", "expect.yaml")
        self.assertEqual((outcome["verdict"], outcome["key"]["nonce"]), ("accept", "00ff"))
        self.lab.cli("cert", "csr", "--token", "edge", "www", "--subject", "CN=www.example", "--out", "plain.csr")
        self.assertEqual(self.verify("--csr", "plain.csr", code=1)["verdict"], "reject")

    def serve(self, certificate, key):
        """A TLS server's port."""
        port = free_port()
        process = self.lab.spawn([need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-quiet"],
                                 f"s_server-{port}.log")
        wait_until(lambda: accepts(port), "the server to listen", process=process)
        return f"127.0.0.1:{port}"

    def test_a_server_proves_that_it_has_the_key(self):
        self.attest()
        for label in ("www", "brought"):
            self.lab.cli("cert", "self-sign", "--token", "edge", label, "--subject", f"CN={label}", "--out", f"{label}.crt")
        www = self.serve("www.crt", "pkcs11:token=edge;object=www;type=private")
        outcome = self.verify("www.attestation", "--expect", "expect.yaml", "--tls", www)
        self.assertEqual((outcome["verdict"], outcome["key"]["token"]), ("accept", "edge"))
        other = self.serve("brought.crt", "brought.key")
        refused = self.verify("www.attestation", "--expect", "expect.yaml", "--tls", other, code=1)
        self.assertEqual((refused["verdict"], refused["failure"]["code"]), ("reject", "CertificateMismatch"))
        for where, word in (("127.0.0.1", "HOST:PORT"), (f"127.0.0.1:{free_port()}", "refused")):
            process = self.lab.cli("evidence", "verify", "www.attestation", "--expect", "expect.yaml", "--trust", self.root, "--tls",
                                   where, check=False)
            self.assertNotEqual(process.returncode, 0)
            self.assertIn(word, process.stderr)

    # A request for one's own key with somebody else's attestation.
    def test_a_request_for_another_key_is_refused(self):
        self.attest("www", "www.attestation")
        lines = (self.lab.dir / "www.attestation").read_text().splitlines()
        attestation = base64.b64decode("".join(lines[1:-1]))
        value = self.octet_string(attestation).hex()
        self.lab.write("evil.cnf", "[req]\ndistinguished_name=dn\nprompt=no\nreq_extensions=ext\n[dn]\nCN=evil\n[ext]\n"
                                   f"2.25.198156245413755402898810567918963610521=DER:{value}\n")
        self.lab.openssl("req", "-new", "-key", "brought.key", "-config", "evil.cnf", "-out", "evil.csr")
        outcome = self.verify("--csr", "evil.csr", "--expect", "expect.yaml", code=1)
        self.assertEqual(outcome["failure"]["code"], "CertificateMismatch")

    @staticmethod
    def octet_string(content):
        size = len(content)
        if size < 0x80:
            return bytes([4, size]) + content
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([4, 0x80 | len(length)]) + length + content

    def test_secret_keys_have_none(self):
        self.lab.cli("key", "generate", "--token", "edge", "--type", "aes:128", "--label", "aes")
        self.assertEqual(self.lab.cli("key", "attest", "--token", "edge", "aes", check=False).returncode, 1)


class Pins(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("edge")
        cls.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "www", "--id", "0a")
        cls.lab.write("message", "what is signed\n")
        cls.lab.cli("key", "reference", "--token", "edge", "www", "--pin", "--out", "pinned.pem")
        cls.uri = cls.lab.cli("key", "reference", "--token", "edge", "www", "--pin", json=True)["uri"]
        cls.config = cls.lab.client_config.read_text()

    def tearDown(self):
        self.lab.client_config.write_text(self.config)

    def digest(self):
        return self.lab.cli("policy", "list", "--token", "edge", json=True)["policies"][0]["digest"]

    def sign(self, key, check=True):
        return self.lab.openssl("pkeyutl", "-sign", "-rawin", "-digest", "sha256", "-inkey", key, "-in", "message", "-out",
                                "signature", check=check)

    def reference(self, name, uri):
        """A key-reference file for this URI (the tool writes none with pins of our own)."""
        text = uri.encode()
        body = b"\x1a\x19PKCS#11 Provider URI v1.0" + b"\x0c" + self.length(len(text)) + text
        der = b"\x30" + self.length(len(body)) + body
        pem = base64.encodebytes(der).decode()
        return self.lab.write(name, f"-----BEGIN PKCS#11 PROVIDER URI-----\n{pem}-----END PKCS#11 PROVIDER URI-----\n")

    @staticmethod
    def length(size):
        if size < 0x80:
            return bytes([size])
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([0x80 | len(octets)]) + octets

    def test_a_pinned_reference_signs(self):
        self.assertIn("x-keyclave-policy=" + self.digest(), self.uri)
        self.assertIn("x-keyclave-measurement=", self.uri)
        self.sign("pinned.pem")
        self.sign(self.uri)

    def test_another_policy_or_enclave_is_refused_by_the_provider(self):
        other = re.sub(r"x-keyclave-policy=[0-9a-f]+", "x-keyclave-policy=" + "00" * 32, self.uri)
        process = self.sign(self.reference("other-policy.pem", other), check=False)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("pinned", process.stderr)
        other = re.sub(r"x-keyclave-measurement=[0-9a-f]+", "x-keyclave-measurement=" + "00" * 32, self.uri)
        process = self.sign(self.reference("other-enclave.pem", other), check=False)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("measurement", process.stderr)

    def test_the_configuration_pins_for_every_program(self):
        sign = ("--sign", "-m", "ECDSA-SHA256", "--id", "0a", "-i", "message", "-o", "signature")
        self.lab.client_config.write_text(self.config + f"policy_digests: [{self.digest()}]\n")
        self.lab.pkcs11_tool(*sign)
        self.sign("pinned.pem")
        p11tool = (*self.p11tool(), "--list-privkeys", "pkcs11:token=edge")
        self.assertIn("www", self.lab.run(p11tool).stdout)
        self.lab.client_config.write_text(self.config + f"policy_digests: [{'00' * 32}]\n")
        process = self.lab.pkcs11_tool(*sign, check=False)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("CKR_KEY_FUNCTION_NOT_PERMITTED", process.stdout + process.stderr)
        self.assertNotEqual(self.sign("pinned.pem", check=False).returncode, 0)

    @staticmethod
    def p11tool():
        return need("p11tool"), "--provider", PKCS11_MODULE

    # Lesson 12: what was pinned when the reference was made is not what it is after a change of the policy.
    def test_a_new_version_is_another_policy(self):
        self.lab.make_token("moving")
        self.lab.cli("key", "generate", "--token", "moving", "--type", "ec:p256", "--label", "m")
        self.lab.cli("key", "reference", "--token", "moving", "m", "--pin", "--out", "m.pem")
        self.sign("m.pem")
        text = (self.lab.dir / "policy-moving.yaml").read_text().replace("version: 1", "version: 2")
        self.lab.write("next.yaml", text)
        self.lab.cli("policy", "apply", "--token", "moving", "next.yaml")
        process = self.sign("m.pem", check=False)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("pinned", process.stderr)


if __name__ == "__main__":
    main()
