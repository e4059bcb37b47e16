#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""docs/examples/*/run.sh, as they stand there: what each leaves behind is looked at from outside, by other commands."""

import base64
import json
import os
import re
import shutil

from lab import BUILD_DIR, KEYCLAVE, PKCS11_MODULE, SOURCE_DIR, LabTest, main, need

PLAIN = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}


class Example(LabTest):
    """Runs the script of folder `name` once, in the folder `work`."""

    name = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.name is None:
            return
        cls.work = cls.lab.dir / cls.name
        env = {"PATH": f"{BUILD_DIR}/bin:{os.environ['PATH']}", "KEYCLAVE_PKCS11_MODULE": str(PKCS11_MODULE)}
        cls.done = cls.lab.run([need("bash"), SOURCE_DIR / "docs" / "examples" / cls.name / "run.sh", cls.work], env=env, timeout=400)

    def audit(self, event, **wanted):
        lines = map(json.loads, self.lab.cli("audit", "export").stdout.splitlines())
        return [record for record in lines
                if record["event"] == event and all(record.get(name) == value for name, value in wanted.items())]

    def measurement(self, program):
        return self.lab.cli("evidence", "measure", program, json=True)["programs"][0]["measurement"]

    def by(self, records, program):
        """Those of them that this program caused."""
        measured = self.measurement(program)
        return [record for record in records if record["claims"]["measurement"] == measured]

    def show(self, key, *more):
        return self.lab.cli("key", "show", "--token", self.token, key, *more, json=True)

    def refused(self, *arguments, word):
        process = self.lab.cli(*arguments, check=False)
        self.assertEqual(process.returncode, 1, process.stdout + process.stderr)
        self.assertIn(word, process.stderr)

    def file(self, name):
        return (self.work / name).read_text()


class CapsuleManager(Example):
    name, token = "capsulemanager", "study"

    def owner(self, name):
        return ["--owner", f"{name}={self.work}/{name}.pem"]

    def key(self, label):
        return self.show(label, *self.owner("clinic"))

    def test_the_study_was_served(self):
        self.assertEqual(self.file("joined.txt"), "known to both: 3\nof the same code: 2\n")
        for name in ("codes.csv", "persons.csv", "diagnoses.csv"):
            self.assertFalse((self.work / name).exists())
        grants = self.by(self.audit("grant"), self.work / "study")
        self.assertLessEqual({("visits", "decrypt"), ("diagnoses", "decrypt"), ("visits", "derive"), ("diagnoses", "derive")},
                             {(grant["policy"], grant["operation"]) for grant in grants})

    def test_keys_are_under_their_owners_policies_and_stay(self):
        for label, policy in (("visits/2031/codes", "visits"), ("visits/2031/persons", "clinic-only"), ("diagnoses/2031/all", "diagnoses")):
            attributes = self.key(label)["attributes"]
            self.assertEqual((attributes["policy"], attributes["extractable"], attributes["local"]), (policy, "no", "yes"))

    def test_a_policy_is_changed_by_its_own_owner_only(self):
        text = self.file("clinic.yaml").replace("version: 1\n", "version: 2\n")
        path = self.lab.write("clinic-2.yaml", text)
        self.refused("policy", "apply", "--token", "study", path, "--yes", *self.owner("registry"), word="owners")

    def test_the_result_has_two_parents(self):
        both, result = self.key("joined/2031, both parents"), self.key("joined/2031")
        parents = self.key("visits/2031/codes")["object"] + self.key("diagnoses/2031/all")["object"]
        self.assertIn(parents, both["attributes"].values())
        self.assertEqual(both["attributes"]["extractable"], "no")
        self.assertIn(both["object"], result["attributes"].values())
        for key in (both, result):
            self.assertEqual((key["attributes"]["policy"], key["attributes"]["inherited_policies"]), ("visits", "diagnoses"))
            self.assertEqual(key["attributes"]["creator_measurement"], self.measurement(self.work / "study"))

    def test_refusals_were_recorded(self):
        codes = self.key("visits/2031/codes")["object"]
        tool = self.by(self.audit("denial", object=codes, operation="decrypt"), need("pkcs11-tool"))
        self.assertEqual({denial["code"] for denial in tool}, {"Denied"})
        self.assertEqual(self.by(self.audit("grant"), self.work / "study-other"), [])
        joined = self.key("joined/2031")["object"]
        denied = self.audit("denial", object=joined, operation="release")
        self.assertEqual([denial["code"] for denial in denied], ["ApprovalMissing"] * 2, "no vote, and one vote")
        released = self.audit("release", object=joined)
        self.assertEqual(len(released), 1)
        self.assertGreater(int(released[0]["seq"]), int(denied[-1]["seq"]))

    def test_another_result_needs_votes_of_its_own(self):
        files = {"MODULE": str(PKCS11_MODULE)}
        self.lab.run(["./study", "visits/2031/codes", "codes.csv.sealed", "diagnoses/2031/all", "diagnoses.csv.sealed", "joined/2032",
                      "again.sealed"], env=files, cwd=self.work)
        release = ("key", "release", "--token", "study", "joined/2032", "--unwrap", "-o", self.work / "again.key")
        self.refused(*release, word="approvals")
        vote = ("approve", "joined/2032", "--token", "study", "--operation", "release", "--last-denied", "--reason", "a test")
        self.lab.cli(*vote, *self.owner("registry"))
        self.refused(*release, word="approvals")
        self.lab.cli(*vote, *self.owner("clinic"))
        self.lab.cli(*release)
        self.assertEqual((self.work / "again.key").stat().st_size, 32)


class Uid2(Example):
    name, token = "uid2", "operator"

    def test_the_operator_was_served(self):
        log = self.file("operator.log").splitlines()
        self.assertRegex(log[0], "^core_api_token, SHA-256 [0-9a-f]{64}$")
        self.assertIn(log[0].split()[-1] + "  core_api_token", self.done.stdout, "what sha256sum says of the token's file")
        self.assertGreater(len([line for line in log if line.startswith("token ")]), 2)
        self.assertIn("6 tests, all as expected", self.done.stdout)

    def test_the_tokens_are_in_the_enclave_and_nowhere_else(self):
        self.assertEqual([path.name for path in self.work.glob("*_api_token*")], [])
        self.assertNotIn("api_token", self.file("operator-config.json"))
        objects = self.lab.cli("key", "list", "--token", "operator", "--all", json=True)["objects"]
        self.assertEqual({o["label"] for o in objects if o["class"] == "data"}, {"core_api_token", "optout_api_token"})
        # The machine's administrator sees that they are there, and not what they are.
        read = self.lab.pkcs11_tool("--token-label", "operator", "--read-object", "--type", "data", "--label", "core_api_token",
                                    check=False)
        self.assertNotIn("FT-O-L", read.stdout)

    def test_evidence_was_shown_again_in_one_session(self):
        grants = self.by(self.audit("grant", operation="encrypt"), self.work / "operator")
        self.assertGreaterEqual(len(grants), 2)
        self.assertEqual(len({grant["caller"] for grant in grants}), 1)
        self.assertEqual(len({grant["evidence"] for grant in grants}), len(grants))

    def test_who_left_the_allow_list_was_refused(self):
        text = self.lab.cli("set", "show", "operator-enclaves", "--token", "operator", json=True)["text"]
        self.assertIn(self.measurement(self.work / "operator-new"), text)
        self.assertNotIn(self.measurement(self.work / "operator"), text)
        denials = self.by(self.audit("denial", operation="encrypt"), self.work / "operator")
        self.assertEqual([denial["code"] for denial in denials], ["Denied"])
        self.assertEqual(self.file("operator.log").splitlines()[-1], "refused 0x68")
        why = self.lab.cli("explain", "--token", "operator", "identity", json=True)
        self.assertIn("operator-enclaves", json.dumps(why["permits"]))

    def test_the_policy_for_sgx_says_what_the_files_say(self):
        text = self.file("operator-policy.yaml")
        for term in ("tee: {is: sgx}", 'product_id: {is: "770"}', "svn: {min: 2}", "max_age: 2h", "on_verifier_trouble: use_cached(12h)"):
            self.assertIn(term, text)
        self.lab.cli("policy", "check", self.work / "operator-policy.yaml")


class EnclaveId(Example):
    name, token = "enclaveid", "mesh"

    def openssl(self, *arguments, check=True):
        return self.lab.run([need("openssl"), *arguments], env=PLAIN, cwd=self.work, check=check)

    def test_nobody_takes_the_root_secret(self):
        for label in ("root", "intermediate"):
            attributes = self.show(label)["attributes"]
            self.assertEqual((attributes["extractable"], attributes["never_extractable"]), ("no", "yes"))
            self.assertEqual(attributes["policy"], "root-secret")
            self.refused("key", "release", "--token", "mesh", label, "--unwrap", "-o", self.work / "no.key", word="not extractable")
        text = self.file("root-secret.yaml").replace("version: 1", "version: 2").replace("locked: true\n", "")
        laxer = self.lab.write("laxer.yaml", text)
        self.refused("policy", "apply", "--token", "mesh", laxer, "--yes", word="locked")
        self.assertEqual(self.by(self.audit("grant", operation="derive"), self.work / "secrets-other"), [])

    def test_leaves_are_the_cas_and_tell_what_was_proved(self):
        for name in ("web", "api", "api2"):
            self.openssl("verify", "-x509_strict", "-CAfile", "ca.crt", "-verify_hostname", f"{name}.mesh.example", f"{name}.crt")
            text = self.openssl("x509", "-in", f"{name}.crt", "-noout", "-text").stdout
            told = re.findall(r'"([\w-]{40,})"', text)  # base64url, in the form of an EAT
            text += "".join(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode(errors="replace") for part in told)
            self.assertIn(self.measurement(KEYCLAVE), text)
        self.assertEqual([record["names"] for record in self.audit("issue")], ["web.mesh.example", "api.mesh.example", "api2.mesh.example"])
        self.assertEqual(len(self.audit("denial", operation="issue")), 2)

    def test_a_revoked_leaf_is_refused(self):
        self.assertEqual(self.done.stdout.count("HTTP/1.0 200 ok"), 2)
        def verify(name):
            return self.openssl("verify", "-CAfile", "ca.crt", "-CRLfile", "mesh.crl", "-crl_check", f"{name}.crt", check=False)
        self.assertIn("certificate revoked", verify("api").stderr)
        self.assertEqual(verify("api2").returncode, 0)
        self.assertIn("certificate revoked", self.file("server-crl.log"))

    def test_keys_are_attested(self):
        root = self.lab.config_dir / "simulated-root.pub"
        for name, policy in (("mesh-ca", "mesh-ca"), ("web", "web-tls")):
            outcome = self.lab.cli("evidence", "verify", self.work / f"{name}.attestation", "--expect", self.work / "expect.yaml",
                                   "--trust", root, json=True)
            self.assertEqual((outcome["verdict"], outcome["key"]["policy"], outcome["key"]["never_extractable"]), ("accept", policy, True))
        # The certificate is of the attested key.
        key = self.openssl("x509", "-in", "web.crt", "-noout", "-pubkey").stdout
        self.assertIn(outcome["key"]["public_key_info"], key.replace("\n", ""))

    def test_the_volume_opens_with_what_is_released_and_nothing_else(self):
        for label, code in (("volume/data-1", 0), ("volume/data-2", 2)):
            path = self.lab.dir / "released.key"
            self.lab.cli("key", "release", "--token", "mesh", label, "--unwrap", "-o", path)
            opened = self.lab.run([need("cryptsetup"), "open", "--test-passphrase", "--key-file", path, self.work / "volume"], check=False)
            self.assertEqual(opened.returncode, code, opened.stderr)
        for parent, child in (("root", "intermediate"), ("intermediate", "volume/data-1")):
            self.assertIn(self.show(parent)["object"], self.show(child)["attributes"].values(), "its parent")
        self.assertEqual([path.name for path in self.work.glob("*.key") if path.name in ("volume.key", "other.key", "no.key")], [])


class Clf(Example):
    name, token = "clf", "clf"

    def test_three_languages_were_served(self):
        results = {self.file(f"result.{language}") for language in ("c", "python", "java")}
        self.assertEqual(results, {"lines 1500000, sum 1274999250000\n"})
        java = os.path.realpath(shutil.which("java"))
        for program in (self.work / "client", "/usr/bin/python3", java):
            self.assertEqual(len(self.by(self.audit("grant", operation="decrypt"), program)), 1, program)

    def test_data_is_where_the_clients_put_it(self):
        objects = self.lab.cli("key", "list", "--token", "clf", "--all", json=True)["objects"]
        self.assertEqual({o["label"] for o in objects if o["class"] == "data"}, {"secret", "model.json", "result/c", "result/python"})
        self.assertEqual(self.show("result/c")["attributes"]["creator_measurement"], self.measurement(self.work / "client"))

    def test_the_secret_is_in_no_file(self):
        self.assertNotIn("secret", self.file("clf_server.conf"))
        self.assertFalse((self.work / "secret.key").exists())
        self.assertEqual(self.show("pkcs11:token=clf;object=files;type=secret-key")["attributes"]["extractable"], "no")

    def test_refusals_were_recorded(self):
        denials = self.audit("denial", operation="decrypt")
        self.assertEqual({denial["code"] for denial in self.by(denials, need("pkcs11-tool"))}, {"Denied"})
        self.assertEqual(self.by(self.audit("grant"), self.work / "client-other"), [])


del Example  # which is no test by itself

if __name__ == "__main__":
    main()
