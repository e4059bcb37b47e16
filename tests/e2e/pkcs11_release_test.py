#!/usr/bin/env python3
"""C_WrapKey for a public key: what client.yaml names in the caller's evidence opens the wrapped key, and nothing else does.

The client is this file with an argument, in a process of its own; what it wrapped is opened here by another implementation.
"""

import ctypes
import os
import sys
from ctypes import Structure, byref, c_ulong, c_void_p, cast

import cryptoki
from cryptoki import Cryptoki, Mechanism, template
from lab import BUILD_DIR, LabTest, main

try:
    from cryptography.hazmat.primitives import hashes, keywrap, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
except ImportError as error:
    sys.exit(f"{error}: apt-get install python3-cryptography")

MODULE = os.environ.get("KEYCLAVE_TEST_MODULE", str(BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
PUBLIC, SECRET, RSA, AES = 2, 4, 0, 0x1f
CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP, CKM_RSA_AES_KEY_WRAP = 1, 9, 0x1054
SHA1, SHA256, MGF1_SHA1, MGF1_SHA256 = 0x220, 0x250, 1, 2
CKR_KEY_NOT_WRAPPABLE, CKR_KEY_UNEXTRACTABLE = 0x69, 0x6a
cryptoki.CKA_KEY_TYPE, cryptoki.CKA_MODULUS, cryptoki.CKA_PUBLIC_EXPONENT, cryptoki.CKA_WRAP = 0x100, 0x120, 0x122, 0x106

POLICY = """\
policy: release
version: 1
permit:
  - operations: [release, manage]
    when: {tee: {is: simulated}}
    wrap: [rsa-aes-key-wrap-sha256, rsa-oaep-sha256]
    allow_unattested: true
  - operations: [wrap]
    when: {tee: {is: simulated}}
    allow_unattested: true
"""


class Oaep(Structure):
    _fields_ = [("hash", c_ulong), ("mgf", c_ulong), ("source", c_ulong), ("label", c_void_p), ("label_size", c_ulong)]


class AesKeyWrap(Structure):
    _fields_ = [("aes_bits", c_ulong), ("oaep", c_void_p)]


def client_wrap(recipient, label, kind):
    """Prints the wrapped key, or the return value that refused it."""
    module = Cryptoki(MODULE)
    module.initialize()
    session = module.open_session(module.slot_of("vault"))
    with open(recipient, "rb") as file:
        numbers = serialization.load_pem_public_key(file.read()).public_numbers()
    array, count, _keep = template(CLASS=PUBLIC, KEY_TYPE=RSA, TOKEN=False, WRAP=True, MODULUS=numbers.n.to_bytes(256, "big"),
                                   PUBLIC_EXPONENT=numbers.e.to_bytes(3, "big"))
    wrapping = c_ulong(0)
    module.must("C_CreateObject", session, array, count, byref(wrapping))
    key, = module.find(session, CLASS=SECRET, LABEL=label.encode())
    oaep = Oaep(SHA256, MGF1_SHA256, 1, None, 0) if kind != "sha1" else Oaep(SHA1, MGF1_SHA1, 1, None, 0)
    both = AesKeyWrap(256, cast(byref(oaep), c_void_p))
    mechanism = {"rsa-aes-key-wrap": Mechanism(CKM_RSA_AES_KEY_WRAP, cast(byref(both), c_void_p), ctypes.sizeof(both)),
                 "pkcs1": Mechanism(CKM_RSA_PKCS, None, 0)}.get(
                     kind, Mechanism(CKM_RSA_PKCS_OAEP, cast(byref(oaep), c_void_p), ctypes.sizeof(oaep)))
    out, size = ctypes.create_string_buffer(1024), c_ulong(1024)
    rv = module.call("C_WrapKey", session, byref(mechanism), wrapping.value, key, out, byref(size))
    print(out.raw[:size.value].hex() if rv == 0 else f"rv {rv}")


class WrapForARecipient(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("vault", POLICY)
        for label, more in (("leaves", ["--extractable"]), ("stays", [])):
            cls.lab.cli("key", "generate", "--token", "vault", "--type", "aes:256", "--label", label, *more)
        cls.named, path = cls.recipient("named.pub")
        text = cls.lab.client_config.read_text()
        cls.lab.client_config.write_text(text + f"release_keys:\n  backup: {path}\n")

    @classmethod
    def recipient(cls, name):
        private = rsa.generate_private_key(65537, 2048)
        pem = private.public_key().public_bytes(serialization.Encoding.PEM,
                                                serialization.PublicFormat.SubjectPublicKeyInfo)
        return private, cls.lab.write(name, pem.decode())

    def wrap(self, recipient, label="leaves", kind="rsa-aes-key-wrap"):
        done = self.lab.run([sys.executable, __file__, "wrap", self.lab.dir / recipient, label, kind], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        said = done.stdout.strip()
        return int(said.split()[1]) if said.startswith("rv ") else bytes.fromhex(said)

    def open(self, wrapped, kind):
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        if kind == "oaep":
            return self.named.decrypt(wrapped, oaep)
        return keywrap.aes_key_unwrap_with_padding(self.named.decrypt(wrapped[:256], oaep), wrapped[256:])

    def test_the_named_recipient_opens_it(self):
        values = {self.open(self.wrap("named.pub", kind=kind), kind) for kind in ("rsa-aes-key-wrap", "oaep")}
        self.assertEqual([len(value) for value in values], [32], "both forms carry the same key")

    def test_another_public_key_gets_nothing(self):
        self.recipient("other.pub")
        for kind in ("rsa-aes-key-wrap", "oaep"):
            self.assertEqual(self.wrap("other.pub", kind=kind), CKR_KEY_NOT_WRAPPABLE)

    def test_forms_that_are_none(self):
        for kind in ("pkcs1", "sha1"):
            self.assertEqual(self.wrap("named.pub", kind=kind), CKR_KEY_NOT_WRAPPABLE)

    def test_a_key_that_stays(self):
        self.assertEqual(self.wrap("named.pub", label="stays"), CKR_KEY_UNEXTRACTABLE)


if __name__ == "__main__":
    if sys.argv[1:2] == ["wrap"]:
        client_wrap(*sys.argv[2:])
    else:
        main()
