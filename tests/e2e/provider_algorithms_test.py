#!/usr/bin/env python3
"""Every type of key through the provider: signatures, agreement, decryption, encapsulation, and keys made by OpenSSL's own commands.
What they make is judged by an OpenSSL without the provider."""

from lab import PROVIDER, LabTest, free_port, main, wait_until
from provider_keys import PLAIN, POST_QUANTUM, TOKEN, operations_during

MESSAGE_SIGNERS = ("ed25519", "ed448") + (("ml-dsa:44", "ml-dsa:65", "ml-dsa:87", "slh-dsa:sha2-128f", "slh-dsa:shake-128f")
                                          if POST_QUANTUM else ())
SIGNERS = (*MESSAGE_SIGNERS, "ec:secp256k1")
AGREEING = {"x25519": "X25519", "x448": "X448", "ec:p256": "P-256", "ec:p521": "P-521"}
KEMS = ("ml-kem:512", "ml-kem:768", "ml-kem:1024") if POST_QUANTUM else ()


def file_name(kind):
    return kind.replace(":", "-")


class Algorithms(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token(TOKEN)
        for kind in {*SIGNERS, *AGREEING, *KEMS, "sm2", "ec:p384"}:
            usage = ["--usage", "derive"] if kind in AGREEING else []
            label = file_name(kind)
            cls.lab.cli("key", "generate", "--token", TOKEN, "--type", kind, "--label", label, *usage)
            cls.lab.cli("key", "reference", "--token", TOKEN, label, "--out", cls.lab.dir / f"{label}.key")
            cls.lab.openssl("pkey", "-in", cls.lab.dir / f"{label}.key", "-pubout", "-out", cls.lab.dir / f"{label}.pub")
        cls.message = cls.lab.write("message", "what is signed\n" * 100)

    def path(self, name):
        return self.lab.dir / name

    def key(self, kind):
        return self.path(f"{file_name(kind)}.key")

    def public(self, kind):
        return self.path(f"{file_name(kind)}.pub")

    def assert_clean(self, process):
        """Nothing was left on OpenSSL's error queue."""
        self.assertNotIn(":error:", process.stderr)
        return process

    # ---- signatures ----

    def test_messages_are_signed(self):
        for kind in MESSAGE_SIGNERS:
            with self.subTest(kind):
                signature = self.path("signature")
                done = operations_during(self.lab, lambda kind=kind, signature=signature: self.assert_clean(self.lab.openssl(
                    "pkeyutl", "-sign", "-rawin", "-inkey", self.key(kind), "-in", self.message, "-out", signature)))
                self.assertEqual(done.pop("Sign"), 1)
                self.assertLessEqual(set(done), {"Hello", "Attest"})
                verify = ["pkeyutl", "-verify", "-rawin", "-in", self.message, "-sigfile", signature]
                self.lab.openssl(*verify, "-pubin", "-inkey", self.public(kind), env=PLAIN)
                self.assert_clean(self.lab.openssl(*verify, "-inkey", self.key(kind)))
                other = ["pkeyutl", "-verify", "-rawin", "-in", self.key(kind), "-sigfile", signature]
                self.assertNotEqual(self.lab.openssl(*other, "-inkey", self.key(kind), check=False).returncode, 0)

    def test_requests_and_certificates(self):
        for kind in SIGNERS:
            with self.subTest(kind):
                request, certificate = self.path("request.pem"), self.path("made.crt")
                self.assert_clean(self.lab.openssl("req", "-new", "-key", self.key(kind), "-subj", "/CN=request", "-out", request))
                self.lab.openssl("req", "-in", request, "-verify", "-noout", env=PLAIN)
                self.assert_clean(self.lab.openssl("req", "-new", "-x509", "-key", self.key(kind), "-subj", "/CN=self", "-out",
                                                   certificate))
                self.lab.openssl("verify", "-CAfile", certificate, certificate, env=PLAIN)

    def test_certificates_of_the_enclave(self):
        for kind in SIGNERS:
            with self.subTest(kind):
                certificate = self.path(f"{file_name(kind)}.self.crt")
                self.lab.cli("cert", "self-sign", "--token", TOKEN, file_name(kind), "--subject", "CN=localhost", "--out",
                             certificate)
                self.lab.openssl("verify", "-check_ss_sig", "-CAfile", certificate, certificate, env=PLAIN)

    def test_a_message_that_is_too_long_says_so(self):
        large = self.lab.write("large", "x" * (1 << 20 | 1))
        refused = self.lab.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key("ed25519"), "-in", large, check=False, text=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"at most 1048576 bytes", refused.stderr)

    def test_sm2(self):
        """With an identity of the signer's own, with the usual one, and with none, which is OpenSSL's default."""
        for identity in (["-pkeyopt", "distid:1234567812345678"], ["-pkeyopt", "distid:alice"], []):
            with self.subTest(identity=identity):
                signature = self.path("signature")
                self.assert_clean(self.lab.openssl("pkeyutl", "-sign", "-rawin", "-digest", "sm3", *identity, "-inkey",
                                                   self.key("sm2"), "-in", self.message, "-out", signature))
                verify = ["pkeyutl", "-verify", "-rawin", "-digest", "sm3", *identity, "-in", self.message, "-sigfile", signature]
                self.lab.openssl(*verify, "-pubin", "-inkey", self.public("sm2"), env=PLAIN)
                self.assert_clean(self.lab.openssl(*verify, "-inkey", self.key("sm2")))
        certificate = self.path("sm2.crt")
        self.assert_clean(self.lab.openssl("req", "-new", "-x509", "-sm3", "-key", self.key("sm2"), "-subj", "/CN=sm2",
                                           "-sigopt", "distid:1234567812345678", "-out", certificate))
        shown = self.lab.openssl("x509", "-in", certificate, "-noout", "-text", env=PLAIN).stdout
        self.assertIn("SM2-with-SM3", shown)
        refused = self.lab.openssl("dgst", "-sha256", "-sign", self.key("sm2"), self.message, check=False)
        self.assertIn("only SM3", refused.stderr)

    # ---- secrets ----

    def test_sm2_decrypts(self):
        self.lab.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.public("sm2"), "-in", self.lab.write("secret", "secret"),
                         "-out", self.path("sealed"), env=PLAIN)
        opened = self.lab.openssl("pkeyutl", "-decrypt", "-inkey", self.key("sm2"), "-in", self.path("sealed"))
        self.assertEqual(self.assert_clean(opened).stdout, "secret")
        self.lab.openssl("pkeyutl", "-encrypt", "-inkey", self.key("sm2"), "-in", self.path("secret"), "-out", self.path("sealed"))
        opened = self.lab.openssl("pkeyutl", "-decrypt", "-inkey", self.key("sm2"), "-in", self.path("sealed"))
        self.assertEqual(opened.stdout, "secret")

    def test_agreement(self):
        for kind, algorithm in AGREEING.items():
            with self.subTest(kind):
                curve = ["EC", "-pkeyopt", f"group:{algorithm}"] if algorithm.startswith("P-") else [algorithm]
                peer, peer_public = self.path("peer.pem"), self.path("peer.pub")
                self.lab.openssl("genpkey", "-algorithm", *curve, "-out", peer, env=PLAIN)
                self.lab.openssl("pkey", "-in", peer, "-pubout", "-out", peer_public, env=PLAIN)
                theirs = self.lab.openssl("pkeyutl", "-derive", "-inkey", peer, "-peerkey", self.public(kind), text=False, env=PLAIN)
                derive = ["pkeyutl", "-derive", "-inkey", self.key(kind), "-peerkey", peer_public]
                ours = self.lab.openssl(*derive, text=False)
                self.assertEqual(ours.stdout, theirs.stdout)
                self.assertNotIn(b":error:", ours.stderr)
                done = operations_during(self.lab, lambda derive=derive: self.lab.openssl(*derive, text=False))
                self.assertLessEqual({"DeriveKey": 1, "GetObject": 1, "DestroyObject": 1}.items(), done.items())

    def test_a_peer_of_another_curve_is_refused(self):
        refused = self.lab.openssl("pkeyutl", "-derive", "-inkey", self.key("ec:p256"), "-peerkey", self.public("ec:p521"), check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_cms_for_an_elliptic_curve_key(self):
        """The key derivation of ANSI X9.63 is made in the enclave, too."""
        certificate = self.path("recipient.crt")
        self.lab.openssl("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "group:P-256", "-nodes", "-keyout", self.path("ca.pem"),
                         "-subj", "/CN=ca", "-out", self.path("ca.crt"), env=PLAIN)
        self.lab.openssl("x509", "-new", "-subj", "/CN=recipient", "-force_pubkey", self.public("ec:p256"), "-CA", self.path("ca.crt"),
                         "-CAkey", self.path("ca.pem"), "-out", certificate, env=PLAIN)
        for digest in ("sha1", "sha256", "sha512"):
            self.lab.openssl("cms", "-encrypt", "-aes256", "-in", self.message, "-outform", "DER", "-out", self.path("sealed.cms"),
                             "-recip", certificate, "-keyopt", f"ecdh_kdf_md:{digest}", env=PLAIN)
            opened = self.lab.openssl("cms", "-decrypt", "-in", self.path("sealed.cms"), "-inform", "DER", "-recip", certificate,
                                      "-inkey", self.key("ec:p256"))
            self.assertEqual(opened.stdout.replace("\r\n", "\n"), self.message.read_text())

    def test_encapsulation(self):
        if not POST_QUANTUM:
            refused = self.lab.cli("key", "generate", "--token", TOKEN, "--type", "ml-kem:768", "--label", "x", check=False)
            self.assertIn("the mechanism is not supported", refused.stderr)
        for kind in KEMS:
            with self.subTest(kind):
                sealed, secret = self.path("sealed"), self.path("shared")
                for key in (["-pubin", "-inkey", self.public(kind)], ["-inkey", self.key(kind)]):
                    environment = PLAIN if "-pubin" in key else None
                    self.lab.openssl("pkeyutl", "-encap", *key, "-out", sealed, "-secret", secret, env=environment)
                    opened = self.path("opened")
                    self.assert_clean(self.lab.openssl("pkeyutl", "-decap", "-inkey", self.key(kind), "-in", sealed, "-secret",
                                                       opened))
                    self.assertEqual(opened.read_bytes(), secret.read_bytes())

    # ---- TLS ----

    def test_tls13(self):
        for kind in ("ed25519", "ed448", *(kind for kind in MESSAGE_SIGNERS if kind.startswith("ml-dsa"))):
            with self.subTest(kind):
                certificate, port = self.path(f"{file_name(kind)}.tls.crt"), free_port()
                self.lab.cli("cert", "self-sign", "--token", TOKEN, file_name(kind), "--subject", "CN=localhost", "--san",
                             "localhost", "--out", certificate)
                log = f"s_server-{file_name(kind)}.log"
                server = self.lab.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key",
                                         self.key(kind), "-www", "-no_ticket"], log)
                wait_until(lambda log=log: "ACCEPT" in (self.path(log)).read_text(), "s_server", process=server)

                def fetch(port=port, certificate=certificate):
                    page = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-CAfile", certificate,
                                            "-verify_return_error", "-ign_eof", input="GET / HTTP/1.0\r\n\r\n", env=PLAIN)
                    self.assertIn("HTTP/1.0 200", page.stdout)
                fetch()
                self.assertEqual(operations_during(self.lab, fetch), {"Sign": 1})


class KeysMadeByOpenssl(LabTest):
    """`openssl genpkey` and its siblings make keys in the enclave."""

    KINDS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "rsapss": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "p521": ["EC", "-pkeyopt", "group:secp521r1"], "ed25519": ["ED25519"], "ed448": ["ED448"], "x25519": ["X25519"],
             "x448": ["X448"], "sm2": ["SM2"]}
    if POST_QUANTUM:
        KINDS.update({"mldsa": ["ML-DSA-65"], "mlkem": ["ML-KEM-768"], "slhdsa": ["SLH-DSA-SHA2-128s"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token(TOKEN)

    def generate(self, *arguments, check=True, env=None):
        return self.lab.openssl("genpkey", "-propquery", "provider=keyclave", *arguments, check=check, env=env)

    def test_every_type(self):
        for label, algorithm in self.KINDS.items():
            with self.subTest(label):
                reference = self.lab.dir / f"{label}.key"
                made = self.generate("-algorithm", *algorithm, "-pkeyopt", f"token:{TOKEN}", "-pkeyopt", f"label:{label}", "-out",
                                     reference)
                self.assertNotIn(":error:", made.stderr)
                self.assertTrue(reference.read_text().startswith("-----BEGIN PKCS#11 PROVIDER URI-----"))
                public = self.lab.openssl("pkey", "-in", reference, "-pubout").stdout
                found = self.lab.openssl("pkey", "-in", f"pkcs11:token={TOKEN};object={label};type=private", "-pubout").stdout
                self.assertEqual(public == found, label != "rsapss")  # which is RSA where the reference does not say more
                shown = self.lab.cli("key", "show", "--token", TOKEN, label, json=True)
                self.assertFalse(shown["extractable"] if "extractable" in shown else shown["attributes"]["extractable"] == "yes")

    def test_id_policy_and_usage(self):
        reference = self.lab.dir / "named.key"
        self.generate("-algorithm", "EC", "-pkeyopt", "group:P-256", "-pkeyopt",
                      f"pkcs11_uri:pkcs11:token={TOKEN};object=named;id=%01%02", "-pkeyopt", "usage:sign,derive", "-out", reference)
        self.lab.openssl("pkey", "-in", f"pkcs11:token={TOKEN};id=%01%02", "-noout")
        self.lab.openssl("pkeyutl", "-derive", "-inkey", reference, "-peerkey", self.lab.write(
            "named.pub", self.lab.openssl("pkey", "-in", reference, "-pubout").stdout), text=False)
        for option, words in (("usage:everything", "usage everything"), ("policy:none-such", "policy"), ("id:xyz", "hex")):
            refused = self.generate("-algorithm", "ED25519", "-pkeyopt", f"token:{TOKEN}", "-pkeyopt", "label:refused",
                                    "-pkeyopt", option, check=False)
            self.assertNotEqual(refused.returncode, 0, option)
            self.assertIn(words, refused.stderr)

    def test_without_a_configuration(self):
        """With the provider named on the command line, and in front: no property query is needed then."""
        named = ["-provider-path", PROVIDER.parent, "-provider", "keyclave", "-provider", "default"]
        reference = self.lab.dir / "plain.key"
        self.lab.openssl("genpkey", *named, "-algorithm", "EC", "-pkeyopt", "group:P-256", "-pkeyopt", f"token:{TOKEN}", "-pkeyopt",
                         "label:plain", "-out", reference, env=PLAIN)
        public = self.lab.openssl("pkey", *named, "-in", reference, "-pubout", env=PLAIN).stdout
        signature = self.lab.dir / "signature"
        self.lab.openssl("dgst", *named, "-sha256", "-sign", reference, "-out", signature, reference, env=PLAIN)
        self.lab.openssl("dgst", "-sha256", "-verify", self.lab.write("plain.pub", public), "-signature", signature, reference, env=PLAIN)

    def test_rsa_pss(self):
        """A key that signs with PSS only, and whose certificate says so."""
        reference, certificate = self.lab.dir / "pss.key", self.lab.dir / "pss.crt"
        self.generate("-algorithm", "RSA-PSS", "-pkeyopt", f"token:{TOKEN}", "-pkeyopt", "label:pss", "-out", reference)
        self.lab.openssl("req", "-new", "-x509", "-key", reference, "-subj", "/CN=pss", "-out", certificate)
        self.lab.openssl("verify", "-check_ss_sig", "-CAfile", certificate, certificate, env=PLAIN)
        shown = self.lab.openssl("x509", "-in", certificate, "-noout", "-text", env=PLAIN).stdout
        self.assertIn("Public Key Algorithm: rsassaPss", shown)
        uri = f"pkcs11:token={TOKEN};object=pss;type=private"
        refused = self.lab.openssl("dgst", "-sha256", "-sign", uri, reference, check=False, text=False)  # PKCS #1
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"keyclave", refused.stderr)

    def test_requests_with_a_new_key(self):
        """`openssl req -newkey` makes the key, its request and the reference in one step."""
        reference, request = self.lab.dir / "new.key", self.lab.dir / "new.csr"
        self.lab.openssl("req", "-propquery", "provider=keyclave", "-newkey", "ec", "-pkeyopt", "group:P-256", "-pkeyopt",
                         f"token:{TOKEN}", "-pkeyopt", "label:new", "-noenc", "-subj", "/CN=new", "-keyout", reference, "-out", request)
        self.lab.openssl("req", "-in", request, "-verify", "-noout", env=PLAIN)
        self.lab.openssl("pkey", "-in", reference, "-noout")

    def test_a_token_of_the_configuration(self):
        text = self.lab.openssl_conf.read_text()
        conf = self.lab.write("etc/token.cnf", text.replace("module =", f"keyclave-token = {TOKEN}\nmodule ="))
        self.generate("-algorithm", "ED25519", "-out", self.lab.dir / "nameless.key", env={"OPENSSL_CONF": str(conf)})
        self.lab.openssl("pkey", "-in", self.lab.dir / "nameless.key", "-noout")

    def test_refusals(self):
        refusals = {"no token is named": ["ED25519"],
                    "no such token": ["ED25519", "-pkeyopt", "token:nowhere"],
                    "no curve is named": ["EC", "-pkeyopt", f"token:{TOKEN}"],
                    "the curve is not supported": ["EC", "-pkeyopt", "group:secp112r1", "-pkeyopt", f"token:{TOKEN}"],
                    "more than two primes": ["RSA", "-pkeyopt", "primes:3", "-pkeyopt", f"token:{TOKEN}"]}
        for words, algorithm in refusals.items():
            with self.subTest(words):
                refused = self.generate("-algorithm", *algorithm, check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(words, refused.stderr)
        self.generate("-algorithm", "ED25519", "-pkeyopt", f"token:{TOKEN}", "-pkeyopt", "label:twice")
        refused = self.generate("-algorithm", "ED25519", "-pkeyopt", f"token:{TOKEN}", "-pkeyopt", "label:twice", check=False)
        self.assertIn("a key of this label already", refused.stderr)


if __name__ == "__main__":
    main()
