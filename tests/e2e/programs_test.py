#!/usr/bin/env python3
"""Python and Node with keys of the enclave, as clients with a certificate and as servers. What they run is what their pages in
docs/servers show."""

from lab import accepts, main, need
from provider_keys import PLAIN, operations_during
from servers import Server, page_blocks, replaced
from tls_clients import TlsClientTest

PYTHON = "/usr/bin/python3"  # Debian's
# The pages that have a server and a client, in this order: their language, and how theirs listen and trust here.
LANGUAGE = {"python": "python", "node": "js"}
LISTENS = {"python": ('("", 443)', '("127.0.0.1", {})'), "node": ("listen(443)", 'listen({}, "127.0.0.1")')}
TRUSTS = {"python": ("create_default_context(", 'create_default_context(cafile="{}"'),
          "node": ("const pair = {", 'const pair = {{\n  ca: fs.readFileSync("{}"),')}


class Script(Server):
    """A server of a page, run by an interpreter."""

    def __init__(self, lab, page, *interpreter):
        self.page, self.interpreter = page, interpreter
        super().__init__(lab, f"{page}-server")
        lab.write("index.html", f"served by {page}\n")  # in the folder where it starts

    def configuration(self, key):
        listens, here = LISTENS[self.page]
        return replaced(page_blocks(self.page, LANGUAGE[self.page])[0], {
            "/etc/keyclave/www.crt": self.certificate, "/etc/keyclave/www.key": key, listens: here.format(self.port)})

    def command(self):
        return [*self.interpreter, self.config]

    def ready(self):
        return accepts(self.port)

    def listens_to_signals(self):
        return True


class Programs(TlsClientTest):
    def client(self, page, certificate="client.crt"):
        """The client that a page shows, at home in the lab."""
        trusts, here = TRUSTS[page]
        return replaced(page_blocks(page, LANGUAGE[page])[1], {
            "https://www.example.org/": self.url, "/etc/keyclave/client.crt": self.lab.dir / certificate,
            "/etc/keyclave/client.key": self.lab.dir / "client.key", trusts: here.format(self.lab.dir / "plain.crt")})

    # ---- Python ----

    def test_python_as_a_client(self):
        self.assert_signs_once(lambda: self.lab.run([PYTHON, "-c", self.client("python")]))

    def test_python_tells_faults(self):
        def run(env=None, **more):
            return self.lab.run([PYTHON, "-c", self.client("python", **more)], check=False, env=env)
        self.assert_told(self.without_the_daemon(run), "EVP lib")  # and no more
        self.assert_told(run(env=PLAIN), "[SSL] PEM lib")
        self.assert_told(run(certificate="p256.crt"), "key values mismatch")

    # ---- Node ----

    def node(self, *arguments, **more):
        return self.lab.run([need("node"), *arguments], check=False, **more)

    def test_node_as_a_client(self):
        """Whether its OpenSSL is the system's or its own, it loads the provider once it reads the section that others read."""
        self.assert_signs_once(lambda: self.node("--openssl-shared-config", "-e", self.client("node")))
        text = self.lab.openssl_conf.read_text()
        conf = self.lab.write("node.cnf", replaced(text, {"openssl_conf = ": "nodejs_conf = "}))
        self.assert_signs_once(lambda: self.node("-e", self.client("node"), env={"OPENSSL_CONF": str(conf)}))

    def test_node_tells_faults(self):
        def run(*options, **more):
            return self.node(*options, "-e", self.client("node", **more))
        self.assert_told(self.without_the_daemon(lambda: run("--openssl-shared-config")), "keyclaved cannot be reached")
        self.assert_told(run(), "ERR_OSSL_UNSUPPORTED", "1E08010C")
        self.assert_told(run("--openssl-shared-config", certificate="p256.crt"), "key values mismatch")

    # ---- both as servers ----

    def test_servers(self):
        for page, *interpreter in (("python", PYTHON), ("node", need("node"), "--openssl-shared-config")):
            with self.subTest(page):
                server = Script(self.lab, page, *interpreter)
                for name in ("rsa", "p256"):
                    server.configure(self.lab.dir / f"{name}.crt", self.lab.dir / f"{name}.key").start()
                    self.assert_serves(server, name, page)
                    server.stop()

    def assert_serves(self, server, name, page):
        def fetch():
            return self.lab.run([need("curl"), "-sS", "--cacert", self.lab.dir / f"{name}.crt",
                                 f"https://localhost:{server.port}/"], env=PLAIN)
        self.assertEqual(fetch().stdout, f"served by {page}\n")
        self.assertEqual(operations_during(self.lab, lambda: [fetch() for _ in range(4)]), {"Sign": 4})


if __name__ == "__main__":
    main()
