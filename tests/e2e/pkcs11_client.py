"""A client of the module for tests that make keys and use them: names of attributes and mechanisms, parameters, and calls in
few words."""

import ctypes
import os
from ctypes import Structure, byref, c_ulong, c_void_p, cast

import cryptoki
from cryptoki import Cryptoki, Mechanism, template
from lab import BUILD_DIR

for _name, _number in {"KEY_TYPE": 0x100, "VALUE_LEN": 0x161, "EXTRACTABLE": 0x162, "SENSITIVE": 0x103, "ENCRYPT": 0x104, "DECRYPT": 0x105,
                       "SIGN": 0x108, "SIGN_RECOVER": 0x109, "VERIFY": 0x10a, "VERIFY_RECOVER": 0x10b, "DERIVE": 0x10c, "LOCAL": 0x163,
                       "NEVER_EXTRACTABLE": 0x164, "ALWAYS_SENSITIVE": 0x165, "EC_PARAMS": 0x180, "MODULUS_BITS": 0x121,
                       "ENCAPSULATE": 0x633, "DECAPSULATE": 0x634, "PARAMETER_SET": 0x61d, "PUBLIC_KEY_INFO": 0x129, "SEED": 0x637, "WRAP": 0x106, "UNWRAP": 0x107}.items():
    setattr(cryptoki, "CKA_" + _name, _number)
CKM = {"RSA_PKCS_KEY_PAIR_GEN": 0, "RSA_PKCS": 1, "RSA_X_509": 3, "RSA_PKCS_OAEP": 9, "EC_KEY_PAIR_GEN": 0x1040, "ECDH1_DERIVE": 0x1050,
       "ECDH1_COFACTOR_DERIVE": 0x1051, "EC_MONTGOMERY_KEY_PAIR_GEN": 0x1056, "ML_KEM_KEY_PAIR_GEN": 0xf, "ML_KEM": 0x17,
       "ML_DSA_KEY_PAIR_GEN": 0x1c, "ML_DSA": 0x1d, "HASH_ML_DSA_SHA256": 0x24, "SLH_DSA_KEY_PAIR_GEN": 0x2d, "SLH_DSA": 0x2e,
       "HASH_SLH_DSA_SHA512": 0x39, "SHA512_224": 0x48, "SHA512_256": 0x4c, "SM3": 0xcb430020, "AES_ECB": 0x1081}
ENCAPSULATES, DECAPSULATES = 0x10000000, 0x20000000
SECRET, AES, GENERIC = 4, 0x1f, 0x10
BUFFER_TOO_SMALL, NOT_PERMITTED, MECHANISM_INVALID, SIGNATURE_INVALID, WRAPPED_KEY_INVALID = 0x150, 0x68, 0x70, 0xc0, 0x110
TEMPLATE_INCONSISTENT, SET_UNSUPPORTED = 0xd1, 0x209
P256, X25519 = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06032b656e")


class Ecdh(Structure):
    _fields_ = [("kdf", c_ulong), ("shared_size", c_ulong), ("shared", c_void_p), ("public_size", c_ulong), ("public", c_void_p)]


class Oaep(Structure):
    _fields_ = [("hash", c_ulong), ("mgf", c_ulong), ("source", c_ulong), ("data", c_void_p), ("size", c_ulong)]


class Context(Structure):
    _fields_ = [("hedge", c_ulong), ("context", c_void_p), ("size", c_ulong)]


class Info(Structure):
    _fields_ = [("min", c_ulong), ("max", c_ulong), ("flags", c_ulong)]


def mechanism(name, parameter=None):
    number = CKM[name] if isinstance(name, str) else name
    if parameter is None:
        return byref(Mechanism(number, None, 0))
    made = Mechanism(number, cast(byref(parameter), c_void_p), ctypes.sizeof(parameter))
    made.keep = parameter  # it has to live as long as what points to it
    return byref(made)


class Client:
    def __init__(self):
        self.module = Cryptoki(os.environ.get("KEYCLAVE_TEST_MODULE", BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
        self.module.initialize()
        self.slot = self.module.slot_of("web")
        self.session = self.module.open_session(self.slot)

    def must(self, name, *arguments):
        self.module.must(name, self.session, *arguments)

    def call(self, name, *arguments):
        return self.module.call(name, self.session, *arguments)

    def flags(self, name):
        info = Info()
        found = self.module.call("C_GetMechanismInfo", self.slot, CKM[name], byref(info))
        return info.flags if found == 0 else None

    def pair(self, name, public, private):
        first, count, _keep = template(**public)
        second, other, _keep2 = template(**private)
        keys = c_ulong(0), c_ulong(0)
        self.must("C_GenerateKeyPair", mechanism(name), first, count, second, other, byref(keys[0]), byref(keys[1]))
        return keys[0].value, keys[1].value

    def encapsulate(self, how, key, attributes, room=1 << 16):
        array, count, _keep = template(**attributes)
        out, size, made = ctypes.create_string_buffer(max(room, 1)), c_ulong(room), c_ulong(0)
        rv = self.call("C_EncapsulateKey", how, key, array, count, out, byref(size), byref(made))
        return rv, out.raw[:size.value] if rv == 0 else size.value, made.value

    def decapsulate(self, how, key, ciphertext, attributes):
        array, count, _keep = template(**attributes)
        made = c_ulong(0)
        return self.call("C_DecapsulateKey", how, key, array, count, ciphertext, len(ciphertext), byref(made)), made.value

    def secret(self, name, **attributes):
        array, count, _keep = template(CLASS=SECRET, **attributes)
        key = c_ulong(0)
        self.must("C_GenerateKey", mechanism(name), array, count, byref(key))
        return key.value

    def attribute(self, key, number):
        value = ctypes.create_string_buffer(4096)
        item = cryptoki.Attribute(number, cast(value, c_void_p), 4096)
        self.must("C_GetAttributeValue", key, byref(item), 1)
        return value.raw[:item.size]

    def one_part(self, kind, how, key, data):
        self.must(f"C_{kind}Init", how, *([] if key is None else [key]))
        out, size = ctypes.create_string_buffer(1 << 16), c_ulong(1 << 16)
        self.must(f"C_{kind}", data, len(data), out, byref(size))
        return out.raw[:size.value]

    def parts(self, kind, how, key, data, chunk):
        """The same in parts; what ciphers give before the end is in front of what they give then."""
        self.must(f"C_{kind}Init", how, *([] if key is None else [key]))
        out, whole = ctypes.create_string_buffer(1 << 16), b""
        for start in range(0, len(data), chunk):
            part, size = data[start:start + chunk], c_ulong(1 << 16)
            gives = [out, byref(size)] if kind in ("Encrypt", "Decrypt") else []
            self.must(f"C_{kind}Update", part, len(part), *gives)
            whole += out.raw[:size.value] if gives else b""
        size = c_ulong(1 << 16)
        self.must(f"C_{kind}Final", out, byref(size))
        return whole + out.raw[:size.value]

    def count(self):
        return len(self.module.find(self.session, CLASS=SECRET))
