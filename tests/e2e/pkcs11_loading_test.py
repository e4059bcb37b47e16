#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""The module in programs that load it in their own way: unloaded and loaded again, twice under different names, beside another
module, initialised with mutexes of the application's, finalised while threads are inside, and over a daemon that restarts
under load.

Each test runs a client of its own (this file with a name as argument), so that what it does to its process stays there.
"""

import _ctypes
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_ulong, c_void_p

from cryptoki import CKM_ECDSA, Cryptoki, Failed
from lab import BUILD_DIR, LabTest, main, wait_until
from processes import SANITIZER_RUNTIME

MODULE = os.environ.get("KEYCLAVE_TEST_MODULE", str(BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
DIGEST = hashlib.sha256(b"data").digest()
CKF_OS_LOCKING_OK = 2
# What a call may say that C_Finalize, and then C_Initialize, overtook.
OVERTAKEN = {"CRYPTOKI_NOT_INITIALIZED", "SESSION_HANDLE_INVALID", "OPERATION_NOT_INITIALIZED", "KEY_HANDLE_INVALID",
             "BUFFER_TOO_SMALL"}  # slots that came between the two calls of C_GetSlotList


def signs(module, label="web"):
    session = module.open_session(module.slot_of(label))
    assert len(module.sign(session, module.private_key(session, "ec"), CKM_ECDSA, DIGEST)) == 64
    return session


# ---- clients ----

def client_reload():
    for finalizes in (True, False, True):
        module = Cryptoki(MODULE)
        try:
            module.initialize()
        except Failed as error:  # it stays mapped, and with it the run that nobody finalised
            assert error.name == "CRYPTOKI_ALREADY_INITIALIZED", error
        signs(module)
        if finalizes:
            module.must("C_Finalize", None)
        _ctypes.dlclose(module.raw._handle)


def client_several(folder):
    """Two copies of the module are two modules, each with its own run; and SoftHSM2 is a third."""
    copy = pathlib.Path(folder) / "another-module.so"
    shutil.copy(MODULE, copy)
    first, second = Cryptoki(MODULE), Cryptoki(copy)
    assert os.path.exists(SOFTHSM), "apt-get install softhsm2"
    other = Cryptoki(SOFTHSM)
    for module in (first, second, other):
        module.initialize()
    assert other.slots(), "SoftHSM2 shows its empty slot"
    session = signs(first)
    signs(second)
    first.must("C_Finalize", None)
    assert first.call("C_CloseSession", session) != 0
    signs(second)
    other.must("C_Finalize", None)
    first.initialize()
    signs(first)
    for module in (first, second):
        module.must("C_Finalize", None)


class InitializeArgs(Structure):
    CREATE, OTHER = CFUNCTYPE(c_ulong, POINTER(c_void_p)), CFUNCTYPE(c_ulong, c_void_p)
    _fields_ = [("create", CREATE), ("destroy", OTHER), ("lock", OTHER), ("unlock", OTHER), ("flags", c_ulong), ("reserved", c_void_p)]


def client_mutexes():
    """v3.2 §5.4.1: none, the operating system's, the application's, both. Each works with threads."""
    module = Cryptoki(MODULE)
    none, other = InitializeArgs.CREATE(), InitializeArgs.OTHER()
    create, use = InitializeArgs.CREATE(lambda _place: 0), InitializeArgs.OTHER(lambda _mutex: 0)
    for args in (InitializeArgs(none, other, other, other, CKF_OS_LOCKING_OK, None),
                 InitializeArgs(create, use, use, use, 0, None),
                 InitializeArgs(create, use, use, use, CKF_OS_LOCKING_OK, None)):
        module.must("C_Initialize", byref(args))
        threads = [threading.Thread(target=signs, args=(module,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        module.must("C_Finalize", None)
    for args in (InitializeArgs(create, other, use, use, 0, None), InitializeArgs(none, other, other, other, 0, c_void_p(1))):
        assert module.call("C_Initialize", byref(args)) == 7, "CKR_ARGUMENTS_BAD"


def client_finalize():
    """Threads that never stop, and a run that ends and begins under them."""
    module = Cryptoki(MODULE)
    module.initialize()
    odd, done, signed = [], threading.Event(), [0] * 8

    def work(number):
        while not done.is_set():
            try:
                signs(module)
                signed[number] += 1
            except Failed as error:
                if error.name not in OVERTAKEN:
                    odd.append(error.name)
            except AssertionError:
                pass  # no slot, no key: between the runs

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        before = list(signed)
        wait_until(lambda before=before: sum(signed) > sum(before), "a signature")
        module.must("C_Finalize", None)
        module.initialize()
    done.set()
    for thread in threads:
        thread.join()
    assert not odd, odd
    signs(module)
    module.must("C_Finalize", None)


def client_load():
    """Signs with eight threads until a line comes in; says how often each answer came, then signs once more."""
    module = Cryptoki(MODULE)
    module.initialize()
    slot = module.slot_of("web")
    answers, lock, done = {}, threading.Lock(), threading.Event()
    sessions = [module.open_session(slot) for _ in range(8)]
    key = module.private_key(sessions[0], "ec")

    def work(session):
        while not done.is_set():
            try:
                module.sign(session, key, CKM_ECDSA, DIGEST)
                name = "OK"
            except Failed as error:
                name = error.name
            with lock:
                answers[name] = answers.get(name, 0) + 1

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    done.set()
    for thread in threads:
        thread.join()
    for session in sessions:
        module.sign(session, key, CKM_ECDSA, DIGEST)
    print(*sorted(answers), flush=True)


CLIENTS = {name.removeprefix("client_"): function for name, function in list(globals().items()) if name.startswith("client_")}


# ---- tests ----

class Loading(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")
        cls.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "ec")
        tokens = cls.lab.dir / "softhsm"
        tokens.mkdir()
        cls.softhsm = {"SOFTHSM2_CONF": str(cls.lab.write("softhsm2.conf", f"directories.tokendir = {tokens}\n"))}

    def client(self, name, *arguments, **more):
        done = self.lab.run([sys.executable, __file__, name, *arguments], check=False, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_unloaded_and_loaded_again(self):
        self.client("reload")

    def test_several_modules_in_one_process(self):
        self.client("several", self.lab.dir, env=self.softhsm)

    def test_mutexes_of_whoever(self):
        self.client("mutexes")

    def test_finalized_while_threads_are_inside(self):
        self.client("finalize")

    def test_sixty_four_threads(self):
        operations = 1_000 if SANITIZER_RUNTIME else 10_000
        done = self.lab.run([BUILD_DIR / "bin" / "pkcs11_load", MODULE, "web", "ec", 64, operations], check=False, timeout=280)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_restart_of_the_daemon_under_load(self):
        process = subprocess.Popen([sys.executable, __file__, "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=self.lab.foreign_env(sys.executable))
        with process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            for _ in range(3):
                self.lab.kill_daemon()
                self.lab.start_daemon()
            answers = set(process.communicate("\n")[0].split())
        self.assertEqual(process.returncode, 0)
        self.assertIn("OK", answers)
        self.assertLessEqual(answers, {"OK", "DEVICE_ERROR"}, "the same sessions and handles go on")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]](*sys.argv[2:])
    else:
        main()
