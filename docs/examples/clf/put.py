"""Puts a file of up to 1 MiB into the token as a data object: put.py LABEL FILE. (pkcs11-tool writes 5000 bytes at most.)"""

import sys

from client import create, open_token


def main():
    label, path = sys.argv[1:]
    _library, session = open_token("clf")
    with open(path, "rb") as file:
        create(session, label, file.read())


main()
