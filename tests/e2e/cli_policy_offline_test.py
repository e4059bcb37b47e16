#!/usr/bin/env python3
"""keyclave policy test and convert, keyclave explain --evidence: all that needs no enclave, and the key whose policy is fetched."""

import json
import xml.etree.ElementTree

from fake_evidence import make_fake
from lab import SOURCE_DIR, LabTest, main

EXAMPLES = SOURCE_DIR / "tests" / "data" / "convert"

POLICY = """\
policy: edge
version: 2
permit:
  - operations: [sign]
    mechanisms: [ecdsa]
    max_age: 15m
    when:
      tee: {is: sev-snp}
      measurement: {is: "%s"}
  - operations: [decrypt]
    when:
      measurement: {is: "%s"}
      tls.san: {matches: "*.edge.example"}
"""


class Offline(LabTest):
    lab_options = {"start": False}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = make_fake(cls.lab, "sev-snp", "tables/snp")
        cls.snp = cls.folder / "evidence.bin"
        verified = cls.lab.cli("evidence", "verify", cls.snp, *cls.trusted(), "--json", check=False)
        cls.measurement = json.loads(verified.stdout)["claims"]["measurement"]
        cls.policy = cls.lab.write("tables/edge.yaml", POLICY % (cls.measurement, cls.measurement))

    @classmethod
    def trust(cls):
        trust, = (cls.folder / "trust").iterdir()
        return trust

    @classmethod
    def trusted(cls):
        return ["--trust", cls.trust(), "--collateral", cls.folder / "collateral"]

    # ---- tables ----

    def table(self, tests, *more):
        head = f"policy: edge.yaml\ntrust_files: [{self.trust()}]\ncollateral: snp/collateral\ntests:\n"
        path = self.lab.write("tables/table.yaml", head + tests)
        return self.lab.cli("policy", "test", path, *more, check=False)

    def test_a_table_that_holds(self):
        process = self.table(f"""\
  - {{name: web signs, evidence: snp/evidence.bin, operation: sign, mechanism: ecdsa, expect: allow}}
  - {{name: not with RSA, evidence: snp/evidence.bin, operation: sign, mechanism: rsa-pss, expect: deny, term: mechanisms}}
  - {{name: old evidence, evidence: snp/evidence.bin, operation: sign, age: 16m, expect: deny, term: max_age}}
  - {{name: decrypts with its name, evidence: snp/evidence.bin, claims: {{tls.san: [a.example, b.edge.example]}}, operation: decrypt, expect: allow}}
  - {{name: not without, evidence: snp/evidence.bin, operation: decrypt, expect: deny, term: tls.san}}
  - {{name: others, claims: {{tee: sev-snp, measurement: "00", debug: false}}, operation: sign, expect: deny, term: measurement}}
  - {{name: debug, claims: {{tee: sev-snp, measurement: "{self.measurement}", debug: true}}, operation: sign, expect: deny, term: debug}}
""")
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.assertIn("7 tests, all as expected", process.stdout)

    def test_differences_are_told(self):
        tests = """\
  - {name: "a <b> & \\"c\\"", evidence: snp/evidence.bin, operation: decrypt, expect: allow}
  - {name: other term, evidence: snp/evidence.bin, operation: decrypt, expect: deny, term: measurement}
  - {name: good, evidence: snp/evidence.bin, operation: sign, expect: allow}
"""
        process = self.table(tests)
        self.assertEqual(process.returncode, 1)
        for word in ("2 not as expected", "tls.san", "absent", "allow", "deny by measurement"):
            self.assertIn(word, process.stdout)
        self.assertNotIn("good", process.stdout)
        junit = self.lab.dir / "results.xml"
        process = self.table(tests, "--json", "--junit", junit)
        self.assertEqual(process.returncode, 1)
        answer = json.loads(process.stdout)
        self.assertEqual([test["passed"] for test in answer["tests"]], [False, False, True])
        self.assertEqual(answer["tests"][0]["failed"]["from"], "nowhere: it is absent")
        suite = xml.etree.ElementTree.parse(junit).getroot().find("testsuite")
        self.assertEqual((suite.get("name"), suite.get("tests"), suite.get("failures")), ("edge", "3", "2"))
        cases = suite.findall("testcase")
        self.assertEqual(cases[0].get("name"), 'a <b> & "c"')
        self.assertIn("wanted allow", cases[0].find("failure").get("message"))
        self.assertIsNone(cases[2].find("failure"))

    def test_evidence_that_is_not_genuine_is_refused(self):
        path = self.lab.write("tables/untrusted.yaml", "policy: edge.yaml\ntests:\n"
                              "  - {name: a, evidence: snp/evidence.bin, operation: sign, expect: deny, term: evidence}\n")
        process = self.lab.cli("policy", "test", path, check=False)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

    def test_a_table_at_a_time(self):
        path = self.lab.write("tables/time.yaml", f"policy: edge.yaml\ntrust_files: [{self.trust()}]\ncollateral: snp/collateral\ntime: 2001-01-01\ntests:\n"
                              "  - {name: a, evidence: snp/evidence.bin, operation: sign, expect: deny, term: evidence}\n")
        process = self.lab.cli("policy", "test", path, check=False)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

    def test_mistakes_in_tables(self):
        good = "{name: a, evidence: snp/evidence.bin, operation: sign, expect: allow}"
        for tests, expected in (("  []\n", "tests nothing"), (f"  - {good.replace('sign', 'fly')}\n", "no such operation"),
                                (f"  - {good.replace('allow', 'maybe')}\n", "allow or deny"),
                                (f"  - {good.replace('evidence: snp/evidence.bin, ', '')}\n", "evidence"),
                                (f"  - {good.replace('snp/evidence.bin', 'nowhere')}\n", "nowhere"),
                                (f"  - {good[:-1]}, term: tee}}\n", "nothing fails"),
                                (f"  - {good[:-1]}, colour: red}}\n", "colour"),
                                (f"  - {good[:-1]}, mechanism: rot13}}\n", "no such mechanism"),
                                (f"  - {good[:-1]}, claims: {{debug: false}}}}\n", "debug"),
                                (f"  - {good[:-1]}, claims: {{colour: red}}}}\n", "no such claim"),
                                (f"  - {good}\n  - {good[:-1]}, claims: {{peer.uid: root}}}}\n", "number")):
            process = self.table(tests)
            self.assertNotEqual(process.returncode, 0, tests)
            self.assertIn(expected, process.stderr, tests)

    # ---- diff ----

    def diff(self, change, *arguments):
        changed = self.lab.write("tables/new.yaml", change(self.policy.read_text()))
        return self.lab.cli("policy", "diff", self.policy, changed, *arguments, check=False)

    def test_a_weaker_policy_is_said_and_refused(self):
        process = self.diff(lambda text: text.replace("max_age: 15m", "max_age: 1h"))
        self.assertEqual(process.returncode, 1)
        self.assertIn("WEAKER", process.stdout)
        self.assertIn("max_age 900 s becomes 3600 s", process.stdout)
        process = self.diff(lambda text: text.replace("max_age: 15m", "max_age: 1m"))
        self.assertEqual(process.returncode, 0, process.stdout)
        self.assertIn("STRICTER", process.stdout)
        self.assertIn("permit the same", self.diff(lambda text: text).stdout)

    def test_who_gains_and_who_loses(self):
        def lines(*claims):
            return "".join(json.dumps({"event": "grant", "caller": f"caller {number}", "claims": one}) + "\n"
                           for number, one in enumerate(claims))
        audit = self.lab.write("audit.jsonl", lines({"tee": "tdx", "measurement": self.measurement, "svn": "3"},
                                                    {"tee": "sev-snp", "measurement": self.measurement},
                                                    {"tee": "sgx", "measurement": "00"})
                               + '{"event": "denial", "caller": "older"}\n')
        process = self.diff(lambda text: text.replace("tee: {is: sev-snp}", "tee: {is: tdx}"), "--audit", audit, "--json")
        self.assertEqual(process.returncode, 1, process.stderr)
        answer = json.loads(process.stdout)
        self.assertEqual((answer["verdict"], answer["callers"], answer["without_claims"]), ("CHANGED", 3, 1))
        affected = {one["caller"]: (one["gains"], one["loses"]) for one in answer["affected"]}
        self.assertEqual(affected, {"caller 0": (["sign"], []), "caller 1": ([], ["sign"])})
        people = self.diff(lambda text: text.replace("ecdsa", "rsa-pss"), "--audit", audit)
        self.assertIn("sign with rsa-pss", people.stdout)
        self.assertIn("1 lines of the audit", people.stderr)
        self.assertIn("what hangs on tls.san is not known", people.stderr)

    def test_callers_of_evidence(self):
        answer = json.loads(self.diff(lambda text: text.replace("operations: [sign]", "operations: [verify]"), "--json",
                                      "--evidence", self.snp, *self.trusted()).stdout)
        self.assertEqual([(one["gains"], one["loses"]) for one in answer["affected"]], [(["verify"], ["sign"])])

    # ---- sets ----

    def test_sets_are_named_beside_the_policy(self):
        policy = self.lab.write("tables/with-set.yaml", "policy: s\nversion: 1\npermit:\n  - operations: [sign]\n"
                                "    when: {tee: {is: sev-snp}, measurement: {in-set: prod}}\n")
        members = self.lab.write("tables/prod.yaml", f'set: prod\nversion: 1\nentries:\n  - {{value: "{self.measurement}", reason: r}}\n')
        arguments = ["explain", "--policy", policy, "--evidence", self.snp, *self.trusted()]
        self.assertEqual(self.lab.cli(*arguments, check=False).returncode, 2)
        self.assertEqual(self.lab.cli(*arguments, "--set", members, check=False).returncode, 0)
        table = self.lab.write("tables/sets.yaml", f"policy: with-set.yaml\nsets: [prod.yaml]\ntrust_files: [{self.trust()}]\ncollateral: snp/collateral\ntests:\n"
                               "  - {name: a, evidence: snp/evidence.bin, operation: sign, expect: allow}\n")
        self.lab.cli("policy", "test", table)

    # ---- explain ----

    def explain(self, *arguments):
        return self.lab.cli("explain", "--policy", self.policy, "--evidence", self.snp, *self.trusted(), *arguments,
                            check=False)

    def test_explain_says_where_a_claim_came_from(self):
        process = self.explain("--operation", "decrypt", "--claim", "tls.san=www.example", "--json")
        self.assertEqual(process.returncode, 1, process.stderr)
        answer = json.loads(process.stdout)
        self.assertFalse(answer["allowed"])
        second = answer["permits"][1]
        self.assertEqual((second["applies"], second["got"]), (False, "www.example (not attested)"))
        self.assertIn("channel", second["from"])
        claims = {claim["name"]: claim for claim in answer["claims"]}
        self.assertIn("sev-snp evidence", claims["measurement"]["from"])
        self.assertTrue(claims["measurement"]["attested"])
        self.assertFalse(claims["tls.san"]["attested"])
        self.assertEqual(self.explain("--operation", "decrypt", "--claim", "tls.san=b.edge.example").returncode, 0)

    def test_explain_for_people(self):
        process = self.explain("--mechanism", "rsa-pss")
        self.assertEqual(process.returncode, 1)
        for word in ("sign is refused", "permit 1 (line 4: sign)", "mechanisms", "rsa-pss", "sev-snp evidence"):
            self.assertIn(word, process.stdout)
        self.assertEqual(self.explain("--mechanism", "ecdsa").returncode, 0)

    def test_explain_refuses_what_makes_no_sense(self):
        for arguments in (["--operation", "fly"], ["--mechanism", "rot13"], ["--claim", "debug=false"], ["--claim", "x"],
                          ["--at", "yesterday"]):
            self.assertEqual(self.explain(*arguments).returncode, 2, arguments)
        self.assertEqual(self.lab.cli("explain", check=False).returncode, 2)
        self.assertEqual(self.lab.cli("explain", "key", "--policy", self.policy, check=False).returncode, 2)
        without_trust = self.lab.cli("explain", "--policy", self.policy, "--evidence", self.snp, check=False)
        self.assertEqual(without_trust.returncode, 1)

    # ---- convert ----

    def convert(self, system, name, *arguments):
        return self.lab.cli("policy", "convert", "--from", system, EXAMPLES / system / name, *arguments, check=False)

    def test_converted_policies_pass_check(self):
        for system, name, more in (("azure-skr", "measured_vm.json", []), ("azure-skr", "enclave.json", []),
                                   ("azure-skr", "guest_with_vtpm.json", ["--allow-unattested"]), ("aecs", "never_export.yaml", []),
                                   ("capsulemanager", "training.json", ["--party", "MILL=tls.san=mill.example"]),
                                   ("trustee", "measured.rego", ["--resource", "night/keys/one", "--issuer", "https://as.example"])):
            out = self.lab.dir / f"{system}-{name}.yaml"
            process = self.convert(system, name, "-o", out, *more)
            self.assertEqual(process.returncode, 0, process.stderr)
            self.lab.cli("policy", "check", out)
            self.assertEqual(self.convert(system, name, *more).stdout, out.read_text())
            self.assertEqual(self.convert(system, name, "-o", out, *more).returncode, 1)  # nothing is overwritten

    def test_what_is_left_out_is_told(self):
        process = self.convert("azure-skr", "half_carried.json")
        self.assertEqual(process.returncode, 0)
        self.assertIn("left-out: anyOf[0].allOf[1]", process.stderr)
        self.assertEqual(self.convert("azure-skr", "half_carried.json", "--strict").returncode, 1)
        answer = json.loads(self.convert("azure-skr", "half_carried.json", "--json").stdout)
        kinds = [finding["kind"] for finding in answer["policies"][0]["findings"]]
        self.assertEqual(kinds.count("left-out"), 3)

    def test_nothing_is_better_than_more(self):
        out = self.lab.dir / "none.yaml"
        process = self.convert("azure-skr", "guest_with_vtpm.json", "-o", out)
        self.assertEqual((process.returncode, out.exists()), (1, False))
        self.assertIn("does not name the workload", process.stderr)
        answer = json.loads(self.convert("azure-skr", "guest_with_vtpm.json", "--json").stdout)
        self.assertIsNone(answer["policies"][0]["text"])

    def test_mistakes(self):
        self.assertEqual(self.convert("trustee", "bad_function.rego").returncode, 1)
        for system, arguments in (("opa", []), ("aecs", ["--issuer", "x"]), ("trustee", ["--party", "a=tls.san=b"]),
                                  ("capsulemanager", ["--party", "a"]), ("capsulemanager", ["--op", "a"]),
                                  ("trustee", ["--operations", "fly"]), ("aecs", ["--operations", "manage"])):
            process = self.lab.cli("policy", "convert", "--from", system, EXAMPLES / "aecs" / "never_export.yaml", *arguments,
                                   check=False)
            self.assertEqual(process.returncode, 2, (system, arguments, process.stderr))


class OfAKey(LabTest):
    def test_the_policy_of_a_key_is_fetched_and_evaluated_here(self):
        self.lab.make_token("t")
        folder = make_fake(self.lab, "sev-snp", "snp")
        trust, = (folder / "trust").iterdir()
        self.lab.cli("policy", "apply", "--token", "t", self.lab.write("edge.yaml", POLICY % ("aa" * 48, "aa" * 48)))
        self.lab.cli("key", "generate", "--token", "t", "--type", "ec:p256", "--label", "k", "--policy", "edge")
        process = self.lab.cli("explain", "--token", "t", "k", "--evidence", folder / "evidence.bin",
                               "--trust", trust, "--collateral", folder / "collateral", "--json", check=False)
        self.assertEqual(process.returncode, 1, process.stderr)
        answer = json.loads(process.stdout)
        self.assertEqual((answer["key"], answer["policy"], answer["allowed"]), ("k", "edge", False))
        self.assertIn("measurement", answer["permits"][0]["term"])
        given = self.lab.cli("explain", "--token", "t", "k", "--claim", "tee=sev-snp", "--claim", "measurement=" + "aa" * 48,
                             "--claim", "debug=false", check=False)
        self.assertEqual(given.returncode, 0, given.stdout + given.stderr)


if __name__ == "__main__":
    main()
