#!/usr/bin/env python3
"""libp11's engine for OpenSSL (libengine-pkcs11-openssl): openssl, many processes, and nginx whose workers are forks."""

import concurrent.futures
import pathlib
import re

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main
from lab import Nginx, free_port
from provider_keys import ENGINE_CONFIGURATION

KEYS = {"rsa": ("01", "rsa:2048"), "ec": ("02", "EC:prime256v1")}


class Engine(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        engines = list(pathlib.Path("/usr/lib").glob("*/engines-3/pkcs11.so"))
        assert engines, "no pkcs11 engine: apt-get install libengine-pkcs11-openssl"
        cls.with_pin = cls.lab.write("engine-pin.cnf", ENGINE_CONFIGURATION.format(module=PKCS11_MODULE, more=f"PIN = {PIN}\ninit = 0"))
        cls.without_pin = cls.lab.write("engine.cnf", ENGINE_CONFIGURATION.format(module=PKCS11_MODULE, more="init = 0"))
        # nginx loads keys from an engine that is ready, and makes none so.
        cls.for_nginx = cls.lab.write("engine-nginx.cnf", ENGINE_CONFIGURATION.format(module=PKCS11_MODULE, more="init = 1"))
        cls.file("message", b"what is signed\n")
        for label, (key_id, key_type) in KEYS.items():
            cls.tool("--keypairgen", "--key-type", key_type, "--id", key_id, "--label", label, "--usage-sign", "--usage-decrypt")
            cls.openssl("pkey", "-engine", "pkcs11", "-inform", "engine", "-in", cls.url(label), "-pubout", "-out",
                        f"{label}.pub")
            cls.openssl("req", "-x509", "-engine", "pkcs11", "-keyform", "engine", "-key", cls.url(label), "-subj",
                        "/CN=localhost", "-days", "10", "-out", f"{label}.crt")
        cls.slot = int(re.search(rf"Slot (\d+) [^\n]*\n +token label +: {cls.token}", cls.lab.pkcs11_tool("-L").stdout).group(1))

    @classmethod
    def url(cls, label):
        return f"pkcs11:token={cls.token};object={label};type=private" + (f";pin-value={PIN}" if cls.pin else "")

    @classmethod
    def openssl(cls, *arguments, check=True, conf=None, **more):
        """openssl with the engine, whose own PIN is set by `ctrl` in the file `conf`; without it the URI has to bring one."""
        return cls.lab.openssl(*arguments, check=check, env={"OPENSSL_CONF": str(conf or cls.without_pin)}, **more)

    def sign(self, name, conf=None, check=True, out="signature"):
        return self.openssl("dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", name, "-out", out, "message",
                            conf=conf, check=check)

    def assert_signed(self, label, signature="signature"):
        self.lab.openssl("dgst", "-sha256", "-verify", f"{label}.pub", "-signature", signature, "message")

    def test_signs_by_uri(self):
        for label in KEYS:
            self.sign(self.url(label))
            self.assert_signed(label)
            self.lab.openssl("verify", "-check_ss_sig", "-CAfile", f"{label}.crt", f"{label}.crt")

    def test_signs_by_the_old_names(self):
        for label, (key_id, _) in KEYS.items():
            for name in (f"slot_{self.slot}-id_{key_id}", f"slot_{self.slot}-label_{label}", f"{self.slot}:{key_id}"):
                with self.subTest(name):
                    self.sign(name, conf=self.with_pin)
                    self.assert_signed(label)

    def test_pads_with_pss_and_decrypts(self):
        pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
        self.openssl("dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", self.url("rsa"), *pss, "-out",
                     "signature", "message")
        self.lab.openssl("dgst", "-sha256", *pss, "-verify", "rsa.pub", "-signature", "signature", "message")
        for options in ((), ("-pkeyopt", "rsa_padding_mode:oaep")):
            self.lab.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pub", *options, "-in", "message", "-out", "sealed")
            self.openssl("pkeyutl", "-decrypt", "-engine", "pkcs11", "-keyform", "engine", "-inkey", self.url("rsa"), *options,
                         "-in", "sealed", "-out", "opened")
            self.assertEqual(self.file("opened"), self.file("message"))

    def test_sixteen_processes_sign_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: self.sign(self.url("ec"), out=f"signature{n}"), range(16)))
        for number in range(16):
            self.assert_signed("ec", f"signature{number}")

    def test_serves_tls_from_forks(self):
        """nginx loads the keys in its master; the workers, which are forks and another user, use them."""
        port = free_port()
        pairs = [(self.lab.dir / f"{label}.crt", f'"engine:pkcs11:{self.url(label)}"') for label in KEYS]
        with_engine = {**self.lab.env, "OPENSSL_CONF": str(self.for_nginx)}
        plain, self.lab.env = self.lab.env, with_engine
        try:
            nginx = Nginx(self.lab, [(port, None, pairs, "ssl_session_tickets off;", "ssl_session_cache none;")], workers=2)
            nginx.start()
        finally:
            self.lab.env = plain
        for _ in range(4):
            self.shake_hands(port)
        nginx.reload()
        self.shake_hands(port)

    def shake_hands(self, port):
        # What OpenSSL 3.0 calls them; 3.5 says the algorithm's own name.
        for algorithms, wanted in (("rsa_pss_rsae_sha256", "RSA-PSS"), ("ecdsa_secp256r1_sha256", "ECDSA")):
            done = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-sigalgs", algorithms, input="")
            self.assertRegex(done.stdout, f"Peer signature type: ({wanted}|{algorithms})\n")


class WithPins(OnPins, Engine):
    def test_a_wrong_pin_is_named(self):
        done = self.sign(self.url("ec").replace(PIN, "9999"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PIN incorrect", done.stderr)
        self.sign(self.url("ec"))


if __name__ == "__main__":
    main()
