#!/usr/bin/env python3
"""Keys leave the enclave only wrapped for a public key of the caller's evidence, and with a receipt. What was wrapped is opened
here by another implementation (python3-cryptography)."""

import base64
import hashlib
import hmac
import json
import sys

from jose import open_jwe
from lab import KEYCLAVE, LabTest, main

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives import hashes, keywrap, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils, x25519
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
except ImportError as error:
    sys.exit(f"{error}: apt-get install python3-cryptography")

INFO = b"keyclave/release/1"
KEMS = {"hpke-p256": 0x0010, "hpke-x25519": 0x0020}

# Releases to `keyclave` itself, and to no other program.
POLICY = """\
policy: backup
version: 1
permit:
  - operations: [release, read]
    when: {{tee: {{is: simulated}}, measurement: {{is: {measurement}}}}}
    allow_unattested: true
"""


class Hkdf:
    """The labelled functions of RFC 9180, section 4."""

    def __init__(self, suite):
        self.suite = suite

    def extract(self, salt, label, ikm):
        return hmac.new(salt or bytes(32), b"HPKE-v1" + self.suite + label + ikm, hashlib.sha256).digest()

    def expand(self, key, label, info, size):
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + self.suite + label + info
        return HKDFExpand(algorithm=hashes.SHA256(), length=size, info=labelled).derive(key)


def decode(text):
    """base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def raw_public(key):
    if isinstance(key, x25519.X25519PublicKey):
        return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def hpke_open(form, private, aad, sealed):
    """RFC 9180, base mode, with HKDF-SHA256 and AES-256-GCM."""
    kem = KEMS[form].to_bytes(2, "big")
    size = 65 if form == "hpke-p256" else 32
    encapsulated, ciphertext = sealed[:size], sealed[size:]
    if form == "hpke-p256":
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encapsulated)
        agreed = private.exchange(ec.ECDH(), peer)
    else:
        agreed = private.exchange(x25519.X25519PublicKey.from_public_bytes(encapsulated))
    hkdf = Hkdf(b"KEM" + kem)
    shared = hkdf.expand(hkdf.extract(b"", b"eae_prk", agreed), b"shared_secret",
                         encapsulated + raw_public(private.public_key()), 32)
    hkdf = Hkdf(b"HPKE" + kem + b"\x00\x01" + b"\x00\x02")
    context = b"\x00" + hkdf.extract(b"", b"psk_id_hash", b"") + hkdf.extract(b"", b"info_hash", INFO)
    secret = hkdf.extract(shared, b"secret", b"")
    return AESGCM(hkdf.expand(secret, b"key", context, 32)).decrypt(hkdf.expand(secret, b"base_nonce", context, 12),
                                                                    ciphertext, aad)


def rsa_open(form, private, wrapped):
    algorithm = {"256": hashes.SHA256, "384": hashes.SHA384}[form[-3:]]
    oaep = padding.OAEP(mgf=padding.MGF1(algorithm()), algorithm=algorithm(), label=None)
    if form.startswith("rsa-oaep"):
        return private.decrypt(wrapped, oaep)
    size = private.key_size // 8
    return keywrap.aes_key_unwrap_with_padding(private.decrypt(wrapped[:size], oaep), wrapped[size:])


def new_recipient(form):
    if form == "hpke-p256":
        return ec.generate_private_key(ec.SECP256R1())
    return x25519.X25519PrivateKey.generate() if form == "hpke-x25519" else rsa.generate_private_key(65537, 2048)


class Release(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        measured = cls.lab.cli("evidence", "measure", KEYCLAVE, json=True)["programs"][0]["measurement"]
        cls.lab.make_token("vault", POLICY.format(measurement=measured))
        cls.generate("aes", "aes:256", "--extractable")
        cls.generate("rsa", "rsa:2048", "--extractable")
        cls.generate("stays", "aes:256")

    @classmethod
    def generate(cls, label, kind, *more):
        return cls.lab.cli("key", "generate", "--token", "vault", "--type", kind, "--label", label, *more, json=True)

    def recipient(self, form, name="recipient.pub"):
        private = new_recipient(form)
        pem = private.public_key().public_bytes(serialization.Encoding.PEM,
                                                serialization.PublicFormat.SubjectPublicKeyInfo)
        return private, self.lab.write(name, pem.decode())

    def release(self, key, *more, check=True):
        return self.lab.cli("key", "release", "--token", "vault", key, *more, check=check)

    def refused(self, key, *more, code=1):
        process = self.release(key, *more, check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def open_file(self, form, private, receipt):
        wrapped = (self.lab.dir / "wrapped").read_bytes()
        self.assertEqual(hashlib.sha256(wrapped).hexdigest(), receipt["wrapped"])
        if form in KEMS:
            return hpke_open(form, private, bytes.fromhex(receipt["object"]), wrapped)
        return rsa_open(form, private, wrapped)

    def test_every_form_opens_elsewhere(self):
        values = {}
        for form in ("hpke-p256", "hpke-x25519", "rsa-aes-key-wrap-sha256", "rsa-aes-key-wrap-sha384", "rsa-oaep-sha256",
                     "rsa-oaep-sha384"):
            private, pem = self.recipient(form)
            receipt = json.loads(self.release("aes", "--recipient", pem, "--form", form, "-o", "wrapped", "--json").stdout)
            self.assertEqual(receipt["form"], form)
            values[form] = self.open_file(form, private, receipt)
            self.assertEqual(len(values[form]), 32)
        self.assertEqual(len(set(values.values())), 1, "every form carries the same key")

    def test_a_private_key_is_pkcs8(self):
        for form, kind in (("rsa-aes-key-wrap-sha256", "rsa"), ("hpke-x25519", "rsa")):
            private, pem = self.recipient(form)
            receipt = json.loads(self.release(kind, "--recipient", pem, "-o", "wrapped", "--json").stdout)
            self.assertEqual(receipt["form"], form, "what fits the recipient's key")
            key = serialization.load_der_private_key(self.open_file(form, private, receipt), None)
            self.assertEqual(key.key_size, 2048)
        self.assertIn("does not fit", self.refused("rsa", "--recipient", self.recipient("rsa-oaep-sha256")[1], "--form",
                                                   "rsa-oaep-sha256", "-o", "wrapped"))

    def test_jwe_where_the_policy_names_it(self):
        private, pem = self.recipient("rsa-oaep-sha256", "jwe.pub")
        self.assertIn("jwe-rsa-oaep-256", self.refused("aes", "--recipient", pem, "--form", "jwe-rsa-oaep-256", "-o", "wrapped"))
        measured = self.lab.cli("evidence", "measure", KEYCLAVE, json=True)["programs"][0]["measurement"]
        self.lab.make_token("jwe", POLICY.format(measurement=measured).replace("read]", "read]\n    wrap: [jwe]"))
        self.lab.cli("key", "generate", "--token", "jwe", "--type", "aes:256", "--label", "k", "--extractable")
        values = set()
        for form, private in (("jwe-rsa-oaep-256", private), ("jwe-ecdh-es-a256kw", ec.generate_private_key(ec.SECP256R1())),
                              ("jwe-ecdh-es-a256kw", ec.generate_private_key(ec.SECP384R1()))):
            pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            self.lab.cli("key", "release", "--token", "jwe", "k", "--recipient", self.lab.write("jwe.pub", pem.decode()),
                         "--form", form, "-o", "wrapped")
            values.add(open_jwe((self.lab.dir / "wrapped").read_text(), private))
        for form in ("jwe-rsa-oaep-256", "jwe-ecdh-es-a256kw"):
            self.lab.cli("key", "release", "--token", "jwe", "k", "--unwrap", "--form", form, "-o", "k.bin")
            values.add((self.lab.dir / "k.bin").read_bytes())
        self.assertEqual([len(value) for value in values], [32])

    def test_what_was_released_is_for_its_object_alone(self):
        private, pem = self.recipient("hpke-x25519")
        self.release("aes", "--recipient", pem, "-o", "wrapped")
        with self.assertRaises(InvalidTag):
            hpke_open("hpke-x25519", private, bytes(16), (self.lab.dir / "wrapped").read_bytes())

    def test_unwraps_to_a_file_of_its_owner_only(self):
        self.release("rsa", "--unwrap", "-o", "rsa.der")
        path = self.lab.dir / "rsa.der"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(serialization.load_der_private_key(path.read_bytes(), None).key_size, 2048)
        for form in ("hpke-p256", "rsa-oaep-sha384", "rsa-aes-key-wrap-sha384"):
            self.release("aes", "--unwrap", "--form", form, "-o", "aes.bin")
            self.assertEqual(len((self.lab.dir / "aes.bin").read_bytes()), 32)
        self.assertIn("--unwrap", self.refused("aes", "-o", "aes.bin", code=2))

    def test_the_receipt_is_checked_offline(self):
        _, pem = self.recipient("hpke-x25519")
        self.release("aes", "--recipient", pem, "-o", "wrapped")
        self.lab.cli("audit", "key", "--out", "audit.pem")
        check = ("audit", "receipt", "wrapped.receipt", "--key", "audit.pem")
        shown = self.lab.cli(*check, "--wrapped", "wrapped", json=True)
        self.assertEqual((shown["label"], shown["policy"], shown["form"]), ("aes", "backup", "hpke-x25519"))
        der = serialization.load_pem_public_key(pem.read_bytes()).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(shown["recipient_key"], hashlib.sha256(der).hexdigest())
        # It names its record in the log, which was written first.
        lines = [json.loads(line) for line in self.lab.cli("audit", "show", "--json").stdout.splitlines()]
        record = next(line for line in lines if line["seq"] == shown["audit_sequence"])
        self.assertEqual((record["event"], record["object"]), ("release", shown["object"]))
        # Another key, another file, another byte.
        self.lab.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "other.key")
        self.lab.openssl("pkey", "-in", "other.key", "-pubout", "-out", "other.pem")
        self.assertEqual(self.lab.cli(*check[:-1], "other.pem", check=False).returncode, 1)
        self.assertEqual(self.lab.cli(*check, "--wrapped", "audit.pem", check=False).returncode, 1)
        receipt = json.loads((self.lab.dir / "wrapped.receipt").read_text())
        middle = len(receipt["receipt"]) // 2
        flipped = "A" if receipt["receipt"][middle] != "A" else "B"
        receipt["receipt"] = receipt["receipt"][:middle] + flipped + receipt["receipt"][middle + 1:]
        self.lab.write("edited.receipt", json.dumps(receipt))
        self.assertIn("signature", self.lab.cli("audit", "receipt", "edited.receipt", "--key", "audit.pem",
                                                check=False).stderr)

    def test_the_receipt_is_a_jws_too(self):
        _, pem = self.recipient("rsa-aes-key-wrap-sha256")
        receipt = json.loads(self.release("aes", "--recipient", pem, "-o", "wrapped", "--json").stdout)
        self.lab.cli("audit", "key", "--out", "audit.pem")
        key = serialization.load_pem_public_key((self.lab.dir / "audit.pem").read_bytes())
        jws = json.loads((self.lab.dir / "wrapped.receipt").read_text())["jws"]
        signed, _, signature = jws.rpartition(".")
        header, claims = (json.loads(decode(part)) for part in signed.split("."))
        self.assertEqual((header["alg"], header["typ"]), ("ES256", "keyclave-receipt+jwt"))
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(header["kid"], hashlib.sha256(der).hexdigest())
        halves = decode(signature)
        self.assertEqual(len(halves), 64)
        key.verify(utils.encode_dss_signature(int.from_bytes(halves[:32], "big"), int.from_bytes(halves[32:], "big")),
                   signed.encode(), ec.ECDSA(hashes.SHA256()))
        self.assertEqual(claims["iss"], self.lab.cli("status", json=True)["enclave"])
        for name in ("object", "label", "policy", "policy_version", "policy_digest", "permit", "evidence", "tee", "measurement",
                     "recipient", "recipient_key", "form", "wrapped"):
            self.assertEqual(claims[name], receipt[name], name)
        self.assertEqual(claims["jti"], str(receipt["audit_sequence"]))

    # Lesson 29: what its owner did not mark as extractable, no policy releases; and what no policy releases, nobody marks.
    def test_keys_that_stay(self):
        _, pem = self.recipient("hpke-x25519")
        self.assertIn("not extractable", self.refused("stays", "--recipient", pem, "-o", "wrapped"))
        self.lab.make_token("closed", POLICY.format(measurement="ab" * 32).replace("release, read", "sign"))
        process = self.lab.cli("key", "generate", "--token", "closed", "--type", "aes:256", "--label", "k", "--extractable",
                               check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("release", process.stderr)

    # Lesson 43: the recipient is a key of the evidence; SHA-1 is nobody's choice.
    def test_forms_that_do_not_exist(self):
        _, pem = self.recipient("rsa-oaep-sha256")
        for form in ("rsa-oaep-sha1", "rsa-oaep", "hpke", "token-key"):
            self.assertIn("--form", self.refused("aes", "--recipient", pem, "--form", form, "-o", "wrapped", code=2))
        self.assertIn("does not fit", self.refused("aes", "--recipient", pem, "--form", "hpke-p256", "-o",
                                                   "wrapped", code=2))

    # Lesson 30: a private key is no recipient, and does not travel.
    def test_a_private_key_is_no_recipient(self):
        self.lab.openssl("genpkey", "-algorithm", "X25519", "-out", "private.pem")
        self.assertIn("public key", self.refused("aes", "--recipient", "private.pem", "-o", "wrapped"))


if __name__ == "__main__":
    main()
