#!/usr/bin/env python3
"""The functions that PKCS#11 3.0 and 3.2 add, against the real enclave: what one of them makes, another reads.

The client is this file with an argument, in a process of its own.
"""

import ctypes
import os
import sys
from ctypes import Structure, byref, c_ulong, c_void_p, cast

import cryptoki
from cryptoki import CKM_ECDSA_SHA256, CKO_PRIVATE_KEY, Cryptoki, Mechanism, template
from lab import BUILD_DIR, LabTest, main

CKM_AES_GCM, CKM_AES_CCM, CKM_AES_KEY_GEN = 0x1087, 0x1088, 0x1080
CKG_NO_GENERATE, CKG_GENERATE, CKG_GENERATE_COUNTER = 0, 1, 2
CKR_ENCRYPTED_DATA_INVALID, CKR_SIGNATURE_INVALID, CKR_WRAPPED_KEY_INVALID = 0x40, 0xc0, 0x110
CKM_AES_ECB = 0x1081
END_OF_MESSAGE = 1
SECRET, AES = 4, 0x1f
cryptoki.CKA_KEY_TYPE, cryptoki.CKA_VALUE_LEN, cryptoki.CKA_EXTRACTABLE = 0x100, 0x161, 0x162
cryptoki.CKA_ENCRYPT, cryptoki.CKA_DECRYPT, cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP = 0x104, 0x105, 0x106, 0x107
MESSAGE, ASSOCIATED = os.urandom(1000), b"what goes with it"


# C_WrapKey under a key of the token (`token-key`) is a form of release that a policy must name.
VAULT_POLICY = """\
policy: vault
version: 1
permit:
  - operations: [release]
    when: {tee: {is: simulated}}
    wrap: [token-key]
    allow_unattested: true
  - operations: [wrap, unwrap, encrypt, manage]
    when: {tee: {is: simulated}}
    allow_unattested: true
"""


class GcmMessage(Structure):
    _fields_ = [("iv", c_void_p), ("iv_size", c_ulong), ("fixed_bits", c_ulong), ("generator", c_ulong), ("tag", c_void_p),
                ("tag_bits", c_ulong)]


class Gcm(Structure):
    _fields_ = [("iv", c_void_p), ("iv_size", c_ulong), ("iv_bits", c_ulong), ("aad", c_void_p), ("aad_size", c_ulong),
                ("tag_bits", c_ulong)]


class CcmMessage(Structure):
    _fields_ = [("data", c_ulong), ("nonce", c_void_p), ("size", c_ulong), ("fixed_bits", c_ulong), ("generator", c_ulong), ("mac", c_void_p),
                ("mac_size", c_ulong)]


class Ccm(Structure):
    _fields_ = [("data", c_ulong), ("nonce", c_void_p), ("size", c_ulong), ("aad", c_void_p), ("aad_size", c_ulong), ("mac_size", c_ulong)]


class Client:
    def __init__(self, label):
        self.module = Cryptoki(os.environ.get("KEYCLAVE_TEST_MODULE", BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
        self.module.initialize()
        self.session = self.module.open_session(self.module.slot_of(label))
        self.iv, self.tag = ctypes.create_string_buffer(os.urandom(12), 12), ctypes.create_string_buffer(16)
        self.param = GcmMessage(cast(self.iv, c_void_p), 12, 0, CKG_NO_GENERATE, cast(self.tag, c_void_p), 128)

    def must(self, name, *arguments):
        self.module.must(name, self.session, *arguments)

    def call(self, name, *arguments):
        return self.module.call(name, self.session, *arguments)

    def aes_key(self, extractable=False):
        array, count, _keep = template(EXTRACTABLE=extractable, CLASS=SECRET, KEY_TYPE=AES, VALUE_LEN=32, ENCRYPT=True, DECRYPT=True, WRAP=True, UNWRAP=True)
        key = c_ulong(0)
        self.must("C_GenerateKey", byref(Mechanism(CKM_AES_KEY_GEN, None, 0)), array, count, byref(key))
        return key.value

    def message(self, function, data, associated=ASSOCIATED):
        """One whole message; the output."""
        out, size = ctypes.create_string_buffer(2048), c_ulong(2048)
        self.must(function, byref(self.param), ctypes.sizeof(self.param), associated, len(associated), data, len(data), out, byref(size))
        return out.raw[:size.value]

    def in_parts(self, kind, data, cut):
        self.must(f"C_{kind}MessageBegin", byref(self.param), ctypes.sizeof(self.param), ASSOCIATED, len(ASSOCIATED))
        whole = b""
        for part, flags in ((data[:cut], 0), (data[cut:], END_OF_MESSAGE)):
            out, size = ctypes.create_string_buffer(2048), c_ulong(2048)
            self.must(f"C_{kind}MessageNext", byref(self.param), ctypes.sizeof(self.param), part, len(part), out, byref(size), flags)
            whole += out.raw[:size.value]
        return whole


def client_encrypt():
    client = Client("web")
    key = client.aes_key()
    gcm = byref(Mechanism(CKM_AES_GCM, None, 0))
    client.must("C_MessageEncryptInit", gcm, key)
    made = []
    for generator, fixed in ((CKG_NO_GENERATE, 0), (CKG_GENERATE, 0), (CKG_GENERATE, 32), (CKG_GENERATE_COUNTER, 64), (CKG_GENERATE_COUNTER, 64)):
        client.param.generator, client.param.fixed_bits = generator, fixed
        made.append((client.message("C_EncryptMessage", MESSAGE), client.iv.raw, client.tag.raw))
    made.append((client.in_parts("Encrypt", MESSAGE, 300), client.iv.raw, client.tag.raw))
    client.must("C_MessageEncryptFinal")
    assert len({iv for _, iv, _ in made}) == len(made), "a vector was used twice"
    assert [iv[8:] for _, iv, _ in made[3:]] == [b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2"]
    for ciphertext, iv, tag in made:  # C_Decrypt reads what C_EncryptMessage wrote
        client.iv.raw = iv
        param = Gcm(cast(client.iv, c_void_p), 12, 96, cast(ctypes.c_char_p(ASSOCIATED), c_void_p), len(ASSOCIATED), 128)
        client.must("C_DecryptInit", byref(Mechanism(CKM_AES_GCM, cast(byref(param), c_void_p), ctypes.sizeof(param))), key)
        out, size = ctypes.create_string_buffer(2048), c_ulong(2048)
        client.must("C_Decrypt", ciphertext + tag, len(ciphertext + tag), out, byref(size))
        assert out.raw[:size.value] == MESSAGE
    client.must("C_MessageDecryptInit", gcm, key)
    for ciphertext, iv, tag in made:
        client.iv.raw, client.tag.raw = iv, tag
        assert client.message("C_DecryptMessage", ciphertext) == MESSAGE
        assert client.in_parts("Decrypt", ciphertext, 999) == MESSAGE
    out, size = ctypes.create_string_buffer(2048), c_ulong(2048)
    refused = client.call("C_DecryptMessage", byref(client.param), ctypes.sizeof(client.param), b"other", 5, ciphertext, len(ciphertext), out,
                          byref(size))
    assert refused == CKR_ENCRYPTED_DATA_INVALID and out.raw == bytes(2048), "something of a changed message came out"
    client.must("C_MessageDecryptFinal")


def client_ccm():
    client = Client("web")
    key = client.aes_key()
    ccm = byref(Mechanism(CKM_AES_CCM, None, 0))
    nonce = cast(client.iv, c_void_p)
    client.param = CcmMessage(len(MESSAGE), nonce, 12, 32, CKG_GENERATE, cast(client.tag, c_void_p), 16)
    client.must("C_MessageEncryptInit", ccm, key)
    made = [(client.message("C_EncryptMessage", MESSAGE), client.iv.raw, client.tag.raw) for _ in range(3)]
    made.append((client.in_parts("Encrypt", MESSAGE, 300), client.iv.raw, client.tag.raw))
    client.must("C_MessageEncryptFinal")
    assert len({iv for _, iv, _ in made}) == len(made) and len({iv[:4] for _, iv, _ in made}) == 1
    client.param.generator = CKG_NO_GENERATE
    client.must("C_MessageDecryptInit", ccm, key)
    for ciphertext, iv, tag in made:
        client.iv.raw, client.tag.raw = iv, tag
        assert client.message("C_DecryptMessage", ciphertext) == MESSAGE
        assert client.in_parts("Decrypt", ciphertext, 999) == MESSAGE
    client.must("C_MessageDecryptFinal")
    for ciphertext, iv, tag in made:  # C_Decrypt reads what C_EncryptMessage wrote
        client.iv.raw = iv
        param = Ccm(len(MESSAGE), nonce, 12, cast(ctypes.c_char_p(ASSOCIATED), c_void_p), len(ASSOCIATED), 16)
        client.must("C_DecryptInit", byref(Mechanism(CKM_AES_CCM, cast(byref(param), c_void_p), ctypes.sizeof(param))), key)
        out, size = ctypes.create_string_buffer(2048), c_ulong(2048)
        client.must("C_Decrypt", ciphertext + tag, len(ciphertext + tag), out, byref(size))
        assert out.raw[:size.value] == MESSAGE
    # A key, wrapped and unwrapped with associated data.
    how = byref(Mechanism(CKM_AES_CCM, cast(byref(client.param), c_void_p), ctypes.sizeof(client.param)))
    other, out, size, back = client.aes_key(extractable=True), ctypes.create_string_buffer(64), c_ulong(64), c_ulong(0)
    client.must("C_WrapKeyAuthenticated", how, key, other, ASSOCIATED, len(ASSOCIATED), out, byref(size))
    assert size.value == 32
    array, count, _keep = template(CLASS=SECRET, KEY_TYPE=AES)
    client.must("C_UnwrapKeyAuthenticated", how, key, out, size, array, count, ASSOCIATED, len(ASSOCIATED), byref(back))
    assert client.call("C_UnwrapKeyAuthenticated", how, key, out, size, array, count, b"other", 5, byref(back)) == CKR_WRAPPED_KEY_INVALID


def client_sign():
    client = Client("web")
    private, = client.module.find(client.session, CLASS=CKO_PRIVATE_KEY, LABEL=b"ec")
    public, = client.module.find(client.session, CLASS=2, LABEL=b"ec")
    ecdsa = byref(Mechanism(CKM_ECDSA_SHA256, None, 0))
    signatures = []
    client.must("C_MessageSignInit", ecdsa, private)
    for data in (b"one", b"two", os.urandom(100_000)):
        out, size = ctypes.create_string_buffer(64), c_ulong(64)
        client.must("C_SignMessage", None, 0, data, len(data), out, byref(size))
        signatures.append((data, out.raw))
        client.must("C_SignMessageBegin", None, 0)
        client.must("C_SignMessageNext", None, 0, data[:2], 2, None, None)
        client.must("C_SignMessageNext", None, 0, data[2:], len(data) - 2, out, byref(size))
        signatures.append((data, out.raw))
    client.must("C_MessageSignFinal")
    client.must("C_MessageVerifyInit", ecdsa, public)
    for data, signature in signatures:
        client.must("C_VerifyMessage", None, 0, data, len(data), signature, 64)
        assert client.call("C_VerifyMessage", None, 0, data + b"x", len(data) + 1, signature, 64) == CKR_SIGNATURE_INVALID
    client.must("C_MessageVerifyFinal")
    for data, signature in signatures:
        client.must("C_VerifySignatureInit", ecdsa, public, signature, 64)
        client.must("C_VerifySignature", data, len(data))
        client.must("C_VerifySignatureInit", ecdsa, public, signature, 64)
        client.must("C_VerifySignatureUpdate", data, len(data))
        assert client.call("C_VerifySignatureUpdate", b"x", 1) == 0
        assert client.call("C_VerifySignatureFinal") == CKR_SIGNATURE_INVALID


def client_wrap():
    """A key of the token leaves it under another one of its keys and comes back: it is the same key."""
    client = Client("vault")
    wrapping, = client.module.find(client.session, CLASS=SECRET, LABEL=b"wrapping")
    inner, = client.module.find(client.session, CLASS=SECRET, LABEL=b"inner")
    client.param.generator, client.param.fixed_bits = CKG_GENERATE, 32
    gcm = Mechanism(CKM_AES_GCM, cast(byref(client.param), c_void_p), ctypes.sizeof(client.param))
    out, size = ctypes.create_string_buffer(64), c_ulong(64)
    client.must("C_WrapKeyAuthenticated", byref(gcm), wrapping, inner, ASSOCIATED, len(ASSOCIATED), out, byref(size))
    wrapped, tag = out.raw[:size.value], client.tag.raw
    assert len(wrapped) == 32 and any(tag)
    array, count, _keep = template(CLASS=SECRET, KEY_TYPE=AES, TOKEN=False, ENCRYPT=True, EXTRACTABLE=False)
    back = c_ulong(0)
    unwrap = ("C_UnwrapKeyAuthenticated", byref(gcm), wrapping, wrapped, len(wrapped), array, count)
    assert client.call(*unwrap, b"other", 5, byref(back)) == CKR_WRAPPED_KEY_INVALID
    client.tag.raw = bytes(16)
    assert client.call(*unwrap, ASSOCIATED, len(ASSOCIATED), byref(back)) == CKR_WRAPPED_KEY_INVALID
    client.tag.raw = tag
    client.must(*unwrap, ASSOCIATED, len(ASSOCIATED), byref(back))
    ecb, blocks = byref(Mechanism(CKM_AES_ECB, None, 0)), []
    for key in (inner, back.value):
        client.must("C_EncryptInit", ecb, key)
        out, size = ctypes.create_string_buffer(16), c_ulong(16)
        client.must("C_Encrypt", MESSAGE[:16], 16, out, byref(size))
        blocks.append(out.raw)
    assert blocks[0] == blocks[1], "another key came back"


CLIENTS = {name[len("client_"):]: function for name, function in list(globals().items()) if name.startswith("client_")}


class Messages(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")
        cls.lab.pkcs11_tool("--token-label", "web", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "ec")

    def test_authenticated_wrapping(self):
        self.lab.make_token("vault", VAULT_POLICY)
        for label, *more in (["wrapping"], ["inner", "--extractable"]):
            self.lab.cli("key", "generate", "--token", "vault", "--type", "aes:256", "--label", label, *more)
        self.client("wrap")

    def client(self, name):
        done = self.lab.run([sys.executable, __file__, name], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_encryption(self):
        self.client("encrypt")

    def test_encryption_with_ccm(self):
        self.client("ccm")

    def test_signatures(self):
        self.client("sign")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]]()
    else:
        main()
