"""A client of CLF, in Python with PyKCS11: client.py LARGE-FILE."""

import os
import sys

import PyKCS11
from PyKCS11 import (CKA_CLASS, CKA_LABEL, CKA_PRIVATE, CKA_TOKEN, CKA_VALUE, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKM_AES_CBC_PAD,
                     CKO_DATA, CKO_SECRET_KEY)


def open_token(label):
    library = PyKCS11.PyKCS11Lib()
    library.load(os.environ["MODULE"])
    slot, = [slot for slot in library.getSlotList(tokenPresent=True) if library.getTokenInfo(slot).label.strip() == label]
    return library, library.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)


def find(session, kind, label):
    return session.findObjects([(CKA_CLASS, kind), (CKA_LABEL, label)])[0]


def read(session, label):
    return bytes(session.getAttributeValue(find(session, CKO_DATA, label), [CKA_VALUE])[0])


def create(session, label, value):
    session.createObject([(CKA_CLASS, CKO_DATA), (CKA_TOKEN, True), (CKA_PRIVATE, True), (CKA_LABEL, label), (CKA_VALUE, value)])


def main():
    _library, session = open_token("clf")
    print("key:", len(read(session, "secret")), "bytes")
    print("model.json:", len(read(session, "model.json")), "bytes")
    with open(sys.argv[1], "rb") as file:
        sealed = file.read()
    text = bytes(session.decrypt(find(session, CKO_SECRET_KEY, "files"), sealed[16:],
                                 PyKCS11.Mechanism(CKM_AES_CBC_PAD, sealed[:16])))
    numbers = [int(line) for line in text.split()]
    result = f"lines {len(numbers)}, sum {sum(numbers)}\n"
    create(session, "result/python", result.encode())
    print(result, end="")


if __name__ == "__main__":
    main()
