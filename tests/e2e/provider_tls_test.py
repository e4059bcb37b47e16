#!/usr/bin/env python3
"""TLS handshakes of `openssl s_server` with keys of the enclave, and what each costs."""

import re
import socket
import ssl

from lab import LabTest, free_port, main, wait_until
from provider_keys import PLAIN, make_keys, operations_during


class ProviderTls(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab)

    def serve(self, name, *more):
        """An s_server with this key; its port. No tickets and no cache: every handshake is a full one."""
        port = free_port()
        log = f"s_server-{port}.log"
        server = self.lab.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.lab.dir / f"{name}.crt",
                                 "-key", self.lab.dir / f"{name}.key", "-www", "-no_ticket", "-no_cache", *more], log)
        wait_until(lambda: "ACCEPT" in (self.lab.dir / log).read_text(), "s_server", process=server)
        return port

    def handshake(self, port, name, minimum, maximum, ciphers=None):
        """A full handshake with certificate check by Python's own OpenSSL; (protocol, cipher)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.lab.dir / f"{name}.crt")
        context.minimum_version, context.maximum_version = minimum, maximum
        if ciphers:
            context.set_ciphers(ciphers)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                self.assertFalse(tls.session_reused)
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.assertTrue(tls.recv(100))
                return tls.version(), tls.cipher()[0]

    def test_tls13(self):
        for name in ("rsa", "p256", "p384"):
            with self.subTest(name):
                port = self.serve(name)
                version, _ = self.handshake(port, name, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
                self.assertEqual(version, "TLSv1.3")

    def test_tls12_ecdhe(self):
        for name, kind in (("rsa", "RSA"), ("p256", "ECDSA"), ("p384", "ECDSA")):
            with self.subTest(name):
                port = self.serve(name)
                version, cipher = self.handshake(port, name, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
                self.assertEqual(version, "TLSv1.2")
                self.assertTrue(cipher.startswith(f"ECDHE-{kind}-"), cipher)

    def test_tls12_rsa_key_exchange(self):
        port = self.serve("rsa", "-cipher", "AES128-SHA:@SECLEVEL=0")
        version, cipher = self.handshake(port, "rsa", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2,
                                         "AES128-SHA:@SECLEVEL=0")
        self.assertEqual((version, cipher), ("TLSv1.2", "AES128-SHA"))

    def test_rsa_key_exchange_rejects_without_telling_why(self):
        """RFC 5246 §7.4.7.1: a damaged pre-master secret fails like a wrong one, at Finished."""
        port = self.serve("rsa", "-cipher", "AES128-SHA:@SECLEVEL=0")
        alerts = {self.damaged_key_exchange(port, flip) for flip in (None, 0, 1, 100, 255)}
        self.assertEqual(alerts, {"SSLV3_ALERT_BAD_RECORD_MAC"})
        self.handshake(port, "rsa", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, "AES128-SHA:@SECLEVEL=0")

    def damaged_key_exchange(self, port, flip):
        """A handshake whose ClientKeyExchange is changed on the way (None: replaced by zeros); the server's alert."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA:@SECLEVEL=0")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            for _ in range(10):
                try:
                    tls.do_handshake()
                    self.fail("the damaged handshake succeeded")
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    return error.reason
                plain.sendall(self.damage(outgoing.read(), flip))
                received = plain.recv(65536)
                if not received:
                    return "closed"
                incoming.write(received)
        return "nothing"

    @staticmethod
    def damage(flight, flip):
        flight = bytearray(flight)
        # A handshake record (22) with ClientKeyExchange (16): record header 5, handshake header 4, length 2, 256 bytes.
        if len(flight) > 11 + 256 and flight[0] == 22 and flight[5] == 16:
            if flip is None:
                flight[11:11 + 256] = bytes(256)
            else:
                flight[11 + flip] ^= 1
        return bytes(flight)

    def test_one_full_handshake_is_one_request(self):
        cases = [("rsa", ssl.TLSVersion.TLSv1_3, None, "Sign"), ("p256", ssl.TLSVersion.TLSv1_3, None, "Sign"),
                 ("rsa", ssl.TLSVersion.TLSv1_2, None, "Sign"), ("p256", ssl.TLSVersion.TLSv1_2, None, "Sign"),
                 ("rsa", ssl.TLSVersion.TLSv1_2, "AES128-SHA:@SECLEVEL=0", "Decrypt")]
        for name, version, ciphers, operation in cases:
            with self.subTest(name, version=version, ciphers=ciphers):
                port = self.serve(name, *(["-cipher", ciphers] if ciphers else []))
                self.handshake(port, name, version, version, ciphers)  # opens and attests the connection
                done = operations_during(self.lab, lambda: [self.handshake(port, name, version, version, ciphers)
                                                            for _ in range(5)])
                self.assertEqual(done, {operation: 5})

    def test_a_resumed_session_costs_nothing(self):
        port = free_port()
        server = self.lab.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.lab.dir / "p256.crt",
                                 "-key", self.lab.dir / "p256.key", "-www"], "resume.log")
        wait_until(lambda: "ACCEPT" in (self.lab.dir / "resume.log").read_text(), "s_server", process=server)
        session = self.lab.dir / "session"
        connect = ["s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"]
        self.lab.openssl(*connect, "-sess_out", session, env=PLAIN)

        def resume():
            shown = self.lab.openssl(*connect, "-sess_in", session, env=PLAIN).stdout
            self.assertRegex(shown, r"(?m)^Reused, TLSv1.2")
        self.assertEqual(operations_during(self.lab, resume), {})

    def test_starting_a_server_asks_nothing(self):
        self.assertEqual(operations_during(self.lab, lambda: self.serve("rsa")), {})

    def test_client_certificates(self):
        """Mutual TLS: the client's key is the enclave's."""
        port = self.serve("rsa", "-Verify", "1", "-CAfile", self.lab.dir / "p256.crt", "-verify_return_error")
        shown = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-cert", self.lab.dir / "p256.crt", "-key",
                                 self.lab.dir / "p256.key", "-CAfile", self.lab.dir / "rsa.crt", "-verify_return_error",
                                 "-ign_eof", input="GET / HTTP/1.0\r\n\r\n")
        self.assertIn("HTTP/1.0 200", shown.stdout)
        refused = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.lab.dir / "rsa.crt",
                                   "-ign_eof", input="GET / HTTP/1.0\r\n\r\n", check=False)
        self.assertNotIn("HTTP/1.0 200", refused.stdout)

    def test_another_key_is_refused_at_start(self):
        refused = self.lab.openssl("s_server", "-accept", f"127.0.0.1:{free_port()}", "-cert", self.lab.dir / "rsa.crt",
                                   "-key", self.lab.dir / "p256.key", check=False)
        self.assertNotEqual(refused.returncode, 0)
        mismatched = self.lab.openssl("s_server", "-accept", f"127.0.0.1:{free_port()}", "-cert",
                                      self.lab.dir / "p256.crt", "-key", self.lab.dir / "p384.key", check=False)
        self.assertNotEqual(mismatched.returncode, 0)
        self.assertRegex(mismatched.stderr, re.compile("mismatch", re.I))


if __name__ == "__main__":
    main()
