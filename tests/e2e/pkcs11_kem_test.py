#!/usr/bin/env python3
"""Key encapsulation, signatures that are recovered, digests and post-quantum signatures through the module, against the real
enclave: what one end makes, the other has.

The client is this file with an argument, in a process of its own.
"""

import ctypes
import hashlib
import os
import sys
from ctypes import byref, c_ulong, c_void_p, cast

from cryptoki import template
from lab import LabTest, main
from pkcs11_client import (BUFFER_TOO_SMALL, DECAPSULATES, ENCAPSULATES, MECHANISM_INVALID, NOT_PERMITTED, P256, SIGNATURE_INVALID,
                           SET_UNSUPPORTED, TEMPLATE_INCONSISTENT, WRAPPED_KEY_INVALID, X25519, AES, SECRET, Client, Context, Ecdh, Oaep, mechanism)

AES_KEY = {"CLASS": SECRET, "KEY_TYPE": AES, "VALUE_LEN": 32, "ENCRYPT": True, "DECRYPT": True}
MAY = {"ENCAPSULATE": True}, {"DECAPSULATE": True}


def kem_cases(client):
    """(mechanism, its name, the pair that it works with, the template of the new keys)"""
    ecdh = Ecdh(kdf=1)
    oaep = Oaep(hash=0x250, mgf=2, source=1)
    rsa = client.pair("RSA_PKCS_KEY_PAIR_GEN", {"MODULUS_BITS": 2048, **MAY[0]}, MAY[1])
    p256 = client.pair("EC_KEY_PAIR_GEN", {"EC_PARAMS": P256, **MAY[0]}, MAY[1])
    x25519 = client.pair("EC_MONTGOMERY_KEY_PAIR_GEN", {"EC_PARAMS": X25519, **MAY[0]}, MAY[1])
    yield "ECDH1_DERIVE", ecdh, p256, AES_KEY, 65
    yield "ECDH1_COFACTOR_DERIVE", ecdh, p256, AES_KEY, 65
    yield "ECDH1_DERIVE", ecdh, x25519, AES_KEY, 32
    yield "RSA_PKCS", None, rsa, AES_KEY, 256
    yield "RSA_PKCS_OAEP", oaep, rsa, AES_KEY, 256
    if client.flags("ML_KEM") is not None:
        for number, size in ((1, 768), (2, 1088), (3, 1568)):
            yield "ML_KEM", None, client.pair("ML_KEM_KEY_PAIR_GEN", {"PARAMETER_SET": number}, {}), AES_KEY, size


def client_kem():
    client = Client()
    block = bytes(range(16))
    for name, parameter, (public, private), attributes, size in kem_cases(client):
        how = mechanism(name, parameter)
        assert client.flags(name) & (ENCAPSULATES | DECAPSULATES) == ENCAPSULATES | DECAPSULATES, name
        before = client.count()
        array, count, _keep = template(**attributes)
        length = c_ulong(0)
        client.must("C_EncapsulateKey", how, public, array, count, None, byref(length), None)
        assert length.value == size, (name, length.value)
        assert client.encapsulate(how, public, attributes, size - 1)[:2] == (BUFFER_TOO_SMALL, size), name
        assert client.count() == before, "a key was made whose ciphertext nobody has"
        rv, ciphertext, sent = client.encapsulate(how, public, attributes)
        assert rv == 0 and len(ciphertext) == size, (name, hex(rv))
        rv, got = client.decapsulate(how, private, ciphertext, attributes)
        assert rv == 0, (name, hex(rv))
        secret = client.one_part("Encrypt", mechanism("AES_ECB"), sent, block)
        assert secret == client.one_part("Encrypt", mechanism("AES_ECB"), got, block), f"{name}: two ends, two keys"
        assert [client.attribute(sent, a) for a in (0x163, 0x164, 0x165)] == [b"\0"] * 3, "LOCAL and the history of the new key"
        assert client.attribute(sent, 0x162) == b"\1", "CKA_EXTRACTABLE is true where nobody says otherwise"
        assert client.encapsulate(how, private, attributes)[0] == NOT_PERMITTED
        assert client.decapsulate(how, public, ciphertext, attributes)[0] == NOT_PERMITTED
        kept = name.startswith("RSA")
        rv, _ = client.decapsulate(how, private, ciphertext, {**attributes, "EXTRACTABLE": True})
        assert rv == (TEMPLATE_INCONSISTENT if kept else 0), (name, hex(rv))
        wrong = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
        rv, other = client.decapsulate(how, private, wrong, attributes)
        assert rv == WRAPPED_KEY_INVALID or client.one_part("Encrypt", mechanism("AES_ECB"), other, block) != secret, name


def client_recover():
    client = Client()
    public, private = client.pair("RSA_PKCS_KEY_PAIR_GEN", {"MODULUS_BITS": 2048, "VERIFY_RECOVER": True}, {"SIGN_RECOVER": True})
    for name in ("RSA_PKCS", "RSA_X_509"):
        data = b"\1" + os.urandom(40)
        client.must("C_SignRecoverInit", mechanism(name), private)
        out, size = ctypes.create_string_buffer(256), c_ulong(0)
        client.must("C_SignRecover", data, len(data), None, byref(size))
        assert size.value == 256
        client.must("C_SignRecover", data, len(data), out, byref(size))
        client.must("C_VerifyRecoverInit", mechanism(name), public)
        back, size = ctypes.create_string_buffer(256), c_ulong(10)
        assert client.call("C_VerifyRecover", out.raw, 256, back, byref(size)) == BUFFER_TOO_SMALL
        size.value = 256
        client.must("C_VerifyRecover", out.raw, 256, back, byref(size))
        assert back.raw[:size.value] == (data if name == "RSA_PKCS" else data.rjust(256, b"\0"))
        client.must("C_VerifyRecoverInit", mechanism(name), public)
        rv = client.call("C_VerifyRecover", bytes([out.raw[0] ^ 1]) + out.raw[1:], 256, back, byref(size))
        assert rv == SIGNATURE_INVALID or back.raw[:size.value] != data, hex(rv)


def client_digest():
    client = Client()
    data = os.urandom(1000)
    for name, other in (("SHA512_224", "sha512_224"), ("SHA512_256", "sha512_256"), ("SM3", "sm3")):
        wanted = hashlib.new(other, data).digest()
        assert client.one_part("Digest", mechanism(name), None, data) == wanted
        for chunk in (1, 7, 16, 64, 1000):
            assert client.parts("Digest", mechanism(name), None, data, chunk) == wanted


def bring_back(client, family, number, private, wanted, seeded):
    """The same private key again: of its attributes, and out of a wrapping key."""
    kind = {"CLASS": 3, "KEY_TYPE": {"ML_DSA": 0x4a, "SLH_DSA": 0x4b}[family], "SIGN": True}
    secrets = {"VALUE": client.attribute(private, 0x11), **({"SEED": client.attribute(private, 0x637)} if seeded else {})}
    again = []
    for names in {("VALUE",), tuple(secrets), tuple(secrets)[-1:]}:
        array, count, _keep = template(**kind, PARAMETER_SET=number, **{name: secrets[name] for name in names})
        made = c_ulong(0)
        client.must("C_CreateObject", array, count, byref(made))
        again.append(made.value)
    wrapping = client.secret(0x1080, VALUE_LEN=32, WRAP=True, UNWRAP=True)
    out, size, made = ctypes.create_string_buffer(1 << 16), c_ulong(1 << 16), c_ulong(0)
    client.must("C_WrapKey", mechanism(0x210b), wrapping, private, out, byref(size))
    array, count, _keep = template(**kind)
    client.must("C_UnwrapKey", mechanism(0x210b), wrapping, out, size, array, count, byref(made))
    for key in (*again, made.value):
        assert client.one_part("Sign", mechanism(family, Context(2, None, 0)), key, b"again") == wanted, family


def client_signatures():
    """ML-DSA and SLH-DSA, where the enclave's OpenSSL has them; where not, they are not offered."""
    client = Client()
    if client.flags("ML_DSA") is None:
        for name in ("ML_DSA_KEY_PAIR_GEN", "ML_KEM_KEY_PAIR_GEN", "SLH_DSA_KEY_PAIR_GEN"):
            first, count, _keep = template(PARAMETER_SET=1)
            rv = client.call("C_GenerateKeyPair", mechanism(name), first, count, None, 0, byref(c_ulong()), byref(c_ulong()))
            assert rv == MECHANISM_INVALID, hex(rv)
        array, count, _keep = template(CLASS=2, KEY_TYPE=0x4a, PARAMETER_SET=1, VALUE=bytes(1312))
        assert client.call("C_CreateObject", array, count, byref(c_ulong())) == SET_UNSUPPORTED
        return
    context = ctypes.create_string_buffer(b"a context", 9)
    for family, number, pre_hash in (("ML_DSA", 2, "HASH_ML_DSA_SHA256"), ("SLH_DSA", 3, "HASH_SLH_DSA_SHA512")):
        public, private = client.pair(family + "_KEY_PAIR_GEN", {"PARAMETER_SET": number}, {})
        assert client.attribute(public, 0x129) == client.attribute(private, 0x129) != b""
        for name in (family, pre_hash):
            deterministic = mechanism(name, Context(2, cast(context, c_void_p), 9))
            for data in (os.urandom(1000), os.urandom(100_000)):
                signature = client.one_part("Sign", deterministic, private, data)
                for chunk in (7, 1000, len(data)) if len(data) == 1000 else (8192,):
                    assert client.parts("Sign", deterministic, private, data, chunk) == signature, name
                client.must("C_VerifyInit", deterministic, public)
                client.must("C_Verify", data, len(data), signature, len(signature))
                client.must("C_VerifySignatureInit", mechanism(name), public, signature, len(signature))
                assert client.call("C_VerifySignature", data, len(data)) == SIGNATURE_INVALID, "the context counts"
        readable = client.pair(family + "_KEY_PAIR_GEN", {"PARAMETER_SET": number}, {"SENSITIVE": False, "EXTRACTABLE": True})[1]
        wanted = client.one_part("Sign", mechanism(family, Context(2, None, 0)), readable, b"again")
        bring_back(client, family, number, readable, wanted, family == "ML_DSA")
        for name in (family, pre_hash):
            assert client.one_part("Sign", mechanism(name), private, b"x") != client.one_part("Sign", mechanism(name), private, b"x")


CLIENTS = {name[len("client_"):]: function for name, function in list(globals().items()) if name.startswith("client_")}


class Encapsulation(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")

    def client(self, name):
        done = self.lab.run([sys.executable, __file__, name], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_both_ends_have_the_key(self):
        self.client("kem")

    def test_signatures_that_are_recovered(self):
        self.client("recover")

    def test_digests_of_the_enclave(self):
        self.client("digest")

    def test_post_quantum_signatures(self):
        self.client("signatures")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]]()
    else:
        main()
