"""Signs with the keys of token edge that its standard input names, in one session, and prints how that went."""

import hashlib
import os
import sys

from cryptoki import CKM_ECDSA, CKO_PRIVATE_KEY, Cryptoki, Failed
from lab import PKCS11_MODULE


def sign(module, session, label):
    found = module.find(session, CLASS=CKO_PRIVATE_KEY, LABEL=label.encode())
    if not found:
        return "not found"
    module.sign(session, found[0], CKM_ECDSA, hashlib.sha256(os.urandom(8)).digest())
    return "signed"


def main():
    module = Cryptoki(PKCS11_MODULE)
    module.initialize()
    session = None
    for line in sys.stdin:
        try:
            if session is None:
                session = module.open_session(module.slot_of("edge"))
            print(sign(module, session, line.strip()), flush=True)
        except (Failed, AssertionError, StopIteration, KeyError) as error:
            print(f"refused: {error!r}", flush=True)


main()
