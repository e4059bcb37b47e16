#!/usr/bin/env python3
"""`keyclave kbs` serves clients of Trustee's Key Broker Service, over a real keyclaved: those that their evidence entitles, and
nobody else."""

# ctest: TIMEOUT=600
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import threading

from jose import CURVES
from lab import KEYCLAVE, SOURCE_DIR, LabTest, is_socket, main, wait_until
from trustee import TEES, FakeTee, Kbs, TeeKey

SECRET = b"the passphrase of a disk\x00\xff"
POLICY = """\
policy: {name}
version: 1
permit:
  - operations: [release]
    wrap: [{wrap}]
    when: {{tee: {{is: {tee}}}, measurement: {{is: {measurement}}}{more}}}
"""


def trust_of(lab, tees):
    """keyclaved.yaml's lines by which it believes these fakes."""
    collateral = lab.dir / "collateral"
    collateral.mkdir()
    roots = ""
    for tee in tees:
        for path in (tee.folder / "collateral").iterdir():
            shutil.copy(path, collateral / f"{tee.tee}-{path.name}")
        if (tee.folder / "trust" / "roots.pem").exists():
            roots += f"    {tee.type}: [{tee.folder / 'trust' / 'roots.pem'}]\n"
    return f"trust:\n  collateral: {collateral}\n  roots:\n{roots}"


class KbsLab(LabTest):
    """A gateway, an enclave behind it, and objects each of which is for one of these TEEs. (SGX and TDX are not in one lab: the
    fakes' authorities have the same names.)"""
    lab_options = {"start": False}
    names = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tees = {tee: FakeTee(cls.lab, tee) for tee in cls.names}
        text = cls.lab.config.read_text()
        text = text.replace("accept: [simulated]", "accept: [simulated, sev-snp, tdx, sgx]")
        cls.lab.config.write_text(text + trust_of(cls.lab, cls.tees.values()))
        cls.lab.start_daemon()
        cls.snp = cls.tees["snp"]
        cls.lab.make_token("secrets", cls.policy("nobody", "snp", measurement="00" * 48))
        for tee in cls.names:
            cls.put(f"default/{tee}/disk", cls.policy(tee, tee))
        cls.put("default/hpke/disk", cls.policy("hpke", "snp", wrap="hpke"))
        cls.put("default/user/disk", cls.policy("user", "snp", more=", peer.uid: {min: 0}"))
        cls.put("default/other/disk", cls.policy("other", "snp", measurement="11" * 48))
        cls.kbs = Kbs(cls.lab, "secrets")

    @classmethod
    def policy(cls, name, tee, wrap="jwe", measurement=None, more=""):
        return POLICY.format(name=name, wrap=wrap, tee=TEES[tee], more=more,
                             measurement=measurement or cls.tees[tee].measurement())

    @classmethod
    def put(cls, label, policy):
        """A data object under a policy of its own."""
        name = policy.split()[1]
        cls.lab.cli("policy", "apply", "--token", "secrets", cls.lab.write(f"{name}.yaml", policy), "--yes")
        (cls.lab.dir / "secret").write_bytes(SECRET)
        cls.lab.cli("secret", "put", label, "--token", "secrets", "--policy", name, "--in", "secret")

    def attested(self, tee="snp", kind="P-256", **more):
        client, key = self.kbs.client(), TeeKey(kind)
        client.token = client.attest(self.tees[tee], key, **more)
        return client, key

    def refused(self, answer, status, problem):
        self.assertEqual(answer[0], status, answer)
        kind = answer[1]["type"].rpartition("/")
        self.assertEqual(kind[0], "https://github.com/confidential-containers/kbs/errors")
        self.assertEqual(kind[2], problem, answer)
        return answer[1]["detail"]

    def serves(self, tee, kind):
        client, key = self.attested(tee, kind)
        status, reply = client.resource(f"default/{tee}/disk")
        self.assertEqual(status, 200, reply)
        self.assertEqual(set(reply), {"protected", "encrypted_key", "iv", "ciphertext", "tag"})
        self.assertEqual(key.open(reply), SECRET)
        for other in set(self.names) - {tee}:
            self.refused(client.resource(f"default/{other}/disk"), 403, "PolicyDeny")

    def try_attest(self, change=None, source=None, key=None, **more):
        """The answer to an attest whose body was changed; `more` for attest_body."""
        client = self.kbs.client()
        _, challenge = client.auth((source or self.snp).tee)
        body = client.attest_body(source or self.snp, key or TeeKey(), challenge["nonce"], **more)
        if change:
            change(body)
        return client, client.send_attest(body)

    def assert_refused(self, attempt):
        client, answer = attempt
        self.refused(answer, 401, "AttestationError")
        self.refused(client.resource("default/snp/disk"), 401, "TokenNotFound")

    def edited_quotes_are_refused(self, tee):
        def change(body):
            quote = bytearray(base64.b64decode(body["tee-evidence"]["primary_evidence"]["quote"]))
            quote[200] ^= 1
            body["tee-evidence"]["primary_evidence"]["quote"] = base64.b64encode(quote).decode()
        self.assert_refused(self.try_attest(change, source=self.tees[tee]))


class Sgx(KbsLab):
    names = ("snp", "sgx")

    def test_it_is_served(self):
        self.serves("sgx", "P-256")

    def test_edited_quotes(self):
        self.edited_quotes_are_refused("sgx")


class KbsTest(KbsLab):
    names = ("snp", "tdx")

    def test_every_tee_and_every_kind_of_key(self):
        for tee, kind in [("tdx", "P-256"), *(("snp", kind) for kind in ["RSA", *CURVES])]:
            with self.subTest(tee=tee, kind=kind):
                self.serves(tee, kind)

    def test_a_key_of_the_enclave_is_released_as_its_bytes(self):
        for label, more in (("aes", ["--extractable"]), ("stays", [])):
            self.lab.cli("key", "generate", "--token", "secrets", "--type", "aes:256", "--label", f"default/key/{label}",
                         "--policy", "snp", *more)
        client, key = self.attested()
        first = key.open(client.resource("default/key/aes")[1])
        self.assertEqual(len(first), 32)
        self.assertEqual(key.open(client.resource("default/key/aes")[1]), first)
        self.refused(client.resource("default/key/stays"), 403, "PolicyDeny")

    def test_the_token_stands_for_the_cookie(self):
        client, key = self.attested()
        other = self.kbs.client()
        status, reply = other.resource("default/snp/disk", headers={"Authorization": f"Bearer {client.token}"})
        self.assertEqual(status, 200, reply)
        self.assertEqual(key.open(reply), SECRET)
        header, claims, signature = client.token.split(".")
        self.assertEqual(signature, "")
        self.assertEqual(json.loads(base64.urlsafe_b64decode(header + "=="))["alg"], "none")
        self.assertIn("exp", json.loads(base64.urlsafe_b64decode(claims + "==")))
        self.refused(other.resource("default/snp/disk", headers={"Authorization": f"Bearer {header}.e30."}), 401, "TokenNotFound")

    def test_evidence_of_devices_is_bound_but_not_looked_at(self):
        client, key = self.attested(additional=json.dumps({"nvidia": ["gpu", "\"é\\"]}))
        self.assertEqual(key.open(client.resource("default/snp/disk")[1]), SECRET)

    def test_policies_decide(self):
        client, _ = self.attested()
        for path in ("default/hpke/disk", "default/user/disk", "default/other/disk"):
            detail = self.refused(client.resource(path), 403, "PolicyDeny")
            self.assertEqual(detail, "access is denied by the policy", path)
        self.refused(client.resource("default/no/such"), 404, "InvalidRequestPath")
        self.refused(client.resource("default/snp"), 404, "InvalidRequestPath")
        self.refused(client.resource("default/snp/disk?version=1"), 404, "InvalidRequestPath")

    def test_the_record_names_the_workload(self):
        client, _ = self.attested()
        self.assertEqual(client.resource("default/snp/disk")[0], 200)
        lines = [json.loads(line) for line in self.lab.cli("audit", "show", "--json").stdout.splitlines()]
        record = [line for line in lines if line["event"] == "release"][-1]
        self.assertEqual((record["relayed"], record["form"], record["recipient"]), ("rcar", "jwe-ecdh-es-a256kw", "tee-pubkey"))
        self.assertEqual(record["claims"]["measurement"], self.snp.measurement())

    # What must not pass.

    def test_evidence_for_something_else(self):
        stranger = TeeKey()
        other_nonce = base64.b64encode(bytes(32)).decode()
        self.assert_refused(self.try_attest(bound={"nonce": other_nonce}))
        self.assert_refused(self.try_attest(bound={"tee-pubkey": stranger.jwk}))
        self.assert_refused(self.try_attest(bound={"additional-evidence": "{}"}))
        self.assert_refused(self.try_attest(lambda body: body["runtime-data"].update({"nonce": other_nonce})))
        self.assert_refused(self.try_attest(lambda body: body["runtime-data"].update({"tee-pubkey": stranger.jwk})))
        self.assert_refused(self.try_attest(lambda body: body["tee-evidence"].update({"additional_evidence": "{}"})))

    def test_evidence_that_was_edited(self):
        def change_report(name, at):
            def change(body):
                body["tee-evidence"]["primary_evidence"]["attestation_report"][name][at] ^= 1
            return change
        self.assert_refused(self.try_attest(change_report("measurement", 0)))
        self.assert_refused(self.try_attest(change_report("report_data", 60)))
        self.edited_quotes_are_refused("tdx")

    def test_evidence_of_a_stranger(self):
        stranger = FakeTee(self.lab, "snp", name="stranger")
        self.assert_refused(self.try_attest(source=stranger))

    def test_evidence_is_used_once(self):
        client, key = self.kbs.client(), TeeKey()
        _, challenge = client.auth("snp")
        body = client.attest_body(self.snp, key, challenge["nonce"])
        self.assertEqual(client.send_attest(body)[0], 200)
        for again in (self.kbs.client(), self.kbs.client()):
            again.auth("snp")
            self.refused(again.send_attest(body), 401, "AttestationError")
        self.assertEqual(client.send_attest(body)[0], 200, "as there: attested already")

    def test_a_refused_attest_uses_the_session_up(self):
        client, answer = self.try_attest(bound={"additional-evidence": "{}"})
        self.assertEqual(answer[0], 401)
        body = client.attest_body(self.snp, TeeKey(), base64.b64encode(bytes(32)).decode())
        self.refused(client.send_attest(body), 401, "AttestationError")

    def test_bodies_that_are_no_messages(self):
        for body in ("", "[]", "{", '{"version": "0.4.0", "version": "0.4.0", "tee": "snp"}', '{"tee": "snp"}', "\0", "[" * 5000):
            self.refused(self.kbs.client().request("POST", "/kbs/v0/auth", body), 401, "AttestationError")
        client = self.kbs.client()
        _, challenge = client.auth("snp")
        good = json.dumps(client.attest_body(self.snp, TeeKey(), challenge["nonce"]))
        twice = good.replace('"nonce":', '"nonce": "AAAA", "nonce":', 1)
        self.refused(client.request("POST", "/kbs/v0/attest", twice), 401, "AttestationError")
        self.refused(client.request("POST", "/kbs/v0/attest", good[:-1]), 401, "AttestationError")
        self.assertEqual(client.request("POST", "/kbs/v0/attest", good)[0], 200, "nothing was spent on them")

    def test_other_versions_and_tees(self):
        self.assertIn("0.4.0", self.refused(self.kbs.client().auth("snp", "0.1.1"), 401, "AttestationError"))
        self.assertIn("snp, tdx and sgx", self.refused(self.kbs.client().auth("sample"), 401, "AttestationError"))

    # HTTP.

    def test_oversized_bodies(self):
        with self.kbs.connect() as raw:
            raw.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 524289\r\n\r\n")
            self.assertIn(b" 413 ", raw.recv(100))
        with self.kbs.connect() as raw:
            raw.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            with self.assertRaises(OSError):
                for _ in range(1000):
                    raw.sendall(chunk)
        self.assertEqual(self.attested()[0].resource("default/snp/disk")[0], 200)

    def test_slow_clients_stop_nobody(self):
        slow = [self.kbs.connect() for _ in range(50)]
        for raw in slow:
            raw.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        self.assertEqual(self.attested()[0].resource("default/snp/disk")[0], 200)
        for raw in slow:
            raw.close()

    def test_many_at_once(self):
        failed = []

        def one(number):
            try:
                tee = self.names[number % 2]
                client, key = self.attested(tee)
                for _ in range(3):
                    self.assertEqual(key.open(client.resource(f"default/{tee}/disk")[1]), SECRET)
            except Exception as error:  # pylint: disable=broad-except
                failed.append(error)
        threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_what_else_trustee_serves_is_refused(self):
        client = self.kbs.client()
        self.refused(client.request("POST", "/kbs/v0/resource-policy", "{}"), 404, "PluginNotFound")
        self.refused(client.request("POST", "/kbs/v0/resource/a/b/c", "x"), 401, "AdminAuth")
        self.refused(client.request("GET", "/"), 404, "InvalidRequestPath")
        self.assertEqual(client.request("GET", "/healthz"), (200, None))

    # Its life.

    def test_the_gateway_keeps_nothing(self):
        kbs = Kbs(self.lab, "secrets", name="killed")
        client = kbs.client()
        key = TeeKey()
        client.attest(self.snp, key)
        self.assertEqual(client.resource("default/snp/disk")[0], 200)
        kbs.process.send_signal(signal.SIGKILL)
        kbs.process.wait()
        with self.assertRaises(OSError):
            client.resource("default/snp/disk")
        after = Kbs(self.lab, "secrets", name="after")
        client.port = after.port
        self.refused(client.resource("default/snp/disk"), 401, "TokenNotFound")
        client.attest(self.snp, key)
        self.assertEqual(key.open(client.resource("default/snp/disk")[1]), SECRET)
        after.process.send_signal(signal.SIGTERM)
        self.assertEqual(after.process.wait(), 0)

    def test_the_example(self):
        """docs/examples/trustee: its commands as they stand there."""
        folder = self.lab.dir / "example"
        shutil.copytree(SOURCE_DIR / "docs" / "examples" / "trustee", folder)
        commands = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.S)
        self.assertEqual(len(commands), 2)
        text = "".join(commands).replace("secrets", "example")
        self.lab.run(["bash", "-euc", text], cwd=folder, env={"PATH": f"{KEYCLAVE.parent}:{os.environ['PATH']}"})
        client, key = Kbs(self.lab, "example", name="example-kbs").client(), TeeKey()
        client.attest(self.snp, key)
        self.assertEqual(key.open(client.resource("default/key/disk")[1]),
                         (folder / "repository" / "default" / "key" / "disk").read_bytes())
        client.attest(self.tees["tdx"], key)
        self.refused(client.resource("default/key/disk"), 403, "PolicyDeny")

    def test_over_tls(self):
        self.lab.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "kbs.key",
                         "-out", "kbs.crt", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        kbs = Kbs(self.lab, "secrets", "--tls-certificate", self.lab.dir / "kbs.crt", "--tls-key", self.lab.dir / "kbs.key",
                  name="tls")
        client, key = kbs.client(tls=self.lab.dir / "kbs.crt"), TeeKey()
        client.attest(self.snp, key)
        self.assertEqual(key.open(client.resource("default/snp/disk")[1]), SECRET)
        with self.assertRaises((OSError, http.client.HTTPException)):
            kbs.client().auth("snp")

    def test_on_a_unix_socket(self):
        path = self.lab.dir / "kbs.sock"
        process = self.lab.spawn([KEYCLAVE, "kbs", "--token", "secrets", "--listen", f"unix:{path}"], "unix.log")
        wait_until(lambda: is_socket(path), "the socket", process=process)
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(60)
            raw.connect(str(path))
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 200 ", raw.recv(100))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assertFalse(path.exists())

    def test_configurations_that_cannot_work(self):
        def fails(*arguments, code=1):
            process = self.lab.cli("kbs", *arguments, check=False)
            self.assertEqual(process.returncode, code, process.stderr)
            return process.stderr
        self.assertIn("--token", fails(code=2))
        self.assertIn("go together", fails("--token", "secrets", "--tls-key", "kbs.key"))
        self.assertIn("127.0.0.1:99999", fails("--token", "secrets", "--listen", "127.0.0.1:99999"))
        self.assertIn(str(self.kbs.port), fails("--token", "secrets", "--listen", f"127.0.0.1:{self.kbs.port}"))


class EnclaveGone(LabTest):
    def test_it_says_so_and_serves_again(self):
        kbs = Kbs(self.lab, "any")
        self.assertEqual(kbs.client().auth("snp")[0], 200)
        self.lab.stop()
        status, reply = kbs.client().auth("snp")
        self.assertEqual(status, 503, reply)
        self.assertEqual(reply["detail"], "the enclave cannot be reached")
        self.lab.start_daemon()
        self.assertEqual(kbs.client().auth("snp")[0], 200)

    def test_it_is_the_enclave_that_was_expected(self):
        config = self.lab.write("other.yaml", self.lab.client_config.read_text().replace("tee: {is: simulated}",
                                                                                        "tee: {is: nitro}"))
        kbs = Kbs(self.lab, "any", name="other", config=config)
        status, reply = kbs.client().auth("snp")
        self.assertEqual(status, 503, reply)
        wait_until(lambda: "expect" in kbs.text(), "the log to say why")


if __name__ == "__main__":
    main()
