#!/usr/bin/env python3
"""PyKCS11: sessions, objects, sign, encrypt, wrap, derive, digest, threads and forks (pykcs11_program.py)."""

from clients import PKCS11_MODULE, SO_PIN, ClientTest, OnPins, main
from lab import SOURCE_DIR
from processes import SANITIZER_RUNTIME

# Debian's, whose packages are python3-pykcs11 and python3-cryptography; another one may run this test.
PYTHON = "/usr/bin/python3"
PROGRAM = SOURCE_DIR / "tests" / "conformance" / "pykcs11_program.py"
# PyKCS11 throws; a sanitizer's runtime looks for what does that when it starts, and Python has no C++ library yet.
PRELOAD = {"LD_PRELOAD": SANITIZER_RUNTIME + ":libstdc++.so.6"} if SANITIZER_RUNTIME else {}


class PyKcs11(ClientTest):
    def test_program(self):
        found = self.lab.run([PYTHON, "-c", "import PyKCS11, cryptography"], check=False)
        self.assertEqual(found.returncode, 0, f"{found.stderr}: apt-get install python3-pykcs11 python3-cryptography")
        done = self.lab.run([PYTHON, PROGRAM, PKCS11_MODULE, self.token, *([self.pin, SO_PIN] if self.pin else [])],
                            env=PRELOAD)
        self.assertRegex(done.stderr, r"Ran \d\d tests.*\n\nOK")


class WithPins(OnPins, PyKcs11):
    """The same with a login."""


if __name__ == "__main__":
    main()
