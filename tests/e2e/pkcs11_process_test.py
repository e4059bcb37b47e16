#!/usr/bin/env python3
"""The module in the lives of processes: fork, many threads, a daemon that dies and returns, a policy that refuses.

Each test runs a client of its own (this file with a name as argument), so that what it does to its process stays there.
"""

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import threading

import cryptoki
from cryptoki import CKM_ECDSA, CKM_ECDSA_SHA256, CKM_SHA256_RSA_PKCS, Cryptoki, Failed
from lab import BUILD_DIR, PERMISSIVE_POLICY, LabTest, main

MODULE = os.environ.get("KEYCLAVE_TEST_MODULE", str(BUILD_DIR / "lib" / "keyclave-pkcs11.so"))
DIGEST = hashlib.sha256(b"data").digest()


def opened(label="web"):
    module = Cryptoki(MODULE)
    module.initialize()
    return module, module.open_session(module.slot_of(label))


def in_child(work):
    """Runs work() in a forked child; returns what it returned (0 is success)."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work() or 0)
        except BaseException as error:  # noqa: B902: the child must not run the parent's code
            print("child:", error, flush=True)
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def sockets():
    """The sockets that this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith("socket:"):
                found.append(target)
    return found


# ---- clients ----

def client_fork():
    module, session = opened()
    key = module.private_key(session, "ec")
    module.sign(session, key, CKM_ECDSA, DIGEST)
    assert sockets()

    def child():
        assert module.call("C_Sign", session, b"x", 1, None, None) == cryptoki.CKR["CRYPTOKI_NOT_INITIALIZED"]
        assert module.call("C_Finalize", None) == cryptoki.CKR["CRYPTOKI_NOT_INITIALIZED"]
        module.initialize()
        assert not sockets(), "the parent's sockets stayed open"
        own = module.open_session(module.slot_of("web"))
        module.sign(own, module.private_key(own, "ec"), CKM_ECDSA, DIGEST)
        module.must("C_Finalize", None)

    for _ in range(4):
        assert in_child(child) == 0
        module.sign(session, key, CKM_ECDSA, DIGEST)  # the parent's channel is as it was


def client_fork_before():
    module = Cryptoki(MODULE)
    module.initialize()

    def child():
        module.initialize()
        session = module.open_session(module.slot_of("web"))
        module.sign(session, module.private_key(session, "rsa"), CKM_SHA256_RSA_PKCS, b"data")

    pids = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            try:
                child()
                os._exit(0)
            except BaseException as error:  # noqa: B902
                print("child:", error, flush=True)
                os._exit(99)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 6


def client_threads():
    module, session = opened()
    key = module.private_key(session, "ec")
    slot = module.slot_of("web")
    failures = []

    def signer(number):
        try:
            own = module.open_session(slot)
            for turn in range(25):
                message = bytes([number, turn]) * 10
                assert len(module.sign(own, key, CKM_ECDSA_SHA256, message)) == 64
            module.must("C_CloseSession", own)
        except BaseException as error:  # noqa: B902: reported by the main thread
            failures.append(f"signer {number}: {error}")

    def maker(number):
        try:
            own = module.open_session(slot)
            for turn in range(10):
                array, count, _keep = cryptoki.template(CLASS=cryptoki.CKO_DATA, TOKEN=True,
                                                        LABEL=f"t{number}-{turn}".encode(), VALUE=b"v")
                made = cryptoki.c_ulong(0)
                module.must("C_CreateObject", own, array, count, cryptoki.byref(made))
                module.find(own)
                module.must("C_DestroyObject", own, made.value)
        except BaseException as error:  # noqa: B902
            failures.append(f"maker {number}: {error}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8) for work in (signer, maker)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def client_shared_session():
    """One session used by threads without a lock: an operation is lost now and then, nothing else."""
    module, session = opened()
    key = module.private_key(session, "ec")
    odd = []

    def work():
        for _ in range(50):
            try:
                module.sign(session, key, CKM_ECDSA, DIGEST)
            except Failed as error:
                if error.name not in ("OPERATION_NOT_INITIALIZED", "0x90"):
                    odd.append(error.name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not odd, odd
    module.must("C_SessionCancel", session, cryptoki.UNAVAILABLE)
    module.sign(session, key, CKM_ECDSA, DIGEST)


def client_restart():
    """Signs at every line that it reads, and says how it went: the test kills and starts the daemon in between."""
    module, session = opened(sys.argv[2])
    if len(sys.argv) > 3:
        module.login(session, sys.argv[3].encode())
    key = module.private_key(session, "ec")
    print("ready", flush=True)
    for _line in sys.stdin:
        try:
            module.sign(session, key, CKM_ECDSA, DIGEST)
            print("signed", flush=True)
        except Failed as error:
            print(error.name, flush=True)


def client_hostile():
    """Random arguments, most of them wrong: whatever comes back, the process lives and the key works."""
    module, session = opened()
    key = module.private_key(session, "ec")
    chance = random.Random(20261122)
    buffer = cryptoki.ctypes.create_string_buffer(4096)
    size = cryptoki.c_ulong(0)
    mechanisms = [cryptoki.Mechanism(m, p, n) for m in (0, 1, 0x40, 0xd, 0x1041, 0x1082, 0x1087, 0x250, 0x80000001)
                  for p, n in ((None, 0), (None, 16), (cryptoki.cast(buffer, cryptoki.c_void_p), 16),
                               (cryptoki.cast(buffer, cryptoki.c_void_p), cryptoki.UNAVAILABLE))]
    numbers = (0, 1, 2, 16, key, session, cryptoki.UNAVAILABLE)
    init = ("C_SignInit", "C_VerifyInit", "C_EncryptInit", "C_DecryptInit")
    one_shot = ("C_Sign", "C_Encrypt", "C_Decrypt", "C_Digest", "C_EncryptUpdate", "C_DecryptUpdate",
                "C_DigestEncryptUpdate", "C_SignEncryptUpdate", "C_DecryptVerifyUpdate")
    final = ("C_SignFinal", "C_EncryptFinal", "C_DecryptFinal", "C_DigestFinal", "C_GetOperationState")
    for _ in range(3000):
        size.value = chance.choice((0, 1, 63, 64, 4096))
        out, out_size = chance.choice((None, buffer)), chance.choice((None, cryptoki.byref(size)))
        data, data_size = chance.choice(((None, 0), (None, 5), (buffer, 0), (buffer, 32), (buffer, 4096)))
        handle = chance.choice((session, session, session, 0, key))
        kind = chance.randrange(6)
        if kind == 0:
            module.call(chance.choice(init), handle, chance.choice((None, cryptoki.byref(chance.choice(mechanisms)))),
                        chance.choice(numbers))
        elif kind == 1:
            module.call(chance.choice(one_shot), handle, data, data_size, out, out_size)
        elif kind == 2:
            module.call(chance.choice(final), handle, out, out_size)
        elif kind == 3:
            module.call(chance.choice(("C_Verify", "C_VerifyFinal")), handle, data, data_size, data, data_size)
        elif kind == 4:
            module.call("C_GetAttributeValue", handle, chance.choice(numbers),
                        cryptoki.byref(cryptoki.Attribute(chance.choice((0, 3, 0x11, 0x40000211, 0x120)),
                                                          None, cryptoki.UNAVAILABLE)), chance.choice((0, 1)))
        else:
            module.call("C_FindObjectsInit", handle, None, chance.choice((0, 1)))
            module.call("C_FindObjectsFinal", handle)
    fresh = module.open_session(module.slot_of("web"))
    assert len(module.sign(fresh, key, CKM_ECDSA, DIGEST)) == 64


def client_refused():
    module, session = opened("strict")
    try:
        key = module.private_key(session, "ec")
        module.sign(session, key, CKM_ECDSA, DIGEST)
    except Failed as error:
        print(error.name)


CLIENTS = {name.removeprefix("client_"): function for name, function in list(globals().items()) if name.startswith("client_")}


# ---- tests ----

class Processes(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("web")
        cls.lab.make_token("pins", pin="1234", so_pin="87654321")
        for token, login in (("web", []), ("pins", ["--login", "--pin", "1234"])):
            for kind, label in (("EC:prime256v1", "ec"), ("rsa:2048", "rsa")):
                cls.lab.pkcs11_tool("--token-label", token, *login, "--keypairgen", "--key-type", kind, "--label", label)

    def client(self, name, *arguments, **more):
        done = self.lab.run([sys.executable, __file__, name, *arguments], check=False, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_children_begin_their_own_run(self):
        self.client("fork")

    def test_children_of_an_idle_parent(self):
        self.client("fork_before")

    def test_threads_sign_while_others_make_objects(self):
        self.client("threads")

    def test_threads_that_share_a_session(self):
        self.client("shared_session")

    def test_wrong_arguments_do_no_harm(self):
        self.client("hostile")

    def talk(self, *arguments):
        """A running client_restart; the returned function makes it sign once and gives its answer."""
        process = subprocess.Popen([sys.executable, __file__, "restart", *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, env=self.lab.foreign_env(sys.executable))
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), "ready\n")

        def sign():
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()
        return sign

    def test_a_daemon_that_dies_and_returns(self):
        clients = [self.talk("web"), self.talk("pins", "1234")]
        for sign in clients:
            self.assertEqual(sign(), "signed")
        self.lab.kill_daemon()
        for sign in clients:
            self.assertEqual(sign(), "DEVICE_ERROR")
        self.lab.start_daemon()
        for sign in clients:  # the same session, key handle and login
            self.assertEqual(sign(), "signed")

    def test_no_daemon_is_no_token(self):
        self.lab.stop()
        try:
            listing = self.lab.pkcs11_tool("-L").stdout
        finally:
            self.lab.start_daemon()
        self.assertIn("(empty)", listing)
        self.assertIn("web", self.lab.pkcs11_tool("-L").stdout)

    def test_a_broken_configuration_is_named(self):
        broken = self.lab.write("broken.yaml", "endpoint: unix:/x\nexpect: {tee: {is: simulated}}\ndeadlines: 5s\n")
        done = self.lab.pkcs11_tool("-L", check=False, env={"KEYCLAVE_CONFIG": str(broken)})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("broken.yaml", done.stderr)
        self.assertIn("deadlines", done.stderr)

    def test_logs_why_when_asked(self):
        done = self.lab.pkcs11_tool("--token-label", "pins", "--login", "--pin", "9999", "-O", check=False,
                                    env={"KEYCLAVE_LOG": "stderr"})
        self.assertIn("C_Login: CKR_PIN_INCORRECT", done.stderr)
        self.assertNotIn("9999", done.stderr)
        self.lab.pkcs11_tool("--token-label", "pins", "--login", "--pin", "1234", "-O")

    def test_a_policy_that_names_another_program(self):
        policy = PERMISSIVE_POLICY.replace("policy: development", "policy: strict").replace(
            "[sign, verify, encrypt, decrypt, wrap, unwrap, derive, release, read, manage, encapsulate, decapsulate]", "[read]")
        self.lab.make_token("strict", policy)
        self.lab.pkcs11_tool("--token-label", "strict", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "ec")
        self.assertEqual(self.client("refused").strip(), "KEY_FUNCTION_NOT_PERMITTED")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CLIENTS:
        CLIENTS[sys.argv[1]]()
    else:
        main()
