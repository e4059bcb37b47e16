#!/usr/bin/env python3
"""Objects of PKCS#11 through the real module and enclave: which template is answered with what, by the specification's clause.

The whole table of attributes is tests/unit/keys/object_rules.inc; here is what a client sees of the most important rules.
The client is this file with an argument, in a process of its own.
"""

import ctypes
import hashlib
import os
import sys
from ctypes import byref, c_ulong, c_void_p, cast

from cryptoki import UNAVAILABLE, Attribute, Cryptoki, Mechanism
from cryptoki_objects import (AES_CBC, AES_KEY_GEN, ATTRIBUTE_CERTIFICATE, CERTIFICATE, CKK_AES, CKK_DSA, CKK_EC, CKK_GENERIC, CKK_RSA,
                              DATA, DOMAIN, EC_PAIR, HW_FEATURE, KEY_WRAP_KWP, MECHANISM, P256, PRIVATE_KEY, PROFILE, PUBLIC_KEY,
                              RSA_PAIR, SECRET_KEY, SECURITY_OFFICER, TRUST, TYPES, USER, VALIDATION, WTLS, X_509,
                              XOR_BASE_AND_DATA, Objects, open_objects, to_bytes)
from lab import BUILD_DIR, PERMISSIVE_POLICY, LabTest, main

PIN, SO_PIN = b"1234", b"87654321"
POLICY = PERMISSIVE_POLICY + """\
  - operations: [release]
    wrap: [token-key]
    when:
      tee: {is: simulated}
    allow_unattested: true
"""
KWP = Mechanism(KEY_WRAP_KWP, None, 0)
AES = {"CLASS": SECRET_KEY, "KEY_TYPE": CKK_AES, "VALUE": bytes(range(16))}
GENERIC = {"CLASS": SECRET_KEY, "KEY_TYPE": CKK_GENERIC, "VALUE": b"generic"}
CERT = {"CLASS": CERTIFICATE, "CERTIFICATE_TYPE": X_509, "SUBJECT": b"s"}
BY_URL = {**CERT, "VALUE": b"", "URL": b"http://localhost/c", "HASH_OF_SUBJECT_PUBLIC_KEY": b"h", "HASH_OF_ISSUER_PUBLIC_KEY": b"h"}
EC_POINT = bytes.fromhex("04" "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"  # the generator of P-256
                         "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
EC_PUBLIC = {"CLASS": PUBLIC_KEY, "KEY_TYPE": CKK_EC, "EC_PARAMS": P256, "EC_POINT": b"\x04\x41" + EC_POINT}
DSA = {"CLASS": DOMAIN, "KEY_TYPE": CKK_DSA, "PRIME": b"\xff" * 128, "SUBPRIME": b"\xff" * 20, "BASE": b"\2"}
TRUSTED = {"CLASS": TRUST, "ISSUER": b"i", "SERIAL_NUMBER": b"n"}


def but(template, *without, **more):
    return {name: value for name, value in {**template, **more}.items() if name not in without}


# (clause, template, answer of C_CreateObject)
CREATED = [
    ("4.1.1", {}, "TEMPLATE_INCOMPLETE"),
    ("4.1.1 case 1", {**AES, 0x7fffffff: b"x"}, "ATTRIBUTE_TYPE_INVALID"),
    ("4.1.1 case 1, vendor space", {**AES, 0x80001234: b"x"}, "ATTRIBUTE_TYPE_INVALID"),
    ("4.1.1 case 2, CK_ULONG of 4 bytes", but(AES, KEY_TYPE=b"\x1f\0\0\0"), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 2, CK_OBJECT_CLASS of 4 bytes", but(AES, CLASS=b"\4\0\0\0"), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 2, CK_BBOOL of 4 bytes", but(AES, TOKEN=bytes(4)), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 2, CK_BBOOL of 2", but(AES, ENCRYPT=b"\2"), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 2, no CK_BBOOL", but(AES, SENSITIVE=b""), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 2, a mebibyte", but(AES, KEY_TYPE=bytes(1 << 20)), "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1 case 3", but(AES, LOCAL=True), "ATTRIBUTE_READ_ONLY"),
    ("4.1.1 case 4", but(AES, "VALUE"), "TEMPLATE_INCOMPLETE"),
    ("4.1.1 case 5", but(AES, MODULUS=b"\1"), "TEMPLATE_INCONSISTENT"),
    ("4.1.1 case 5, two values", [*AES.items(), ("LABEL", b"a"), ("LABEL", b"b")], "TEMPLATE_INCONSISTENT"),
    ("4.1.1 case 6, one value twice", [*AES.items(), ("LABEL", b"a"), ("LABEL", b"a")], "OK"),
    ("4.2.2", but(AES, UNIQUE_ID=b"mine"), "ATTRIBUTE_READ_ONLY"),
    ("4.3", {"CLASS": HW_FEATURE}, "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1, built-in objects", {"CLASS": PROFILE, "PROFILE_ID": 1}, "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1, built-in objects", {"CLASS": MECHANISM}, "ATTRIBUTE_VALUE_INVALID"),
    ("4.1.1, built-in objects", {"CLASS": VALIDATION}, "ATTRIBUTE_VALUE_INVALID"),
    ("4.5", {"CLASS": DATA, "APPLICATION": b"a", "OBJECT_ID": b"\6\1\1", "VALUE": b"v"}, "OK"),
    ("4.5", {"CLASS": DATA, "KEY_TYPE": CKK_AES}, "TEMPLATE_INCONSISTENT"),
    ("4.6.2", but(CERT, "CERTIFICATE_TYPE", VALUE=b"v"), "TEMPLATE_INCOMPLETE"),
    ("4.6.2, no such type", but(CERT, CERTIFICATE_TYPE=3, VALUE=b"v"), "ATTRIBUTE_VALUE_INVALID"),
    ("4.6.2", but(BY_URL, TRUSTED=True), "ATTRIBUTE_READ_ONLY"),
    ("4.6.2", but(BY_URL, CERTIFICATE_CATEGORY=4), "ATTRIBUTE_VALUE_INVALID"),
    ("4.6.2", but(BY_URL, JAVA_MIDP_SECURITY_DOMAIN=4), "ATTRIBUTE_VALUE_INVALID"),
    ("4.6.3", CERT, "TEMPLATE_INCOMPLETE"),
    ("4.6.3 note 2", but(CERT, VALUE=b""), "TEMPLATE_INCONSISTENT"),
    ("4.6.3 note 3", BY_URL, "OK"),
    ("4.6.3 note 4", but(BY_URL, "HASH_OF_ISSUER_PUBLIC_KEY"), "TEMPLATE_INCONSISTENT"),
    ("4.6.3, not X.509", but(CERT, VALUE=b"v"), "ATTRIBUTE_VALUE_INVALID"),
    ("4.6.4", but(CERT, CERTIFICATE_TYPE=WTLS, VALUE=b"opaque"), "OK"),
    ("4.6.4", but(CERT, "SUBJECT", CERTIFICATE_TYPE=WTLS, VALUE=b"opaque"), "TEMPLATE_INCOMPLETE"),
    ("4.6.5", {"CLASS": CERTIFICATE, "CERTIFICATE_TYPE": ATTRIBUTE_CERTIFICATE, "OWNER": b"o", "VALUE": b"v"}, "OK"),
    ("4.6.5", {"CLASS": CERTIFICATE, "CERTIFICATE_TYPE": ATTRIBUTE_CERTIFICATE, "VALUE": b"v"}, "TEMPLATE_INCOMPLETE"),
    ("trust objects", but(TRUSTED, TRUST_SERVER_AUTH=3), "OK"),
    ("trust objects note 2", but(TRUSTED, TRUST_SERVER_AUTH=1), "TEMPLATE_INCOMPLETE"),
    ("trust objects", but(TRUSTED, TRUST_SERVER_AUTH=1, HASH_OF_CERTIFICATE=b"h"), "OK"),
    ("trust objects", but(TRUSTED, TRUST_SERVER_AUTH=5), "ATTRIBUTE_VALUE_INVALID"),
    ("domain parameter objects", DSA, "OK"),
    ("domain parameter objects", but(DSA, "BASE"), "TEMPLATE_INCOMPLETE"),
    ("domain parameter objects", but(DSA, PRIME_BITS=1024), "ATTRIBUTE_READ_ONLY"),
    ("domain parameter objects", but(DSA, KEY_TYPE=CKK_RSA), "ATTRIBUTE_VALUE_INVALID"),
    ("key objects", but(AES, "KEY_TYPE"), "TEMPLATE_INCOMPLETE"),
    ("key objects", but(AES, KEY_TYPE=0x13), "ATTRIBUTE_VALUE_INVALID"),  # CKK_DES
    ("key objects", but(AES, START_DATE=b"20260101", END_DATE=b"20261231"), "OK"),
    ("key objects", but(AES, START_DATE=b"2026-1-1"), "ATTRIBUTE_VALUE_INVALID"),
    ("key objects, template attributes", but(AES, UNWRAP_TEMPLATE={"EXTRACTABLE": False}), "OK"),
    ("key objects, template attributes", but(AES, UNWRAP_TEMPLATE={"EXTRACTABLE": b"\2"}), "ATTRIBUTE_VALUE_INVALID"),
    ("secret key objects", but(AES, CHECK_VALUE=b"bad"), "ATTRIBUTE_VALUE_INVALID"),
    ("secret key objects", but(AES, CHECK_VALUE=b""), "OK"),
    ("secret key objects", but(AES, TRUSTED=True), "ATTRIBUTE_READ_ONLY"),
    ("6, AES", but(AES, VALUE_LEN=16), "ATTRIBUTE_READ_ONLY"),
    ("6, AES", but(AES, VALUE=bytes(17)), "ATTRIBUTE_VALUE_INVALID"),
    ("6.3.3", EC_PUBLIC, "OK"),
    ("6.3.3, a bare point", but(EC_PUBLIC, EC_POINT=EC_POINT), "OK"),
    ("6.3.3, not on the curve", but(EC_PUBLIC, EC_POINT=EC_POINT[:-1] + b"\0"), "ATTRIBUTE_VALUE_INVALID"),
    ("6.3.3", but(EC_PUBLIC, "EC_POINT"), "TEMPLATE_INCOMPLETE"),
    ("6.3.3, curveName", but(EC_PUBLIC, EC_PARAMS=b"\x13\x0aprime256v1"), "OK"),
    ("6.3.3, another curve", but(EC_PUBLIC, EC_PARAMS=bytes.fromhex("06052b81040021")), "CURVE_NOT_SUPPORTED"),
    ("6.3.3, explicit parameters", but(EC_PUBLIC, EC_PARAMS=b"\x30\x03\x02\x01\x01"), "CURVE_NOT_SUPPORTED"),
    ("6.3.3, no DER", but(EC_PUBLIC, EC_PARAMS=b"?"), "DOMAIN_PARAMS_INVALID"),
    ("private key objects", but(EC_PUBLIC, "EC_POINT", CLASS=PRIVATE_KEY, VALUE=b"\1", PUBLIC_KEY_INFO=b"other"),
     "ATTRIBUTE_VALUE_INVALID"),
    ("private key objects", but(EC_PUBLIC, "EC_POINT", CLASS=PRIVATE_KEY, VALUE=b"\1", PUBLIC_KEY_INFO=b""), "OK"),
]

# (clause, mechanism, template, answer of C_GenerateKey)
GENERATED = [
    ("5.18.1", AES_KEY_GEN, {"VALUE_LEN": 32}, "OK"),
    ("5.18.1, the class is implied", AES_KEY_GEN, {"VALUE_LEN": 32, "CLASS": SECRET_KEY, "KEY_TYPE": CKK_AES}, "OK"),
    ("5.18.1", AES_KEY_GEN, {"VALUE_LEN": 32, "KEY_TYPE": CKK_GENERIC}, "TEMPLATE_INCONSISTENT"),
    ("5.18.1", AES_KEY_GEN, {"VALUE_LEN": 32, "CLASS": PRIVATE_KEY}, "TEMPLATE_INCONSISTENT"),
    ("4.1.1 case 2", AES_KEY_GEN, {"VALUE_LEN": 32, "CLASS": b"\4\0\0\0"}, "ATTRIBUTE_VALUE_INVALID"),
    ("6, AES, note 3", AES_KEY_GEN, {}, "TEMPLATE_INCOMPLETE"),
    ("6, AES, note 4", AES_KEY_GEN, {"VALUE_LEN": 16, "VALUE": bytes(16)}, "ATTRIBUTE_READ_ONLY"),
    ("key objects, note 4", AES_KEY_GEN, {"VALUE_LEN": 16, "KEY_GEN_MECHANISM": AES_KEY_GEN}, "ATTRIBUTE_READ_ONLY"),
]

# (clause, mechanism, public template, private template, answer of C_GenerateKeyPair)
PAIRS = [
    ("6.3.3 note 3", EC_PAIR, {}, {}, "TEMPLATE_INCOMPLETE"),
    ("6.3.4 note 4", EC_PAIR, {"EC_PARAMS": P256}, {"EC_PARAMS": P256}, "ATTRIBUTE_READ_ONLY"),
    ("6.3.3 note 4", EC_PAIR, {"EC_PARAMS": P256, "EC_POINT": EC_POINT}, {}, "ATTRIBUTE_READ_ONLY"),
    ("5.18.2", EC_PAIR, {"EC_PARAMS": P256, "KEY_TYPE": CKK_RSA}, {}, "TEMPLATE_INCONSISTENT"),
    ("5.18.2", EC_PAIR, {"EC_PARAMS": P256}, {"CLASS": PUBLIC_KEY}, "TEMPLATE_INCONSISTENT"),
    ("4.1.1 case 5", EC_PAIR, {"EC_PARAMS": P256, "SENSITIVE": True}, {}, "TEMPLATE_INCONSISTENT"),
    ("6.1.2 note 3", RSA_PAIR, {"PUBLIC_EXPONENT": b"\1\0\1"}, {}, "TEMPLATE_INCOMPLETE"),
    ("6.1.2 note 4", RSA_PAIR, {"MODULUS_BITS": 2048, "MODULUS": b"\1"}, {}, "ATTRIBUTE_READ_ONLY"),
]

# §5.6, "Access to different types of objects": (session, login, {(token, private): answer})
ACCESS = [
    ("R/O public", 0, None, {(False, False): "OK", (False, True): "USER_NOT_LOGGED_IN", (True, False): "SESSION_READ_ONLY",
                             (True, True): "SESSION_READ_ONLY"}),
    ("R/W public", 2, None, {(False, False): "OK", (False, True): "USER_NOT_LOGGED_IN", (True, False): "OK",
                             (True, True): "USER_NOT_LOGGED_IN"}),
    ("R/O user", 0, USER, {(False, False): "OK", (False, True): "OK", (True, False): "SESSION_READ_ONLY",
                           (True, True): "SESSION_READ_ONLY"}),
    ("R/W user", 2, USER, {(False, False): "OK", (False, True): "OK", (True, False): "OK", (True, True): "OK"}),
    ("R/W SO", 2, SECURITY_OFFICER, {(False, False): "OK", (False, True): "USER_NOT_LOGGED_IN", (True, False): "OK",
                                     (True, True): "USER_NOT_LOGGED_IN"}),
]


def same(clause, got, wanted, what=""):
    assert got == wanted, f"{clause}: {got}, not {wanted} {what}"


def load():
    module = Cryptoki(os.environ.get("KEYCLAVE_TEST_MODULE", BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
    module.initialize()
    return module


def logged_in() -> Objects:
    module = load()
    objects = open_objects(module, module.slot_of("pins"))
    module.login(objects.session, PIN)
    return objects


def made(answer):
    same("an object", answer[0], "OK")
    return answer[1] if len(answer) == 2 else answer[1:]


def client_templates():
    objects = logged_in()
    before = len(objects.find({}))
    for clause, template, wanted in CREATED:
        answer, handle = objects.create(template)
        same(clause, answer, wanted, template)
        if answer == "OK":
            same(clause, objects.destroy(handle), "OK")
    for clause, mechanism, template, wanted in GENERATED:
        answer, handle = objects.generate(mechanism, template)
        same(clause, answer, wanted, template)
        if answer == "OK":
            same(clause, objects.destroy(handle), "OK")
    for clause, mechanism, public, private, wanted in PAIRS:
        same(clause, objects.generate_pair(mechanism, public, private)[0], wanted, (public, private))
    same("no object of a template that was refused", len(objects.find({})), before)


def client_access():
    module = load()
    slot = module.slot_of("pins")
    for state, flags, user, answers in ACCESS:
        objects = open_objects(module, slot, flags)
        if user is not None:
            pin = PIN if user == USER else SO_PIN
            same(state, objects.call("C_Login", user, pin, len(pin)), "OK")
        for (token, private), wanted in answers.items():
            answer, handle = objects.create({"CLASS": DATA, "TOKEN": token, "PRIVATE": private})
            same(f"5.6, {state}", answer, wanted, (token, private))
            if answer == "OK":
                same(state, objects.destroy(handle), "OK")
        module.must("C_CloseAllSessions", slot)


def client_history():
    """ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, LOCAL, KEY_GEN_MECHANISM, and the attributes that only rise or fall."""
    objects = logged_in()

    def flags(handle):
        rv, values = objects.get(handle, "SENSITIVE", "EXTRACTABLE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL")
        same("history", rv, "OK")
        return [value == b"\1" for value in values]

    closed = made(objects.generate(AES_KEY_GEN, {"VALUE_LEN": 16, "SENSITIVE": True, "EXTRACTABLE": False}))
    same("5.18.1", flags(closed), [True, False, True, True, True])
    same("key objects", objects.value(closed, "KEY_GEN_MECHANISM"), to_bytes(AES_KEY_GEN))
    opened = made(objects.generate(AES_KEY_GEN, {"VALUE_LEN": 16, "SENSITIVE": False, "EXTRACTABLE": True}))
    same("5.18.1", flags(opened), [False, True, False, False, True])
    same("note 11", objects.set(opened, {"SENSITIVE": True}), "OK")
    same("note 11", objects.set(opened, {"SENSITIVE": False}), "ATTRIBUTE_READ_ONLY")
    same("note 12", objects.set(opened, {"EXTRACTABLE": False}), "OK")
    same("note 12", objects.set(opened, {"EXTRACTABLE": True}), "ATTRIBUTE_READ_ONLY")
    same("what it was is not forgotten", flags(opened), [True, False, False, False, True])
    same("5.7.2", flags(made(objects.copy(closed, {}))), [True, False, True, True, True])
    brought = made(objects.create({**AES, "SENSITIVE": True, "EXTRACTABLE": False}))
    same("5.7.1", flags(brought), [True, False, False, False, False])
    same("key objects", objects.value(brought, "KEY_GEN_MECHANISM"), to_bytes(UNAVAILABLE))
    # "for reference only … it does not restrict usage of a key according to the dates" (key objects).
    past = made(objects.create({**AES, "START_DATE": b"20010101", "END_DATE": b"20011231"}))
    iv = ctypes.create_string_buffer(16)
    same("key objects", objects.call("C_EncryptInit", byref(Mechanism(AES_CBC, cast(iv, c_void_p), 16)), past), "OK")


def client_changes():
    objects = logged_in()
    key = made(objects.create({**AES, "LABEL": b"first"}))
    for clause, change, wanted in [
            ("4.4", {"LABEL": b"second"}, "OK"), ("4.4", {"TOKEN": True}, "ATTRIBUTE_READ_ONLY"),
            ("4.4", {"PRIVATE": False}, "ATTRIBUTE_READ_ONLY"), ("4.4", {"MODIFIABLE": False}, "ATTRIBUTE_READ_ONLY"),
            ("4.2.1", {"CLASS": DATA}, "ATTRIBUTE_READ_ONLY"), ("4.2.2", {"UNIQUE_ID": b"x"}, "ATTRIBUTE_READ_ONLY"),
            ("key objects", {"KEY_TYPE": CKK_GENERIC}, "ATTRIBUTE_READ_ONLY"), ("6, AES", {"VALUE": bytes(16)}, "ATTRIBUTE_READ_ONLY"),
            ("key objects", {"ID": b"1", "ENCRYPT": False, "START_DATE": b"20260101"}, "OK"),
            ("4.1.2", {"SUBJECT": b"x"}, "TEMPLATE_INCONSISTENT"), ("4.1.2", {0x80001234: b"x"}, "ATTRIBUTE_TYPE_INVALID"),
            ("4.1.2", {"SENSITIVE": b""}, "ATTRIBUTE_VALUE_INVALID"),
            ("secret key objects", {"CHECK_VALUE": b"bad"}, "ATTRIBUTE_VALUE_INVALID"), ("secret key objects", {"CHECK_VALUE": b""}, "OK")]:
        same(clause, objects.set(key, change), wanted, change)
    same("secret key objects", objects.value(key, "CHECK_VALUE"), b"")
    same("4.1.2, all or nothing", objects.set(key, {"LABEL": b"third", "CLASS": DATA}), "ATTRIBUTE_READ_ONLY")
    same("4.1.2, all or nothing", objects.value(key, "LABEL"), b"second")

    copy = made(objects.copy(key, {"LABEL": b"copy", "MODIFIABLE": False, "COPYABLE": False, "DESTROYABLE": False}))
    assert objects.value(copy, "UNIQUE_ID") != objects.value(key, "UNIQUE_ID")
    same("5.7.7", objects.set(copy, {"LABEL": b"x"}), "ACTION_PROHIBITED")
    same("5.7.2", objects.copy(copy, {})[0], "ACTION_PROHIBITED")
    same("5.7.4", objects.destroy(copy), "ACTION_PROHIBITED")
    kept = made(objects.copy(key, {"DESTROYABLE": False}))
    same("4.1.3", objects.destroy(made(objects.copy(kept, {"DESTROYABLE": True}))), "OK")
    same("5.7.2", objects.copy(key, {"PRIVATE": False})[0], "TEMPLATE_INCONSISTENT")
    same("4.1.3", objects.copy(key, {"CLASS": DATA})[0], "ATTRIBUTE_READ_ONLY")


def client_trusted():
    """CKA_TRUSTED is the security officer's; a trusted certificate is nobody else's to change (4.6.2)."""
    module = load()
    slot = module.slot_of("pins")
    officer = open_objects(module, slot)
    same("login", officer.call("C_Login", SECURITY_OFFICER, SO_PIN, len(SO_PIN)), "OK")
    trusted = made(officer.create({**BY_URL, "TOKEN": True, "LABEL": b"trusted", "TRUSTED": True}))
    same("4.6.2", officer.value(trusted, "TRUSTED"), b"\1")
    same("logout", officer.call("C_Logout"), "OK")
    module.login(officer.session, PIN)
    trusted, = officer.find({"LABEL": b"trusted"})
    same("4.6.2", officer.set(trusted, {"ID": b"other"}), "ACTION_PROHIBITED")
    same("4.6.2", officer.value(made(officer.copy(trusted, {"ID": b"other"})), "TRUSTED"), b"\0")
    same("4.6.2", officer.copy(trusted, {"ID": b"other", "TRUSTED": True})[0], "ATTRIBUTE_READ_ONLY")
    same("destroyed", officer.destroy(trusted), "OK")


def client_read():
    """C_GetAttributeValue works through the whole template (5.7.6), and C_FindObjects matches bytes (5.7.8)."""
    objects = logged_in()
    key = made(objects.create({**AES, "LABEL": b"read", "ID": b"\1\2\3", "SENSITIVE": True}))
    rv, values = objects.get(key, "LABEL", "VALUE", "MODULUS", "ID")
    assert rv in ("ATTRIBUTE_SENSITIVE", "ATTRIBUTE_TYPE_INVALID"), rv
    same("5.7.6", values, [b"read", None, None, b"\1\2\3"])
    room = ctypes.create_string_buffer(2)
    items = (Attribute * 2)(Attribute(TYPES["LABEL"], cast(room, c_void_p), 2), Attribute(TYPES["ID"], None, 0))
    same("5.7.6 case 5", objects.call("C_GetAttributeValue", key, items, 2), "BUFFER_TOO_SMALL")
    same("5.7.6", (items[0].size, items[1].size, room.raw), (UNAVAILABLE, 3, b"\0\0"))
    same("secret key objects", objects.value(key, "CHECK_VALUE"), bytes.fromhex("c6a13b"))  # of AES-128 under 000102…0f
    generic = made(objects.create(GENERIC))
    same("6, generic secret", objects.value(generic, "CHECK_VALUE"), hashlib.sha1(b"generic").digest()[:3])
    same("key objects", objects.value(key, "OBJECT_VALIDATION_FLAGS"), to_bytes(0))
    same("domain parameter objects", objects.value(made(objects.create(DSA)), "PRIME_BITS"), to_bytes(1024))
    point = objects.value(made(objects.create({**EC_PUBLIC, "EC_POINT": EC_POINT})), "EC_POINT")
    same("6.3.3", point, b"\x04\x41" + EC_POINT)

    same("5.7.8", objects.find({"LABEL": b"read"}), [key])
    same("5.7.8", objects.find({"LABEL": b"read", "VALUE": AES["VALUE"]}), [])
    same("5.7.8", objects.find({"CLASS": b"\4"}), [])
    same("5.7.8", objects.find([("LABEL", b"read"), ("LABEL", b"read")]), [key])
    same("5.7.8", objects.find([("LABEL", b"read"), ("LABEL", b"other")]), "ATTRIBUTE_VALUE_INVALID")
    unique = objects.value(key, "UNIQUE_ID")
    same("4.2.2", objects.find({"UNIQUE_ID": unique}), [key])

    nested = made(objects.create({**AES, "UNWRAP_TEMPLATE": {"EXTRACTABLE": False, "LABEL": b"inner"}}))
    outer = Attribute(TYPES["UNWRAP_TEMPLATE"], None, 0)
    same("template attributes", objects.call("C_GetAttributeValue", nested, byref(outer), 1), "OK")
    count = outer.size // ctypes.sizeof(Attribute)
    inner = (Attribute * count)(*[Attribute(UNAVAILABLE, None, 0) for _ in range(count)])
    outer.value = cast(inner, c_void_p)
    same("template attributes", objects.call("C_GetAttributeValue", nested, byref(outer), 1), "OK")
    same("template attributes", {item.type: item.size for item in inner}, {TYPES["EXTRACTABLE"]: 1, TYPES["LABEL"]: 5})
    rooms = [ctypes.create_string_buffer(item.size) for item in inner]
    for item, buffer in zip(inner, rooms):
        item.value = cast(buffer, c_void_p)
    same("template attributes", objects.call("C_GetAttributeValue", nested, byref(outer), 1), "OK")
    same("template attributes", sorted(buffer.raw for buffer in rooms), [b"\0", b"inner"])


def client_key_templates():
    """CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE, CKA_WRAP_WITH_TRUSTED (5.18.3 to 5.18.5)."""
    objects = logged_in()
    kek = made(objects.generate(AES_KEY_GEN, {"VALUE_LEN": 32, "TOKEN": True, "EXTRACTABLE": False, "WRAP": True, "UNWRAP": True,
                                              "WRAP_TEMPLATE": {"LABEL": b"leaves"},
                                              "UNWRAP_TEMPLATE": {"LABEL": b"came", "DECRYPT": False}}))
    leaves, stays = [made(objects.create({**AES, "LABEL": label, "EXTRACTABLE": True})) for label in (b"leaves", b"stays")]
    rv, wrapped = objects.wrap(KWP, kek, leaves)
    same("5.18.3", rv, "OK")
    same("5.18.3", objects.wrap(KWP, kek, stays)[0], "KEY_HANDLE_INVALID")
    same("the handle still is one", objects.value(stays, "LABEL"), b"stays")
    same("note 11", objects.set(leaves, {"WRAP_WITH_TRUSTED": True}), "OK")
    same("secret key objects", objects.wrap(KWP, kek, leaves)[0], "KEY_NOT_WRAPPABLE")
    same("note 12", objects.set(stays, {"EXTRACTABLE": False}), "OK")
    same("5.18.3", objects.wrap(KWP, kek, stays)[0], "KEY_UNEXTRACTABLE")

    secret = {"CLASS": SECRET_KEY, "KEY_TYPE": CKK_AES}
    came = made(objects.unwrap(KWP, kek, wrapped, secret))
    same("5.18.4", objects.get(came, "LABEL", "DECRYPT", "LOCAL", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE"),
         ("OK", [b"came", b"\0", b"\0", b"\0", b"\0"]))
    for clause, template, wanted in [
            ("5.18.4", {**secret, "DECRYPT": False}, "OK"), ("5.18.4", {**secret, "DECRYPT": True}, "TEMPLATE_INCONSISTENT"),
            ("key objects note 5", {"CLASS": SECRET_KEY}, "TEMPLATE_INCOMPLETE"),
            ("6, AES, note 6", {**secret, "VALUE": bytes(16)}, "ATTRIBUTE_READ_ONLY"),
            ("5.18.4", {**secret, "VALUE_LEN": 32}, "WRAPPED_KEY_LEN_RANGE"), ("5.18.4", {**secret, "VALUE_LEN": 16}, "OK"),
            ("4.2.1", {"KEY_TYPE": CKK_AES}, "TEMPLATE_INCOMPLETE"), ("5.18.4", {**secret, "CLASS": PUBLIC_KEY}, "TEMPLATE_INCONSISTENT")]:
        same(clause, objects.unwrap(KWP, kek, wrapped, template)[0], wanted, template)

    base = made(objects.create({**GENERIC, "DERIVE": True, "DERIVE_TEMPLATE": {"LABEL": b"derived"}}))
    data = ctypes.create_string_buffer(7)
    param = (c_ulong * 2)(cast(data, c_void_p).value, 7)  # CK_KEY_DERIVATION_STRING_DATA
    mechanism = Mechanism(XOR_BASE_AND_DATA, cast(param, c_void_p), ctypes.sizeof(param))
    derived = made(objects.derive(mechanism, base, {"CLASS": SECRET_KEY, "KEY_TYPE": CKK_GENERIC}))
    same("5.18.5", objects.value(derived, "LABEL"), b"derived")
    same("5.18.5", objects.derive(mechanism, base, {"LABEL": b"other"})[0], "TEMPLATE_INCONSISTENT")
    same("destroyed", objects.destroy(kek), "OK")


CLIENTS = {name[len("client_"):]: function for name, function in list(globals().items()) if name.startswith("client_")}


class ObjectsTest(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("pins", POLICY, pin=PIN.decode(), so_pin=SO_PIN.decode())

    def client(self, name):
        done = self.lab.run([sys.executable, __file__, name], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def add_tests():
    for name in CLIENTS:
        setattr(ObjectsTest, f"test_{name}", lambda self, name=name: self.client(name))


add_tests()

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]]()
    else:
        main()
