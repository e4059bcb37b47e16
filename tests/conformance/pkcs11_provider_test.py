#!/usr/bin/env python3
# ctest: LABEL=with-pkcs11-provider
"""The pkcs11 provider for OpenSSL 3 (pkcs11-provider, of Debian 13): openssl's commands, and a server."""

import pathlib

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main, need
from lab import SOURCE_DIR, accepts, end_process, free_port, wait_until

CONFIGURATION = """\
openssl_conf = init
[init]
providers = providers
[providers]
default = ours
pkcs11 = theirs
[ours]
activate = 1
[theirs]
module = {provider}
pkcs11-module-path = {module}
{more}
activate = 1
[req]
distinguished_name = name
[name]
"""
KEYS = {"rsa": ("01", "rsa:2048"), "ec": ("02", "EC:prime256v1")}


def provider():
    folders = [pathlib.Path("/usr/lib"), SOURCE_DIR / "build" / "deps" / "pkcs11-provider" / "usr" / "lib"]
    found = [path for folder in folders for path in folder.glob("*/ossl-modules/pkcs11.so")]
    assert found, "no pkcs11 provider: ./run deps pkcs11-provider (or apt-get install pkcs11-provider, from Debian 13 on)"
    return found[0]


class Provider(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        more = f"pkcs11-module-token-pin = {PIN}" if cls.pin else ""
        text = CONFIGURATION.format(provider=provider(), module=PKCS11_MODULE, more=more)
        cls.conf = cls.lab.write("pkcs11-provider.cnf", text)
        cls.file("message", b"what is signed\n")
        for label, (key_id, key_type) in KEYS.items():
            cls.tool("--keypairgen", "--key-type", key_type, "--id", key_id, "--label", label, "--usage-sign", "--usage-decrypt")
            cls.openssl("pkey", "-in", cls.url(label), "-pubout", "-out", f"{label}.pub")
            cls.openssl("req", "-x509", "-key", cls.url(label), "-subj", "/CN=localhost", "-days", "10", "-out", f"{label}.crt")

    @classmethod
    def url(cls, label):
        return f"pkcs11:token={cls.token};object={label};type=private"

    @classmethod
    def openssl(cls, *arguments, check=True):
        return cls.lab.openssl(*arguments, check=check, env={"OPENSSL_CONF": str(cls.conf)})

    def test_signs(self):
        pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
        for label, options in (("rsa", ()), ("rsa", pss), ("ec", ())):
            self.openssl("dgst", "-sha256", "-sign", self.url(label), *options, "-out", "signature", "message")
            self.lab.openssl("dgst", "-sha256", *options, "-verify", f"{label}.pub", "-signature", "signature", "message")
        for label in KEYS:
            self.lab.openssl("verify", "-check_ss_sig", "-CAfile", f"{label}.crt", f"{label}.crt")

    def test_decrypts(self):
        oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
        self.lab.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pub", *oaep, "-in", "message", "-out", "ciphertext")
        self.openssl("pkeyutl", "-decrypt", "-inkey", self.url("rsa"), *oaep, "-in", "ciphertext", "-out", "plaintext")
        self.assertEqual(self.file("plaintext"), b"what is signed\n")

    def test_lists_what_is_there(self):
        listed = self.openssl("storeutl", "-noout", "-keys", f"pkcs11:token={self.token}").stdout
        self.assertEqual(listed.count("Pkey"), 2, listed)

    def test_serves_tls(self):
        for label in KEYS:
            port = free_port()
            server = self.lab.spawn([need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-key", self.url(label), "-cert",
                                     f"{label}.crt", "-www"], f"s_server-{label}.log", env={"OPENSSL_CONF": str(self.conf)})
            wait_until(lambda port=port: accepts(port), "openssl s_server", process=server)
            for version in ("-tls1_2", "-tls1_3"):
                done = self.lab.openssl("s_client", "-connect", f"127.0.0.1:{port}", version, "-CAfile", f"{label}.crt",
                                        "-verify_return_error", input="")
                self.assertIn("Verification: OK", done.stdout)
            end_process(server)


class ProviderWithPins(OnPins, Provider):
    pass


if __name__ == "__main__":
    main()
