"""A sealed file as the examples have them: an initialisation vector of 16 bytes, then AES-CBC with padding.

    cbc.py seal|open KEY-FILE <in >out          the key is the file's bytes, never an argument
"""

import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7


def main():
    what, path = sys.argv[1:]
    with open(path, "rb") as file:
        key = algorithms.AES(file.read())
    data = sys.stdin.buffer.read()
    padding = PKCS7(128)
    if what == "seal":
        iv, padder = os.urandom(16), padding.padder()
        encryptor = Cipher(key, modes.CBC(iv)).encryptor()
        data = iv + encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()
    else:
        decryptor, unpadder = Cipher(key, modes.CBC(data[:16])).decryptor(), padding.unpadder()
        data = unpadder.update(decryptor.update(data[16:]) + decryptor.finalize()) + unpadder.finalize()
    sys.stdout.buffer.write(data)


main()
