"""The module through ctypes: enough of PKCS#11 for tests that call it as no well-behaved client would."""

import ctypes
from ctypes import POINTER, Structure, byref, c_byte, c_char, c_ubyte, c_ulong, c_void_p, cast

CKR = {"OK": 0, "ARGUMENTS_BAD": 7, "ATTRIBUTE_SENSITIVE": 0x11, "ATTRIBUTE_VALUE_INVALID": 0x13, "DEVICE_ERROR": 0x30,
       "FUNCTION_NOT_SUPPORTED": 0x54, "KEY_HANDLE_INVALID": 0x60, "KEY_FUNCTION_NOT_PERMITTED": 0x68,
       "MECHANISM_INVALID": 0x70, "OBJECT_HANDLE_INVALID": 0x82, "OPERATION_NOT_INITIALIZED": 0x91,
       "SESSION_HANDLE_INVALID": 0xb3, "TOKEN_NOT_PRESENT": 0xe0, "USER_NOT_LOGGED_IN": 0x101, "BUFFER_TOO_SMALL": 0x150,
       "CRYPTOKI_NOT_INITIALIZED": 0x190, "CRYPTOKI_ALREADY_INITIALIZED": 0x191}
CKR_NAME = {number: name for name, number in CKR.items()}

CKA_CLASS, CKA_TOKEN, CKA_LABEL, CKA_VALUE, CKA_ID = 0, 1, 3, 0x11, 0x102
CKO_PRIVATE_KEY, CKO_DATA = 3, 0
CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_ECDSA, CKM_ECDSA_SHA256, CKM_SHA256 = 1, 0x40, 0x1041, 0x1044, 0x250
CKF_RW_SESSION, CKF_SERIAL_SESSION = 2, 4
UNAVAILABLE = c_ulong(-1).value


class Version(Structure):
    _fields_ = [("major", c_ubyte), ("minor", c_ubyte)]


class Attribute(Structure):
    _fields_ = [("type", c_ulong), ("value", c_void_p), ("size", c_ulong)]


class Mechanism(Structure):
    _fields_ = [("mechanism", c_ulong), ("parameter", c_void_p), ("size", c_ulong)]


class TokenInfo(Structure):
    _fields_ = [("label", c_char * 32), ("manufacturer", c_char * 32), ("model", c_char * 16), ("serial", c_char * 16),
                ("flags", c_ulong), ("numbers", c_ulong * 10), ("versions", c_byte * 4), ("time", c_char * 16)]


class Failed(Exception):
    """A call returned something else than CKR_OK; carries the name of the value."""

    def __init__(self, function, rv):
        self.name = CKR_NAME.get(rv, hex(rv))
        super().__init__(f"{function}: CKR_{self.name}")


def template(**attributes):
    """(array of CK_ATTRIBUTE, count, what must be kept alive) of CKA_ names without their prefix."""
    items, keep = [], []
    for name, value in attributes.items():
        if isinstance(value, bool):
            data = ctypes.create_string_buffer(bytes([value]), 1)
        elif isinstance(value, int):
            data = c_ulong(value)
        else:
            data = ctypes.create_string_buffer(value, len(value))
        keep.append(data)
        items.append(Attribute(globals()["CKA_" + name], cast(byref(data), c_void_p), ctypes.sizeof(data)))
    return (Attribute * len(items))(*items), len(items), keep


class Cryptoki:
    """The loaded module. `raw` has the C functions as they are; the methods raise Failed."""

    def __init__(self, path):
        self.raw = ctypes.CDLL(str(path))
        for name in ("C_Initialize", "C_Finalize", "C_OpenSession", "C_GetSlotList", "C_FindObjectsInit", "C_Sign"):
            getattr(self.raw, name).restype = c_ulong

    def call(self, name, *arguments):
        function = getattr(self.raw, name)
        function.restype = c_ulong
        return function(*[c_ulong(a) if isinstance(a, int) else a for a in arguments])

    def must(self, name, *arguments):
        rv = self.call(name, *arguments)
        if rv != 0:
            raise Failed(name, rv)

    def initialize(self):
        self.must("C_Initialize", None)

    def slots(self, present=True):
        count = c_ulong(0)
        self.must("C_GetSlotList", int(present), None, byref(count))
        found = (c_ulong * max(count.value, 1))()
        count = c_ulong(len(found))
        self.must("C_GetSlotList", int(present), found, byref(count))
        return list(found)[:count.value]

    def slot_of(self, label):
        for slot in self.slots():
            info = TokenInfo()
            if self.call("C_GetTokenInfo", slot, byref(info)) == 0 and info.label.decode().rstrip() == label:
                return slot
        raise AssertionError(f"no token {label}")

    def open_session(self, slot, flags=CKF_RW_SESSION):
        session = c_ulong(0)
        self.must("C_OpenSession", slot, flags | CKF_SERIAL_SESSION, None, None, byref(session))
        return session.value

    def login(self, session, pin):
        self.must("C_Login", session, 1, pin, len(pin))

    def find(self, session, **attributes):
        array, count, _keep = template(**attributes)
        self.must("C_FindObjectsInit", session, array, count)
        found, got = [], c_ulong(1)
        while got.value:
            page = (c_ulong * 64)()
            self.must("C_FindObjects", session, page, 64, byref(got))
            found += list(page)[:got.value]
        self.must("C_FindObjectsFinal", session)
        return found

    def private_key(self, session, label):
        found = self.find(session, CLASS=CKO_PRIVATE_KEY, LABEL=label.encode())
        assert len(found) == 1, f"{len(found)} keys {label}"
        return found[0]

    def sign(self, session, key, mechanism, data):
        self.must("C_SignInit", session, byref(Mechanism(mechanism, None, 0)), key)
        signature = ctypes.create_string_buffer(1024)
        size = c_ulong(len(signature))
        self.must("C_Sign", session, data, len(data), signature, byref(size))
        return signature.raw[:size.value]

    def function_list(self):
        pointer = POINTER(Version)()
        self.must("C_GetFunctionList", byref(pointer))
        return pointer.contents
