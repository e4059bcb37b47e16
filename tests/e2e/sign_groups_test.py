#!/usr/bin/env python3
# ctest: TIMEOUT=300
"""Signatures that many threads ask for at once, made in groups by a multi-buffer library (a fake one with its system name)."""

import os
import sys
import threading

from cryptoki import CKM_ECDSA_SHA256, CKM_SHA256_RSA_PKCS, Cryptoki, Mechanism, byref, c_ulong
from lab import BUILD_DIR, PKCS11_MODULE, LabTest, main, wait_until

CKO_PUBLIC_KEY, CKM_EDDSA = 2, 0x1057
KEYS = {"rsa": ("rsa:2048", CKM_SHA256_RSA_PKCS), "p256": ("ec:p256", CKM_ECDSA_SHA256), "p384": ("ec:p384", CKM_ECDSA_SHA256),
        "ed": ("ed25519", CKM_EDDSA)}
THREADS, ROUNDS = 16, 12


def sign_and_verify(token, failures):
    """Each thread signs with every key, and has each signature verified, in a session of its own."""
    module = Cryptoki(PKCS11_MODULE)
    module.initialize()
    slot = module.slot_of(token)

    def work(number):
        try:
            session = module.open_session(slot)
            pairs = {label: (module.private_key(session, label), module.find(session, LABEL=label.encode(), CLASS=CKO_PUBLIC_KEY)[0])
                     for label in KEYS}
            for turn in range(ROUNDS):
                for label, (_, mechanism) in KEYS.items():
                    private, public = pairs[label]
                    data = f"{number} {turn} {label}".encode()
                    signature = module.sign(session, private, mechanism, data)
                    module.must("C_VerifyInit", session, byref(Mechanism(mechanism, None, 0)), public)
                    module.must("C_Verify", session, data, c_ulong(len(data)), signature, c_ulong(len(signature)))
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shall see it)
            failures.append(repr(error))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    module.must("C_Finalize", None)


class SignGroups(LabTest):
    lab_options = {"start": False}

    def serve(self, fault_after=0):
        self.lab.stop()
        libraries = self.lab.dir / "libraries"
        libraries.mkdir(exist_ok=True)
        link = libraries / "libcrypto_mb.so.13"
        if not link.is_symlink():
            link.symlink_to(BUILD_DIR / "lib" / "libfake_crypto_mb.so")
        self.lab.env["LD_LIBRARY_PATH"] = str(libraries)
        self.lab.env["FAKE_CRYPTO_MB_FAULT_AFTER"] = str(fault_after)
        self.lab.start_daemon()

    def load(self, token):
        self.lab.make_token(token)
        for label, (kind, _) in KEYS.items():
            self.lab.cli("key", "generate", "--token", token, "--type", kind, "--label", label)
        self.lab.run([sys.executable, os.path.abspath(__file__), "load", token])
        return self.lab.cli("status", json=True)

    def test_groups_are_made_and_right(self):
        self.serve()
        status = self.load("groups")
        self.assertIn("crypto_mb 9.8.7", status["signing"]["by"])
        self.assertGreater(sum(count for size, count in status["signing"]["groups"].items() if int(size) > 1), 0, status["signing"])
        self.assertFalse([text for text in status["warnings"] if "did not verify" in text])
        self.assertIn("crypto_mb 9.8.7", self.lab.cli("status").stdout)

    def test_wrong_signatures_do_not_leave(self):
        """The library begins to compute wrongly under load: callers notice nothing, operators do."""
        self.serve(fault_after=400)
        status = self.load("faults")
        self.assertTrue([text for text in status["warnings"] if "did not verify" in text], status)

    def test_one_thread_with_jobs(self):
        """OpenSSL's asynchronous jobs: one thread keeps signatures in flight, more than it may have connections; and they end
        when the daemon does."""
        self.serve()
        self.lab.make_token("jobs")
        self.lab.cli("key", "generate", "--token", "jobs", "--type", "ec:p256", "--label", "www")
        bench = [BUILD_DIR / "bin" / "sign_bench", "--uri", "pkcs11:token=jobs;object=www;type=private", "--jobs", "24"]
        before = self.lab.cli("status", json=True)["signing"]["groups"]
        self.lab.run([*bench, "--seconds", "0.5"])
        after = self.lab.cli("status", json=True)["signing"]["groups"]
        self.assertGreater(after.get("8", 0), before.get("8", 0), (before, after))
        long = self.lab.spawn([*bench, "--seconds", "4"], "long.log")
        signed = self.lab.cli("status", json=True)["operations"].get("Sign", 0)
        wait_until(lambda: self.lab.cli("status", json=True)["operations"]["Sign"] > signed, "signatures", process=long)
        self.lab.kill_daemon()
        self.assertEqual(long.wait(60), 1)
        self.lab.start_daemon()

    def test_a_lone_caller_that_spins(self):
        """Both ends look for messages before they sleep: signatures come as ever."""
        self.lab.stop()
        for path in (self.lab.config, self.lab.client_config):
            text = path.read_text()
            self.addCleanup(path.write_text, text)
            path.write_text(text + "spin: 50\n")
        self.lab.start_daemon()
        self.lab.make_token("lone")
        self.lab.cli("key", "generate", "--token", "lone", "--type", "ec:p256", "--label", "www")
        self.lab.run([BUILD_DIR / "bin" / "sign_bench", "--uri", "pkcs11:token=lone;object=www;type=private", "--seconds", "0.5"])
        self.assertGreater(self.lab.cli("status", json=True)["operations"]["Sign"], 2)

    def test_without(self):
        self.lab.stop()
        self.lab.config.write_text(self.lab.config.read_text().replace("crypto_mb: true", "") + "crypto_mb: false\n")
        self.addCleanup(lambda: self.lab.config.write_text(self.lab.config.read_text().replace("crypto_mb: false\n", "")))
        self.lab.start_daemon()
        status = self.load("alone")
        self.assertEqual(status["signing"], {"by": "OpenSSL", "groups": {}})


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        found = []
        sign_and_verify(sys.argv[2], found)
        sys.exit("\n".join(found) or None)
    main()
