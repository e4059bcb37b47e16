#!/usr/bin/env python3
"""The `openssl` commands with keys of the enclave; what they make is judged by an OpenSSL without the provider."""

import re

from lab import LabTest, main
from provider_keys import KINDS, PLAIN, TOKEN, make_keys, operations_during, reference_pem

NAMES = tuple(KINDS)


class ProviderOpenssl(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab)
        cls.message = cls.lab.write("message", "what is signed\n" * 100)

    def path(self, name):
        return self.lab.dir / name

    def reference(self, name):
        return self.path(f"{name}.key")

    def assert_clean(self, process):
        """Nothing was left on OpenSSL's error queue."""
        self.assertNotIn(":error:", process.stderr)
        return process

    # ---- ways to name a key ----

    def test_reference_file_gives_the_public_key(self):
        for name in NAMES:
            made = self.assert_clean(self.lab.openssl("pkey", "-in", self.reference(name), "-pubout"))
            self.assertEqual(made.stdout, self.path(f"{name}.pub").read_text())

    def test_uri_gives_the_public_key(self):
        for name in NAMES:
            for uri in (f"pkcs11:token={TOKEN};object={name};type=private", f"keyclave:token={TOKEN};object={name}"):
                made = self.assert_clean(self.lab.openssl("pkey", "-in", uri, "-pubout"))
                self.assertEqual(made.stdout, self.path(f"{name}.pub").read_text())

    def test_reference_of_others_without_public_key_costs_one_request(self):
        pem = self.lab.write("bare.key", reference_pem(self.lab, f"pkcs11:token={TOKEN};object=p256;type=private"))
        done = operations_during(self.lab, lambda: self.lab.openssl("pkey", "-in", pem, "-pubout"))
        self.assertEqual(done.get("GetObject"), 1, done)
        self.assertLessEqual(set(done), {"GetObject", "Hello", "Attest"})

    def test_loading_a_reference_asks_nothing(self):
        done = operations_during(self.lab, lambda: self.lab.openssl("pkey", "-in", self.reference("rsa"), "-noout"))
        self.assertEqual(done, {})

    def test_text_shows_where_the_key_is(self):
        shown = self.lab.openssl("pkey", "-in", self.reference("p256"), "-noout", "-text").stdout
        self.assertIn(f"token={TOKEN}", shown)
        self.assertIn("NIST CURVE: P-256", shown)
        written = self.lab.openssl("pkey", "-in", self.reference("p256")).stdout
        self.assertTrue(written.startswith("-----BEGIN PKCS#11 PROVIDER URI-----"), written)
        self.assertNotIn("PRIVATE KEY", written)

    def test_certificates_come_through_the_store_too(self):
        self.lab.cli("cert", "import", "--token", TOKEN, self.path("rsa.crt"))
        shown = self.lab.openssl("x509", "-in", f"pkcs11:token={TOKEN};object=rsa;type=cert")
        self.assertEqual(shown.stdout, self.lab.openssl("x509", "-in", self.path("rsa.crt"), env=PLAIN).stdout)
        public = self.lab.openssl("pkey", "-pubin", "-in", f"pkcs11:token={TOKEN};object=rsa;type=public", "-pubout")
        self.assertEqual(public.stdout, self.path("rsa.pub").read_text())

    # ---- signatures ----

    def test_dgst(self):
        options = {"rsa": ([], ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
                           ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:max"])}
        for name in NAMES:
            for more in options.get(name, ([],)):
                for digest in ("-sha256", "-sha384", "-sha512"):
                    with self.subTest(name, more=more, digest=digest):
                        signature = self.path("signature")
                        self.assert_clean(self.lab.openssl("dgst", digest, *more, "-sign", self.reference(name), "-out",
                                                           signature, self.message))
                        self.lab.openssl("dgst", digest, *more, "-verify", self.path(f"{name}.pub"), "-signature",
                                         signature, self.message, env=PLAIN)
                        self.assert_clean(self.lab.openssl("dgst", digest, *more, "-prverify", self.reference(name),
                                                           "-signature", signature, self.message))
                        other = self.lab.openssl("dgst", digest, *more, "-prverify", self.reference(name), "-signature",
                                                 signature, self.reference(name), check=False)
                        self.assertNotEqual(other.returncode, 0)

    def test_a_signature_is_one_request(self):
        for name in NAMES:
            done = operations_during(self.lab, lambda name=name: self.lab.openssl(
                "dgst", "-sha256", "-sign", self.reference(name), "-out", self.path("signature"), self.message))
            self.assertEqual(done.pop("Sign"), 1)
            self.assertLessEqual(set(done), {"Hello", "Attest"})

    def test_pkeyutl_signs_digests(self):
        digest = self.path("digest")
        self.lab.openssl("dgst", "-sha256", "-binary", "-out", digest, self.message, env=PLAIN)
        for name in NAMES:
            signature = self.path("signature")
            self.lab.openssl("pkeyutl", "-sign", "-inkey", self.reference(name), "-in", digest, "-pkeyopt",
                             "digest:sha256", "-out", signature)
            self.lab.openssl("pkeyutl", "-verify", "-pubin", "-inkey", self.path(f"{name}.pub"), "-in", digest, "-pkeyopt",
                             "digest:sha256", "-sigfile", signature, env=PLAIN)
            self.lab.openssl("pkeyutl", "-verify", "-inkey", self.reference(name), "-in", digest, "-pkeyopt",
                             "digest:sha256", "-sigfile", signature)

    # ---- certificates ----

    def test_req_makes_requests_and_certificates(self):
        for name in NAMES:
            request, certificate = self.path("request.pem"), self.path("made.crt")
            self.assert_clean(self.lab.openssl("req", "-new", "-key", self.reference(name), "-subj", "/CN=request", "-out",
                                               request))
            self.lab.openssl("req", "-in", request, "-verify", "-noout", env=PLAIN)
            self.assert_clean(self.lab.openssl("req", "-new", "-x509", "-key", self.reference(name), "-subj", "/CN=self",
                                               "-out", certificate))
            self.lab.openssl("verify", "-CAfile", certificate, certificate, env=PLAIN)

    def test_certificates_signed_with_pss_say_so(self):
        certificate = self.path("pss.crt")
        self.lab.openssl("req", "-new", "-x509", "-key", self.reference("rsa"), "-subj", "/CN=self", "-sigopt",
                         "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-out", certificate)
        self.assertIn("rsassaPss", self.lab.openssl("x509", "-in", certificate, "-noout", "-text", env=PLAIN).stdout)
        self.lab.openssl("verify", "-CAfile", certificate, certificate, env=PLAIN)

    def test_a_ca_key_signs_requests_of_others(self):
        self.lab.openssl("genpkey", "-algorithm", "ED25519", "-out", self.path("leaf.pem"), env=PLAIN)
        self.lab.openssl("req", "-new", "-key", self.path("leaf.pem"), "-subj", "/CN=leaf", "-out", self.path("leaf.csr"),
                         env=PLAIN)
        for name in NAMES:
            ca = self.path("ca.crt")
            self.lab.openssl("req", "-new", "-x509", "-key", self.reference(name), "-subj", "/CN=ca", "-out", ca)
            self.assert_clean(self.lab.openssl("x509", "-req", "-in", self.path("leaf.csr"), "-CA", ca, "-CAkey",
                                               self.reference(name), "-out", self.path("leaf.crt")))
            self.lab.openssl("verify", "-CAfile", ca, self.path("leaf.crt"), env=PLAIN)

    def test_another_certificate_is_noticed(self):
        refused = self.lab.openssl("x509", "-req", "-in", self.lab.write("none.csr", ""), "-CA", self.path("rsa.crt"),
                                   "-CAkey", self.reference("p256"), check=False)
        self.assertNotEqual(refused.returncode, 0)

    # ---- decryption ----

    def test_pkeyutl_decrypts(self):
        secret = self.lab.write("secret", "a short secret")
        oaep = ["-pkeyopt", "rsa_padding_mode:oaep"]
        for more in ([], oaep, [*oaep, "-pkeyopt", "rsa_oaep_md:sha256"],
                     [*oaep, "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha1"],
                     [*oaep, "-pkeyopt", "rsa_oaep_label:6c6162656c"]):
            with self.subTest(more=more):
                self.lab.openssl("pkeyutl", "-encrypt", *more, "-pubin", "-inkey", self.path("rsa.pub"), "-in", secret,
                                 "-out", self.path("sealed"), env=PLAIN)
                opened = self.lab.openssl("pkeyutl", "-decrypt", *more, "-inkey", self.reference("rsa"), "-in",
                                          self.path("sealed"))
                self.assertEqual(self.assert_clean(opened).stdout, "a short secret")

    def test_damaged_oaep_is_refused(self):
        oaep = ["-pkeyopt", "rsa_padding_mode:oaep"]
        self.lab.openssl("pkeyutl", "-encrypt", *oaep, "-pubin", "-inkey", self.path("rsa.pub"), "-in",
                         self.lab.write("secret", "x"), "-out", self.path("sealed"), env=PLAIN)
        damaged = bytearray(self.path("sealed").read_bytes())
        damaged[100] ^= 1
        self.path("sealed").write_bytes(damaged)
        refused = self.lab.openssl("pkeyutl", "-decrypt", *oaep, "-inkey", self.reference("rsa"), "-in",
                                   self.path("sealed"), check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("keyclave", refused.stderr)

    def test_cms(self):
        for name in NAMES:
            certificate, signed = self.path(f"{name}.crt"), self.path("signed.cms")
            self.assert_clean(self.lab.openssl("cms", "-sign", "-nodetach", "-in", self.message, "-signer", certificate, "-inkey",
                                               self.reference(name), "-outform", "DER", "-out", signed))
            self.lab.openssl("cms", "-verify", "-in", signed, "-inform", "DER", "-CAfile", certificate, "-purpose", "any",
                             "-out", self.path("verified"), env=PLAIN)
        for more in ([], ["-keyopt", "rsa_padding_mode:oaep"]):
            self.lab.openssl("cms", "-encrypt", "-aes256", "-in", self.message, "-outform", "DER", "-out",
                             self.path("sealed.cms"), "-recip", self.path("rsa.crt"), *more, env=PLAIN)
            opened = self.lab.openssl("cms", "-decrypt", "-in", self.path("sealed.cms"), "-inform", "DER", "-recip",
                                      self.path("rsa.crt"), "-inkey", self.reference("rsa"))
            self.assertEqual(opened.stdout.replace("\r\n", "\n"), self.message.read_text())


class ProviderFaults(LabTest):
    """Everyday faults say what they are: one entry of ours on the error queue."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"p256": "ec:p256"})
        cls.reference = cls.lab.dir / "p256.key"

    def sign(self, key, check=False, **more):
        return self.lab.openssl("dgst", "-sha256", "-sign", key, "-out", self.lab.dir / "signature", self.reference,
                                check=check, **more)

    def assert_one_error(self, process, *words):
        self.assertNotEqual(process.returncode, 0)
        ours = [line for line in process.stderr.splitlines() if re.search(r":error:[0-9A-F]+:keyclave:", line)]
        self.assertEqual(len(ours), 1, process.stderr)
        for word in words:
            self.assertIn(word, ours[0])

    def test_unknown_token(self):
        self.assert_one_error(self.sign("pkcs11:token=nowhere;object=p256"), "no such token", "keyclave token list")

    def test_unknown_key(self):
        self.assert_one_error(self.sign(f"pkcs11:token={TOKEN};object=nothing"), "no such object", "nothing")

    def test_ambiguous_uri(self):
        for number in ("01", "02"):
            self.lab.pkcs11_tool("--token-label", TOKEN, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "twin",
                                 "--id", number)
        self.assert_one_error(self.sign(f"pkcs11:token={TOKEN};object=twin"), "more than one", "id=")
        self.sign(f"pkcs11:token={TOKEN};object=twin;id=%02", check=True)

    def test_unknown_attribute_of_a_uri(self):
        self.assert_one_error(self.sign(f"pkcs11:token={TOKEN};objekt=p256"), "RFC 7512")

    def test_no_configuration(self):
        self.assert_one_error(self.sign(self.reference, env={"KEYCLAVE_CONFIG": "/nowhere.yaml"}), "/nowhere.yaml",
                              "KEYCLAVE_CONFIG")

    def test_configuration_named_in_openssl_cnf(self):
        text = self.lab.openssl_conf.read_text()
        moved = self.lab.write("etc/moved.cnf", text.replace(
            "module =", f"keyclave-config = {self.lab.client_config}\nmodule ="))
        self.sign(self.reference, check=True, env={"OPENSSL_CONF": str(moved), "KEYCLAVE_CONFIG": ""})

    def test_default_is_not_active(self):
        alone = re.sub(r"(?m)^default = .*$", "", self.lab.openssl_conf.read_text())
        conf = self.lab.write("etc/alone.cnf", alone)
        refused = self.lab.openssl("pkey", "-in", f"pkcs11:token={TOKEN};object=p256", "-noout", check=False,
                                   env={"OPENSSL_CONF": str(conf)})
        self.assert_one_error(refused, "activate the default provider")

    def test_daemon_that_is_down(self):
        self.lab.stop()
        try:
            self.assert_one_error(self.sign(self.reference), "cannot be reached", "keyclave doctor")
        finally:
            self.lab.start_daemon()
        self.sign(self.reference, check=True)

    def test_policy_that_refuses(self):
        policy = ("policy: others\nversion: 1\npermit:\n  - operations: [sign]\n    when:\n      all:\n"
                  "        - tee: {is: simulated}\n        - measurement: {is: " + "ab" * 32 + "}\n"
                  "    allow_unattested: true\n")
        self.lab.make_token("closed", policy=policy)
        self.lab.cli("key", "generate", "--token", "closed", "--type", "ec:p256", "--label", "k")
        self.lab.cli("key", "reference", "--token", "closed", "k", "--out", self.lab.dir / "closed.key")
        refused = self.sign(self.lab.dir / "closed.key")
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, r":error:[0-9A-F]+:keyclave:")

    def test_pin(self):
        self.lab.make_token("locked", pin="123456", so_pin="87654321")
        pin = self.lab.dir / "pin-locked"
        self.lab.pkcs11_tool("--token-label", "locked", "--login", "--pin", "123456", "--keypairgen", "--key-type",
                             "EC:prime256v1", "--label", "k")
        uri = "pkcs11:token=locked;object=k;type=private"
        self.assertNotEqual(self.sign(uri).returncode, 0)
        self.sign(f"{uri}?pin-source=file:{pin}", check=True)
        self.sign(f"{uri}?pin-value=123456", check=True)
        wrong = self.sign(f"{uri}?pin-value=999999")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertNotIn("999999", "".join(line for line in wrong.stderr.splitlines() if ":keyclave:" in line))
        # A PIN in a URI never spends the last try.
        for _ in range(20):
            self.assertNotEqual(self.sign(f"{uri}?pin-value=999999").returncode, 0)
        tokens = {token["label"]: token for token in self.lab.cli("token", "list", json=True)["tokens"]}
        self.assertEqual(tokens["locked"]["user_tries_left"], 1)
        self.assert_one_error(self.sign(f"{uri}?pin-value=123456"), "one try is left")


if __name__ == "__main__":
    main()
