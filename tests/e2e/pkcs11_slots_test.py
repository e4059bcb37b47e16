#!/usr/bin/env python3
"""What the module says of slots while the real daemon comes and goes; seeds and saved digests over it.

The client is this file with an argument, in a process of its own.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
from ctypes import byref, c_ulong

from cryptoki import Cryptoki, Mechanism
from lab import BUILD_DIR, LabTest, main

MODULE = os.environ.get("KEYCLAVE_TEST_MODULE", str(BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
DONT_BLOCK, NO_EVENT, CKM_SHA256 = 1, 8, 0x250


def client_events():
    """Says how each wait for an event ended; at "poll" none may be there."""
    module = Cryptoki(MODULE)
    module.initialize()
    slot = c_ulong(77)
    assert module.call("C_WaitForSlotEvent", DONT_BLOCK, byref(slot), None) == NO_EVENT
    print("ready", flush=True)
    for _line in sys.stdin:
        rv = module.call("C_WaitForSlotEvent", 0, byref(slot), None)
        print(rv, slot.value, slot.value in module.slots(), flush=True)


def client_small():
    module = Cryptoki(MODULE)
    module.initialize()
    session, other = (module.open_session(module.slot_of("web")) for _ in range(2))
    for size in (0, 1, 100_000):
        seed = os.urandom(size)
        module.must("C_SeedRandom", session, seed, size)
    random = [ctypes.create_string_buffer(32) for _ in range(2)]
    for out in random:
        module.must("C_GenerateRandom", session, out, 32)
    assert random[0].raw != random[1].raw
    module.must("C_DigestInit", session, byref(Mechanism(CKM_SHA256, None, 0)))
    module.must("C_DigestUpdate", session, b"one ", 4)
    size = c_ulong(0)
    module.must("C_GetOperationState", session, None, byref(size))
    state = ctypes.create_string_buffer(size.value)
    module.must("C_GetOperationState", session, state, byref(size))
    module.must("C_SetOperationState", other, state, size.value, 0, 0)
    for handle, rest in ((session, b"two"), (other, b"three")):
        module.must("C_DigestUpdate", handle, rest, len(rest))
        digest, size = ctypes.create_string_buffer(32), c_ulong(32)
        module.must("C_DigestFinal", handle, digest, byref(size))
        assert digest.raw == hashlib.sha256(b"one " + rest).digest()


class Slots(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")

    def test_tokens_that_come_and_go_are_events(self):
        process = subprocess.Popen([sys.executable, __file__, "events"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=self.lab.foreign_env(sys.executable))

        def event():
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().split()

        with process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            self.lab.kill_daemon()
            rv, slot, present = event()
            self.assertEqual((rv, present), ("0", "False"), "its token is gone")
            self.lab.start_daemon()
            self.assertEqual(event(), ["0", slot, "True"], "and there again")
            process.stdin.close()
        self.assertEqual(process.returncode, 0)

    def test_seeds_and_saved_digests(self):
        done = self.lab.run([sys.executable, __file__, "small"], check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    if sys.argv[1:] == ["events"]:
        client_events()
    elif sys.argv[1:] == ["small"]:
        client_small()
    else:
        main()
