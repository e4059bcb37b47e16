#!/usr/bin/env python3
"""The conditions of OASIS's "PKCS #11 Profiles" 3.2 for the profiles that a token of ours says it conforms to.

One test per condition, named by its clause: 5.1 Baseline Provider, 5.3 Extended Provider, 5.4 Authentication Token, 5.5
Public Certificates Token, 5.6 HKDF TLS Token; and the order of calls of each profile's mandatory test case (BL-M-1, EXT-M-1, AUTH-M-1,
CERT-M-1), on a token without PINs and on one with. Functions are called by their exported names; the interface has the same.
The client is this file with arguments, in a process of its own.
"""

import ctypes
import hmac
import pathlib
import sys
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_ubyte, c_ulong, c_void_p, cast, string_at

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main
from cryptoki import CKM_RSA_PKCS, CKM_SHA256, CKM_SHA256_RSA_PKCS, Attribute, Cryptoki, Mechanism, TokenInfo, Version
from cryptoki_objects import (CERTIFICATE, DATA, PRIVATE_KEY, PROFILE, PUBLIC_KEY, RSA_PAIR, SECRET_KEY, TYPES, X_509, Objects,
                              open_objects, to_bytes)

BASELINE, EXTENDED, AUTHENTICATION, CERTIFICATES, COMPLETE, HKDF_TLS = 1, 2, 3, 4, 5, 6
CKF_TOKEN_PRESENT, CKF_RNG, CKF_LOGIN_REQUIRED, CKF_USER_PIN_INITIALIZED, CKF_PROTECTED_PATH, CKF_TOKEN_INITIALIZED = (
    1, 1, 4, 8, 0x100, 0x400)
CKF_DIGEST, CKF_GENERATE_KEY_PAIR, CKF_SIGN, CKF_VERIFY = 0x400, 0x10000, 0x800, 0x2000
CKM_HKDF_DATA, CKK_HKDF, CKF_HKDF_SALT_NULL = 0x402b, 0x42, 1
RO, RW = 0, 2

# Profiles 5.1 to 5.5, "supports the following functions", in the words of each profile.
FUNCTIONS = {
    BASELINE: ["C_GetFunctionList", "C_GetInterfaceList", "C_GetInterface", "C_Initialize", "C_Finalize", "C_GetInfo",
               "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_OpenSession", "C_CloseSession", "C_GetSessionInfo",
               "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue"],
    EXTENDED: ["C_GetMechanismList", "C_GetMechanismInfo", "C_Login", "C_LoginUser", "C_Logout"],
    AUTHENTICATION: ["C_Login", "C_LoginUser", "C_Logout", "C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal"],
    CERTIFICATES: [],
    HKDF_TLS: ["C_DeriveKey"],
}


class Interface(Structure):
    _fields_ = [("name", c_char_p), ("functions", POINTER(Version)), ("flags", c_ulong)]


class Info(Structure):
    _fields_ = [("version", Version), ("manufacturer", c_char * 32), ("flags", c_ulong), ("description", c_char * 32),
                ("library", Version)]


class SlotInfo(Structure):
    _fields_ = [("description", c_char * 64), ("manufacturer", c_char * 32), ("flags", c_ulong), ("hardware", Version),
                ("firmware", Version)]


class SessionInfo(Structure):
    _fields_ = [("slot", c_ulong), ("state", c_ulong), ("flags", c_ulong), ("error", c_ulong)]


class MechanismInfo(Structure):
    _fields_ = [("smallest", c_ulong), ("largest", c_ulong), ("flags", c_ulong)]


class HkdfParams(Structure):
    _fields_ = [("extract", c_ubyte), ("expand", c_ubyte), ("hash", c_ulong), ("salt_type", c_ulong), ("salt", c_char_p),
                ("salt_size", c_ulong), ("salt_key", c_ulong), ("info", c_char_p), ("info_size", c_ulong)]


def text(structure, field):
    """A blank-padded field as it lies in memory."""
    descriptor = getattr(type(structure), field)
    return string_at(ctypes.addressof(structure) + descriptor.offset, descriptor.size)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def code(rv, wanted, what):
    check(rv == wanted, f"{what}: CKR_{rv}, not CKR_{wanted}")


class Client:
    """The module, initialised, and one of its tokens."""

    def __init__(self, label, pin):
        self.pin = pin.encode() if pin else None
        self.module = Cryptoki(PKCS11_MODULE)
        self.module.initialize()
        self.slot = self.module.slot_of(label)
        self.other = [slot for slot in self.module.slots() if slot != self.slot]

    def open(self, flags=RO) -> Objects:
        return open_objects(self.module, self.slot, flags)

    def login(self, objects, function="C_Login"):
        """With the PIN; or by the protected path, with none."""
        more = (None, 0) if function == "C_LoginUser" else ()
        code(objects.call(function, 1, self.pin, len(self.pin or b""), *more), "OK", function)

    def profiles(self):
        objects = self.open()
        return {int.from_bytes(objects.value(handle, "PROFILE_ID"), sys.byteorder) for handle in objects.find({"CLASS": PROFILE})}

    def end(self):
        self.module.must("C_CloseAllSessions", self.slot)
        self.module.must("C_Finalize", None)


def interfaces(module):
    count = c_ulong(0)
    module.must("C_GetInterfaceList", None, byref(count))
    found = (Interface * count.value)()
    module.must("C_GetInterfaceList", found, byref(count))
    return list(found)[:count.value]


# 5.1 Baseline Provider

def client_5_1_2_and_5_3_3_versions(client):
    """The data types are those of the version that the interface says."""
    versions = {(i.functions.contents.major, i.functions.contents.minor) for i in interfaces(client.module) if i.name == b"PKCS 11"}
    check({(2, 40), (3, 0), (3, 2)} <= versions, versions)
    for wanted in [(3, 2), (3, 0), (2, 40)]:
        got = POINTER(Interface)()
        client.module.must("C_GetInterface", b"PKCS 11", byref(Version(*wanted)), byref(got), 0)
        functions = got.contents.functions.contents
        check((functions.major, functions.minor) == wanted, "C_GetInterface gives another version than was asked for")
    info = Info()
    client.module.must("C_GetInfo", byref(info))
    check((info.version.major, info.version.minor) in versions, "C_GetInfo says a version without an interface")
    check(info.flags == 0, "CK_INFO.flags")
    for field in ("manufacturer", "description"):
        check(b"\0" not in text(info, field), f"{field} is blank-padded")


def client_5_1_3_attributes(client):
    """Every attribute of the list is one that an object has."""
    objects = client.open(RW)
    client.login(objects)
    rv, handle = objects.create({"CLASS": 0, "VALUE": b"v"})
    code(rv, "OK", "a data object")
    for name in ("CLASS", "TOKEN", "VALUE", "PRIVATE", "MODIFIABLE", "LABEL", "UNIQUE_ID"):
        code(objects.get(handle, name)[0], "OK", name)
    private, = objects.find({"CLASS": PRIVATE_KEY, "LABEL": b"profile"})
    check(len(objects.value(private, "ID")) > 0, "CKA_ID")
    profile = objects.find({"CLASS": PROFILE})[0]
    code(objects.get(profile, "PROFILE_ID")[0], "OK", "CKA_PROFILE_ID")


def client_5_1_4_profile_objects(client):
    """What the token claims it claims in every state, and claims no more than is tested here."""
    wanted = {BASELINE, EXTENDED, AUTHENTICATION, CERTIFICATES, HKDF_TLS}
    check(client.profiles() == wanted, client.profiles())
    objects = client.open(RW)
    client.login(objects)
    check(client.profiles() == wanted, "after login")
    for handle in objects.find({"CLASS": PROFILE}):
        code(objects.destroy(handle), "ACTION_PROHIBITED", "a profile is not destroyed")
    check(objects.find({"CLASS": PROFILE, "PROFILE_ID": COMPLETE}) == [], "a complete provider: no SSL3, no GOST, no OTP …")


def client_5_1_5_to_5_5_6_functions(client):
    """They are exported, in the function list, and do something: none is CKR_FUNCTION_NOT_SUPPORTED for want of it."""
    source = pathlib.Path(__file__).resolve().parents[2] / "pkcs11" / "functions.inc"
    listed = [line.split("(")[1].split(",")[0].strip() for line in source.read_text().splitlines()
              if line.startswith(("KC_FUNCTION(", "KC_FUNCTION_3_0(", "KC_FUNCTION_3_2("))]
    got = POINTER(Interface)()
    client.module.must("C_GetInterface", b"PKCS 11", byref(Version(3, 2)), byref(got), 0)
    pointers = cast(got.contents.functions, POINTER(c_void_p))
    for place, name in enumerate(listed, start=1):
        exported = cast(getattr(client.module.raw, name), c_void_p).value
        check(pointers[place] == exported or name == "C_GetInfo", f"{name} stands elsewhere in the list")
    info = Info()  # each list has a C_GetInfo of its own, which says the list's version
    rv = ctypes.CFUNCTYPE(c_ulong, POINTER(Info))(pointers[listed.index("C_GetInfo") + 1])(byref(info))
    check((rv, info.version.major, info.version.minor) == (0, 3, 2), "C_GetInfo of the interface")
    for names in FUNCTIONS.values():
        check(set(names) <= set(listed), set(names) - set(listed))
    session = SessionInfo()
    code(client.open().call("C_GetSessionInfo", byref(session)), "OK", "C_GetSessionInfo")
    check((session.slot, session.flags) == (client.slot, 4), "C_GetSessionInfo says another session")


def client_5_1_7_error_handling(client):
    """What every function of the baseline answers to nonsense (base 5.1, and each function's list of return values)."""
    module, objects = client.module, client.open()
    nothing = Objects(module, 0xdead)
    out = c_ulong(0)
    room = ctypes.create_string_buffer(512)
    for function, arguments, wanted in [
            ("C_GetInfo", (None,), "ARGUMENTS_BAD"), ("C_GetSlotList", (1, None, None), "ARGUMENTS_BAD"),
            ("C_GetSlotInfo", (0xdead, room), "SLOT_ID_INVALID"), ("C_GetTokenInfo", (0xdead, room), "SLOT_ID_INVALID"),
            ("C_GetMechanismList", (0xdead, None, byref(out)), "SLOT_ID_INVALID"),
            ("C_GetMechanismInfo", (client.slot, 0x7fffffff, room), "MECHANISM_INVALID"),
            ("C_OpenSession", (client.slot, 0, None, None, byref(out)), "SESSION_PARALLEL_NOT_SUPPORTED"),
            ("C_Initialize", (None,), "CRYPTOKI_ALREADY_INITIALIZED"), ("C_Finalize", (room,), "ARGUMENTS_BAD")]:
        names = {0x3: "SLOT_ID_INVALID", 0x7: "ARGUMENTS_BAD", 0x70: "MECHANISM_INVALID", 0xb4: "SESSION_PARALLEL_NOT_SUPPORTED",
                 0x191: "CRYPTOKI_ALREADY_INITIALIZED"}
        rv = module.call(function, *arguments)
        code(names.get(rv, hex(rv)), wanted, function)
    for function, arguments in [("C_GetSessionInfo", (room,)), ("C_FindObjectsInit", (None, 0)), ("C_FindObjects", (room, 1, byref(out))),
                                ("C_FindObjectsFinal", ()), ("C_GetAttributeValue", (1, None, 0)), ("C_CloseSession", ()),
                                ("C_Login", (1, b"", 0)), ("C_Logout", ())]:
        code(nothing.call(function, *arguments), "SESSION_HANDLE_INVALID", function)
    code(objects.call("C_FindObjects", room, 1, byref(out)), "OPERATION_NOT_INITIALIZED", "C_FindObjects")
    code(objects.call("C_FindObjectsInit", None, 0), "OK", "C_FindObjectsInit")
    check(objects.call("C_FindObjectsInit", None, 0) == hex(0x90), "a second search in a session")  # CKR_OPERATION_ACTIVE
    code(objects.call("C_FindObjectsFinal"), "OK", "C_FindObjectsFinal")
    code(objects.get(0xdead, "CLASS")[0], "OBJECT_HANDLE_INVALID", "C_GetAttributeValue")
    client.end()
    check(module.call("C_GetInfo", room) == 0x190, "C_GetInfo after C_Finalize")


def client_bl_m_1(client):
    """Initialize, look at library, slots and token, open a read-only session, find a token object, and leave."""
    module = client.module
    count = c_ulong(0)
    module.must("C_GetSlotList", 1, None, byref(count))
    check(client.slot in module.slots(), "C_GetSlotList")
    slot = SlotInfo()
    module.must("C_GetSlotInfo", client.slot, byref(slot))
    check(slot.flags & CKF_TOKEN_PRESENT, "a slot with a token")
    check(b"\0" not in text(slot, "description") + text(slot, "manufacturer"), "blank-padded")
    token = TokenInfo()
    module.must("C_GetTokenInfo", client.slot, byref(token))
    check(token.flags & CKF_RNG and token.flags & CKF_TOKEN_INITIALIZED and token.flags & CKF_USER_PIN_INITIALIZED, hex(token.flags))
    check(bool(token.flags & CKF_LOGIN_REQUIRED) == bool(client.pin), "CKF_LOGIN_REQUIRED")
    check(bool(token.flags & CKF_PROTECTED_PATH) != bool(client.pin), "CKF_PROTECTED_AUTHENTICATION_PATH")
    check(token.numbers[5] <= 4 <= len(PIN) <= token.numbers[4], "ulMinPinLen, ulMaxPinLen")
    check(all(b"\0" not in text(token, field) for field in ("label", "manufacturer", "model", "serial")), "blank-padded")
    objects = client.open()
    check(len(objects.find({"TOKEN": True})) >= 1, "a token object, if only a profile")
    code(objects.call("C_CloseSession"), "OK", "C_CloseSession")
    client.end()


# 5.3 Extended Provider

def client_ext_m_1(client):
    """Mechanisms in the two-call convention and what each can do; login, a search, logout."""
    module = client.module
    count = c_ulong(0)
    module.must("C_GetMechanismList", client.slot, None, byref(count))
    types = (c_ulong * count.value)()
    check(module.call("C_GetMechanismList", client.slot, types, byref(c_ulong(1))) == 0x150, "CKR_BUFFER_TOO_SMALL")
    module.must("C_GetMechanismList", client.slot, types, byref(count))
    check(len(set(types)) == count.value, "a mechanism is listed twice")
    for mechanism, smallest, flags in [(CKM_SHA256, 0, CKF_DIGEST), (RSA_PAIR, 2048, CKF_GENERATE_KEY_PAIR),
                                       (CKM_RSA_PKCS, 2048, CKF_SIGN | CKF_VERIFY)]:
        check(mechanism in list(types), hex(mechanism))
        info = MechanismInfo()
        module.must("C_GetMechanismInfo", client.slot, mechanism, byref(info))
        check(info.flags & flags == flags and info.smallest == smallest and info.largest >= info.smallest, hex(mechanism))
    objects = client.open(RW)
    client.login(objects)
    check(len(objects.find({"TOKEN": True})) >= 1, "a token object")
    code(objects.call("C_Logout"), "OK", "C_Logout")
    client.end()


def client_5_3_6_login_user(client):
    """C_LoginUser without a name is C_Login."""
    objects = client.open()
    client.login(objects, "C_LoginUser")
    check(len(objects.find({"CLASS": PRIVATE_KEY, "LABEL": b"profile"})) == 1, "the private key")
    rv = client.module.call("C_Login", objects.session, 1, client.pin, len(client.pin or b""))
    check(rv == 0x100, f"a second login: {rv:#x}, not CKR_USER_ALREADY_LOGGED_IN")
    code(objects.call("C_Logout"), "OK", "C_Logout")
    code(objects.call("C_Logout"), "USER_NOT_LOGGED_IN", "a second C_Logout")


# 5.4 Authentication Token

def client_auth_m_1(client):
    """Log in, find both halves of a key, read the public one, sign with the private one."""
    objects = client.open(RW)
    client.login(objects)
    public, = objects.find({"TOKEN": True, "LABEL": b"profile", "CLASS": PUBLIC_KEY})
    rooms = [ctypes.create_string_buffer(1024) for _ in range(2)]
    items = (Attribute * 2)(*[Attribute(TYPES[name], cast(room, c_void_p), 1024)
                              for name, room in zip(("MODULUS", "PUBLIC_EXPONENT"), rooms)])
    code(objects.call("C_GetAttributeValue", public, items, 2), "OK", "C_GetAttributeValue")
    check((items[0].size, rooms[1].raw[:items[1].size]) == (256, b"\1\0\1"), "the exact lengths")
    private, = objects.find({"TOKEN": True, "LABEL": b"profile", "CLASS": PRIVATE_KEY})
    check(objects.value(private, "MODULUS") == rooms[0].raw[:256], "both halves are of one key")
    mechanism, data = Mechanism(CKM_SHA256_RSA_PKCS, None, 0), b"what is signed" * 30
    signatures = []
    code(objects.call("C_SignInit", byref(mechanism), private), "OK", "C_SignInit")
    signature, size = ctypes.create_string_buffer(256), c_ulong(256)
    code(objects.call("C_Sign", data, len(data), signature, byref(size)), "OK", "C_Sign")
    signatures.append(signature.raw)
    code(objects.call("C_SignInit", byref(mechanism), private), "OK", "C_SignInit")
    code(objects.call("C_SignUpdate", data[:100], 100), "OK", "C_SignUpdate")
    code(objects.call("C_SignUpdate", data[100:], len(data) - 100), "OK", "C_SignUpdate")
    signature, size = ctypes.create_string_buffer(256), c_ulong(256)
    code(objects.call("C_SignFinal", signature, byref(size)), "OK", "C_SignFinal")
    signatures.append(signature.raw)
    check(signatures[0] == signatures[1], "PKCS#1 v1.5 signatures of the same data")
    code(objects.call("C_VerifyInit", byref(mechanism), public), "OK", "C_VerifyInit")
    code(objects.call("C_Verify", data, len(data), signatures[0], 256), "OK", "C_Verify")
    code(objects.call("C_Logout"), "OK", "C_Logout")
    client.end()


def client_5_4_8_without_login(client):
    """A key that needs the user is not found without one, and its handle ends with the login."""
    objects = client.open()
    found = objects.find({"CLASS": PRIVATE_KEY, "LABEL": b"profile"})
    check(len(found) == (0 if client.pin else 1), found)
    client.login(objects)
    private, = objects.find({"CLASS": PRIVATE_KEY, "LABEL": b"profile"})
    code(objects.call("C_Logout"), "OK", "C_Logout")
    if client.pin:
        code(objects.call("C_SignInit", byref(Mechanism(CKM_SHA256_RSA_PKCS, None, 0)), private), "KEY_HANDLE_INVALID", "C_SignInit")


# 5.5 Public Certificates Token

def client_cert_m_1(client):
    """No login: find the token's objects, read a label and a whole certificate, each by length and then by value."""
    objects = client.open()
    check(len(objects.find({"TOKEN": True})) >= 5, "profiles and a certificate")
    certificate, = objects.find({"TOKEN": True, "CLASS": CERTIFICATE})
    check(objects.value(certificate, "LABEL") == b"profile", "CKA_LABEL")
    value = objects.value(certificate, "VALUE")
    check(value[:1] == b"\x30" and len(value) > 500, "CKA_VALUE")
    check(objects.value(certificate, "CERTIFICATE_TYPE") == to_bytes(X_509), "CKA_CERTIFICATE_TYPE")
    check(objects.find({"VALUE": value}) == [certificate], "a certificate is found by its value")
    client.end()


def client_5_5_8_locations(client):
    """Certificates are public; they and their keys have one CKA_ID; by it the public key is found without login."""
    objects = client.open()
    certificate, = objects.find({"CLASS": CERTIFICATE})
    check(objects.value(certificate, "PRIVATE") == b"\0", "8a: publicly readable")
    identifier = objects.value(certificate, "ID")
    public, = objects.find({"CLASS": PUBLIC_KEY, "ID": identifier})
    info = objects.value(public, "PUBLIC_KEY_INFO")
    check(objects.value(certificate, "PUBLIC_KEY_INFO") == info, "8c ii: the public key is the certificate's")
    client.login(objects)
    private, = objects.find({"CLASS": PRIVATE_KEY, "ID": identifier})
    check(objects.value(private, "PUBLIC_KEY_INFO") == info, "8b: the private key is the certificate's")


# 5.6 HKDF TLS Token

def client_5_6_7_tls_vectors(client):
    """CKM_HKDF_DATA makes the initialisation vectors of TLS 1.3 and QUIC, whose labels it must not refuse."""
    objects = client.open(RW)
    client.login(objects)
    secret = bytes(range(32))
    rv, base = objects.create({"CLASS": SECRET_KEY, "KEY_TYPE": CKK_HKDF, "VALUE": secret, "DERIVE": True})
    code(rv, "OK", "C_CreateObject")
    for label in (b"tls iv", b"tls quic iv"):
        info = b"\0\x0c" + label + b"\0"
        param = HkdfParams(0, 1, CKM_SHA256, CKF_HKDF_SALT_NULL, None, 0, 0, info, len(info))
        mechanism = Mechanism(CKM_HKDF_DATA, cast(byref(param), c_void_p), ctypes.sizeof(param))
        rv, vector = objects.derive(mechanism, base, {"CLASS": DATA, "VALUE_LEN": 12})
        code(rv, "OK", f"C_DeriveKey, {label}")
        check(objects.value(vector, "VALUE") == hmac.digest(secret, info + b"\1", "sha256")[:12], "RFC 5869 §2.3")


CLIENTS = {name[len("client_"):]: function for name, function in list(globals().items()) if name.startswith("client_")}


class Profiles(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tool("--keypairgen", "--key-type", "rsa:2048", "--label", "profile", "--usage-sign")
        pem = cls.lab.dir / "profile.pem"
        pin = ["--pin-file", cls.lab.dir / f"pin-{cls.token}"] if cls.pin else []
        cls.lab.cli("cert", "self-sign", "--token", cls.token, "profile", "--subject", "CN=profile", "--out", pem, *pin)
        cls.lab.cli("cert", "import", "--token", cls.token, pem, *pin)

    def client(self, name):
        done = self.lab.run([sys.executable, __file__, name, self.token, *([self.pin] if self.pin else [])], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def add_tests():
    for name in CLIENTS:
        setattr(Profiles, f"test_{name}", lambda self, name=name: self.client(name))


add_tests()


class ProfilesWithPins(OnPins, Profiles):
    """The same with a login by PIN."""


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]](Client(*sys.argv[2:3], sys.argv[3] if len(sys.argv) > 3 else None))
    else:
        main()
