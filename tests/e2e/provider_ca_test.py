#!/usr/bin/env python3
"""A certification authority of `openssl` commands whose key is the enclave's: ca, crl, ocsp, ts, smime, x509; and what cannot
be done with such a key. What they make is judged by an OpenSSL without the provider."""


from lab import LabTest, accepts, end_process, free_port, main, need, wait_until
from provider_keys import PLAIN, TOKEN, make_keys

NAMES = ("rsa", "p256")
CA = """\
[ca]
default_ca = ours
[ours]
dir = {dir}
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $dir/ca.crt
private_key = {key}
default_md = sha256
default_days = 10
default_crl_days = 10
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
[tsa]
default_tsa = tsa1
[tsa1]
serial = $ENV::TSA_SERIAL
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
[timestamping]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
[ocsp]
extendedKeyUsage = OCSPSigning
"""


class Authority(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"rsa": "rsa:2048", "p256": "ec:p256", "other": "ec:p256"})
        cls.message = cls.lab.write("message", "what is signed\n" * 100)
        for name in NAMES:
            cls.found(name)

    @classmethod
    def found(cls, name):
        """The folder NAME-ca: an authority with this key, a certificate that it has issued and revoked, and one that is good."""
        folder = cls.lab.dir / f"{name}-ca"
        folder.mkdir()
        for file, content in (("index", ""), ("serial", "1000\n"), ("crlnumber", "01\n"), ("tsa", "01\n")):
            (folder / file).write_text(content)
        (folder / "ca.cnf").write_text(CA.format(dir=folder, key=cls.lab.dir / f"{name}.key"))
        cls.openssl(name, "req", "-x509", "-new", "-key", cls.lab.dir / f"{name}.key", "-subj", "/CN=ca", "-extensions",
                    "authority", "-config", folder / "ca.cnf", "-out", folder / "ca.crt")
        cls.lab.openssl("genpkey", "-algorithm", "ED25519", "-out", folder / "leaf.pem", env=PLAIN)
        for leaf in ("good", "revoked"):
            cls.issue(name, leaf, folder / "leaf.pem")
        cls.ca(name, "-revoke", folder / "revoked.crt")

    @classmethod
    def openssl(cls, name, *arguments, check=True, **more):
        """With nothing left on the error queue if it succeeds, but what `ts` leaves there of a configuration's defaults."""
        env = {"TSA_SERIAL": str(cls.lab.dir / f"{name}-ca" / "tsa")}
        done = cls.lab.openssl(*arguments, check=check, env=env, **more)
        left = [line for line in done.stderr.splitlines() if ":error:" in line and "NCONF_get_string:no value" not in line]
        assert done.returncode or not left, done.stderr
        return done

    @classmethod
    def ca(cls, name, *arguments):
        return cls.openssl(name, "ca", "-batch", "-config", cls.lab.dir / f"{name}-ca" / "ca.cnf", *arguments)

    @classmethod
    def issue(cls, name, leaf, key, *arguments):
        """LEAF.crt in the authority's folder, for this key."""
        request, certificate = (cls.lab.dir / f"{name}-ca" / f"{leaf}.{suffix}" for suffix in ("csr", "crt"))
        cls.openssl(name, "req", "-new", "-key", key, "-subj", f"/CN={leaf}", "-out", request)
        cls.ca(name, "-in", request, "-out", certificate, "-notext", *arguments)
        return certificate

    def each(self):
        for name in NAMES:
            with self.subTest(name):
                yield name, self.lab.dir / f"{name}.key", self.lab.dir / f"{name}-ca"

    def judge(self, *arguments, check=True):
        """By an OpenSSL that knows nothing of us."""
        return self.lab.openssl(*arguments, check=check, env={**PLAIN, "TSA_SERIAL": ""})

    def test_issues_and_revokes(self):
        for name, _, folder in self.each():
            self.judge("verify", "-CAfile", folder / "ca.crt", folder / "good.crt", folder / "revoked.crt")
            self.ca(name, "-gencrl", "-out", folder / "crl.pem")
            self.judge("crl", "-in", folder / "crl.pem", "-CAfile", folder / "ca.crt", "-noout")
            checked = ("verify", "-crl_check", "-CRLfile", folder / "crl.pem", "-CAfile", folder / "ca.crt")
            self.judge(*checked, folder / "good.crt")
            self.assertIn("certificate revoked", self.judge(*checked, folder / "revoked.crt", check=False).stderr)

    def test_ocsp(self):
        for name, key, folder in self.each():
            responder = self.issue(name, "responder", key, "-extensions", "ocsp")
            ask = [word for leaf in ("good", "revoked") for word in ("-cert", folder / f"{leaf}.crt")]
            self.judge("ocsp", "-issuer", folder / "ca.crt", *ask, "-reqout", folder / "ocsp.req", "-no_nonce")
            self.openssl(name, "ocsp", "-index", folder / "index", "-CA", folder / "ca.crt", "-rsigner", responder, "-rkey", key,
                         "-reqin", folder / "ocsp.req", "-respout", folder / "ocsp.resp", "-ndays", "1")
            answer = self.judge("ocsp", "-issuer", folder / "ca.crt", *ask, "-respin", folder / "ocsp.resp", "-CAfile",
                                folder / "ca.crt")
            self.assertIn("Response verify OK", answer.stderr)
            self.assertRegex(answer.stdout, r"(?s)good\.crt: good.*revoked\.crt: revoked")

    def test_time_stamps(self):
        for name, key, folder in self.each():
            stamper = self.issue(name, "stamper", key, "-extensions", "timestamping")
            self.judge("ts", "-query", "-data", self.message, "-sha256", "-cert", "-out", folder / "ts.req")
            self.openssl(name, "ts", "-reply", "-config", folder / "ca.cnf", "-section", "tsa1", "-queryfile", folder / "ts.req",
                         "-inkey", key, "-signer", stamper, "-out", folder / "ts.resp")
            verified = self.judge("ts", "-verify", "-data", self.message, "-in", folder / "ts.resp", "-CAfile", folder / "ca.crt")
            self.assertIn("Verification: OK", verified.stdout)

    def test_smime(self):
        for name, key, folder in self.each():
            self.openssl(name, "smime", "-sign", "-in", self.message, "-signer", folder / "ca.crt", "-inkey", key, "-out",
                         folder / "signed")
            self.judge("smime", "-verify", "-in", folder / "signed", "-CAfile", folder / "ca.crt", "-purpose", "any", "-out",
                       folder / "verified")
        folder = self.lab.dir / "rsa-ca"
        self.judge("smime", "-encrypt", "-aes256", "-in", self.message, "-out", folder / "sealed", folder / "ca.crt")
        opened = self.openssl("rsa", "smime", "-decrypt", "-in", folder / "sealed", "-recip", folder / "ca.crt", "-inkey",
                              self.lab.dir / "rsa.key")
        self.assertEqual(opened.stdout.replace("\r\n", "\n"), self.message.read_text())

    def test_x509_signs_for_itself_and_for_others(self):
        for name, key, folder in self.each():
            renewed = folder / "renewed.crt"
            self.openssl(name, "x509", "-in", folder / "ca.crt", "-signkey", key, "-days", "20", "-out", renewed)
            self.judge("verify", "-check_ss_sig", "-CAfile", renewed, renewed)
            self.openssl(name, "x509", "-new", "-force_pubkey", self.lab.dir / "other.pub", "-subj", "/CN=forced", "-CA",
                         folder / "ca.crt", "-CAkey", key, "-out", folder / "forced.crt")
            self.judge("verify", "-CAfile", folder / "ca.crt", folder / "forced.crt")
            made = self.judge("x509", "-in", folder / "forced.crt", "-noout", "-pubkey")
            self.assertEqual(made.stdout, (self.lab.dir / "other.pub").read_text())
            self.openssl(name, "x509", "-x509toreq", "-in", folder / "ca.crt", "-signkey", key, "-out", folder / "again.csr")
            self.judge("req", "-in", folder / "again.csr", "-verify", "-noout")

    def test_servers_and_clients_by_uri(self):
        """Certificate and key by URI, on both sides; the certificates are stored in the token, too."""
        for name in ("rsa", "other"):
            self.lab.cli("cert", "import", "--token", TOKEN, self.lab.dir / f"{name}.crt")
        port = free_port()
        pair = [["-cert", f"pkcs11:token={TOKEN};object={name};type=cert", "-key", f"pkcs11:token={TOKEN};object={name}"]
                for name in ("rsa", "other")]
        server = self.lab.spawn([need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", *pair[0], "-www", "-Verify", "1",
                                 "-CAfile", self.lab.dir / "other.crt", "-verify_return_error"], "s_server.log")
        wait_until(lambda: accepts(port), "s_server", process=server)
        client = ["s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.lab.dir / "rsa.crt", "-verify_return_error",
                  "-ign_eof"]
        shown = self.lab.openssl(*client, *pair[1], input="GET / HTTP/1.0\r\n\r\n")
        self.assertIn("HTTP/1.0 200", shown.stdout)
        refused = self.lab.openssl(*client, input="GET / HTTP/1.0\r\n\r\n", check=False)
        self.assertNotIn("HTTP/1.0 200", refused.stdout)
        end_process(server)

    def test_private_keys_are_not_exported(self):
        for name, key, folder in self.each():
            for arguments in (("pkcs12", "-export", "-in", folder / "ca.crt", "-passout", "pass:x", "-inkey"),
                              ("pkcs8", "-topk8", "-nocrypt", "-in"), ("pkey", "-outform", "DER", "-in")):
                refused = self.openssl(name, *arguments, key, "-out", folder / "stolen", check=False)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn("keyclave:", refused.stderr)
                self.assertIn("never leaves the enclave", refused.stderr)
                self.assertFalse(folder.joinpath("stolen").exists() and folder.joinpath("stolen").stat().st_size)


if __name__ == "__main__":
    main()
