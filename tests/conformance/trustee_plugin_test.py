#!/usr/bin/env python3
"""The calls of Trustee's PKCS#11 plugin, in its order: a session that stays open, and a key pair by label that wraps and unwraps
what clients send (RSA-OAEP with SHA-256, the plugin's default)."""

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main
from pykcs11_test import PRELOAD, PYTHON

PLUGIN = """
import sys
from PyKCS11 import *
module, pin = sys.argv[1:]
library = PyKCS11Lib()
library.load(module)
session = library.openSession(library.getSlotList(tokenPresent=True)[SLOT], CKF_SERIAL_SESSION | CKF_RW_SESSION)
session.login(pin)
find = lambda kind: session.findObjects([(CKA_LABEL, "trustee"), (CKA_CLASS, kind)])[0]
oaep = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
wrapped = bytes(session.encrypt(find(CKO_PUBLIC_KEY), b"secret", oaep))
assert wrapped != b"secret" and bytes(session.decrypt(find(CKO_PRIVATE_KEY), wrapped, oaep)) == b"secret"
# What it stores as a resource is a secret key whose value this token keeps to itself.
session.createObject([(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_GENERIC_SECRET), (CKA_EXTRACTABLE, True),
                      (CKA_PRIVATE, True), (CKA_VALUE, b"resource"), (CKA_LABEL, "default/key/one")])
stored = session.findObjects([(CKA_LABEL, "default/key/one")])
assert len(stored) == 1 and session.getAttributeValue(stored[0], [CKA_VALUE]) == [None]
print("done")
"""


class TrusteePlugin(OnPins, ClientTest):
    def test_the_plugins_calls(self):
        self.lab.cli("key", "generate", "--token", "pins", "--type", "rsa:2048", "--label", "trustee", "--pin-file",
                     self.lab.write("pin", PIN))
        slots = self.lab.cli("token", "list", json=True)["tokens"]
        slot = [one["label"] for one in slots].index("pins")
        done = self.lab.run([PYTHON, "-c", PLUGIN.replace("SLOT", str(slot)), PKCS11_MODULE, PIN], env=PRELOAD)
        self.assertEqual(done.stdout, "done\n")


if __name__ == "__main__":
    main()
