"""Programs that present a key of the enclave to a server that asks for their certificate: what their tests have in common."""

from lab import PKCS11_MODULE, LabTest, Nginx
from provider_keys import ENGINE_CONFIGURATION, PLAIN, make_keys, operations_during


class TlsClientTest(LabTest):
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
