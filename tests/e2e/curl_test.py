#!/usr/bin/env python3
"""curl with a client certificate whose key is in the enclave, as docs/servers/curl.md shows.

Not under sanitizers: curl waits for ever in setlocale when their runtime is preloaded, and without it no module loads."""

import shlex

from lab import PROVIDER, main, need
from provider_keys import PLAIN, TOKEN
from servers import page_blocks, replaced
from tls_clients import TlsClientTest


class Curl(TlsClientTest):
    def curl(self, *arguments, env=None):
        return self.lab.run([need("curl"), "-sS", "--cacert", self.lab.dir / "plain.crt", *arguments, self.url], check=False,
                            env=env)

    def test_a_client_certificate(self):
        line, _ = page_blocks("curl", "sh")
        words = shlex.split(replaced(line, {"/etc/keyclave/": f"{self.lab.dir}/", "https://www.example.org/": ""}))[1:]
        self.assert_signs_once(lambda: self.curl(*words))
        both = self.lab.write("both.pem", "".join((self.lab.dir / f"client.{suffix}").read_text() for suffix in ("crt", "key")))
        self.assert_signs_once(lambda: self.curl("--cert", both))

    def test_tells_faults(self):
        words = ("--cert", self.lab.dir / "client.crt", "--key", self.lab.dir / "client.key")
        self.assertIn("No required SSL certificate was sent", self.curl().stdout)
        self.assert_told(self.without_the_daemon(lambda: self.curl(*words)), "keyclaved cannot be reached")
        for arguments, env in ((words, PLAIN), (("--cert", self.lab.dir / "p256.crt", *words[2:]), None)):
            self.assert_told(self.curl(*arguments, env=env), "unable to set private key file")

    def test_takes_uris_to_the_engine(self):
        words = ("--cert", self.lab.dir / "client.crt", "--key", f"pkcs11:token={TOKEN};object=client;type=private")
        self.assertIn("served by nginx", self.curl(*words, env=self.engine).stdout)
        self.assert_told(self.curl(*words), "failed to load private key from crypto engine")

    def test_takes_uris_to_a_provider_that_is_named(self):
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


if __name__ == "__main__":
    main()
