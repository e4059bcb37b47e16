#!/usr/bin/env python3
"""keyclave key import: every form that openssl writes, and files that are damaged."""

from lab import LabTest, main
from provider_keys import POST_QUANTUM


class Import(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("in")
        cls.rsa, cls.ec = cls.lab.dir / "rsa.pem", cls.lab.dir / "ec.pem"
        cls.plain = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}
        cls.openssl_("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", cls.rsa)
        cls.openssl_("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", cls.ec)

    @classmethod
    def openssl_(cls, *arguments, **more):
        return cls.lab.run(["openssl", *arguments], env=cls.plain, **more)

    def key_import(self, label, path, *more, check=True):
        return self.lab.cli("key", "import", "--token", "in", "--label", label, path, *more, check=check)

    def assert_same_key(self, label, path):
        """A signature of the imported key verifies under the file's public key."""
        public = self.lab.dir / "public.pem"
        self.openssl_("pkey", "-in", path, "-pubout", "-out", public)
        message, signature = self.lab.write("message", "signed in the enclave"), self.lab.dir / "signature"
        self.lab.run(["openssl", "dgst", "-sha256", "-sign", f"pkcs11:token=in;object={label};type=private", "-out", signature, message])
        self.assertIn("Verified OK", self.openssl_("dgst", "-sha256", "-verify", public, "-signature", signature, message).stdout)

    def test_every_form_that_openssl_writes(self):
        forms = {
            "pkcs8": lambda src, out: ["pkcs8", "-topk8", "-nocrypt", "-in", src, "-out", out],
            "pkcs8der": lambda src, out: ["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", src, "-out", out],
            "traditional": lambda src, out: ["pkey", "-traditional", "-in", src, "-out", out],
            "traditionalder": lambda src, out: ["pkey", "-traditional", "-outform", "DER", "-in", src, "-out", out],
        }
        for source in (self.rsa, self.ec):
            for name, command in forms.items():
                label = f"{source.stem}-{name}"
                with self.subTest(label):
                    path = self.lab.dir / label
                    self.openssl_(*command(source, path))
                    self.assertIn("destroy it", self.key_import(label, path).stdout)
                    self.assert_same_key(label, source)

    def test_every_type_of_key(self):
        """Those that GnuTLS reads and those that only OpenSSL does: as PEM, DER and encrypted."""
        kinds = {"ed25519": ("ED25519", "sign"), "ed448": ("ED448", "sign"), "x25519": ("X25519", "derive"), "x448": ("X448", "derive"),
                 "sm2": ("SM2", "sign,decrypt")}
        if POST_QUANTUM:
            kinds.update({"mldsa": ("ML-DSA-65", "sign"), "mlkem": ("ML-KEM-768", "decapsulate"),
                          "slhdsa": ("SLH-DSA-SHAKE-128f", "sign")})
        passphrase = self.lab.write("passphrase", "open sesame\n", 0o600)
        forms = {"pem": ["-nocrypt"], "der": ["-nocrypt", "-outform", "DER"], "sealed": ["-passout", f"file:{passphrase}"],
                 "sealedder": ["-passout", f"file:{passphrase}", "-outform", "DER"]}
        for kind, (algorithm, usage) in kinds.items():
            source = self.lab.dir / f"{kind}.pem"
            self.openssl_("genpkey", "-algorithm", algorithm, "-out", source)
            public = self.openssl_("pkey", "-in", source, "-pubout").stdout
            for name, options in forms.items():
                label = f"{kind}-{name}"
                with self.subTest(label):
                    path = self.lab.dir / label
                    self.openssl_("pkcs8", "-topk8", "-in", source, *options, "-out", path)
                    self.key_import(label, path, "--passphrase-file", passphrase)
                    key = self.lab.cli("key", "show", "--token", "in", label, json=True)
                    self.assertEqual(sorted(key["usage"]), sorted(usage.split(",")))
                    uri = f"pkcs11:token=in;object={label};type=private"
                    self.assertEqual(self.lab.run(["openssl", "pkey", "-in", uri, "-pubout"]).stdout, public)
                    whole = path.read_bytes()
                    cut = self.lab.dir / "cut"
                    for size in (len(whole) // 2, len(whole) - 1 if "der" in name else whole.index(b"-----END")):
                        cut.write_bytes(whole[:size])
                        self.refused(cut, "--passphrase-file", passphrase)

    def test_parameters_before_the_key(self):
        path = self.lab.dir / "with-parameters.pem"
        self.openssl_("ecparam", "-name", "prime256v1", "-genkey", "-out", path)
        self.assertIn("BEGIN EC PARAMETERS", path.read_text())
        self.key_import("parameters", path)
        self.assert_same_key("parameters", path)

    def test_encrypted_files(self):
        passphrase = self.lab.write("passphrase", "open sesame\n", 0o600)
        wrong = self.lab.write("wrong", "open barley\n", 0o600)
        for number, form in enumerate((["-outform", "PEM"], ["-outform", "DER"])):
            path = self.lab.dir / f"encrypted-{number}"
            self.openssl_("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", self.rsa, "-passout", f"file:{passphrase}", *form, "-out", path)
            self.key_import(f"encrypted-{number}", path, "--passphrase-file", passphrase)
            self.assert_same_key(f"encrypted-{number}", self.rsa)
            process = self.key_import("never", path, "--passphrase-file", wrong, check=False)
            self.assertEqual(process.returncode, 1, process.stderr)
            self.assertIn("passphrase", process.stderr)
            self.assertNotIn("barley", process.stderr)

    def test_usage_and_policy_are_as_asked(self):
        self.lab.cli("policy", "apply", "--token", "in", self.lab.write("other.yaml", (
            "policy: other\nversion: 1\npermit:\n  - operations: [sign]\n    when: {tee: {is: simulated}}\n"
            "    allow_unattested: true\n")))
        key = self.lab.cli("key", "import", "--token", "in", "--label", "under-other", self.ec, "--policy", "other", json=True)
        self.assertEqual((key["policy"], key["usage"]), ("other", ["sign"]))

    def refused(self, path, *more):
        process = self.key_import("never", path, *more, check=False)
        self.assertEqual(process.returncode, 1, process.stdout + process.stderr)
        self.assertNotIn("never", [o["label"] for o in self.lab.cli("key", "list", "--token", "in", json=True)["objects"]])
        return process.stderr

    def test_truncated_files(self):
        pem = self.rsa.read_text()
        der = self.lab.dir / "whole.der"
        self.openssl_("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", self.rsa, "-out", der)
        whole = der.read_bytes()
        cut = self.lab.dir / "cut"
        for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            cut.write_bytes(whole[:size])
            self.assertIn(str(cut), self.refused(cut))
        lines = pem.splitlines(keepends=True)
        cut.write_text("".join(lines[:10]))
        self.assertIn("cut short", self.refused(cut))
        cut.write_text("".join(lines[:10] + lines[-1:]))
        self.assertIn("damaged", self.refused(cut))

    def test_a_flipped_bit_in_the_key(self):
        der = self.lab.dir / "flip.der"
        self.openssl_("pkey", "-traditional", "-outform", "DER", "-in", self.rsa, "-out", der)
        bytes_ = bytearray(der.read_bytes())
        bytes_[700] ^= 1  # within the private parts
        der.write_bytes(bytes_)
        self.assertIn("damaged", self.refused(der))

    def test_files_that_hold_something_else(self):
        certificate = self.lab.dir / "self.crt"
        self.openssl_("req", "-x509", "-new", "-key", self.rsa, "-subj", "/CN=x", "-out", certificate)
        self.assertIn("no private key", self.refused(certificate))
        self.assertIn("neither PEM nor", self.refused(self.lab.write("text", "hello\n")))
        self.assertIn("absent", self.refused(self.lab.dir / "absent"))
        dsa = self.lab.dir / "dsa.pem"
        self.openssl_("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", dsa)
        self.openssl_("genpkey", "-paramfile", dsa, "-out", dsa)
        self.assertIn("a key of type DSA is not supported", self.refused(dsa))


if __name__ == "__main__":
    main()
