#!/usr/bin/env python3
"""TLS with an ML-DSA certificate whose key is the enclave's, served by Debian's nginx. Where OpenSSL has no such algorithm (before
3.5) the enclave says so when the key is asked for."""

import socket
import ssl

from lab import LabTest, Nginx, free_port, main
from provider_keys import PLAIN, POST_QUANTUM, make_keys, operations_during


class KeyTypes(LabTest):
    def test_keys_are_made_where_openssl_has_the_algorithm(self):
        self.lab.make_token("edge")
        for kind in ("ml-dsa:65", "slh-dsa:sha2-128s", "ml-kem:768"):
            made = self.lab.cli("key", "generate", "--token", "edge", "--type", kind, "--label", kind, check=False)
            self.assertEqual(made.returncode == 0, POST_QUANTUM, made.stderr)
            if not POST_QUANTUM:
                self.assertIn("the mechanism is not supported", made.stderr)


class Served(LabTest):
    """One server with two certificates: ML-DSA for those who know it, ECDSA for the others."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"mldsa": "ml-dsa:65", "p256": "ec:p256"})
        cls.port = free_port()
        pairs = [(cls.lab.dir / f"{name}.crt", cls.lab.dir / f"{name}.key") for name in ("mldsa", "p256")]
        cls.nginx = Nginx(cls.lab, [(cls.port, None, pairs, "ssl_session_tickets off;", "ssl_session_cache none;")], workers=1).start()

    def handshake(self, name, *options):
        """A page by s_client of an OpenSSL without the provider; what s_client said."""
        shown = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", "localhost", "-CAfile",
                                 self.lab.dir / f"{name}.crt", "-verify_return_error", "-ign_eof", *options,
                                 input="GET / HTTP/1.0\r\n\r\n", env=PLAIN).stdout
        self.assertIn("Verify return code: 0 (ok)", shown)
        self.assertIn("served by", shown)
        return shown

    def test_neither_signature_nor_secret_is_classical_alone(self):
        shown = self.handshake("mldsa", "-tls1_3")
        self.assertIn("Peer signature type: mldsa65", shown)
        self.assertIn("Negotiated TLS1.3 group: X25519MLKEM768", shown)

    def test_the_clients_algorithms_choose_the_certificate(self):
        self.assertIn("Peer signature type: mldsa65", self.handshake("mldsa", "-tls1_3", "-sigalgs", "mldsa65"))
        for options in (["-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"], ["-tls1_2"]):
            shown = self.handshake("p256", *options)
            self.assertNotIn("mldsa", shown)

    def test_python(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.lab.dir / "mldsa.crt")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                self.assertEqual(tls.version(), "TLSv1.3")
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                page = b"".join(iter(lambda: tls.recv(4096), b""))
        self.assertIn(b"served by", page)

    def test_one_handshake_is_one_request(self):
        self.handshake("mldsa", "-tls1_3")
        for name, options in (("mldsa", ["-tls1_3"]), ("p256", ["-tls1_2"])):
            done = operations_during(self.lab, lambda n=name, o=options: [self.handshake(n, *o) for _ in range(4)])
            self.assertEqual(done, {"Sign": 4})

    def test_reload(self):
        for _ in range(3):
            self.nginx.reload()
            self.handshake("mldsa", "-tls1_3")

    def test_nginx_found_nothing_wrong(self):
        self.handshake("mldsa", "-tls1_3")
        lines = self.nginx.error_log.read_text().splitlines()
        self.assertEqual([line for line in lines if any(f"[{level}]" in line for level in ("warn", "error", "crit", "alert"))], [])


if not POST_QUANTUM:
    del Served

if __name__ == "__main__":
    main()
