#!/usr/bin/env python3
"""keyclave evidence collect, show and verify, with the project's own evidence: simulated, and of fake TEEs."""

import json
import shutil

from fake_evidence import make_fake
from lab import LabTest, main

HARDWARE = ("sgx", "tdx", "sev-snp", "nitro", "tpm", "cca", "token")
DATA = "5a" * 64


class Evidence(LabTest):
    lab_options = {"start": False}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.lab.config_dir / "simulated-root.pub"
        cls.simulated = cls.lab.dir / "simulated.bin"
        cls.lab.cli("evidence", "collect", "--out", cls.simulated, "--report-data", DATA)
        cls.fakes = {kind: make_fake(cls.lab, kind) for kind in HARDWARE}

    def verify(self, path, *arguments):
        """The answer of `evidence verify --json`; its shape and its exit code are always as documented."""
        process = self.lab.cli("evidence", "verify", path, "--json", *arguments, check=False)
        self.assertIn(process.returncode, (0, 1), process.stderr)
        answer = json.loads(process.stdout)
        self.assertEqual(list(answer), ["verdict", "tee", "tcb_status", "claims", "failure"])
        self.assertIn(answer["verdict"], ("accept", "policy", "reject"))
        self.assertEqual(process.returncode, 0 if answer["verdict"] == "accept" else 1)
        self.assertIsInstance(answer["claims"], dict)
        self.assertTrue(all(isinstance(value, (str, int, bool, list)) for value in answer["claims"].values()))
        if answer["verdict"] == "accept":
            self.assertIsNone(answer["failure"])
        else:
            self.assertEqual(list(answer["failure"]), ["step", "code", "what", "wanted", "got"])
            steps = {"policy": ("appraise",), "reject": ("parse", "verify")}[answer["verdict"]]
            self.assertIn(answer["failure"]["step"], steps)
            self.assertTrue(all(isinstance(value, str) for value in answer["failure"].values()))
            self.assertNotEqual(answer["failure"]["code"], "")
        return answer

    def rejected(self, path, step, code, *arguments):
        answer = self.verify(path, *arguments)
        self.assertEqual((answer["verdict"], answer["failure"]["step"], answer["failure"]["code"]), ("reject", step, code),
                         answer["failure"])
        return answer

    def trust_of(self, kind):
        trust, = (self.fakes[kind] / "trust").iterdir()
        return ["--trust", trust]

    # ---- simulated ----

    def test_collect_writes_what_show_and_verify_read(self):
        out = self.lab.dir / "collected.bin"
        answer = self.lab.cli("evidence", "collect", "--out", out, "--report-data", "0102", json=True)
        self.assertEqual(answer, {"type": "simulated", "file": str(out), "bytes": out.stat().st_size,
                                  "report_data": "0102" + "00" * 62})
        shown = self.lab.cli("evidence", "show", out, json=True)
        self.assertEqual((shown["type"], shown["verified"]), ("simulated", False))
        self.assertIn("0102" + "00" * 62, shown["fields"].values())
        people = self.lab.cli("evidence", "show", out)
        self.assertIn("nothing of this is verified", people.stderr)

    def test_collect_refuses_what_it_cannot_do(self):
        for arguments, code in ((["--out", self.lab.dir / "x", "--report-data", "zz"], 2),
                                (["--out", self.lab.dir / "x", "--report-data", "00" * 65], 2), ([], 2),
                                (["--out", self.lab.dir / "x", "--type", "abacus"], 1),
                                (["--out", self.lab.dir / "no" / "such" / "folder"], 1)):
            process = self.lab.cli("evidence", "collect", *arguments, check=False)
            self.assertEqual(process.returncode, code, (arguments, process.stderr))
            self.assertIn("keyclave: ", process.stderr)
        self.assertFalse((self.lab.dir / "x").exists())

    def test_simulated_evidence_is_genuine_under_its_root_and_still_refused_by_default(self):
        answer = self.verify(self.simulated, "--trust", self.root)
        self.assertEqual((answer["verdict"], answer["tee"], answer["tcb_status"]), ("policy", "simulated", None))
        self.assertEqual(answer["failure"]["code"], "AppraisalFailed")
        self.assertEqual(answer["failure"]["got"], "simulated")
        measured = self.lab.cli("evidence", "measure", "--self", json=True)["programs"][0]["measurement"]
        self.assertEqual(answer["claims"]["measurement"], measured)
        self.assertIs(answer["claims"]["debug"], False)

    def test_without_trust_simulated_evidence_is_rejected(self):
        self.assertEqual(self.rejected(self.simulated, "verify", "EvidenceChain")["claims"], {})

    def test_another_root_is_no_trust(self):
        self.rejected(self.simulated, "verify", "EvidenceChain", *self.trust_of("cca"))  # somebody else's public key

    def test_a_flipped_byte_is_found(self):
        good = self.simulated.read_bytes()
        bad = self.lab.dir / "flipped.bin"
        for at in (len(good) // 2, len(good) - 1):
            bad.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            self.assertEqual(self.verify(bad, "--trust", self.root)["verdict"], "reject", at)

    def test_time_is_an_argument(self):
        self.rejected(self.simulated, "verify", "EvidenceTime", "--trust", self.root, "--at", "2020-01-01T00:00:00Z")
        for at in ("yesterday", "2020-13-01T00:00:00Z"):
            process = self.lab.cli("evidence", "verify", self.simulated, "--at", at, check=False)
            self.assertEqual(process.returncode, 2, (at, process.stderr))

    # ---- what is no evidence ----

    def test_junk_is_rejected_and_missing_files_are_an_error(self):
        for name, content in (("junk", b"junk"), ("empty", b""), ("zeros", bytes(5000)), ("large", bytes(70_000))):
            path = self.lab.dir / name
            path.write_bytes(content)
            answer = self.verify(path)
            self.assertEqual((answer["verdict"], answer["tee"], answer["failure"]["step"]), ("reject", None, "parse"), name)
            self.assertEqual(self.lab.cli("evidence", "show", path, check=False).returncode, 1)
        empty = self.lab.dir / "empty-folder"
        empty.mkdir(exist_ok=True)
        self.rejected(empty, "parse", "EvidenceUnrecognised")
        process = self.lab.cli("evidence", "verify", self.lab.dir / "nowhere", "--json", check=False)
        self.assertEqual((process.returncode, process.stdout), (1, ""))
        self.assertIn("nowhere", json.loads(process.stderr)["error"]["message"])
        self.assertEqual(self.lab.cli("evidence", "verify", check=False).returncode, 2)

    # ---- hardware ----

    def test_each_type_is_accepted_by_its_own_trust_only(self):
        for kind in HARDWARE:
            with self.subTest(kind=kind):
                folder = self.fakes[kind]
                evidence = [folder / "evidence.bin", "--collateral", folder / "collateral"]
                answer = self.verify(*evidence, *self.trust_of(kind))
                self.assertEqual((answer["verdict"], answer["tee"]), ("accept", kind), answer["failure"])
                self.assertEqual(answer["tcb_status"], "UpToDate" if kind in ("sgx", "tdx") else None)
                self.assertIs(answer["claims"]["debug"], False)
                self.assertEqual(self.verify(*evidence)["verdict"], "reject")
                shown = self.lab.cli("evidence", "show", folder / "evidence.bin", json=True)
                self.assertEqual(shown["type"], kind)
                self.assertGreater(len(shown["fields"]), 5)

    def test_debug_mode_is_genuine_and_refused(self):
        for kind in ("sgx", "tdx", "sev-snp", "nitro", "cca", "token"):
            with self.subTest(kind=kind):
                folder = self.fakes[kind]
                answer = self.verify(folder / "debug.bin", "--collateral", folder / "collateral", *self.trust_of(kind))
                self.assertEqual((answer["verdict"], answer["claims"]["debug"]), ("policy", True))
                self.assertEqual((answer["failure"]["wanted"], answer["failure"]["got"]), ("is false", "true"))

    def test_missing_and_expired_collateral_is_named(self):
        sgx = self.fakes["sgx"]
        trust = self.trust_of("sgx")
        self.rejected(sgx / "evidence.bin", "verify", "CollateralMissing", *trust)
        few = self.lab.dir / "few"
        shutil.copytree(sgx / "collateral", few)
        (few / "tcb_info.json").unlink()
        what = self.rejected(sgx / "evidence.bin", "verify", "CollateralMissing", "--collateral", few, *trust)["failure"]["what"]
        self.assertIn("00A06F050000", what)
        (few / "tcb_info.json").write_bytes((sgx / "variants" / "tcb_info_expired.json").read_bytes())
        failure = self.rejected(sgx / "evidence.bin", "verify", "CollateralExpired", "--collateral", few, *trust)["failure"]
        self.assertIn("2019-01-01T00:00:01Z", failure["wanted"])

    def test_a_folder_brings_its_collateral_and_trust_only_if_asked(self):
        sgx = self.fakes["sgx"]
        folder = self.lab.dir / "bundle"
        folder.mkdir()
        shutil.copy(sgx / "evidence.bin", folder / "quote.bin")
        shutil.copytree(sgx / "collateral", folder / "collateral")
        shutil.copy(sgx / "trust" / "roots.pem", folder / "trusted_ca.pem")
        self.rejected(folder, "verify", "EvidenceChain")
        self.assertEqual(self.verify(folder, "--trust-bundle")["verdict"], "accept")
        (folder / "expected_nonce.hex").write_text("00" * 32 + "\n")
        failure = self.rejected(folder, "verify", "EvidenceBinding", "--trust-bundle")["failure"]
        self.assertEqual((failure["wanted"], failure["got"]), ("00" * 32, "33" * 64))

    def test_trust_does_not_depend_on_the_order_of_files(self):
        token = self.fakes["token"]
        keys = token / "trust" / "jwks.json"
        # Roots and keys of a token's issuer: the keys must then be certified, whichever was named first.
        roots = self.fakes["sgx"] / "trust" / "roots.pem"
        both = [self.rejected(token / "evidence.bin", "verify", "EvidenceChain", "--trust", *files)
                for files in ((keys, roots), (roots, keys))]
        self.assertEqual(both[0], both[1])
        self.assertEqual(self.verify(token / "evidence.bin", "--trust", keys)["verdict"], "accept")

    def test_trust_that_means_nothing_for_the_type_is_a_usage_error(self):
        keys = self.fakes["token"] / "trust" / "jwks.json"
        roots = self.fakes["sgx"] / "trust" / "roots.pem"
        key = self.fakes["cca"] / "trust" / "key.pem"
        junk = self.fakes["nitro"] / "evidence.bin"
        for path, trust in ((self.fakes["sgx"] / "evidence.bin", keys), (self.fakes["sgx"] / "evidence.bin", key),
                            (self.fakes["cca"] / "evidence.bin", roots), (self.fakes["token"] / "evidence.bin", key),
                            (self.fakes["tpm"] / "evidence.bin", keys), (self.simulated, roots), (self.simulated, junk)):
            process = self.lab.cli("evidence", "verify", path, "--trust", trust, check=False)
            self.assertEqual(process.returncode, 2, (path, trust, process.stderr))

    def test_a_flipped_byte_of_a_report_is_found(self):
        snp = self.fakes["sev-snp"]
        good = (snp / "evidence.bin").read_bytes()
        bad = self.lab.dir / "flipped-report.bin"
        bad.write_bytes(good[:0x90] + bytes([good[0x90] ^ 1]) + good[0x91:])  # MEASUREMENT
        self.rejected(bad, "verify", "EvidenceSignature", "--collateral", snp / "collateral", *self.trust_of("sev-snp"))


if __name__ == "__main__":
    main()
