"""Objects through ctypes: templates as dictionaries, answers as names of return values."""

import ctypes
from ctypes import byref, c_ulong, c_void_p, cast

import cryptoki
from cryptoki import CKF_SERIAL_SESSION, UNAVAILABLE, Attribute, Cryptoki, Mechanism

CKR_NAME = {**cryptoki.CKR_NAME, 0x10: "ATTRIBUTE_READ_ONLY", 0x12: "ATTRIBUTE_TYPE_INVALID", 0x1b: "ACTION_PROHIBITED",
            0x71: "MECHANISM_PARAM_INVALID", 0x69: "KEY_NOT_WRAPPABLE", 0x6a: "KEY_UNEXTRACTABLE", 0xb5: "SESSION_READ_ONLY",
            0xd0: "TEMPLATE_INCOMPLETE", 0xd1: "TEMPLATE_INCONSISTENT", 0x112: "WRAPPED_KEY_LEN_RANGE",
            0x130: "DOMAIN_PARAMS_INVALID", 0x140: "CURVE_NOT_SUPPORTED"}

TYPES = {"CLASS": 0, "TOKEN": 1, "PRIVATE": 2, "LABEL": 3, "UNIQUE_ID": 4, "APPLICATION": 0x10, "VALUE": 0x11, "OBJECT_ID": 0x12,
         "CERTIFICATE_TYPE": 0x80, "ISSUER": 0x81, "SERIAL_NUMBER": 0x82, "OWNER": 0x84, "TRUSTED": 0x86,
         "CERTIFICATE_CATEGORY": 0x87, "JAVA_MIDP_SECURITY_DOMAIN": 0x88, "URL": 0x89, "HASH_OF_SUBJECT_PUBLIC_KEY": 0x8a,
         "HASH_OF_ISSUER_PUBLIC_KEY": 0x8b, "NAME_HASH_ALGORITHM": 0x8c, "CHECK_VALUE": 0x90, "KEY_TYPE": 0x100, "SUBJECT": 0x101,
         "ID": 0x102, "SENSITIVE": 0x103, "ENCRYPT": 0x104, "DECRYPT": 0x105, "WRAP": 0x106, "UNWRAP": 0x107, "SIGN": 0x108,
         "VERIFY": 0x10a, "DERIVE": 0x10c, "START_DATE": 0x110, "END_DATE": 0x111, "MODULUS": 0x120, "MODULUS_BITS": 0x121,
         "PUBLIC_EXPONENT": 0x122, "PRIVATE_EXPONENT": 0x123, "PUBLIC_KEY_INFO": 0x129, "PRIME": 0x130, "SUBPRIME": 0x131,
         "BASE": 0x132, "PRIME_BITS": 0x133, "VALUE_LEN": 0x161, "EXTRACTABLE": 0x162, "LOCAL": 0x163, "NEVER_EXTRACTABLE": 0x164,
         "ALWAYS_SENSITIVE": 0x165, "KEY_GEN_MECHANISM": 0x166, "MODIFIABLE": 0x170, "COPYABLE": 0x171, "DESTROYABLE": 0x172,
         "EC_PARAMS": 0x180, "EC_POINT": 0x181, "WRAP_WITH_TRUSTED": 0x210, "WRAP_TEMPLATE": 0x40000211,
         "UNWRAP_TEMPLATE": 0x40000212, "DERIVE_TEMPLATE": 0x40000213, "PROFILE_ID": 0x601, "ALLOWED_MECHANISMS": 0x40000600,
         "OBJECT_VALIDATION_FLAGS": 0x61e, "TRUST_SERVER_AUTH": 0x62c, "HASH_OF_CERTIFICATE": 0x635}
DATA, CERTIFICATE, PUBLIC_KEY, PRIVATE_KEY, SECRET_KEY, HW_FEATURE, DOMAIN, MECHANISM, PROFILE, VALIDATION, TRUST = (
    0, 1, 2, 3, 4, 5, 6, 7, 9, 0xa, 0xb)
CKK_RSA, CKK_DSA, CKK_EC, CKK_GENERIC, CKK_AES, CKK_EDWARDS = 0, 1, 3, 0x10, 0x1f, 0x40
X_509, ATTRIBUTE_CERTIFICATE, WTLS = 0, 1, 2
RSA_PAIR, EC_PAIR, AES_KEY_GEN, KEY_WRAP_KWP, AES_CBC, XOR_BASE_AND_DATA = 0, 0x1040, 0x1080, 0x210b, 0x1082, 0x364
USER, SECURITY_OFFICER = 1, 0
P256 = bytes.fromhex("06082a8648ce3d030107")


def to_bytes(value):
    if isinstance(value, bool):
        return bytes([value])
    return bytes(c_ulong(value)) if isinstance(value, int) else value


def array(attributes):
    """(CK_ATTRIBUTE array, its count, what must be kept alive) of {name: value} or [(name or number, value)]."""
    items, keep = [], []
    for name, value in attributes.items() if isinstance(attributes, dict) else attributes:
        if isinstance(value, dict):
            data, _, kept = array(value)
            keep.append(kept)
            size = ctypes.sizeof(data)
        else:
            raw = to_bytes(value)
            data, size = ctypes.create_string_buffer(raw, max(len(raw), 1)), len(raw)
        keep.append(data)
        items.append(Attribute(TYPES.get(name, name), cast(byref(data), c_void_p), size))
    return (Attribute * len(items))(*items), len(items), keep


class Objects:
    """One session. Methods that make something return (name of the return value, handle)."""

    def __init__(self, module: Cryptoki, session):
        self.module, self.session = module, session

    def call(self, name, *arguments):
        rv = self.module.call(name, self.session, *arguments)
        return CKR_NAME.get(rv, hex(rv))

    def _made(self, name, *arguments):
        handle = c_ulong(0)
        return self.call(name, *arguments, byref(handle)), handle.value

    def create(self, attributes):
        items, count, _keep = array(attributes)
        return self._made("C_CreateObject", items, count)

    def copy(self, handle, attributes):
        items, count, _keep = array(attributes)
        return self._made("C_CopyObject", handle, items, count)

    def generate(self, mechanism, attributes):
        items, count, _keep = array(attributes)
        return self._made("C_GenerateKey", byref(Mechanism(mechanism, None, 0)), items, count)

    def generate_pair(self, mechanism, public, private):
        """(name, public handle, private handle)."""
        first, first_count, _keep = array(public)
        second, second_count, _kept = array(private)
        handles = c_ulong(0), c_ulong(0)
        rv = self.call("C_GenerateKeyPair", byref(Mechanism(mechanism, None, 0)), first, first_count, second, second_count,
                       byref(handles[0]), byref(handles[1]))
        return rv, handles[0].value, handles[1].value

    def wrap(self, mechanism, kek, key):
        """(name, wrapped key)."""
        out, size = ctypes.create_string_buffer(4096), c_ulong(4096)
        rv = self.call("C_WrapKey", byref(mechanism), kek, key, out, byref(size))
        return rv, out.raw[:size.value] if rv == "OK" else b""

    def unwrap(self, mechanism, kek, wrapped, attributes):
        items, count, _keep = array(attributes)
        return self._made("C_UnwrapKey", byref(mechanism), kek, wrapped, len(wrapped), items, count)

    def derive(self, mechanism, base, attributes):
        items, count, _keep = array(attributes)
        return self._made("C_DeriveKey", byref(mechanism), base, items, count)

    def set(self, handle, attributes):
        items, count, _keep = array(attributes)
        return self.call("C_SetAttributeValue", handle, items, count)

    def destroy(self, handle):
        return self.call("C_DestroyObject", handle)

    def get(self, handle, *names):
        """(name, [value or None]); two calls, as the convention has it."""
        items = (Attribute * len(names))(*[Attribute(TYPES.get(name, name), None, 0) for name in names])
        first = self.call("C_GetAttributeValue", handle, items, len(names))
        buffers = []
        for item in items:
            room = item.size if item.size != UNAVAILABLE else 0
            buffers.append(ctypes.create_string_buffer(max(room, 1)))
            item.value = cast(byref(buffers[-1]), c_void_p) if room else None
        second = self.call("C_GetAttributeValue", handle, items, len(names))
        assert first == second, (first, second)
        values = [buffer.raw[:item.size] if item.size != UNAVAILABLE else None for item, buffer in zip(items, buffers)]
        return second, values

    def value(self, handle, name):
        rv, (value,) = self.get(handle, name)
        assert rv == "OK", f"{name}: {rv}"
        return value

    def find(self, attributes):
        items, count, _keep = array(attributes)
        rv = self.call("C_FindObjectsInit", items, count)
        if rv != "OK":
            return rv
        found, got = [], c_ulong(1)
        while got.value:
            page = (c_ulong * 64)()
            assert self.call("C_FindObjects", page, 64, byref(got)) == "OK"
            found += list(page)[:got.value]
        assert self.call("C_FindObjectsFinal") == "OK"
        return found


def open_objects(module, slot, flags=cryptoki.CKF_RW_SESSION):
    session = c_ulong(0)
    module.must("C_OpenSession", slot, flags | CKF_SERIAL_SESSION, None, None, byref(session))
    return Objects(module, session.value)
