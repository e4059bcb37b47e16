#!/usr/bin/env python3
"""Programs that are no servers of their own, with keys of the enclave: curl, Python and Node as clients with a certificate,
Python and Node as servers. What they run is what their pages in docs/servers show."""

import shlex

from lab import PKCS11_MODULE, PROVIDER, LabTest, Nginx, accepts, main, need
from processes import SANITIZER_RUNTIME
from provider_keys import ENGINE_CONFIGURATION, PLAIN, TOKEN, make_keys, operations_during
from servers import Server, page_blocks, replaced

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


class Programs(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"rsa": "rsa:2048", "p256": "ec:p256", "client": "ec:p256"})
        cls.engine = {"OPENSSL_CONF": str(cls.lab.write("engine.cnf", ENGINE_CONFIGURATION.format(
            module=PKCS11_MODULE, more="init = 1")))}
        # A server that asks for the client's certificate; its own key is a file, so that it asks the daemon nothing.
        cls.lab.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cls.lab.dir / "plain.key", "-out",
                        cls.lab.dir / "plain.crt", "-subj", "/CN=plain", "-addext", "subjectAltName=DNS:localhost", env=PLAIN)
        cls.nginx = Nginx(cls.lab, extra=("ssl_verify_client on;", f"ssl_client_certificate {cls.lab.dir}/client.crt;"))
        cls.nginx.configure(cls.lab.dir / "plain.crt", cls.lab.dir / "plain.key").start()
        cls.url = f"https://localhost:{cls.nginx.port}/"

    def client(self, page, certificate="client.crt"):
        """The client that a page shows, at home in the lab."""
        trusts, here = TRUSTS[page]
        return replaced(page_blocks(page, LANGUAGE[page])[1], {
            "https://www.example.org/": self.url, "/etc/keyclave/client.crt": self.lab.dir / certificate,
            "/etc/keyclave/client.key": self.lab.dir / "client.key", trusts: here.format(self.lab.dir / "plain.crt")})

    def curl(self, *arguments, env=None):
        # Here curl loads a module of ours.
        preload = {"LD_PRELOAD": SANITIZER_RUNTIME} if SANITIZER_RUNTIME else {}
        return self.lab.run([need("curl"), "-sS", "--cacert", self.lab.dir / "plain.crt", *arguments, self.url], check=False,
                            env={**preload, **(env or {})})

    def assert_signs_once(self, action, *finding):
        """The action is served, by one signature of the client's key and nothing more than `finding` it."""
        answers = []
        done = operations_during(self.lab, lambda: answers.append(action()))
        self.assertIn("served by nginx", answers[0].stdout, answers[0].stderr)
        self.assertEqual(done.pop("Sign", 0), 1)
        self.assertLessEqual(set(done), {"Hello", "Attest", *finding})

    def assert_told(self, process, *words):
        self.assertNotEqual(process.returncode, 0)
        for word in words:
            self.assertIn(word, process.stderr)

    def without_the_daemon(self, action):
        self.lab.stop()
        try:
            return action()
        finally:
            self.lab.start_daemon()

    # ---- curl ----

    def test_curl(self):
        line, _ = page_blocks("curl", "sh")
        words = shlex.split(replaced(line, {"/etc/keyclave/": f"{self.lab.dir}/", "https://www.example.org/": ""}))[1:]
        self.assert_signs_once(lambda: self.curl(*words))
        both = self.lab.write("both.pem", "".join((self.lab.dir / f"client.{suffix}").read_text() for suffix in ("crt", "key")))
        self.assert_signs_once(lambda: self.curl("--cert", both))

    def test_curl_tells_faults(self):
        words = ("--cert", self.lab.dir / "client.crt", "--key", self.lab.dir / "client.key")
        self.assertIn("No required SSL certificate was sent", self.curl().stdout)
        self.assert_told(self.without_the_daemon(lambda: self.curl(*words)), "keyclaved cannot be reached")
        for arguments, env in ((words, PLAIN), (("--cert", self.lab.dir / "p256.crt", *words[2:]), None)):
            self.assert_told(self.curl(*arguments, env=env), "unable to set private key file")

    def test_curl_takes_uris_to_the_engine(self):
        words = ("--cert", self.lab.dir / "client.crt", "--key", f"pkcs11:token={TOKEN};object=client;type=private")
        self.assertIn("served by nginx", self.curl(*words, env=self.engine).stdout)
        self.assert_told(self.curl(*words), "failed to load private key from crypto engine")

    def test_curl_takes_uris_to_a_provider_that_is_named(self):
        _, line = page_blocks("curl", "sh")
        words = shlex.split(replaced(line, {"/etc/keyclave/": f"{self.lab.dir}/", "https://www.example.org/": ""}))[1:]
        modules = {"OPENSSL_MODULES": str(PROVIDER.parent)}
        unnamed = self.curl(*words[words.index("--key-type"):], env=modules)
        if "not supported file type" in unnamed.stderr:  # of a curl that knows engines only
            self.assert_told(self.curl(*words, env=modules), "SSL Engine 'keyclave' not found")
            return
        self.assert_told(unnamed, "Failed to initialize provider")
        self.assert_signs_once(lambda: self.curl(*words, env=modules), "GetObject")
        self.assert_told(self.curl(*words), "Failed to initialize provider")

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
