#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""What a key signs (`input`): stock nginx, haproxy, curl and openssl work with keys that sign only what they are for, and
nobody gets anything else out of such a key. Lesson 35: a CA whose callers choose the names."""

import os
import socket
import ssl

from lab import LabTest, Nginx, accepts, free_port, main, need, wait_until
from provider_keys import PLAIN, operations_during

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
REFUSED = "does not sign this kind of message"
TOKEN = "edge"

POLICY = """\
policy: {name}
version: {version}
permit:
  - operations: [sign]
    input: {rule}
    when: {{tee: {{is: simulated}}}}
    allow_unattested: true
"""

EXTENSIONS = """\
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
[ca]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
[req]
distinguished_name = dn
[dn]
"""


class InputTest(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token(TOKEN)

    @classmethod
    def apply(cls, name, rule, version=1):
        text = POLICY.format(name=name, rule=rule, version=version)
        # Another version may permit what the one before did not.
        cls.lab.cli("policy", "apply", "--yes", "--token", TOKEN, cls.lab.write(f"{name}.yaml", text))

    @classmethod
    def make_key(cls, label, rule, kind="ec:p256"):
        """A key under a policy with this rule: LABEL.key (reference), LABEL.crt (self-signed)."""
        cls.apply(label, rule)
        lab = cls.lab
        lab.cli("key", "generate", "--token", TOKEN, "--type", kind, "--label", label, "--policy", label)
        lab.cli("cert", "self-sign", "--token", TOKEN, label, "--subject", "CN=localhost", "--san", "localhost", "--out",
                lab.dir / f"{label}.crt")
        lab.cli("key", "reference", "--token", TOKEN, label, "--out", lab.dir / f"{label}.key")
        return lab.dir / f"{label}.crt", lab.dir / f"{label}.key"

    def fetch(self, port, version, certificate, ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                page = b""
                while block := tls.recv(4096):
                    page += block
        return page

    def assert_refused(self, process):
        self.assertNotEqual(process.returncode, 0)
        self.assertIn(REFUSED, process.stderr)

    # ---- servers ----

    def test_nginx(self):
        pairs = [self.make_key("nginx-p256", "tls-server"), self.make_key("nginx-rsa", "tls-server", "rsa:2048")]
        port = free_port()
        nginx = Nginx(self.lab, [(port, None, pairs, "ssl_session_tickets off;", "ssl_session_cache none;")], workers=1)
        nginx.start()
        for version in VERSIONS:
            for (certificate, _), kind in zip(pairs, ("aECDSA", "aRSA")):
                if version == ssl.TLSVersion.TLSv1_3 and kind == "aRSA":
                    continue  # the client's library has no way to ask for it
                ciphers = f"ECDHE+{kind}" if version == ssl.TLSVersion.TLSv1_2 else None
                with self.subTest(version=version, kind=kind):
                    self.assertIn(b"200 OK", self.fetch(port, version, certificate, ciphers))
                    done = operations_during(self.lab, lambda v=version, c=certificate, s=ciphers: self.fetch(port, v, c, s))
                    self.assertEqual(done, {"Sign": 1})
        self.assertEqual(nginx.stop(), 0)

    def test_haproxy(self):
        certificate, key = self.make_key("haproxy", "tls-server")
        (self.lab.dir / "haproxy.pem").write_text(certificate.read_text() + key.read_text())
        port = free_port()
        config = self.lab.write("haproxy.cfg", (
            "global\n  nosplice\ndefaults\n  mode http\n  timeout connect 20s\n  timeout client 20s\n  timeout server 20s\n"
            f"frontend tls\n  bind 127.0.0.1:{port} ssl crt {self.lab.dir}/haproxy.pem no-tls-tickets\n"
            "  http-request return status 200 content-type text/plain string served\n"))
        process = self.lab.spawn([need("haproxy"), "-db", "-f", config], "haproxy.log")
        wait_until(lambda: accepts(port), "haproxy", process=process)
        for version in VERSIONS:
            with self.subTest(version=version):
                self.assertIn(b"served", self.fetch(port, version, certificate))

    def test_a_client_key_serves_nobody(self):
        certificate, key = self.make_key("no-server", "tls-client")
        port = self.serve(certificate, key)
        for version in VERSIONS:
            with self.subTest(version=version), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.fetch(port, version, certificate)

    def serve(self, certificate, key, *more):
        port = free_port()
        log = f"s_server-{port}.log"
        server = self.lab.spawn([need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key,
                                 "-www", "-no_ticket", "-no_cache", *more], log)
        wait_until(lambda: "ACCEPT" in (self.lab.dir / log).read_text(), "s_server", process=server)
        return port

    # ---- clients ----

    def curl(self, port, server, certificate, key, version):
        limit = "1.2" if version == ssl.TLSVersion.TLSv1_2 else "1.3"
        return self.lab.run([need("curl"), "-sS", f"--tlsv{limit}", "--tls-max", limit, "--cacert", server, "--cert", certificate,
                             "--key", key, f"https://localhost:{port}/"], check=False)

    def test_curl(self):
        server, server_key = self.make_key("for-curl", "tls-server")
        for kind in ("ec:p384", "rsa:2048"):
            name = f"curl-{kind.partition(':')[0]}"
            certificate, key = self.make_key(name, "tls-client", kind)
            port = self.serve(server, server_key, "-Verify", "1", "-CAfile", certificate, "-verify_return_error")
            for version in VERSIONS:
                with self.subTest(kind=kind, version=version):
                    answer = self.curl(port, server, certificate, key, version)
                    self.assertEqual(answer.returncode, 0, answer.stderr)
                    self.assertIn("s_server", answer.stdout)
                    # The server's own key is no client.
                    self.assertNotEqual(self.curl(port, server, server, server_key, version).returncode, 0)

    # ---- everything else ----

    def test_a_server_key_signs_nothing_but_handshakes(self):
        certificate, key = self.make_key("nothing-else", "[tls-server, tls-client]")
        message = self.lab.write("message", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n")
        digest = self.lab.dir / "digest"
        digest.write_bytes(bytes(range(32)))
        config = self.lab.write("req.cnf", EXTENSIONS.format(names="DNS:localhost"))
        for command in (["dgst", "-sha256", "-sign", key, message],
                        ["pkeyutl", "-sign", "-inkey", key, "-in", digest],
                        ["req", "-new", "-config", config, "-key", key, "-subj", "/CN=localhost"],
                        ["req", "-x509", "-config", config, "-key", key, "-subj", "/CN=localhost"],
                        ["cms", "-sign", "-in", message, "-signer", certificate, "-inkey", key]):
            with self.subTest(command[0]):
                self.assert_refused(self.lab.openssl(*command, check=False))

    def test_pkcs11_tool(self):
        self.make_key("tool", "tls-server")
        # pkcs11-tool chooses the key to sign with by its id alone.
        key_id = self.lab.cli("key", "show", "--token", TOKEN, "tool", json=True)["attributes"]["id"]
        base = ["--token-label", TOKEN, "--sign", "--id", key_id, "-o", "signature"]
        good = self.lab.dir / "good"
        good.write_bytes(b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32))
        raw = self.lab.dir / "raw"
        raw.write_bytes(bytes(range(32)))
        self.lab.pkcs11_tool(*base, "-m", "ECDSA-SHA256", "-i", good)
        for mechanism, data in (("ECDSA", raw), ("ECDSA-SHA256", raw), ("ECDSA-SHA1", good)):
            with self.subTest(mechanism, data=data.name):
                refused = self.lab.pkcs11_tool(*base, "-m", mechanism, "-i", data, check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn("CKR_KEY_FUNCTION_NOT_PERMITTED", refused.stderr)

    def test_digests_of_any_length(self):
        certificate, key = self.make_key("digests", "digest")
        public = self.lab.dir / "digests.pub"
        public.write_text(self.lab.openssl("x509", "-in", certificate, "-noout", "-pubkey", env=PLAIN).stdout)
        for size in (0, 1, 65536, 65537, 1 << 20):
            with self.subTest(size=size):
                (self.lab.dir / "data").write_bytes(os.urandom(size))
                self.lab.openssl("dgst", "-sha384", "-sign", key, "-out", "data.sig", "data")
                self.lab.openssl("dgst", "-sha384", "-verify", public, "-signature", "data.sig", "data", env=PLAIN)

    # ---- certificates ----

    def test_requests(self):
        _, key = self.make_key("requests", "x509-csr")
        config = self.lab.write("requests.cnf", EXTENSIONS.format(names="DNS:localhost"))
        self.lab.openssl("req", "-new", "-config", config, "-key", key, "-subj", "/CN=www.example.com", "-out", "requests.csr")
        self.lab.openssl("req", "-in", "requests.csr", "-noout", "-verify", env=PLAIN)
        self.assert_refused(self.lab.openssl("req", "-x509", "-config", config, "-key", key, "-subj", "/CN=a", check=False))
        # A request for another key is no proof that this one is its owner's.
        self.lab.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "other.key", env=PLAIN)
        self.lab.openssl("req", "-new", "-config", config, "-key", "other.key", "-subj", "/CN=a", "-out", "other.csr", env=PLAIN)
        self.assert_refused(self.lab.openssl("dgst", "-sha256", "-sign", key, self.signed_part("other.csr"), check=False))

    def signed_part(self, pem):
        """The file with the DER of the first element of what a PEM file holds: what is signed of a request."""
        der, part = self.lab.dir / "whole.der", self.lab.dir / "part.der"
        self.lab.openssl("asn1parse", "-in", pem, "-noout", "-out", der, env=PLAIN)
        content = der.read_bytes()
        offset = 2 if content[1] < 128 else 2 + (content[1] & 127)
        self.lab.openssl("asn1parse", "-inform", "DER", "-in", der, "-noout", "-strparse", str(offset), "-out", part, env=PLAIN)
        return part

    ca = None

    @classmethod
    def make_ca(cls):
        """A CA whose own certificate was made under version 1 of its policy; version 2 signs servers' certificates."""
        lab = cls.lab
        if cls.ca:
            return cls.ca
        cls.apply("ca", "{x509-tbs: {ca: true, subject: [\"CN=The CA\"]}}")
        lab.cli("key", "generate", "--token", TOKEN, "--type", "ec:p256", "--label", "ca", "--policy", "ca")
        key, certificate = lab.dir / "ca.key", lab.dir / "ca.crt"
        lab.cli("key", "reference", "--token", TOKEN, "ca", "--out", key)
        config = lab.write("ca.cnf", EXTENSIONS.format(names="DNS:localhost"))
        lab.openssl("req", "-x509", "-config", config, "-extensions", "ca", "-key", key, "-subj", "/CN=The CA", "-days", "3650",
                    "-out", certificate)
        lab.cli("cert", "import", "--token", TOKEN, certificate)
        cls.apply("ca", "{x509-tbs: {dns: [.inner.example], ip: [10.0.0.0/8], max_days: 90}}", version=2)
        lab.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "leaf.key", "-config", config, "-subj",
                    "/CN=www.inner.example", "-out", "leaf.csr", env=PLAIN)
        cls.ca = certificate, key
        return cls.ca

    def issue(self, certificate, key, names="DNS:www.inner.example", section="leaf", days="90", subject="/CN=www.inner.example"):
        config = self.lab.write("issue.cnf", EXTENSIONS.format(names=names))
        self.lab.openssl("req", "-new", "-key", "leaf.key", "-config", config, "-subj", subject, "-out", "leaf.csr", env=PLAIN)
        return self.lab.openssl("x509", "-req", "-in", "leaf.csr", "-CA", certificate, "-CAkey", key, "-days", days, "-extfile",
                                config, "-extensions", section, "-out", "leaf.crt", check=False)

    def test_a_ca_signs_the_names_of_its_policy(self):
        certificate, key = self.make_ca()
        made = self.issue(certificate, key, names="DNS:www.inner.example,DNS:a.b.inner.example,IP:10.1.2.3")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.lab.openssl("verify", "-x509_strict", "-CAfile", certificate, "-verify_hostname", "a.b.inner.example", "leaf.crt",
                         env=PLAIN)
        for what in ({"names": "DNS:www.inner.example,DNS:bank.example"}, {"names": "IP:8.8.8.8"},
                     {"names": "email:a@inner.example"}, {"names": "DNS:*.inner.example"}, {"section": "ca"}, {"days": "91"},
                     {"subject": "/CN=bank.example"}, {"subject": "/O=system:masters/CN=www.inner.example"}):
            with self.subTest(**what):
                self.assert_refused(self.issue(certificate, key, **what))
        # The same key under another name of the CA.
        self.lab.cli("cert", "self-sign", "--token", TOKEN, "ca", "--subject", "CN=Another CA", "--out", self.lab.dir / "another.crt")
        self.assert_refused(self.issue(self.lab.dir / "another.crt", key))
        # And nothing but certificates.
        self.assert_refused(self.lab.openssl("dgst", "-sha256", "-sign", key, self.signed_part("leaf.csr"), check=False))

    def test_openssl_ca(self):
        """A CA as many run it: an index, serial numbers, certificates and lists of those that were revoked."""
        certificate, key = self.make_ca()
        lab = self.lab
        lab.write("index.txt", "")
        lab.write("serial", "1000\n")
        lab.write("crlnumber", "01\n")
        config = lab.write("openssl-ca.cnf", EXTENSIONS.format(names="DNS:www.inner.example") + f"""\
[ca_default]
dir = {lab.dir}
new_certs_dir = $dir
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = {certificate}
private_key = {key}
default_md = sha256
default_crl_days = 7
policy = any
[any]
commonName = supplied
""")
        base = ["ca", "-config", config, "-name", "ca_default", "-batch", "-notext"]
        issue = [*base, "-in", "leaf.csr", "-extensions", "leaf", "-out", "listed.crt"]
        lab.openssl(*issue, "-days", "30")
        self.assertNotEqual(lab.openssl(*issue, "-days", "91", check=False).returncode, 0)
        lab.openssl(*base, "-revoke", "listed.crt", "-crl_reason", "keyCompromise")
        # The policy is about certificates only.
        self.assert_refused(lab.openssl(*base, "-gencrl", "-out", "ca.crl", check=False))
        self.apply("ca", "[x509-crl, {x509-tbs: {dns: [.inner.example], ip: [10.0.0.0/8], max_days: 90}}]", version=3)
        lab.openssl(*base, "-gencrl", "-out", "ca.crl")
        lab.openssl("crl", "-in", "ca.crl", "-CAfile", certificate, "-noout", env=PLAIN)
        revoked = lab.openssl("verify", "-CAfile", certificate, "-CRLfile", "ca.crl", "-crl_check", "listed.crt", env=PLAIN, check=False)
        self.assertIn("certificate revoked", revoked.stderr)


if __name__ == "__main__":
    main()
