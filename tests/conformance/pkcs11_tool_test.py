#!/usr/bin/env python3
"""pkcs11-tool (OpenSC) with the module, on a token without PINs and on one with: what it makes, OpenSSL must accept."""

import re
import unittest

from clients import PIN, PKCS11_MODULE, SO_PIN, ClientTest, Lab, OnPins, main, need


class Tool(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.write("message", "what is signed\n")
        cls.tool("--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", "rsa", "--usage-sign", "--usage-decrypt",
                 "--usage-wrap")
        cls.tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "p256", "--usage-sign")
        cls.tool("--read-object", "--type", "pubkey", "--id", "01", "-o", "rsa.der", login=False)
        cls.lab.openssl("pkey", "-pubin", "-inform", "DER", "-in", "rsa.der", "-out", "rsa.pem")
        # pkcs11-tool 0.23 saves EC keys from memory that it has freed, which is not there in every build.
        cls.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", "--export-pubkey", "--outfile", "p256.pem",
                     f"pkcs11:token={cls.token};object=p256;type=public"], env={"GNUTLS_PIN": PIN})

    def assert_signs(self, key_id, mechanism, public, *dgst, options=()):
        self.tool("--sign", "--id", key_id, "-m", mechanism, *options, "-i", "message", "-o", "signature")
        self.lab.openssl("dgst", *dgst, "-verify", public, "-signature", "signature", "message")

    def test_own_tests_pass(self):
        done = self.tool("--test")
        self.assertIn("No errors", done.stdout)
        for line in ("SHA256-RSA-PKCS: OK", "RSA-X-509: OK"):
            self.assertIn(line, done.stdout)

    def test_threads_and_forks(self):
        self.tool("--test-fork")
        threads = [part for _ in range(8) for part in ("--test-threads", "ILGISLT0")]
        done = self.lab.pkcs11_tool(*threads, "-L")
        self.assertNotIn("rv = CKR", done.stdout + done.stderr)

    def test_key_and_request_tests_pass(self):
        """--test-ec and --moz-cert: a pair is made, renamed, used and deleted as browsers do it. Both insist on --login."""
        self.lab.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "moz.key", "-out", "moz.der", "-outform",
                         "DER", "-subj", "/CN=moz", "-days", "10")
        user = () if self.pin else ("--login",)
        done = self.tool("--session-rw", *user, "--test-ec", "--key-type", "EC:secp384r1", "--id", "71", "--label", "own")
        self.assertIn("==> OK", done.stdout)
        done = self.tool("--session-rw", *user, "--moz-cert", "moz.der", "--key-type", "rsa:2048", "--id", "72", "--label", "moz")
        self.assertIn("OK, successful!", done.stdout)
        self.assertNotRegex(self.tool("-O").stdout, r"label: +own")

    def test_polls_for_tokens(self):
        done = self.tool("--test-hotplug", login=False)
        self.assertIn("C_WaitForSlotEvent()", done.stdout)
        self.assertNotIn("failed", done.stdout + done.stderr)

    def test_signs_with_rsa(self):
        for bits in (256, 384, 512):
            self.assert_signs("01", f"SHA{bits}-RSA-PKCS", "rsa.pem", f"-sha{bits}")
            self.assert_signs("01", f"SHA{bits}-RSA-PKCS-PSS", "rsa.pem", f"-sha{bits}", "-sigopt", "rsa_padding_mode:pss",
                              options=("--mgf", f"MGF1-SHA{bits}"))

    def test_signs_digests_with_rsa(self):
        self.lab.openssl("dgst", "-sha256", "-binary", "-out", "digest", "message")
        self.tool("--sign", "--id", "01", "-m", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256",
                  "-i", "digest", "-o", "signature")
        self.lab.openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-verify", "rsa.pem", "-signature", "signature",
                         "message")

    def test_signs_with_ec(self):
        for bits in (1, 256, 384, 512):
            self.assert_signs("02", f"ECDSA-SHA{bits}", "p256.pem", f"-sha{bits}", options=("--signature-format", "openssl"))

    def test_signs_digests_with_ec(self):
        self.lab.openssl("dgst", "-sha256", "-binary", "-out", "digest", "message")
        self.tool("--sign", "--id", "02", "-m", "ECDSA", "--signature-format", "openssl", "-i", "digest", "-o", "signature")
        self.lab.openssl("dgst", "-sha256", "-verify", "p256.pem", "-signature", "signature", "message")

    def test_asks_again_for_each_use(self):
        """CKA_ALWAYS_AUTHENTICATE: the tool logs in between C_SignInit and C_Sign (context-specific)."""
        self.tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "31", "--label", "each", "--always-auth", "--usage-sign")
        self.assertIn("always", self.tool("-O", "--type", "privkey", "--id", "31").stdout.lower())
        for _ in range(2):
            self.tool("--sign", "--id", "31", "-m", "ECDSA-SHA256", "-i", "message", "-o", "signature")
            self.tool("--verify", "--id", "31", "-m", "ECDSA-SHA256", "-i", "message", "--signature-file", "signature")

    def test_verifies(self):
        self.tool("--sign", "--id", "02", "-m", "ECDSA-SHA256", "-i", "message", "-o", "signature")
        done = self.tool("--verify", "--id", "02", "-m", "ECDSA-SHA256", "-i", "message", "--signature-file", "signature")
        self.assertIn("Signature is valid", done.stdout)
        self.lab.write("other", "something else\n")
        done = self.tool("--verify", "--id", "02", "-m", "ECDSA-SHA256", "-i", "other", "--signature-file", "signature",
                         check=False)
        self.assertIn("Invalid signature", done.stdout + done.stderr)

    def test_decrypts_with_rsa(self):
        encrypt = ("pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pem", "-in", "message", "-out", "ciphertext")
        oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
        for options, mechanism in (((), ("RSA-PKCS",)),
                                   (oaep, ("RSA-PKCS-OAEP", "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256"))):
            self.lab.openssl(*encrypt, *options)
            self.tool("--decrypt", "--id", "01", "-m", *mechanism, "-i", "ciphertext", "-o", "plaintext")
            self.assertEqual((self.lab.dir / "plaintext").read_text(), "what is signed\n")

    def test_refuses_a_bad_ciphertext(self):
        (self.lab.dir / "ciphertext").write_bytes(b"\x01" * 256)
        done = self.tool("--decrypt", "--id", "01", "-m", "RSA-PKCS-OAEP", "--hash-algorithm", "SHA256", "-i", "ciphertext",
                         check=False)
        self.assertIn("CKR_ENCRYPTED_DATA_INVALID", done.stdout + done.stderr)

    def test_unwraps_an_aes_key(self):
        key = bytes(range(32))
        (self.lab.dir / "aes").write_bytes(key)
        self.lab.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pem", "-in", "aes", "-out", "wrapped")
        self.tool("--unwrap", "-m", "RSA-PKCS", "--id", "01", "-i", "wrapped", "--key-type", "AES:", "--application-id", "0a",
                  "--application-label", "unwrapped", "--extractable")
        self.lab.write("plain", "sixteen bytes!!!" * 4)
        iv = "00112233445566778899aabbccddeeff"
        self.tool("--encrypt", "--id", "0a", "-m", "AES-CBC-PAD", "--iv", iv, "-i", "plain", "-o", "encrypted")
        self.lab.openssl("enc", "-d", "-aes-256-cbc", "-K", key.hex(), "-iv", iv, "-in", "encrypted", "-out", "decrypted")
        self.assertEqual((self.lab.dir / "decrypted").read_text(), "sixteen bytes!!!" * 4)
        self.tool("--delete-object", "--type", "secrkey", "--id", "0a")

    def test_imports_keys_and_certificates(self):
        self.lab.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "in.key", "-out", "in.pem", "-subj",
                         "/CN=import", "-days", "10")
        self.lab.openssl("rsa", "-in", "in.key", "-outform", "DER", "-out", "in.key.der")
        self.lab.openssl("x509", "-in", "in.pem", "-outform", "DER", "-out", "in.der")
        self.lab.openssl("pkey", "-in", "in.key", "-pubout", "-out", "in.pub")
        self.tool("--write-object", "in.key.der", "--type", "privkey", "--id", "0b", "--label", "imported", "--usage-sign")
        self.tool("--write-object", "in.der", "--type", "cert", "--id", "0b", "--label", "imported")
        self.assert_signs("0b", "SHA256-RSA-PKCS", "in.pub", "-sha256")
        self.tool("--read-object", "--type", "cert", "--id", "0b", "-o", "out.der")
        self.assertEqual((self.lab.dir / "out.der").read_bytes(), (self.lab.dir / "in.der").read_bytes())
        for kind in ("privkey", "cert"):
            self.tool("--delete-object", "--type", kind, "--id", "0b")
        self.assertNotIn("imported", self.tool("-O").stdout)

    def test_writes_and_reads_data(self):
        self.lab.write("data", "some data")
        self.tool("--write-object", "data", "--type", "data", "--label", "note", "--application-label", "app")
        self.tool("--read-object", "--type", "data", "--label", "note", "-o", "back")
        self.assertEqual((self.lab.dir / "back").read_text(), "some data")
        self.tool("--delete-object", "--type", "data", "--label", "note")

    def test_random_bytes(self):
        self.tool("--generate-random", "100000", "-o", "random")
        self.assertEqual(len((self.lab.dir / "random").read_bytes()), 100000)

    def test_encrypts_more_than_a_request_carries(self):
        self.tool("--keygen", "--key-type", "AES:16", "--id", "0c", "--label", "bulk", "--extractable")
        (self.lab.dir / "big").write_bytes(bytes(range(256)) * 10000)
        options = ("--id", "0c", "-m", "AES-CBC-PAD", "--iv", "0" * 32)
        self.tool("--encrypt", *options, "-i", "big", "-o", "big.enc")
        self.tool("--decrypt", *options, "-i", "big.enc", "-o", "big.dec")
        self.assertEqual((self.lab.dir / "big.dec").read_bytes(), (self.lab.dir / "big").read_bytes())
        self.tool("--delete-object", "--type", "secrkey", "--id", "0c")


class WithPins(OnPins, Tool):
    def test_private_keys_are_hidden_without_login(self):
        self.assertNotIn("Private Key", self.tool("-O", login=False).stdout)
        self.assertIn("Private Key", self.tool("-O").stdout)
        self.assertIn("Public Key", self.tool("-O", login=False).stdout)

    def test_a_wrong_pin_is_one_try(self):
        done = self.lab.pkcs11_tool("--token-label", "pins", "--login", "--pin", "0000", "-O", check=False)
        self.assertIn("CKR_PIN_INCORRECT", done.stdout + done.stderr)
        self.assertIn("user PIN count low", self.lab.pkcs11_tool("-L").stdout)
        self.tool("-O")
        self.assertNotIn("user PIN count low", self.lab.pkcs11_tool("-L").stdout)


class Tokens(unittest.TestCase):
    """Making tokens and PINs: needs an enclave that has a default policy for them."""

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def test_makes_a_token_and_its_pins(self):
        listing = self.lab.pkcs11_tool("-L").stdout
        spare = re.search(r"Slot (\d+) .*\n\s+token state:\s+uninitialized", listing)
        self.assertTrue(spare, listing)
        slot = spare.group(1)
        self.lab.pkcs11_tool("--slot", slot, "--init-token", "--label", "made", "--so-pin", SO_PIN)
        self.lab.pkcs11_tool("--slot", slot, "--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", PIN)
        made = self.lab.pkcs11_tool("-L").stdout
        self.assertIn(": made", made)
        self.assertIn("login required", made)
        self.lab.pkcs11_tool("--slot", slot, "--login", "--pin", PIN, "--change-pin", "--new-pin", "567890")
        self.lab.pkcs11_tool("--slot", slot, "--login", "--pin", "567890", "--keypairgen", "--key-type", "EC:secp384r1",
                             "--label", "k")
        self.lab.pkcs11_tool("--slot", slot, "--init-token", "--label", "made anew", "--so-pin", SO_PIN)
        self.assertIn(": made anew", self.lab.pkcs11_tool("-L").stdout)
        self.assertNotIn("Public Key", self.lab.pkcs11_tool("--slot", slot, "-O", check=False).stdout)

    def test_names_a_wrong_so_pin(self):
        self.lab.make_token("pins", pin=PIN, so_pin=SO_PIN)
        done = self.lab.pkcs11_tool("--slot", "0", "--init-token", "--label", "x", "--so-pin", "00000000", check=False)
        self.assertIn("CKR_PIN_INCORRECT", done.stdout + done.stderr)


if __name__ == "__main__":
    need("pkcs11-tool")
    main()
