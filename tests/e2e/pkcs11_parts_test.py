#!/usr/bin/env python3
"""Every mechanism that signs, encrypts or digests, over the real enclave: in parts of 1, 7, 16, 64 bytes and all at once it gives
what it gives in one piece. The one-piece forms have known answers (tests/vectors/mech).

The client is this file with an argument, in a process of its own.
"""

import ctypes
import os
import sys
from ctypes import Structure, byref, c_ubyte, c_ulong, c_void_p, cast

from lab import LabTest, main
from pkcs11_client import P256, Client, Context, Info, Oaep, mechanism

SIGN, ENCRYPT, DIGEST, RECOVER = 0x800, 0x100, 0x400, 0x1000
CHUNKS = (1, 7, 16, 64, 192)
DATA = os.urandom(192)
IV = ctypes.create_string_buffer(os.urandom(16), 16)
MESSAGE_HASHES = {0x0e: (0x220, 1), 0x43: (0x250, 2), 0x44: (0x260, 3), 0x45: (0x270, 4), 0x47: (0x255, 5), 0x63: (0x2b0, 7),
                  0x64: (0x2c0, 8), 0x65: (0x2d0, 9), 0x67: (0x2b5, 6)}
GENERAL = {0x4a, 0x4e, 0x222, 0x252, 0x257, 0x262, 0x272, 0x2b2, 0x2b7, 0x2c2, 0x2d2, 0xcb430022, 0x108b}


class Pss(Structure):
    _fields_ = [("hash", c_ulong), ("mgf", c_ulong), ("salt", c_ulong)]


class HashContext(Structure):
    _fields_ = [("hedge", c_ulong), ("context", c_void_p), ("size", c_ulong), ("hash", c_ulong)]


class Gcm(Structure):
    _fields_ = [("iv", c_void_p), ("iv_size", c_ulong), ("iv_bits", c_ulong), ("aad", c_void_p), ("aad_size", c_ulong),
                ("tag_bits", c_ulong)]


class Ccm(Structure):
    _fields_ = [("data", c_ulong), ("nonce", c_void_p), ("size", c_ulong), ("aad", c_void_p), ("aad_size", c_ulong), ("mac", c_ulong)]


class Ctr(Structure):
    _fields_ = [("bits", c_ulong), ("block", c_ubyte * 16)]


def hash_of_name(number):
    """Which hash a mechanism that needs it in its parameter works with."""
    hash_, mgf = MESSAGE_HASHES.get(number, (0x250, 2))
    return Pss(hash_, mgf, 0)  # without salt, so that signatures are the same each time


def parameter(number, size):
    """The parameter of a mechanism for `size` bytes of input; None for those that need none."""
    iv = cast(IV, c_void_p)
    fixed = {0xd: Pss(0x250, 2, 0), 9: Oaep(hash=0x250, mgf=2, source=1), 0x1087: Gcm(iv, 12, 96, None, 0, 128),
             0x108e: Gcm(iv, 12, 96, None, 0, 128), 0x1088: Ccm(size, iv, 12, None, 0, 16), 0x1f: HashContext(2, None, 0, 0x250),
             0x34: HashContext(2, None, 0, 0x250)}
    if number in fixed:
        return fixed[number]
    if number in MESSAGE_HASHES:
        return hash_of_name(number)
    if number in GENERAL:
        return c_ulong(8)
    if number in (0x1082, 0x1085, 0x1071, 0xcb430032, 0xcb430033):
        return IV
    if number in (0x1086, 0xcb430034):
        return Ctr(64, (c_ubyte * 16)(*range(16)))
    if 0x1d <= number <= 0x3f:  # ML-DSA, SLH-DSA: deterministic
        return Context(2, None, 0)
    return None


class Keys:
    """(key that signs or encrypts, key that verifies or decrypts) for a mechanism, made when first asked for."""

    def __init__(self, client):
        self.client, self.made = client, {}

    def kind(self, number):
        if number in (1, 3, 9) or 0x06 <= number <= 0x0e or 0x40 <= number <= 0x47 or 0x60 <= number <= 0x67:
            return "rsa"
        if number in (0x1d, 0x1f) or 0x23 <= number <= 0x2c:
            return "ml-dsa"
        if 0x2e <= number <= 0x3f:
            return "slh-dsa"
        return {0x1057: "ed25519", 0x1071: "xts", 0xcb430011: "sm2", 0xcb430012: "sm2"}.get(number) or (
            "ec" if 0x1041 <= number <= 0x104a else "sm4" if 0xcb430030 <= number <= 0xcb43003f else
            "aes" if 0x1080 <= number <= 0x210b else "generic")

    def make(self, kind):
        both = {"SIGN": True}, {"VERIFY": True}
        secret = {"SIGN": True, "VERIFY": True, "ENCRYPT": True, "DECRYPT": True}
        if kind == "rsa":
            public, private = self.client.pair(0, {"MODULUS_BITS": 2048, "ENCRYPT": True, **both[1]}, {"DECRYPT": True, **both[0]})
        elif kind in ("ec", "ed25519", "sm2"):
            number, curve = {"ec": (0x1040, P256), "ed25519": (0x1055, bytes.fromhex("06032b6570")),
                             "sm2": (0xcb430010, bytes.fromhex("06082a811ccf5501822d"))}[kind]
            more = ({"ENCRYPT": True}, {"DECRYPT": True}) if kind == "sm2" else ({}, {})
            public, private = self.client.pair(number, {"EC_PARAMS": curve, **both[1], **more[0]}, {**both[0], **more[1]})
        elif kind in ("ml-dsa", "slh-dsa"):
            public, private = self.client.pair(0x1c if kind == "ml-dsa" else 0x2d, {"PARAMETER_SET": 1 if kind == "ml-dsa" else 3}, {})
        else:
            number, size = {"aes": (0x1080, 32), "xts": (0x1072, 64), "sm4": (0xcb430030, 16), "generic": (0x350, 32)}[kind]
            if kind in ("sm4", "xts"):
                del secret["SIGN"], secret["VERIFY"]
            elif kind == "generic":
                del secret["ENCRYPT"], secret["DECRYPT"]
            public = private = self.client.secret(number, VALUE_LEN=size, **secret)
        return public, private

    def of(self, number):
        kind = self.kind(number)
        if kind not in self.made:
            self.made[kind] = self.make(kind)
        return self.made[kind]


def mechanisms(client):
    """(number, flags) of all that the token offers."""
    count = c_ulong(0)
    client.module.must("C_GetMechanismList", client.slot, None, byref(count))
    numbers = (c_ulong * count.value)()
    client.module.must("C_GetMechanismList", client.slot, numbers, byref(count))
    for number in numbers:
        info = Info()
        client.module.must("C_GetMechanismInfo", client.slot, number, byref(info))
        yield number, info.flags


def message(number):
    """What this mechanism takes: a digest, a block, or anything."""
    if number in (0xd, 0x1f, 0x34):
        return DATA[:32]
    return DATA[:100] if number in (1, 3, 9) else DATA


def client_sign():
    client = Client()
    keys, seen = Keys(client), 0
    random = {0xcb430011} | set(range(0x1041, 0x104b))  # SM2, ECDSA: no two signatures are the same
    for number, flags in mechanisms(client):
        if not flags & SIGN:
            continue
        public, private = keys.of(number)
        data, how = (b"\0" + message(number) if number == 3 else message(number)), lambda: mechanism(number, parameter(number, 0))
        whole = client.one_part("Sign", how(), private, data)
        for chunk in CHUNKS:
            signature = client.parts("Sign", how(), private, data, chunk)
            assert number in random or signature == whole, (hex(number), chunk)
            client.must("C_VerifyInit", how(), public)
            client.must("C_Verify", data, len(data), signature, len(signature))
            client.must("C_VerifyInit", how(), public)
            for start in range(0, len(data), chunk):
                client.must("C_VerifyUpdate", data[start:start + chunk], len(data[start:start + chunk]))
            client.must("C_VerifyFinal", whole, len(whole))
        seen += 1
    assert seen >= 60, seen


def client_encrypt():
    client = Client()
    keys, seen = Keys(client), 0
    random = {1, 9, 0xcb430012}  # RSA with padding, SM2
    for number, flags in mechanisms(client):
        if not flags & ENCRYPT:
            continue
        public, private = keys.of(number)
        data = b"\0" * 156 + message(number) if number == 3 else message(number)
        how = lambda size: mechanism(number, parameter(number, size))
        whole = client.one_part("Encrypt", how(len(data)), public, data)
        assert client.one_part("Decrypt", how(len(data)), private, whole) == data, hex(number)
        for chunk in CHUNKS:
            ciphertext = client.parts("Encrypt", how(len(data)), public, data, chunk)
            assert number in random or ciphertext == whole, (hex(number), chunk)
            assert client.parts("Decrypt", how(len(data)), private, ciphertext, chunk) == data, (hex(number), chunk)
        seen += 1
    assert seen >= 15, seen


def client_digest():
    client = Client()
    numbers = [number for number, flags in mechanisms(client) if flags & DIGEST]
    assert len(numbers) >= 12, numbers
    for number in numbers:
        whole = client.one_part("Digest", mechanism(number), None, DATA)
        for chunk in CHUNKS:
            assert client.parts("Digest", mechanism(number), None, DATA, chunk) == whole, (hex(number), chunk)


CLIENTS = {name[len("client_"):]: function for name, function in list(globals().items()) if name.startswith("client_")}


class Parts(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")

    def client(self, name):
        done = self.lab.run([sys.executable, __file__, name], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_signatures(self):
        self.client("sign")

    def test_ciphers(self):
        self.client("encrypt")

    def test_digests(self):
        self.client("digest")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]]()
    else:
        main()
