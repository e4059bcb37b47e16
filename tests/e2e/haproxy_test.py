#!/usr/bin/env python3
"""Debian's HAProxy with keys of the enclave: what every server must do, and what is HAProxy's own."""

import socket
import ssl

from haproxy import Haproxy
from lab import PROVIDER, LabTest, main, wait_until
from server_cases import ServerCases


class HaproxyTest(ServerCases, LabTest):
    user = "haproxy"
    mismatch = "inconsistencies between private key and certificate"

    def make(self, name):
        return Haproxy(self.lab, name=name)

    def serve_with(self, *lines, env=None):
        """A server with these lines in its section `global`."""
        server = self.configure(self.make(self._testMethodName[5:]), "p256")
        server.say(*lines)
        server.env = env or {}
        self.addCleanup(self.end, server.start())
        return server

    def test_certificate_and_reference_in_one_file(self):
        server = self.configure(self.make("one_file"), "p256")
        with server.certificate.open("a") as out:
            out.write(server.key.read_text())
        server.key.unlink()
        self.addCleanup(self.end, server.start())
        self.full(server, self.context())

    def test_the_runtime_interface_changes_the_pair_without_a_reload(self):
        address = self.lab.dir / "haproxy-admin"
        server = self.serve_with(f"stats socket {address} level admin")
        self.full(server, self.context("p256"))
        workers = server.workers()
        pair = "".join((self.lab.dir / f"other.{suffix}").read_text() for suffix in ("crt", "key"))
        for command in (f"set ssl cert {server.certificate} <<\n{pair}\n", f"commit ssl cert {server.certificate}\n"):
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect(str(address))
                admin.sendall(command.encode())
                self.assertRegex(admin.makefile().read(), "Transaction created|Success!")
        self.full(server, self.context("other"))
        self.assertEqual(server.workers(), workers)

    def test_the_provider_named_by_haproxy_itself(self):
        """Without an openssl.cnf. HAProxy has loaded `default` by then, so the order does not matter."""
        for number, providers in enumerate((("keyclave",), ("default", "keyclave"), ("keyclave", "default"))):
            with self.subTest(providers):
                server = self.configure(self.make(f"directive{number}"), "p256")
                server.say(f"ssl-provider-path {PROVIDER.parent}", *(f"ssl-provider {name}" for name in providers))
                server.env = {"OPENSSL_CONF": "/dev/null"}
                self.addCleanup(self.end, server.start())
                self.full(server, self.context())

    def test_a_chroot_without_the_socket_is_told(self):
        server = self.serve_with(f"chroot {self.lab.config_dir}")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.full(server, self.context())
        wait_until(lambda: self.reason in server.log_text(), "the reason")


if __name__ == "__main__":
    main()
