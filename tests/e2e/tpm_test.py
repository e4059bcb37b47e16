#!/usr/bin/env python3
"""keyclave and real TPMs in software: enrolment of attestation keys, quotes, and what is made of them.
"""
# ctest: TIMEOUT=600

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from lab import KEYCLAVE, main, need
from tpm import SHA256_ZERO, SoftTpm

CLIENT = """\
endpoint: unix:/nowhere
expect: {{tee: {{is: tpm}}}}
evidence: tpm
tpm:
  tcti: "{tcti}"
  {more}
trust:
  keys: {{tpm: [{key}]}}
  roots: {{tpm: [{roots}]}}
"""


class TpmTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with contextlib.ExitStack() as stack:
            cls.tpm = stack.enter_context(SoftTpm("ecc"))
            cls.other = stack.enter_context(SoftTpm("rsa", ca=cls.tpm))
            cls.addClassCleanup(stack.pop_all().close)

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-tpm-test."))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def keyclave(self, *words, config="none.yaml", ok=True):
        environment = {**os.environ, "KEYCLAVE_CONFIG": str(self.dir / config)}
        process = subprocess.run([KEYCLAVE, *map(str, words)], env=environment, capture_output=True, text=True, timeout=120)
        if ok is not None:
            self.assertEqual(process.returncode == 0, ok, f"{words}\n{process.stdout}\n{process.stderr}")
        return process

    def enrol(self, *words, ok=True, tpm=None):
        tpm = tpm or self.tpm
        return self.keyclave("evidence", "enroll-tpm", *words, "--tcti", tpm.tcti, ok=ok)

    def vouched(self, tpm=None):
        tpm = tpm or self.tpm
        return ["--ek-root", tpm.root, "--ek-intermediate", tpm.issuer]

    def enrolled(self, tpm=None):
        out = self.dir / f"ak{len(list(self.dir.iterdir()))}.pem"
        self.enrol(*self.vouched(tpm), "--out", out, tpm=tpm)
        return out

    def write_client(self, tpm, key, more="", roots="", name="client.yaml"):
        (self.dir / name).write_text(CLIENT.format(tcti=tpm.tcti, key=key or "", more=more, roots=roots))
        return name

    def collect(self, config, report_data="42" * 64):
        out = self.dir / "evidence.cbor"
        self.keyclave("evidence", "collect", "--out", out, "--report-data", report_data, config=config)
        return out

    def claims(self, config):
        shown = json.loads(self.keyclave("--json", "evidence", "show", "--self", config=config).stdout)
        return {one["name"]: one["value"] for one in shown["claims"]}


class Enrolment(TpmTest):
    def test_in_one_go_with_each_kind_of_endorsement_key(self):
        keys = set()
        for ek in ("rsa2048", "p384"):
            out = self.dir / f"{ek}.pem"
            self.enrol(*self.vouched(), "--ek", ek, "--out", out)
            keys.add(out.read_text())
        self.assertEqual(len(keys), 1)
        # It is the key that lies at the handle.
        pem = self.dir / "tool.pem"
        self.tpm.tool("tpm2_readpublic", "-c", "0x81018001", "-f", "pem", "-o", pem)
        self.assertEqual(keys, {pem.read_text()})

    def test_in_four_steps_by_files(self):
        step = {name: self.dir / name for name in ("request", "challenge", "kept", "answer", "ak.pem")}
        self.enrol("request", "--out", step["request"])
        self.keyclave("evidence", "enroll-tpm", "challenge", step["request"], *self.vouched(), "--out", step["challenge"],
                      "--keep", step["kept"])
        self.assertEqual(step["kept"].stat().st_mode & 0o777, 0o600)
        self.enrol("answer", step["challenge"], "--out", step["answer"])
        self.keyclave("evidence", "enroll-tpm", "accept", step["answer"], "--keep", step["kept"], "--out", step["ak.pem"])
        self.assertEqual(step["ak.pem"].read_text(), self.enrolled().read_text())
        # What is kept already is not overwritten.
        self.keyclave("evidence", "enroll-tpm", "challenge", step["request"], *self.vouched(), "--out", step["challenge"],
                      "--keep", step["kept"], ok=False)

    def test_a_root_that_is_not_the_makers_is_refused(self):
        with SoftTpm() as stranger:
            refused = self.enrol("--ek-root", stranger.root, "--ek-intermediate", self.tpm.issuer, "--out", self.dir / "x",
                                 ok=False)
        self.assertIn("endorsement key", refused.stderr)
        self.assertFalse((self.dir / "x").exists())

    def challenge(self, request=None):
        if request is None:
            request = self.dir / "request"
            self.enrol("request", "--out", request)
        out, kept = self.dir / "challenge", self.dir / "kept"
        kept.unlink(missing_ok=True)
        self.keyclave("evidence", "enroll-tpm", "challenge", request, *self.vouched(), "--out", out, "--keep", kept)
        return out, kept

    def test_another_tpm_cannot_answer(self):
        self.enrolled(self.other)
        challenge, kept = self.challenge()
        refused = self.enrol("answer", challenge, "--out", self.dir / "answer", tpm=self.other, ok=False)
        self.assertIn("another", refused.stderr)
        # Nor is the answer to another challenge taken.
        second = self.dir / "second"
        self.keyclave("evidence", "enroll-tpm", "challenge", self.dir / "request", *self.vouched(), "--out", second,
                      "--keep", self.dir / "kept2")
        self.enrol("answer", second, "--out", self.dir / "answer")
        refused = self.keyclave("evidence", "enroll-tpm", "accept", self.dir / "answer", "--keep", kept, "--out",
                                self.dir / "x", ok=False)
        self.assertIn("not the answer", refused.stderr)

    def test_another_tpms_attestation_key_is_not_enrolled(self):
        """The certificate of one TPM beside the key of another: the TPM refuses to open the credential."""
        mine, theirs = self.dir / "mine", self.dir / "theirs"
        self.enrol("request", "--ek", "rsa2048", "--out", mine)
        self.enrol("request", "--out", theirs, tpm=self.other)
        size = 2 + 88  # the head of a byte string, and the area of a key of this kind
        mixed = self.dir / "mixed"
        mixed.write_bytes(mine.read_bytes()[:-size] + theirs.read_bytes()[-size:])
        challenge, _ = self.challenge(mixed)
        for tpm in (self.tpm, self.other):
            self.enrol("answer", challenge, "--out", self.dir / "answer", tpm=tpm, ok=False)

    def test_changed_files_are_refused(self):
        challenge, kept = self.challenge()
        good = challenge.read_bytes()
        for place in (3, 40, 60, 100, len(good) - 1):
            challenge.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
            self.enrol("answer", challenge, "--out", self.dir / "answer", ok=False)
        for bad in (b"", good[:-1], good + b"\0", b"\xff" * 200, bytes(9000)):
            challenge.write_bytes(bad)
            refused = self.enrol("answer", challenge, "--out", self.dir / "answer", ok=False)
            self.assertIn(str(challenge), refused.stderr)
        refused = self.enrol("answer", kept, "--out", self.dir / "answer", ok=False)
        self.assertIn("enroll-tpm-challenge", refused.stderr)

    def test_a_key_that_may_sign_anything_is_refused(self):
        request = self.dir / "request"
        self.enrol("request", "--out", request)
        good = request.read_bytes()
        restricted = good.rindex(bytes.fromhex("0023000b00050472"))
        request.write_bytes(good[:restricted] + bytes.fromhex("0023000b00040472") + good[restricted + 8:])
        refused = self.keyclave("evidence", "enroll-tpm", "challenge", request, *self.vouched(), "--out", self.dir / "c",
                                "--keep", self.dir / "k", ok=False)
        self.assertIn("restricted", refused.stderr)

    def test_a_handle_that_is_taken_is_left_alone(self):
        with SoftTpm() as tpm:
            tpm.tool("tpm2_createprimary", "-C", "o", "-c", self.dir / "primary.ctx")
            tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", self.dir / "primary.ctx", "0x81018001")
            tpm.tool("tpm2_flushcontext", "-t")
            refused = self.enrol(*self.vouched(tpm), "--out", self.dir / "x", tpm=tpm, ok=False)
            self.assertIn("0x81018001", refused.stderr)


class Quotes(TpmTest):
    def test_an_enrolled_key_is_believed(self):
        config = self.write_client(self.tpm, self.enrolled())
        claims = self.claims(config)
        self.assertEqual(claims["tee"], "tpm")
        self.assertEqual(claims["tpm.pcr_selection"], "sha256:0,2,4,7,8,9,11,12,14")
        self.assertEqual(claims["tpm.pcr7"], SHA256_ZERO)
        # And one that is not enrolled is not.
        self.enrolled(self.other)
        config = self.write_client(self.other, self.enrolled())
        refused = self.keyclave("evidence", "show", "--self", config=config, ok=False)
        self.assertIn("not enrolled", refused.stderr)

    def test_a_register_that_was_extended_is_another_claim(self):
        config = self.write_client(self.tpm, self.enrolled(), "pcrs: {bank: sha256, registers: [7, 11]}")
        before = self.claims(config)
        self.tpm.extend_pcr(11)
        after = self.claims(config)
        self.assertEqual(before["tpm.pcr7"], after["tpm.pcr7"])
        self.assertNotEqual(before["tpm.pcr11"], after["tpm.pcr11"])
        self.assertNotEqual(before["measurement"], after["measurement"])

    def verdict(self, key, evidence, nonce):
        folder = self.dir / "folder"
        folder.mkdir(exist_ok=True)
        shutil.copy(evidence, folder / "document.cbor")
        (folder / "expected_nonce.hex").write_text(nonce)
        shown = self.keyclave("--json", "evidence", "verify", folder, "--trust", key, ok=None)
        return json.loads(shown.stdout)["verdict"]

    def test_another_nonce_is_refused(self):
        key = self.enrolled()
        evidence = self.collect(self.write_client(self.tpm, key), "42" * 64)
        self.assertEqual(self.verdict(key, evidence, "42" * 32), "accept")
        self.assertEqual(self.verdict(key, evidence, "43" * 32), "reject")
        self.assertEqual(self.verdict(self.enrolled(self.other), evidence, "42" * 32), "reject")

    def test_processes_take_turns(self):
        config = self.write_client(self.tpm, self.enrolled())
        environment = {**os.environ, "KEYCLAVE_CONFIG": str(self.dir / config)}
        running = [subprocess.Popen([KEYCLAVE, "evidence", "show", "--self"], env=environment, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True) for _ in range(6)]
        for process in running:
            _, complaint = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, complaint)

    def test_a_tpm_that_is_gone_is_named(self):
        with SoftTpm() as tpm:
            config = self.write_client(tpm, self.enrolled(tpm))
            tpm.stop()
            refused = self.keyclave("evidence", "show", "--self", config=config, ok=False)
            self.assertIn(tpm.tcti, refused.stderr)
            tpm.restart()  # the key is persistent
            self.claims(config)

    def test_a_certificate_vouches_for_the_key(self):
        """An operator's authority instead of enrolment at every verifier."""
        key, openssl = self.enrolled(), need("openssl")
        ca, ca_key, ak = (self.dir / name for name in ("ca.pem", "ca.key", "ak-cert.pem"))
        extensions = self.dir / "extensions"
        extensions.write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=2.23.133.8.3\n")
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        ca_key, "-out", ca, "-subj", "/CN=Operator", "-days", "30"], check=True, capture_output=True)
        subprocess.run([openssl, "req", "-new", "-key", ca_key, "-subj", "/CN=Machine 7", "-out", self.dir / "csr"],
                       check=True, capture_output=True)
        subprocess.run([openssl, "x509", "-req", "-in", self.dir / "csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
                        "-force_pubkey", key, "-extfile", extensions, "-days", "30", "-out", ak],
                       check=True, capture_output=True)
        config = self.write_client(self.tpm, None, f"certificate: {ak}", ca)
        self.assertIn("Machine 7", self.claims(config)["tpm.ak_subject"])


if __name__ == "__main__":
    main()
