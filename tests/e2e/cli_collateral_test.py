#!/usr/bin/env python3
"""keyclave evidence collateral import, list and verify: what an operator carries in, and what his mistakes do (nothing)."""

import json
import pathlib
import shutil

from fake_evidence import make_fake
from lab import LabTest, main

FMSPC = "00a06f050000"
TCB_INFO = f"tcb-info-sgx-{FMSPC}.json"


class Collateral(LabTest):
    lab_options = {"start": False}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sgx = make_fake(cls.lab, "sgx")
        cls.trust = ["--trust", cls.sgx / "trust" / "roots.pem"]

    def setUp(self):
        self.folder = self.lab.dir / "collateral" / self.id().rsplit(".", 1)[1]
        self.folder.parent.mkdir(exist_ok=True)

    def collateral(self, command, *arguments, code=0, trust=None):
        trust = self.trust if trust is None and command != "list" else trust or []
        process = self.lab.cli("evidence", "collateral", command, "--collateral", self.folder, "--json", *arguments, *trust,
                               check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return json.loads(process.stdout) if process.stdout else json.loads(process.stderr)

    def import_all(self):
        return self.collateral("import", self.sgx / "collateral")

    def contents(self):
        """Every file of the folder, hidden ones too, with its content."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.exists() else {}

    def names(self):
        return sorted(name for name in self.contents() if not name.startswith("."))

    def outcomes(self, answer):
        return sorted((one["kind"], one["outcome"]) for one in answer["items"])

    def refused(self, *arguments, **more):
        """The reasons of an import that must change nothing."""
        before = self.contents()
        existed = self.folder.exists()
        answer = self.collateral("import", *arguments, code=1, **more)
        self.assertEqual(answer["written"], 0)
        self.assertEqual(self.contents(), before)
        self.assertEqual(self.folder.exists(), existed)
        return " ".join([one["reason"] for one in answer["items"] if one["reason"]]
                        + [one["problem"] for one in answer["unreadable"]])

    # ---- import ----

    def test_import_stores_under_names_that_say_what_it_is(self):
        answer = self.import_all()
        self.assertEqual(answer["written"], 6)
        self.assertEqual(self.outcomes(answer), [("certificate", "new"), ("certificate", "new"), ("certificate", "root"),
                                                 ("certificate", "root"), ("crl", "new"), ("crl", "new"), ("qe-identity", "new"),
                                                 ("tcb-info", "new")])
        names = self.names()
        self.assertIn(TCB_INFO, names)
        self.assertIn("qe-identity-sgx.json", names)
        self.assertEqual(sum(name.startswith("crl-intel-sgx-") for name in names), 2)
        self.assertEqual(sum(name.startswith("certificate-intel-sgx-") for name in names), 2)
        # Documents are signed as they stand.
        self.assertEqual((self.folder / TCB_INFO).read_bytes(), (self.sgx / "collateral" / "tcb_info.json").read_bytes())
        self.assertTrue(self.collateral("verify")["ok"])

    def test_import_again_changes_nothing(self):
        self.import_all()
        before = self.contents()
        again = self.import_all()
        self.assertEqual(again["written"], 0)
        self.assertEqual({outcome for _, outcome in self.outcomes(again)}, {"unchanged", "root"})
        self.assertEqual(self.contents(), before)

    def test_what_is_imported_verifies_evidence(self):
        evidence = ["evidence", "verify", self.sgx / "evidence.bin", "--json", *self.trust]
        self.assertEqual(self.lab.cli(*evidence, check=False).returncode, 1)
        self.import_all()
        accepted = json.loads(self.lab.cli(*evidence, "--collateral", self.folder).stdout)
        self.assertEqual((accepted["verdict"], accepted["tcb_status"]), ("accept", "UpToDate"))

    def test_a_newer_one_replaces_and_the_old_one_is_not_lost(self):
        self.import_all()
        old = (self.folder / TCB_INFO).read_bytes()
        newer = self.sgx / "variants" / "tcb_info_newer.json"
        self.assertEqual(self.outcomes(self.collateral("import", newer)), [("tcb-info", "replaced")])
        self.assertEqual((self.folder / TCB_INFO).read_bytes(), newer.read_bytes())
        self.assertEqual((self.folder / f".{TCB_INFO}.previous").read_bytes(), old)
        self.assertTrue(self.collateral("verify")["ok"])

    def test_an_older_one_does_not_replace_unless_told_so(self):
        self.import_all()
        newer = self.sgx / "variants" / "tcb_info_newer.json"
        older = self.sgx / "collateral" / "tcb_info.json"
        self.collateral("import", newer)
        kept = self.collateral("import", older, code=1)
        self.assertEqual(self.outcomes(kept), [("tcb-info", "kept")])
        self.assertIn("--allow-older", kept["items"][0]["reason"])
        self.assertEqual((self.folder / TCB_INFO).read_bytes(), newer.read_bytes())
        self.assertEqual(self.outcomes(self.collateral("import", older, "--allow-older")), [("tcb-info", "replaced")])
        self.assertEqual((self.folder / TCB_INFO).read_bytes(), older.read_bytes())

    def test_of_two_in_one_import_the_newer_comes_in_whatever_their_order(self):
        newer = self.sgx / "variants" / "tcb_info_newer.json"
        older = self.sgx / "collateral" / "tcb_info.json"
        chain = self.sgx / "collateral" / "signing_chain.pem"
        for order in ([newer, older], [older, newer]):
            answer = self.collateral("import", chain, *order, code=1)
            self.assertIn(("tcb-info", "kept"), self.outcomes(answer))
            self.assertEqual((self.folder / TCB_INFO).read_bytes(), newer.read_bytes())
            shutil.rmtree(self.folder)

    def test_a_newer_one_under_another_name_counts_too(self):
        self.import_all()
        (self.folder / TCB_INFO).unlink()
        shutil.copy(self.sgx / "variants" / "tcb_info_newer.json", self.folder / "by-hand.json")
        kept = self.collateral("import", self.sgx / "collateral" / "tcb_info.json", code=1)
        self.assertIn("by-hand.json", kept["items"][0]["reason"])

    def test_bad_signatures_are_refused(self):
        self.import_all()
        self.assertIn("signature", self.refused(self.sgx / "variants" / "tcb_info_edited.json"))

    def test_strangers_are_refused(self):
        variants = self.sgx / "variants"
        self.assertIn("signature", self.refused(variants / "tcb_info_stranger.json", self.sgx / "collateral" / "signing_chain.pem"))
        self.assertNotEqual(self.refused(variants / "tcb_info_stranger.json", variants / "stranger_chain.pem"), "")
        # Even what is good under a root counts for nothing if nobody trusts that root.
        self.assertNotEqual(self.refused(self.sgx / "collateral", trust=[]), "")

    def test_without_its_signer_nothing_comes_in(self):
        self.assertIn("TCB Signing", self.refused(self.sgx / "collateral" / "tcb_info.json"))
        self.assertIn("import it, too", self.refused(self.sgx / "collateral" / "pck_crl.der"))

    def test_what_is_expired_is_refused(self):
        self.import_all()
        self.assertIn("not valid at this time", self.refused(self.sgx / "variants" / "tcb_info_expired.json"))
        taken = self.collateral("import", self.sgx / "variants" / "tcb_info_expired.json", "--at", "2019-01-10T00:00:00Z")
        self.assertEqual(self.outcomes(taken), [("tcb-info", "replaced")])

    def test_one_bad_file_stops_the_whole_import(self):
        mixed = self.lab.dir / "mixed"
        shutil.copytree(self.sgx / "collateral", mixed)
        for name, content in (("readme.txt", b"to whom it may concern"), ("empty", b""), ("page.json", b'{"error": 404}'),
                              ("keys.json", b'{"keys": []}'), ("nul.json", b'{"tcbInfo":{},"signature":""}\0{}')):
            path = mixed / name
            path.write_bytes(content)
            self.assertIn(name, self.refused(mixed))
            path.unlink()
        (mixed / ".notes").write_text("hidden files are nobody's business")
        self.assertEqual(self.collateral("import", mixed)["written"], 6)

    def test_missing_files_and_folders_are_named(self):
        error = self.collateral("import", self.lab.dir / "nowhere.json", code=1)["error"]
        self.assertIn("nowhere.json", error["message"])
        self.folder = pathlib.Path("/nonexistent/parent/folder")
        error = self.collateral("import", self.sgx / "collateral", code=1)["error"]
        self.assertIn("/nonexistent", error["message"])

    def test_usage_errors_end_with_2(self):
        for arguments in (["import"], ["import", "--collateral", self.folder], ["list", "--at", "yesterday", "--collateral", "/tmp"],
                          ["list"], ["verify"],
                          ["import", "--trust", self.sgx / "collateral" / "tcb_info.json", "--collateral", self.folder, "x"]):
            process = self.lab.cli("evidence", "collateral", *arguments, check=False)
            self.assertEqual(process.returncode, 2, (arguments, process.stderr))

    def test_a_damaged_stored_file_can_be_replaced(self):
        self.import_all()
        (self.folder / TCB_INFO).write_bytes(b"{")
        self.assertEqual(self.collateral("list", code=1)["unreadable"][0]["file"], str(self.folder / TCB_INFO))
        self.assertFalse(self.collateral("verify", code=1)["ok"])
        self.assertEqual(self.collateral("import", self.sgx / "collateral" / "tcb_info.json")["written"], 1)
        self.assertTrue(self.collateral("verify")["ok"])
        self.assertEqual((self.folder / f".{TCB_INFO}.previous").read_bytes(), b"{")

    def test_key_sets_are_kept_by_issuer(self):
        keys = make_fake(self.lab, "token") / "trust" / "jwks.json"
        self.assertIn("--issuer", self.refused(keys))
        first = self.collateral("import", keys, "--issuer", "https://login.example.com/tenant", trust=[])
        name = first["items"][0]["name"]
        self.assertRegex(name, r"^jwks-login-example-com-tenant-[0-9a-f]{8}\.json$")
        self.assertEqual((self.folder / name).read_bytes(), keys.read_bytes())
        # Names that look alike are no names of the same file.
        second = self.collateral("import", keys, "--issuer", "https://login.example.com.tenant", trust=[])
        self.assertNotEqual(second["items"][0]["name"], name)
        two = self.refused(keys, make_fake(self.lab, "token", "other-token") / "trust" / "jwks.json", "--issuer", "https://x")
        self.assertIn("several", two)

    def test_the_folder_of_the_configuration_is_the_default(self):
        self.folder.mkdir()
        text = self.lab.client_config.read_text() + f"trust: {{collateral: {self.folder}}}\n"
        config = self.lab.write("with-collateral.yaml", text)
        command = ["evidence", "collateral", "import", self.sgx / "collateral", *self.trust]
        self.lab.cli(*command, env={"KEYCLAVE_CONFIG": str(config)})
        self.assertIn(TCB_INFO, self.names())

    # ---- list ----

    def test_list_tells_what_there_is_and_until_when(self):
        self.import_all()
        items = {one["kind"]: one for one in self.collateral("list")["items"]}
        self.assertEqual(set(items), {"certificate", "crl", "qe-identity", "tcb-info"})
        info = items["tcb-info"]
        self.assertEqual(info["subject"], f"SGX FMSPC {FMSPC.upper()}")
        self.assertEqual((info["issued"], info["expires"], info["number"], info["state"]),
                         ("2019-01-01T00:00:00Z", "2060-01-01T00:00:00Z", 17, "ok"))
        for at, state in (("2059-12-22T12:00:00Z", "expires in 9 days"), ("2059-12-30T12:00:00Z", "expires in 1 day"),
                          ("2059-12-31T12:00:00Z", "expires today"), ("2060-01-01T00:00:01Z", "expired"),
                          ("2018-12-31T00:00:00Z", "not yet valid")):
            then = {one["kind"]: one for one in self.collateral("list", "--at", at)["items"]}
            self.assertEqual(then["tcb-info"]["state"], state, at)
        table = self.lab.cli("evidence", "collateral", "list", "--collateral", self.folder).stdout
        self.assertRegex(table, rf"tcb-info +SGX FMSPC {FMSPC.upper()} +2019-01-01T00:00:00Z +2060-01-01T00:00:00Z +17 +ok")

    # ---- verify ----

    def test_verify_names_what_is_expired_and_where_to_get_it(self):
        self.import_all()
        answer = self.collateral("verify", "--at", "2060-01-02T00:00:00Z", code=1)
        self.assertFalse(answer["ok"])
        info = next(one for one in answer["items"] if one["kind"] == "tcb-info")
        self.assertIn(f"sgx/certification/v4/tcb?fmspc={FMSPC.upper()}", info["where"])
        self.assertFalse(info["ok"])
        process = self.lab.cli("evidence", "collateral", "verify", "--collateral", self.folder, "--at", "2060-01-02T00:00:00Z",
                               *self.trust, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("get it from: https://api.trustedservices.intel.com/", process.stderr)

    def test_verify_finds_what_was_edited_and_what_lost_its_list(self):
        self.import_all()
        shutil.copy(self.sgx / "variants" / "tcb_info_edited.json", self.folder / "edited.json")
        answer = self.collateral("verify", code=1)
        self.assertEqual([pathlib.Path(one["file"]).name for one in answer["items"] if not one["ok"]], ["edited.json"])
        (self.folder / "edited.json").unlink()
        for path in self.folder.glob("crl-*root*"):
            path.unlink()
        answer = self.collateral("verify", code=1)
        bad = {one["kind"]: one for one in answer["items"] if not one["ok"]}
        self.assertEqual(set(bad), {"qe-identity", "tcb-info"})
        self.assertEqual(bad["tcb-info"]["code"], "CollateralMissing")

    def test_verify_for_names_exactly_what_is_missing(self):
        evidence = ["--for", self.sgx / "evidence.bin"]
        self.import_all()
        self.assertTrue(self.collateral("verify", *evidence)["ok"])
        for pattern, subject in ((TCB_INFO, FMSPC.upper()), ("qe-identity-*", "identity QE"), ("crl-*root*", "Root"),
                                 ("crl-*platform*", "Platform"), ("certificate-*signing*", "TCB info")):
            path, = self.folder.glob(pattern)
            content = path.read_bytes()
            path.unlink()
            answer = self.collateral("verify", *evidence, code=1)
            missing = [one for one in answer["items"] if not one["ok"]]
            self.assertTrue(any(subject in one["subject"] for one in missing), (pattern, missing))
            self.assertEqual({one["code"] for one in missing}, {"CollateralMissing"})
            self.assertTrue(all(one["where"] for one in missing))
            path.write_bytes(content)
        self.assertTrue(self.collateral("verify", *evidence)["ok"])

    def test_verify_for_a_chip(self):
        snp = make_fake(self.lab, "sev-snp")
        trust = ["--trust", snp / "trust" / "roots.pem"]
        self.folder.mkdir()
        answer = self.collateral("verify", "--for", snp / "evidence.bin", trust=trust, code=1)
        need, = answer["items"]
        self.assertIn("c1" * 64, need["subject"])
        self.assertIn("https://kdsintf.amd.com/vcek/v1/Milan/" + "c1" * 64, need["where"])
        imported = self.collateral("import", snp / "collateral", trust=trust)
        self.assertEqual(self.outcomes(imported), [("certificate", "new"), ("certificate", "root"), ("vcek", "new")])
        self.assertIn(f"vcek-milan-{'c1' * 64}-04000000000017d5.pem", self.names())
        self.assertTrue(self.collateral("verify", "--for", snp / "evidence.bin", trust=trust)["ok"])

    def test_verify_for_evidence_that_needs_nothing(self):
        nitro = make_fake(self.lab, "nitro")
        self.folder.mkdir()
        answer = self.collateral("verify", "--for", nitro / "evidence.bin")
        self.assertEqual((answer["ok"], answer["items"], answer["tee"]), (True, [], "nitro"))

    def test_revoked_certificates_do_not_come_in(self):
        chip = self.lab.dir / "pck.pem"
        self.import_all()
        quote = (self.sgx / "evidence.bin").read_bytes()
        begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----\n"
        chip.write_bytes(quote[quote.index(begin):quote.index(end) + len(end)])
        self.assertEqual(self.outcomes(self.collateral("import", chip)), [("certificate", "new")])
        self.collateral("import", self.sgx / "variants" / "pck_crl_revoked.der")
        self.assertIn("revoked", self.refused(chip))


if __name__ == "__main__":
    main()
