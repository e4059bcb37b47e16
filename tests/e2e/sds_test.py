#!/usr/bin/env python3
"""keyclave sds: the three methods, acknowledgements, rotation, refusals, and a daemon that comes and goes.

ctest: TIMEOUT=600
"""

import json
import os
import pathlib
import shutil
import stat
import sys

from lab import LabTest, main, wait_until
from sds import CA, MINE, SECRETS, Client, Sds, certificate, make_ca, use_debians_python

use_debians_python()

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402

PLAIN = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}


def public_der(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class SdsTest(LabTest):
    def setUp(self):
        if not hasattr(type(self), "root"):
            type(self).root = make_ca(self.lab)
        self.sds = Sds(self.lab, SECRETS, [("tests", sys.executable, MINE)], name=f"sds-{self.id().rpartition('.')[2][:24]}").start()
        self.addCleanup(lambda: self.sds.process.poll() is None and self.sds.stop())
        self.client = Client(self.lab, self.sds.socket)
        self.addCleanup(self.client.close)

    def check(self, secret):
        """Certificate and key belong together, and the CA vouches for them. The certificate."""
        tls = secret.tls_certificate
        chain = tls.certificate_chain.inline_bytes
        leaf = x509.load_pem_x509_certificate(chain)
        key = serialization.load_pem_private_key(tls.private_key.inline_bytes, None)
        self.assertEqual(public_der(leaf.public_key()), public_der(key.public_key()))
        self.assertEqual(chain.count(b"BEGIN CERTIFICATE"), 1)  # the root is not sent
        path = self.lab.dir / "checked.crt"
        path.write_bytes(chain)
        self.lab.run(["openssl", "verify", "-x509_strict", "-CAfile", self.root, path], env=PLAIN)
        return leaf

    def stream(self, *names):
        stream = self.client.stream(*names)
        self.addCleanup(stream.close)
        return stream

    def delta(self, *names):
        stream = self.client.delta(*names)
        self.addCleanup(stream.close)
        return stream


class Protocol(SdsTest):
    def test_stream_gives_a_key_and_its_certificate(self):
        stream = self.stream("edge")
        response = stream.next()
        secret = self.client.secrets(response)["edge"]
        leaf = self.check(secret)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual([name.value for name in names], ["edge.mesh.example", "spiffe://mesh.example/edge"])
        self.assertEqual(response.version_info, f"{leaf.serial_number:032x}")
        stream.send(resource_names=["edge"], response_nonce=response.nonce, version_info=response.version_info)
        # Accepted: nothing more comes, also when it is asked for another name.
        stream.send(resource_names=["edge", "rsa"], response_nonce=response.nonce, version_info=response.version_info)
        more = self.client.secrets(stream.next())
        self.assertEqual(list(more), ["rsa"])
        rsa = self.check(more["rsa"])
        self.assertEqual(rsa.public_key().key_size, 2048)
        self.assertEqual(rsa.subject.rfc4514_string(), "CN=rsa.mesh.example")
        self.assertTrue(stream.nothing())

    def test_each_stream_has_a_key_of_its_own(self):
        first, second = self.stream("edge"), self.stream("edge")
        one, other = (self.check(self.client.secrets(stream.next())["edge"]) for stream in (first, second))
        self.assertNotEqual(public_der(one.public_key()), public_der(other.public_key()))

    def test_validation_context_is_the_cas_certificate(self):
        secret = self.client.secrets(self.stream("roots").next())["roots"]
        self.assertEqual(secret.validation_context.trusted_ca.inline_bytes.decode(), self.root.read_text())

    def test_fetch(self):
        response = self.client.fetch("edge", "roots")
        secrets = self.client.secrets(response)
        self.assertEqual(set(secrets), {"edge", "roots"})
        self.check(secrets["edge"])
        again = self.client.secrets(self.client.fetch("edge"))["edge"]
        self.assertNotEqual(again.tls_certificate.private_key.inline_bytes, secrets["edge"].tls_certificate.private_key.inline_bytes)

    def test_fetch_refusals(self):
        for names, code in ((("other",), "PERMISSION_DENIED"), (("edge", "nothing"), "PERMISSION_DENIED"), ((), "INVALID_ARGUMENT"),
                            (("outside",), "UNAVAILABLE")):
            with self.assertRaises(self.client.failure) as caught:
                self.client.fetch(*names)
            self.assertEqual(caught.exception.code().name, code, names)
        with self.assertRaises(self.client.failure) as caught:
            self.client.fetch("edge", type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster")
        self.assertEqual(caught.exception.code().name, "INVALID_ARGUMENT")

    def test_delta_subscribes_and_unsubscribes(self):
        stream = self.delta("edge", "roots")
        first = {}
        for _ in range(2):
            response = stream.next()
            self.assertEqual(len(response.resources), 1)
            self.assertEqual(response.resources[0].version, response.system_version_info)
            first.update(self.client.secrets(response))
            stream.send(response_nonce=response.nonce)
        self.assertEqual(set(first), {"edge", "roots"})
        stream.send(resource_names_unsubscribe=["edge"])
        wait_until(lambda: "edge:" not in self.sds.status(), "the end of the subscription")
        # Who subscribes again, or anew, is answered again.
        for _ in range(2):
            stream.send(resource_names_subscribe=["edge"])
            again = self.client.secrets(stream.next())["edge"]
            self.check(again)
            self.assertNotEqual(again, first["edge"])
            first["edge"] = again

    def test_a_rejected_secret_is_made_anew(self):
        for stream, delta in ((self.stream("edge"), False), (self.delta("edge"), True)):
            response = stream.next()
            named = {} if delta else {"resource_names": ["edge"]}
            stream.send(response_nonce=response.nonce, error_detail={"code": 3, "message": "no\nthank you"}, **named)
            again = stream.next()
            self.assertNotEqual(again.nonce, response.nonce)
            self.assertNotEqual(self.client.secrets(again), self.client.secrets(response))
            self.assertIn("the caller rejected it: no?thank you", self.sds.text())

    def test_a_stale_answer_changes_nothing(self):
        stream = self.stream("edge")
        first = stream.next()
        stream.send(resource_names=["edge", "rsa"], response_nonce=first.nonce)
        second = stream.next()
        # Says of names what was so before the second response.
        stream.send(resource_names=["edge"], response_nonce=first.nonce)
        stream.send(resource_names=["edge", "rsa", "roots"], response_nonce=second.nonce)
        self.assertEqual(list(self.client.secrets(stream.next())), ["roots"])

    def test_another_type_is_no_business_of_ours(self):
        stream = self.client.stream()
        self.addCleanup(stream.close)
        stream._out.put(self.client.discovery.DiscoveryRequest(type_url="type.googleapis.com/envoy.config.listener.v3.Listener"))
        self.assertEqual(stream.code(), "INVALID_ARGUMENT")


class Callers(SdsTest):
    def test_a_secret_that_is_not_the_callers_ends_the_stream(self):
        for name in ("other", "nothing", "../edge"):
            self.assertEqual(self.stream(name).code(), "PERMISSION_DENIED")
            self.assertEqual(self.delta(name).code(), "PERMISSION_DENIED")
        self.assertIn("refused: tests may not have the secret other", self.sds.text())

    def test_another_executable_is_nobody(self):
        # The same program with a byte more.
        copy = self.lab.dir / "python-copy"
        shutil.copy(os.path.realpath(sys.executable), copy)
        with copy.open("ab") as out:
            out.write(b"\0")
        script = ("import sys; sys.path.insert(0, sys.argv[1]); import pathlib; from sds import Client\n"
                  "class Here: dir = pathlib.Path(sys.argv[2])\n"
                  "client = Client(Here, sys.argv[3])\n"
                  "try: client.fetch('edge')\n"
                  "except client.failure as error: print(error.code().name)\n")
        process = self.lab.run([copy, "-c", script, pathlib.Path(__file__).parent, self.lab.dir, self.sds.socket],
                               env={"PYTHONHOME": sys.base_prefix})
        self.assertEqual(process.stdout.strip(), "UNAVAILABLE")
        self.assertIn("refused: no such caller", self.sds.text())
        self.client.fetch("edge")  # while this one goes on

    def test_the_socket_is_its_owners(self):
        self.assertEqual(stat.S_IMODE(self.sds.socket.stat().st_mode), 0o600)
        self.assertEqual(self.sds.stop(), 0)
        self.assertFalse(self.sds.socket.exists())

    def test_keys_are_nowhere_but_on_the_wire(self):
        secret = self.client.secrets(self.stream("edge").next())["edge"]
        lines = secret.tls_certificate.private_key.inline_bytes.decode().splitlines()[1:-1]
        self.client.fetch("rsa")
        for path in self.lab.dir.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                self.assertFalse(any(line.encode() in text for line in lines), path)
                self.assertNotIn(b"BEGIN PRIVATE KEY", text if path.suffix in (".log", ".status", ".jsonl") else b"")


class Rotation(SdsTest):
    def test_a_secret_is_replaced_well_before_it_ends(self):
        for opened, delta in ((self.stream, False), (self.delta, True)):
            stream = opened("quick")
            seen = []
            for _ in range(3):
                response = stream.next()
                leaf = self.check(self.client.secrets(response)["quick"])
                if seen:  # before the old one ended, which this asks of the certificates and not of a clock
                    self.assertLess(leaf.not_valid_before, seen[-1].not_valid_after)
                    self.assertGreater(leaf.not_valid_after, seen[-1].not_valid_after)
                    self.assertNotEqual(public_der(leaf.public_key()), public_der(seen[-1].public_key()))
                seen.append(leaf)
                stream.send(response_nonce=response.nonce, **({} if delta else {"resource_names": ["quick"]}))
            stream.close()

    def test_the_old_secret_stays_while_the_enclave_is_away(self):
        stream = self.stream("quick")
        stream.next()
        self.lab.kill_daemon()
        wait_until(lambda: "quick: FAILING" in self.sds.status() and "in use until" in self.sds.status(), "the failure to be told")
        self.assertIn("keyclaved cannot be reached", self.sds.text())
        self.lab.start_daemon()
        self.check(self.client.secrets(stream.next(90))["quick"])
        wait_until(lambda: "FAILING" not in self.sds.status(), "the failure to be over")

    def test_a_first_secret_waits_for_the_enclave(self):
        self.lab.kill_daemon()
        stream = self.stream("edge")
        wait_until(lambda: "edge: FAILING" in self.sds.status(), "the failure to be told")
        self.lab.start_daemon()
        self.check(self.client.secrets(stream.next(90))["edge"])


class Configuration(SdsTest):
    def test_what_the_enclave_refuses_is_told_and_can_be_mended(self):
        stream = self.stream("outside")
        wait_until(lambda: "outside: FAILING" in self.sds.status(), "the refusal to be told")
        self.assertIn("the policy does not issue such a certificate", self.sds.text())
        denial = [record for record in self.audit() if record["event"] == "denial"][-1]
        self.assertEqual((denial["operation"], denial["names"]), ("issue", "www.evil.example"))
        self.sds.configure({**SECRETS, "outside": certificate(CA, ["inside.mesh.example"], "30m")}, [("tests", sys.executable, MINE)])
        self.sds.reload()
        self.check(self.client.secrets(stream.next())["outside"])

    def test_a_configuration_that_is_wrong_changes_nothing(self):
        good = self.sds.config.read_text()
        for bad in ("nonsense", good.replace('"socket"', '"sockt"'), good.replace("30m", "1s"), good.replace("pkcs11:", "file:")):
            self.sds.config.write_text(bad)
            self.sds.reload()
            self.assertIn("the configuration stays as it was", self.sds.text().splitlines()[-1])
            check = self.lab.cli("sds", "--sds-config", self.sds.config, "--check", check=False)
            self.assertEqual(check.returncode, 1)
            self.assertIn(f"{self.sds.config}:", check.stderr)
            self.client.fetch("edge")
        self.sds.config.write_text(good)
        self.assertEqual(self.lab.cli("sds", "--sds-config", self.sds.config, "--check").returncode, 0)

    def test_a_secret_that_is_taken_away_ends_the_stream(self):
        kept, lost = self.stream("edge"), self.stream("rsa")
        kept.next(), lost.next()
        self.sds.configure(SECRETS, [("tests", sys.executable, ["edge"])])
        self.sds.reload()
        self.assertEqual(lost.code(), "PERMISSION_DENIED")
        self.assertTrue(kept.nothing())

    def test_each_certificate_is_a_record(self):
        before = len([record for record in self.audit() if record["event"] == "issue"])
        leaf = self.check(self.client.secrets(self.client.fetch("edge"))["edge"])
        records = [record for record in self.audit() if record["event"] == "issue"]
        self.assertEqual(len(records), before + 1)
        self.assertEqual(records[-1]["serial"], f"{leaf.serial_number:032x}")
        self.assertEqual(records[-1]["names"], "edge.mesh.example, spiffe://mesh.example/edge")

    def test_ending_says_so_to_every_stream(self):
        streams = [self.stream("edge"), self.delta("edge")]
        for stream in streams:
            stream.next()
        self.assertEqual(self.sds.stop(), 0)
        for stream in streams:
            self.assertEqual(stream.code(), "UNAVAILABLE")

    def audit(self):
        return [json.loads(line) for line in self.lab.cli("audit", "export").stdout.splitlines()]


if __name__ == "__main__":
    main()
