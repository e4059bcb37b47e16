#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""Keys get new versions while servers run: no handshake fails, and no certificate meets another version's key."""

import re
import socket
import ssl
import threading

from lab import PKCS11_MODULE, LabTest, Nginx, free_port, main, need, wait_until
from owned import OwnedTest
from provider_keys import PLAIN, operations_during

KEYS = {"rsa": "rsa:2048", "p256": "ec:p256"}


class RotationTest(LabTest):
    def setUp(self):
        self.lab.make_token(self._testMethodName[5:37])
        self.token = self._testMethodName[5:37]
        self.dir = self.lab.dir / self.token
        self.dir.mkdir()
        self.dir.chmod(0o755)

    def cli(self, *arguments, **more):
        return self.lab.cli(arguments[0], arguments[1], "--token", self.token, *arguments[2:], **more)

    def make(self, name="www", kind="ec:p256", self_sign=True):
        """A key, its certificate in the token and in NAME.crt, and its reference NAME.key for the version in service."""
        self.cli("key", "generate", "--type", kind, "--label", name)
        if self_sign:
            self.cli("cert", "self-sign", name, "--subject", "CN=localhost", "--san", "localhost", "--import", "--out",
                     self.dir / f"{name}.crt")
        self.cli("key", "reference", name, "--current", "--out", self.dir / f"{name}.key")

    def versions(self, name="www"):
        """The versions of a key and what each is doing."""
        keys = self.cli("key", "list", json=True)["objects"]
        return sorted(f"{key['version']} {key['state']}" for key in keys if key["label"] == name)

    def serve(self, name="www", workers=2, extra=(), certificate=None):
        port = free_port()
        server = Nginx(self.lab, [(port, certificate or self.dir / f"{name}.crt", self.dir / f"{name}.key",
                                   "ssl_session_tickets off;", "ssl_session_cache none;", *extra)],
                       workers=workers, name=f"nginx-{self.token}-{name}").start()
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server, port

    def served(self, port):
        """The certificate (PEM) that a full handshake shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert b"200 OK" in tls.recv(4096)
                return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))

    def certificate(self, name="www"):
        return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(
            re.search(r"-----BEGIN CERT.*?END CERTIFICATE-----\n", (self.dir / f"{name}.crt").read_text(), re.S).group()))

    # ---- the steps ----

    def test_request_certificate_service(self):
        """With a CA of one's own: request, certificate, new pair; whom it is for comes from the certificate in service."""
        ca, ca_key = self.dir / "ca.crt", self.dir / "ca.key"
        self.lab.openssl("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "group:P-256", "-noenc", "-keyout", ca_key, "-subj",
                         "/CN=ca", "-out", ca, env=PLAIN)
        for name, kind in KEYS.items():
            self.make(name, kind)
            old = self.certificate(name)
            self.cli("key", "rotate", name, "--csr", self.dir / "new.csr")
            self.assertEqual(self.versions(name), ["1 in service", "2 staged"])
            shown = self.lab.openssl("req", "-in", self.dir / "new.csr", "-verify", "-noout", "-text", "-nameopt", "RFC2253",
                                     env=PLAIN).stdout
            self.assertIn("CN=localhost", shown)
            self.assertIn("DNS:localhost", shown)
            self.lab.openssl("x509", "-req", "-in", self.dir / "new.csr", "-CA", ca, "-CAkey", ca_key, "-copy_extensions", "copy",
                             "-out", self.dir / "new.crt", env=PLAIN)
            told = self.cli("key", "rotate", name, "--certificate", self.dir / "new.crt", "--write", self.dir / f"{name}.crt",
                            json=True)
            self.assertEqual(told["version"], 2)
            self.assertEqual(self.versions(name), ["1 draining", "2 in service"])
            self.assertNotEqual(self.certificate(name), old)
            # By label everything is the new version: key, public key, certificate.
            public = self.lab.openssl("x509", "-in", self.dir / "new.crt", "-noout", "-pubkey", env=PLAIN).stdout
            uri = f"pkcs11:token={self.token};object={name}"
            self.assertEqual(self.lab.openssl("pkey", "-in", f"{uri};type=private", "-pubout").stdout, public)
            self.assertEqual(self.lab.openssl("pkey", "-in", f"{uri};type=public", "-pubin", "-pubout").stdout, public)
            self.assertEqual(self.lab.openssl("x509", "-in", f"{uri};type=cert", "-noout", "-pubkey").stdout, public)
            old_public = self.lab.openssl("pkey", "-in", f"{uri};type=private?x-keyclave-version=1", "-pubout").stdout
            self.assertNotEqual(old_public, public)
            # And so it is for PKCS#11 programs that search by label.
            found = self.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--list-all-privkeys", uri]).stdout
            self.assertEqual(found.count("Object "), 1, found)

    def test_a_staged_key_signs_nothing(self):
        self.make()
        self.cli("key", "rotate", "www", "--csr", self.dir / "new.csr")
        staged = self.cli("key", "list", json=True)["objects"]
        ids = [key["id"] for key in staged]
        self.assertEqual(len(ids), 2)
        refused = []
        for identity in ids:
            escaped = "".join(f"%{identity[i:i + 2]}" for i in range(0, len(identity), 2))
            done = self.lab.openssl("dgst", "-sha256", "-sign", f"pkcs11:token={self.token};id={escaped};type=private", self.dir / "new.csr",
                                    check=False, text=False)
            if done.returncode != 0:
                refused.append(done.stderr)
        self.assertEqual(len(refused), 1)
        self.assertIn(b"not in service yet", refused[0])
        again = self.cli("key", "rotate", "www").stdout  # the same staged version once more
        self.assertIn("BEGIN CERTIFICATE REQUEST", again)
        self.assertEqual(self.versions(), ["1 in service", "2 staged"])
        self.cli("key", "rotate", "www", "--abort")
        self.assertEqual(self.versions(), ["1 in service"])

    def test_refusals(self):
        self.make(self_sign=False)
        refused = self.cli("key", "rotate", "www", check=False)
        self.assertIn("whom is the new certificate for", refused.stderr)
        self.assertEqual(self.versions(), ["1 in service"])
        self.make("other")
        self.cli("key", "rotate", "www", "--subject", "CN=www", "--csr", self.dir / "www.csr")
        refused = self.cli("key", "rotate", "www", "--certificate", self.dir / "other.crt", check=False)
        self.assertIn("is not the certificate of the staged version", refused.stderr)
        self.assertEqual(self.versions(), ["1 in service", "2 staged"])
        refused = self.cli("key", "rotate", "www", "--self-sign", "--drain", "soon", "--subject", "CN=www", check=False)
        self.assertIn("--drain", refused.stderr)
        # Versions are for those who manage keys: others could take a label over.
        stranger = ("policy: strangers\nversion: 1\npermit:\n  - operations: [sign, create]\n    when:\n      tee: {is: simulated}\n"
                    "    allow_unattested: true\n")
        self.lab.make_token("strangers", policy=stranger)
        self.lab.cli("key", "generate", "--token", "strangers", "--type", "ec:p256", "--label", "www")

    def test_what_loading_costs(self):
        """A complete reference costs nothing, one by label two requests, however many versions there are."""
        self.make()
        whole = self.dir / "whole.key"
        self.cli("key", "reference", "www", "--out", whole)
        for _ in range(2):
            for key, requests in ((whole, 0), (self.dir / "www.key", 2)):
                done = operations_during(self.lab, lambda key=key: self.lab.openssl("pkey", "-in", key, "-noout"))
                done.pop("Hello", None), done.pop("Attest", None)
                self.assertEqual(sum(done.values()), requests, done)
            self.cli("key", "rotate", "www", "--self-sign")

    def test_old_versions_end(self):
        """When its time is over the old key signs no more, whoever asks; then it can be removed."""
        self.make()
        old = self.dir / "old.key"
        self.cli("key", "reference", "www", "--out", old)
        self.cli("key", "rotate", "www", "--self-sign", "--drain", "2s")

        def sign(key):
            return self.lab.openssl("dgst", "-sha256", "-sign", key, old, check=False, text=False)
        wait_until(lambda: sign(old).returncode != 0, "the old version to end")
        self.assertIn(b"the key was retired", sign(old).stderr)
        self.assertEqual(sign(self.dir / "www.key").returncode, 0)
        self.assertEqual(self.versions(), ["1 retired", "2 in service"])
        self.cli("key", "rotate", "www", "--remove-retired")
        self.assertEqual(self.versions(), ["2 in service"])
        self.assertEqual(sign(self.dir / "www.key").returncode, 0)

    # ---- servers ----

    def test_server_takes_the_new_pair_when_it_reads_it(self):
        """nginx: the old pair until it is reloaded, the new one after; the reference stays the same file."""
        self.make()
        server, port = self.serve()
        old = self.certificate()
        self.assertEqual(self.served(port), old)
        self.cli("key", "rotate", "www", "--self-sign")  # the certificate's file is not replaced yet
        self.assertEqual(self.served(port), old)
        server.reload()  # the old certificate, and with it the old version
        self.assertEqual(self.served(port), old)
        self.cli("cert", "self-sign", "www", "--subject", "CN=localhost", "--san", "localhost", "--out", self.dir / "www.crt")
        new = self.certificate()
        self.assertEqual(self.served(port), old)
        server.reload()
        self.assertEqual(self.served(port), new)
        done = operations_during(self.lab, lambda: [self.served(port) for _ in range(4)])
        done.pop("Hello", None), done.pop("Attest", None)
        self.assertEqual(done, {"Sign": 4})
        self.assertEqual(server.stop(), 0)

    def test_server_that_looks_for_itself(self):
        """nginx reads certificates by variable at each handshake: the new pair serves without a reload."""
        self.make()
        self.make("localhost")
        server, port = self.serve("localhost", certificate=f"{self.dir}/$ssl_server_name.crt")
        before = self.certificate("localhost")
        self.assertEqual(self.served(port), before)
        self.cli("key", "rotate", "localhost", "--self-sign", "--write", self.dir / "localhost.crt")
        self.assertNotEqual(self.certificate("localhost"), before)
        self.assertEqual(self.served(port), self.certificate("localhost"))
        self.assertEqual(server.stop(), 0)

    def test_rotations_under_load(self):
        """Rotations and reloads in any order while clients connect: each handshake succeeds."""
        for name, kind in KEYS.items():
            self.make(name, kind)
        server, port = self.serve("p256", workers=2)
        stop, failures, seen = threading.Event(), [], []

        def load():
            while not stop.is_set():
                try:
                    seen.append(self.served(port))
                except Exception as error:  # noqa: BLE001 (whatever it is, it is a failed handshake)
                    failures.append(repr(error))
                    return
        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for round_number in range(4):
                before = len(seen)
                self.cli("key", "rotate", "p256", "--self-sign", "--write", self.dir / "p256.crt")
                server.reload()
                wait_until(lambda before=before: failures or len(seen) > before + 8, f"pages in round {round_number}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.served(port), self.certificate("p256"))
        self.assertEqual(len(set(seen)), 5, "each of the five certificates was served")
        self.assertEqual(server.stop(), 0)
        log = server.error_log.read_text()
        self.assertNotIn("mismatch", log)


class RotationByOwners(OwnedTest):
    """Nobody but the owners makes versions; each step is under the signatures of a quorum, given at once or by file."""

    def rotate(self, *arguments, **more):
        return self.lab.cli("key", "rotate", "--token", "edge", "www", *arguments, **more)

    def versions(self):
        keys = self.lab.cli("key", "list", "--token", "edge", *self.ops, json=True)["objects"]
        return sorted(f"{key['version']} {key['state']}" for key in keys if key["label"] == "www")

    def by_file(self, *arguments):
        """A step that ops and the vault sign one after the other, and that anybody then sends."""
        path = self.lab.dir / f"{self._testMethodName}-{len(list(self.lab.dir.glob('*.json')))}.json"
        before = self.versions()
        self.rotate(*arguments, "--out", path, *self.ops)
        self.assertEqual(self.versions(), before, "nothing is changed by what is only written")
        shown = self.lab.cli("request", "show", path).stdout
        self.lab.cli("request", "sign", path, *self.vault, "--yes")
        self.lab.cli("request", "send", path)
        return shown

    def test_steps_by_file_and_at_once(self):
        self.assertIn("owner", self.refused("key", "rotate", "--token", "edge", "www", "--subject", "CN=www"))
        shown = self.by_file("--subject", "CN=www")
        self.assertIn("www", shown)
        self.assertEqual(self.versions(), ["1 in service", "2 staged"])
        csr, crt = self.lab.dir / "www.csr", self.lab.dir / "www.crt"
        self.assertIn("--out away", self.refused("key", "rotate", "--token", "edge", "www", "--subject", "CN=www",
                                                 "--out", self.lab.dir / "never.json", *self.ops, code=2))
        self.rotate("--subject", "CN=www", "--csr", csr, *self.ops, *self.security)
        ca, ca_key = self.lab.dir / "ca.crt", self.lab.dir / "ca.key"
        self.lab.openssl("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "group:P-256", "-noenc", "-keyout", ca_key,
                         "-subj", "/CN=ca", "-out", ca, env=PLAIN)
        self.lab.openssl("x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-out", crt, env=PLAIN)
        # The certificate, the service and the old version's end: one file, one order.
        self.by_file("--certificate", crt, "--drain", "0")
        self.assertEqual(self.versions(), ["1 retired", "2 in service"])
        self.assertIn("more owners", self.refused("key", "rotate", "--token", "edge", "www", "--remove-retired", *self.ops))
        self.by_file("--remove-retired")
        self.assertEqual(self.versions(), ["2 in service"])
        self.rotate("--subject", "CN=www", "--self-sign", *self.ops, *self.security)
        self.assertEqual(self.versions(), ["2 draining", "3 in service"])


if __name__ == "__main__":
    main()
