#!/usr/bin/env python3
"""Every key type that pkcs11-tool (OpenSC) makes and every mechanism that it knows, checked by another implementation.

What 0.23 cannot ask for is in pykcs11_test.py: AES-CTR and -GCM, RSA encryption, OAEP to unwrap.
"""

import hashlib
import hmac
import re
import sys

from clients import ClientTest, OnPins, main

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils, x25519
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
except ImportError as error:
    sys.exit(f"{error}: apt-get install python3-cryptography")

MESSAGE = b"what is signed, all of it, and more than one block of it\n"
IV = bytes(range(16))
# pkcs11-tool's word, and what its listing calls the public key (0.26 counts the bits of the whole DER of some points).
PAIRS = {"rsa:2048": "RSA 2048 bits", "rsa:3072": "RSA 3072 bits", "rsa:4096": "RSA 4096 bits",
         "EC:prime256v1": "EC  EC_POINT 256 bits", "EC:secp384r1": "EC  EC_POINT 384 bits",
         "EC:secp521r1": "EC  EC_POINT 528 bits", "EC:secp256k1": "EC  EC_POINT 256 bits",
         "EC:edwards25519": "EC_EDWARDS  EC_POINT (255|272) bits", "EC:curve25519": "EC_MONTGOMERY  EC_POINT (255|272) bits"}
SECRETS = {"AES:16": "AES length 16", "AES:24": "AES length 24", "AES:32": "AES length 32",
           "GENERIC:20": "Generic secret length 20", "GENERIC:64": "Generic secret length 64"}
CURVES = {"prime256v1": ec.SECP256R1, "secp384r1": ec.SECP384R1, "secp521r1": ec.SECP521R1, "secp256k1": ec.SECP256K1}
POINTS = {"edwards25519": ed25519.Ed25519PublicKey.from_public_bytes, "curve25519": x25519.X25519PublicKey.from_public_bytes}
HASHES = {"SHA1": hashes.SHA1, "SHA224": hashes.SHA224, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384,
          "SHA512": hashes.SHA512}


def power(block, public):
    """RSA with the public exponent and nothing around it."""
    numbers = public.public_numbers()
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(len(block), "big")


class Mechanisms(ClientTest):
    hashes = HASHES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file("message", MESSAGE)
        cls.file("message48", MESSAGE[:48])

    def pair(self, key_type, key_id, *usage):
        """Makes a pair that ends with the test; its public key, as the tool shows it."""
        made = self.tool("--keypairgen", "--key-type", key_type, "--id", key_id, "--label", key_id, *usage).stdout
        self.addCleanup(self.delete, key_id, "privkey", "pubkey")
        self.assertRegex(made, "Public Key Object; " + PAIRS[key_type])
        if key_type.startswith("rsa:"):
            self.tool("--read-object", "--type", "pubkey", "--id", key_id, "-o", "public", login=False)
            return serialization.load_der_public_key(self.file("public"))
        # 0.23 saves EC keys from memory that it has freed.
        point = bytes.fromhex(re.search(r"EC_POINT: +([0-9a-f]+)", made).group(1))
        self.assertEqual(point[0], 0x04, "CKA_EC_POINT is a DER OCTET STRING")
        point = point[3 if point[1] == 0x81 else 2:]
        name = key_type[3:]
        if name in POINTS:
            return POINTS[name](point)
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[name](), point)

    def secret(self, key_type, key_id, *usage):
        """Makes a secret key that ends with the test; its value, which may be read."""
        made = self.tool("--keygen", "--key-type", key_type, "--id", key_id, "--label", key_id, "--extractable", *usage).stdout
        self.addCleanup(self.delete, key_id, "secrkey")
        self.assertIn("Secret Key Object; " + SECRETS[key_type], made)
        self.tool("--read-object", "--type", "secrkey", "--id", key_id, "-o", "value")
        return self.file("value")

    def delete(self, key_id, *kinds):
        for kind in kinds:
            self.tool("--delete-object", "--type", kind, "--id", key_id)

    def sign(self, key_id, mechanism, *options, data="message"):
        """Signs; the tool itself finds the signature good, and that of other data bad."""
        use = ("--id", key_id, "-m", mechanism, *options)
        self.tool("--sign", *use, "-i", data, "-o", "signature")
        for name, verdict in ((data, "Signature is valid"), ("changed", "Invalid signature")):
            self.file("changed", self.file(data)[:-1] + b"\x00")
            done = self.tool("--verify", *use, "-i", name, "--signature-file", "signature", check=False)
            self.assertIn(verdict, done.stdout + done.stderr, mechanism)
        return self.file("signature")

    def test_makes_every_key_type(self):
        for number, key_type in enumerate(PAIRS):
            with self.subTest(key_type):
                self.pair(key_type, f"1{number}")
        for number, key_type in enumerate(SECRETS):
            with self.subTest(key_type):
                self.assertEqual(len(self.secret(key_type, f"2{number}")), int(key_type.partition(":")[2]))

    def test_signs_with_rsa(self):
        public = self.pair("rsa:2048", "30")
        for name, algorithm in self.hashes.items():
            public.verify(self.sign("30", f"{name}-RSA-PKCS"), MESSAGE, padding.PKCS1v15(), algorithm())
            pss = padding.PSS(mgf=padding.MGF1(algorithm()), salt_length=algorithm.digest_size)
            mgf = ("--mgf", "MGF1-" + name)
            public.verify(self.sign("30", f"{name}-RSA-PKCS-PSS", *mgf), MESSAGE, pss, algorithm())
        digest = hashlib.sha384(MESSAGE).digest()
        self.file("digest", digest)
        raw_pss = ("--hash-algorithm", "SHA384", "--mgf", "MGF1-SHA384", "--salt-len", "20")
        public.verify(self.sign("30", "RSA-PKCS-PSS", *raw_pss, data="digest"), digest,
                      padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=20), utils.Prehashed(hashes.SHA384()))
        # The bare primitives: PKCS#1 v1.5 around what the caller hands over, and nothing around it.
        block = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        self.assertEqual(power(self.sign("30", "RSA-PKCS", data="digest"), public), block)
        self.file("block", block)
        self.assertEqual(power(self.sign("30", "RSA-X-509", data="block"), public), block)

    def test_signs_with_ec(self):
        for number, name in enumerate(CURVES):
            key_id = f"4{number}"
            public = self.pair("EC:" + name, key_id)
            for word, algorithm in (self.hashes if number == 0 else {"SHA384": hashes.SHA384}).items():
                signature = self.sign(key_id, f"ECDSA-{word}")
                half = len(signature) // 2
                self.assertEqual(half, (public.curve.key_size + 7) // 8)
                der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
                public.verify(der, MESSAGE, ec.ECDSA(algorithm()))
            self.file("digest", hashlib.sha256(MESSAGE).digest())
            self.tool("--sign", "--id", key_id, "-m", "ECDSA", "--signature-format", "openssl", "-i", "digest", "-o", "signature")
            public.verify(self.file("signature"), MESSAGE, ec.ECDSA(hashes.SHA256()))

    def test_signs_with_ed25519(self):
        self.pair("EC:edwards25519", "50").verify(self.sign("50", "EDDSA"), MESSAGE)

    def test_authenticates(self):
        for key_type in ("GENERIC:20", "GENERIC:64"):
            value = self.secret(key_type, "51", "--usage-sign")
            for name in (word.replace("SHA1", "SHA-1") for word in self.hashes):
                self.assertEqual(self.sign("51", name + "-HMAC"),
                                 hmac.digest(value, MESSAGE, name.replace("-", "").lower()), name)
            self.doCleanups()

    def test_encrypts_with_aes(self):
        for number, key_type in enumerate(("AES:16", "AES:24", "AES:32") if self.pin is None else ("AES:32",)):
            key_id = f"6{number}"
            value = self.secret(key_type, key_id)
            self.file("blocks", MESSAGE[:48])
            for mechanism, mode in (("AES-ECB", modes.ECB()), ("AES-CBC", modes.CBC(IV))):
                self.check_cipher(key_id, mechanism, "blocks", Cipher(algorithms.AES(value), mode), MESSAGE[:48])
            fill = 16 - len(MESSAGE) % 16
            self.check_cipher(key_id, "AES-CBC-PAD", "message", Cipher(algorithms.AES(value), modes.CBC(IV)),
                              MESSAGE + bytes([fill]) * fill)

    def check_cipher(self, key_id, mechanism, name, cipher, filled):
        use = ("--id", key_id, "-m", mechanism, *(() if mechanism == "AES-ECB" else ("--iv", IV.hex())))
        self.tool("--encrypt", *use, "-i", name, "-o", "encrypted")
        encryptor = cipher.encryptor()
        self.assertEqual(self.file("encrypted"), encryptor.update(filled) + encryptor.finalize(), mechanism)
        self.tool("--decrypt", *use, "-i", "encrypted", "-o", "decrypted")
        self.assertEqual(self.file("decrypted"), self.file(name), mechanism)

    def test_decrypts_with_rsa(self):
        public = self.pair("rsa:2048", "31")
        for name, algorithm in self.hashes.items():
            oaep = padding.OAEP(mgf=padding.MGF1(algorithm()), algorithm=algorithm(), label=None)
            self.file("encrypted", public.encrypt(MESSAGE, oaep))
            word = name.replace("SHA1", "SHA-1")
            self.tool("--decrypt", "--id", "31", "-m", "RSA-PKCS-OAEP", "--hash-algorithm", word, "--mgf", "MGF1-" + name,
                      "-i", "encrypted", "-o", "decrypted")
            self.assertEqual(self.file("decrypted"), MESSAGE, name)
        self.file("encrypted", public.encrypt(MESSAGE, padding.PKCS1v15()))
        self.tool("--decrypt", "--id", "31", "-m", "RSA-PKCS", "-i", "encrypted", "-o", "decrypted")
        self.assertEqual(self.file("decrypted"), MESSAGE)
        block = bytes(1) + MESSAGE * 4
        block += bytes(256 - len(block))
        self.file("encrypted", power(block, public))
        self.tool("--decrypt", "--id", "31", "-m", "RSA-X-509", "-i", "encrypted", "-o", "decrypted")
        self.assertEqual(self.file("decrypted"), block)

    def test_wraps_and_unwraps(self):
        """Secret keys under a key of the token that nobody can know: `wrap: [token-key]` of the policy."""
        self.tool("--keygen", "--key-type", "AES:32", "--id", "70", "--label", "kek", "--sensitive")
        self.addCleanup(self.delete, "70", "secrkey")
        value = self.secret("AES:16", "71")
        for mechanism in ("AES-KEY-WRAP", "0x210B", "AES-CBC-PAD", "AES-CBC", "AES-ECB"):
            with self.subTest(mechanism):
                use = ("--id", "70", "-m", mechanism, *(("--iv", IV.hex()) if "CBC" in mechanism else ()))
                self.tool("--wrap", *use, "--application-id", "71", "-o", "wrapped")
                self.assertNotIn(value, self.file("wrapped"))
                self.tool("--unwrap", *use, "-i", "wrapped", "--key-type", "AES:16", "--application-id", "72",
                          "--application-label", "unwrapped", "--sensitive")
                self.check_cipher("72", "AES-CBC", "message48", Cipher(algorithms.AES(value), modes.CBC(IV)), MESSAGE[:48])
                self.delete("72", "secrkey")

    def test_unwraps_what_others_wrapped(self):
        public = self.pair("rsa:2048", "73", "--usage-wrap")
        value = bytes(range(32))
        self.file("wrapped", public.encrypt(value, padding.PKCS1v15()))
        self.tool("--unwrap", "--id", "73", "-m", "RSA-PKCS", "-i", "wrapped", "--key-type", "AES:", "--application-id", "74",
                  "--application-label", "unwrapped", "--sensitive")
        self.check_cipher("74", "AES-CBC", "message48", Cipher(algorithms.AES(value), modes.CBC(IV)), MESSAGE[:48])
        self.delete("74", "secrkey")

    def test_derives(self):
        for number, name in enumerate(("prime256v1", "secp384r1", "secp521r1", "secp256k1")):
            for mechanism in ("ECDH1-DERIVE", "ECDH1-COFACTOR-DERIVE"):
                with self.subTest(f"{name} {mechanism}"):
                    key_id = f"8{number}"
                    public = self.pair("EC:" + name, key_id, "--usage-derive")
                    peer = ec.generate_private_key(CURVES[name]())
                    self.assertEqual(self.derive(key_id, mechanism, peer.public_key()), peer.exchange(ec.ECDH(), public))
                    self.doCleanups()

    def derive(self, key_id, mechanism, peer):
        self.file("peer", peer.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        self.tool("--derive", "--id", key_id, "-m", mechanism, "-i", "peer", "-o", "secret", "--extractable")
        return self.file("secret")

    def test_hashes(self):
        for name in ("SHA-1", "SHA224", "SHA256", "SHA384", "SHA512"):
            self.tool("--hash", "-m", name, "-i", "message", "-o", "hashed", login=False)
            self.assertEqual(self.file("hashed"), hashlib.new(name.replace("-", "").lower(), MESSAGE).digest(), name)

    def test_lists_what_it_offers(self):
        listing = self.tool("--list-mechanisms", login=False).stdout
        for wanted in ("RSA-PKCS, keySize={2048,8192}, hw, encrypt, decrypt, sign, sign_recover, verify, verify_recover, wrap, unwrap",
                       "ECDSA-SHA256, keySize={256,521}, hw, sign, verify, EC F_P, EC OID, EC uncompressed",
                       "AES-KEY-WRAP, keySize={16,32}, hw, encrypt, decrypt, wrap, unwrap", "SHA256, digest"):
            self.assertIn(wanted, listing)
        self.assertRegex(self.lab.pkcs11_tool("--list-interfaces").stdout, r"'PKCS 11'\n +version: 3\.0\n")


class WithPins(OnPins, Mechanisms):
    """The same with a login; which hash it is makes no difference to that."""

    hashes = {"SHA256": hashes.SHA256}


if __name__ == "__main__":
    main()
