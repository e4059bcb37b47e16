#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""Debian's nginx with keys of the enclave: 4 workers as www-data, reload, restart, and a daemon that dies meanwhile."""

import concurrent.futures
import os
import pathlib
import pwd
import signal
import socket
import ssl
import threading

from lab import LabTest, Nginx, free_port, main, wait_until
from provider_keys import make_keys, operations_during, reference_pem

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class NginxTest(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"rsa": "rsa:2048", "p256": "ec:p256", "other": "ec:p256"})

    def setUp(self):
        self.port = free_port()
        # One server with both certificates: the client's algorithms choose.
        pairs = [(self.lab.dir / f"{name}.crt", self.lab.dir / f"{name}.key") for name in ("rsa", "p256")]
        self.nginx = Nginx(self.lab, [(self.port, None, pairs, "ssl_session_tickets off;", "ssl_session_cache none;")],
                           name=f"nginx-{self._testMethodName}")
        self.nginx.start()

    def tearDown(self):
        self.assertEqual(self.nginx.stop(), 0)
        self.assert_quiet_log()

    def assert_quiet_log(self, allowed=()):
        """nginx noticed no fault: nothing above `info`, no crashed worker."""
        lines = self.nginx.error_log.read_text().splitlines()
        bad = [line for line in lines if any(f"[{level}]" in line for level in ("warn", "error", "crit", "alert", "emerg"))
               and not any(text in line for text in allowed)]
        self.assertEqual([line for line in lines if "exited on signal" in line and "exited on signal 9" not in line], [])
        if not getattr(self, "expect_faults", False):
            self.assertEqual(bad, [])

    def fetch(self, name, version):
        """A page over a full handshake with this server key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.lab.dir / f"{name}.crt")
        context.minimum_version = context.maximum_version = version
        if version == ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ECDHE+aRSA" if name == "rsa" else "ECDHE+aECDSA")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                page = b""
                while block := tls.recv(4096):
                    page += block
        self.assertIn(b"200 OK", page)
        self.assertIn(b"served by", page)

    def kinds(self):
        # In TLS 1.3 nginx prefers ECDSA for every client that trusts it; Python cannot ask for less.
        yield "p256", ssl.TLSVersion.TLSv1_3
        for name in ("rsa", "p256"):
            yield name, ssl.TLSVersion.TLSv1_2

    def fetch_all(self):
        for name, version in self.kinds():
            with self.subTest(name, version=version):
                self.fetch(name, version)

    def warm(self):
        """Every worker has its connection to the daemon."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.fetch("p256", ssl.TLSVersion.TLSv1_3), range(64)))

    def test_serves_from_workers_of_another_user(self):
        self.fetch_all()
        workers = self.nginx.workers()
        self.assertEqual(len(workers), 4)
        if os.geteuid() == 0:
            uid = pwd.getpwnam("www-data").pw_uid
            for pid in workers:
                self.assertEqual(pathlib.Path(f"/proc/{pid}").stat().st_uid, uid)

    def test_every_worker_can_sign(self):
        """Each worker in turn is the only one that runs."""
        workers = self.nginx.workers()
        for chosen in workers:
            others = [pid for pid in workers if pid != chosen]
            for other in others:
                os.kill(other, signal.SIGSTOP)
            try:
                wait_until(lambda others=others: all(self.is_stopped(pid) for pid in others), "workers to stop")
                self.fetch_all()
            finally:
                for other in others:
                    os.kill(other, signal.SIGCONT)

    @staticmethod
    def is_stopped(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def test_rsa_in_tls13(self):
        port = free_port()
        server = Nginx(self.lab, [(port, self.lab.dir / "rsa.crt", self.lab.dir / "rsa.key")], name="nginx-rsa13").start()
        try:
            self.port, mine = port, self.port
            self.fetch("rsa", ssl.TLSVersion.TLSv1_3)
            self.port = mine
        finally:
            self.assertEqual(server.stop(), 0)

    def test_one_handshake_is_one_request(self):
        self.fetch_all()
        self.warm()
        for name, version in self.kinds():
            with self.subTest(name, version=version):
                done = operations_during(self.lab, lambda n=name, v=version: [self.fetch(n, v) for _ in range(8)])
                # A worker that had not been met before opens its connection now.
                done.pop("Hello", None), done.pop("Attest", None)
                self.assertEqual(done, {"Sign": 8})

    def test_reload_under_load_loses_nothing(self):
        stop, failures, served = threading.Event(), [], []

        def load():
            while not stop.is_set():
                try:
                    self.fetch("p256", ssl.TLSVersion.TLSv1_3)
                    served.append(1)
                except Exception as error:  # noqa: BLE001 (whatever it is, it is a lost request)
                    failures.append(repr(error))
                    return
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                before = len(served)
                self.nginx.reload()
                wait_until(lambda before=before: failures or len(served) > before + 8, "pages from new workers")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.fetch_all()

    def test_restart(self):
        self.fetch_all()
        self.assertEqual(self.nginx.stop(), 0)
        self.nginx.start()
        self.fetch_all()

    def test_daemon_killed_and_started_again(self):
        self.expect_faults = True  # handshakes fail while the daemon is away, and the log says so
        self.warm()
        workers = self.nginx.workers()
        self.lab.kill_daemon()
        for name, version in self.kinds():
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.fetch(name, version)
        log = self.nginx.error_log.read_text()
        self.assertIn("keyclave", log)
        self.assertIn("cannot be reached", log)
        self.lab.start_daemon()
        for _ in range(4):
            self.fetch_all()
        self.assertEqual(self.nginx.workers(), workers)

    def test_reload_while_the_daemon_is_away(self):
        """Loading a reference asks nothing, so nginx reloads; it signs again once the daemon is back."""
        self.expect_faults = True
        self.lab.stop()
        try:
            self.nginx.reload()
        finally:
            self.lab.start_daemon()
        self.fetch_all()

    def test_a_pin_that_only_root_can_read(self):
        """The master reads pin-source; the workers, who may not, log in with what it read."""
        self.lab.make_token("locked", pin="123456", so_pin="87654321")
        self.lab.pkcs11_tool("--token-label", "locked", "--login", "--pin", "123456", "--keypairgen", "--key-type",
                             "EC:prime256v1", "--label", "k")
        pin = self.lab.dir / "pin-locked"
        self.assertEqual(pin.stat().st_mode & 0o077, 0)
        uri = f"pkcs11:token=locked;object=k;type=private?pin-source=file:{pin}"
        self.lab.openssl("req", "-new", "-x509", "-key", uri, "-subj", "/CN=localhost", "-addext",
                         "subjectAltName=DNS:localhost", "-out", self.lab.dir / "locked.crt")
        reference = self.lab.write("locked.key", reference_pem(self.lab, uri))
        mine, self.port = self.port, free_port()
        server = Nginx(self.lab, [(self.port, self.lab.dir / "locked.crt", reference)], name="nginx-locked").start()
        try:
            for _ in range(8):
                self.fetch("locked", ssl.TLSVersion.TLSv1_3)
        finally:
            self.port = mine
            self.assertEqual(server.stop(), 0)

    def test_a_certificate_of_another_key_is_refused(self):
        wrong = Nginx(self.lab, [(free_port(), self.lab.dir / "other.crt", self.lab.dir / "p256.key")], name="nginx-wrong")
        checked = wrong.check()
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("SSL_CTX_use_PrivateKey", checked.stderr)


if __name__ == "__main__":
    main()
