#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""Debian's nginx with keys of the enclave: what every server must do, and what is nginx's own: several workers, two
certificates in one server, PINs that workers cannot read, and another master in the place of the first."""

import ssl

from lab import LabTest, Nginx, free_port, main, wait_until
from provider_keys import reference_pem
from server_cases import ServerCases

LOUD = ("warn", "error", "crit", "alert", "emerg")


class NginxTest(ServerCases, LabTest):
    user = "www-data"
    mismatch = "key values mismatch"

    def make(self, name):
        return Nginx(self.lab, name=name)

    def end(self, server):
        super().end(server)
        self.assert_quiet_log(server)

    def assert_quiet_log(self, server):
        """nginx noticed no fault: nothing above `info`, no crashed worker; unless a fault is what the test is about."""
        lines = server.log_text().splitlines()
        self.assertEqual([line for line in lines if "exited on signal" in line], [])
        if not any(fault in server.log_text() for fault in (self.reason, self.mismatch)):
            self.assertEqual([line for line in lines if any(f"[{level}]" in line for level in LOUD)], [])

    def test_every_worker_can_sign(self):
        """Each worker in turn is the only one that runs."""
        server = self.serve("p256")
        workers = server.workers()
        self.assertEqual(len(workers), 4)
        for chosen in workers:
            others = [pid for pid in workers if pid != chosen]
            with server.stopped(others):
                self.full(server, self.context())

    def test_two_certificates_in_one_server(self):
        """The client's algorithms choose."""
        pairs = [(self.lab.dir / f"{name}.crt", self.lab.dir / f"{name}.key") for name in ("rsa", "p256")]
        server = Nginx(self.lab, [(free_port(), None, pairs)], name="two").start()
        self.addCleanup(self.end, server)
        self.full(server, self.context("p256"))
        for name, ciphers in (("rsa", "ECDHE+aRSA"), ("p256", "ECDHE+aECDSA")):
            context = self.context(name, "1.2")
            context.set_ciphers(ciphers)
            self.full(server, context)

    def test_another_master_takes_over_under_load(self):
        """USR2 and QUIT, as Debian's `service nginx upgrade` does: another nginx serves on the same sockets."""
        server = self.configure(Nginx(self.lab, name="upgraded", daemon=True), "p256").start()
        self.addCleanup(self.end, server)
        with self.load(server) as served:
            server.upgrade()
            before = len(served)
            wait_until(lambda: served.failures or len(served) > before + 8, "answers of the new master")

    def test_restart(self):
        server = self.serve("p256")
        self.full(server, self.context())
        self.assertEqual(server.stop(), 0)
        server.start()
        self.full(server, self.context())

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
        self.lab.write("locked.key", reference_pem(self.lab, uri))
        server = self.serve("locked")
        for _ in range(8):
            self.full(server, self.context("locked"))

    def test_a_daemon_that_is_away_is_told_with_every_handshake(self):
        server = self.serve("p256")
        self.lab.stop()
        try:
            for _ in range(3):
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    self.full(server, self.context())
        finally:
            self.lab.start_daemon()
        wait_until(lambda: server.log_text().count(self.reason) == 3, "three reasons")
        self.full(server, self.context())


if __name__ == "__main__":
    main()
