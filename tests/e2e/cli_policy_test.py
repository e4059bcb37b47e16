#!/usr/bin/env python3
"""keyclave policy (offline and in a token), keyclave explain, keyclave evidence."""

import hashlib
import json
import pathlib
import re
import shutil

from lab import KEYCLAVE, PERMISSIVE_POLICY, PKCS11_MODULE, LabTest, main, need

GOOD = """\
policy: edge-tls
version: 3
permit:
  - operations: [sign]
    mechanisms: [ecdsa, rsa-pss]
    when:
      all:
        - tee: {in: [sev-snp, tdx]}
        - measurement: {is: "%s"}
        - debug: {is: false}
    max_age: 15m
""" % ("ab" * 48)


class Check(LabTest):
    lab_options = {"start": False}

    def check(self, text, *more):
        return self.lab.cli("policy", "check", self.lab.write("p.yaml", text), *more, check=False)

    def test_a_good_policy(self):
        process = self.check(GOOD)
        self.assertEqual(process.returncode, 0, process.stderr)
        for word in ("edge-tls", "version 3", hashlib.sha256(GOOD.encode()).hexdigest(), "ecdsa, rsa-pss", "900s", "measurement"):
            self.assertIn(word, process.stdout)
        self.assertNotIn("warning", process.stdout)

    def test_a_good_policy_for_programs(self):
        answer = json.loads(self.check(GOOD, "--json").stdout)
        self.assertEqual((answer["policy"], answer["version"], answer["warnings"]), ("edge-tls", 3, []))
        self.assertEqual(answer["permits"][0]["max_age"], 900)
        self.assertEqual(answer["permits"][0]["line"], 4)

    def test_everything_that_a_policy_says_is_shown(self):
        text = GOOD.replace("max_age: 15m", "max_age: 15m\n    input: [tls-server, digest]\n    limits: {rate: 5/s, uses: 9}\n"
                            "    approvals: {quorum: 2, of: [ops, security]}\n    bind: self").replace(
            "version: 3", "version: 3\nchange: {quorum: 2, of: [ops, security]}\non_verifier_trouble: use_cached(2h)")
        process = self.check(text)
        self.assertEqual(process.returncode, 0, process.stderr)
        terms = {"input": "[tls-server, digest]", "limits": "{rate: 5/s, burst: 5, uses: 9, per: key}",
                 "approvals": "{quorum: 2, of: [ops, security]}", "bind": "self"}
        for key, value in terms.items():
            self.assertIn(f"{key} {value}", process.stdout)
        answer = json.loads(self.check(text, "--json").stdout)
        self.assertEqual({key: answer["permits"][0][key] for key in terms}, terms)
        rules = {"change": "{quorum: 2, of: [ops, security]}", "on_verifier_trouble": "use_cached(7200s)"}
        self.assertEqual({key: answer[key] for key in rules}, rules)
        for key, value in rules.items():
            self.assertRegex(process.stdout, f"{key}: +{re.escape(value)}")
        locked = GOOD.replace("version: 3", "version: 3\nlocked: true")
        self.assertRegex(self.check(locked).stdout, "locked: +true")
        self.assertIs(json.loads(self.check(locked, "--json").stdout)["locked"], True)

    def test_warnings(self):
        process = self.check(PERMISSIVE_POLICY)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("warning", process.stdout)
        self.assertEqual(self.check(PERMISSIVE_POLICY, "--strict").returncode, 1)

    def test_mistakes_are_named_with_their_lines(self):
        for text, expected in (
                (GOOD.replace("mechanisms", "mechanics"), r"p\.yaml:\d+: .*mechanics"),
                (GOOD.replace("version: 3", "version: three"), r"p\.yaml:2"),
                (GOOD + "version: 4\n", r"p\.yaml:\d+.*version"),
                (GOOD.replace("[sign]", "[fly]"), r"p\.yaml:4.*no such operation"),
                (GOOD.replace("debug: {is: false}", "debug: {is: maybe}"), r"p\.yaml:\d+"),
                (GOOD.replace("max_age: 15m", "limits: {rate: often}"), r"limits"),
                ("policy: x\n", r"version"),
                ("[", r"p\.yaml")):
            process = self.check(text)
            self.assertEqual(process.returncode, 1, process.stdout)
            self.assertRegex(process.stderr, expected)

    def test_a_policy_that_names_no_measurement(self):
        process = self.check("policy: x\nversion: 1\npermit:\n  - operations: [sign]\n    when: {peer.uid: {is: 33}}\n")
        self.assertEqual(process.returncode, 1)
        self.assertIn("attested", process.stderr)
        self.assertIn("allow_unattested", process.stderr)

    def test_an_absent_file(self):
        process = self.lab.cli("policy", "check", "/no/such/policy.yaml", check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("/no/such/policy.yaml", process.stderr)


class InToken(LabTest):
    def test_apply_list_show(self):
        self.lab.make_token("t")
        second = self.lab.write("second.yaml", PERMISSIVE_POLICY.replace("development", "second"))
        applied = self.lab.cli("policy", "apply", "--token", "t", second, json=True)
        self.assertEqual((applied["policy"], applied["default"], applied["objects"]), ("second", False, 0))
        self.assertTrue(applied["warnings"])
        self.lab.cli("key", "generate", "--token", "t", "--type", "ec:p256", "--label", "k", "--policy", "second")
        policies = {p["policy"]: p for p in self.lab.cli("policy", "list", "--token", "t", json=True)["policies"]}
        self.assertEqual(set(policies), {"development", "second"})
        self.assertTrue(policies["development"]["default"])
        self.assertEqual(policies["second"]["objects"], 2)
        self.assertEqual(self.lab.cli("policy", "show", "--token", "t", "second").stdout, second.read_text())
        self.assertEqual(self.lab.cli("policy", "show", "--token", "t").stdout, PERMISSIVE_POLICY)

    def test_versions_only_rise(self):
        self.lab.make_token("v")
        same = self.lab.write("same.yaml", PERMISSIVE_POLICY)
        process = self.lab.cli("policy", "apply", "--token", "v", same, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("version", process.stderr)
        self.lab.cli("policy", "apply", "--token", "v", self.lab.write("up.yaml", PERMISSIVE_POLICY.replace("version: 1", "version: 2")))

    def test_default(self):
        self.lab.make_token("d")
        self.lab.cli("policy", "apply", "--token", "d", "--default",
                     self.lab.write("new.yaml", PERMISSIVE_POLICY.replace("development", "new")))
        key = self.lab.cli("key", "generate", "--token", "d", "--type", "ec:p256", "--label", "k", json=True)
        self.assertEqual(key["policy"], "new")

    def test_an_unknown_policy(self):
        self.lab.make_token("u")
        process = self.lab.cli("key", "generate", "--token", "u", "--type", "ec:p256", "--label", "k", "--policy", "none", check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("policy", process.stderr)


class Explain(LabTest):
    """A key that only a program of another measurement may use."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tool = pathlib.Path(need("pkcs11-tool")).resolve()
        cls.tool = tool
        cls.measurement = cls.lab.cli("evidence", "measure", tool, json=True)["programs"][0]["measurement"]
        cls.lab.make_token("edge", policy=(
            "policy: one-program\nversion: 1\npermit:\n  - operations: [sign]\n    when:\n      all:\n"
            "        - tee: {is: simulated}\n"
            f"        - measurement: {{is: \"{cls.measurement}\"}}\n    allow_unattested: true\n"))
        cls.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "k", "--id", "01")

    def sign(self, tool):
        message = self.lab.write("digest", "x" * 32)
        return self.lab.run([tool, "--module", PKCS11_MODULE, "--token-label", "edge", "--sign", "--id", "01", "-m", "ECDSA", "-i",
                             message, "-o", self.lab.dir / "signature"], check=False)

    def explain(self, *more):
        return self.lab.cli("explain", "--token", "edge", "k", *more, json=True)

    def test_measure_is_the_sha256_of_the_file(self):
        self.assertEqual(self.measurement, hashlib.sha256(self.tool.read_bytes()).hexdigest())
        text = self.lab.cli("evidence", "measure", "--self", self.tool).stdout.splitlines()
        self.assertEqual(text[0].split(), [hashlib.sha256(KEYCLAVE.read_bytes()).hexdigest(), str(KEYCLAVE)])
        self.assertEqual(text[1].split()[0], self.measurement)

    def test_measure_follows_links_and_warns_of_scripts(self):
        link = self.lab.dir / "link"
        link.symlink_to(self.tool)
        self.assertEqual(self.lab.cli("evidence", "measure", link).stdout.split()[0], self.measurement)
        script = self.lab.write("script", "#!/bin/sh\n", 0o755)
        self.assertIn("interpreter", self.lab.cli("evidence", "measure", script).stderr)
        self.assertEqual(self.lab.cli("evidence", "measure", self.lab.dir, check=False).returncode, 2)
        self.assertEqual(self.lab.cli("evidence", "measure", "/no/such/file", check=False).returncode, 1)

    def test_evidence_show(self):
        own = {c["name"]: c["value"] for c in self.lab.cli("evidence", "show", "--self", json=True)["claims"]}
        self.assertEqual(own["measurement"], hashlib.sha256(KEYCLAVE.read_bytes()).hexdigest())
        self.assertEqual(own["tee"], "simulated")
        enclave = {c["name"]: c["value"] for c in self.lab.cli("evidence", "show", json=True)["claims"]}
        self.assertEqual(enclave["tee"], "simulated")
        self.assertNotEqual(enclave["measurement"], own["measurement"])

    def test_the_named_program_may(self):
        process = self.sign(self.tool)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

    def test_another_program_may_not_and_the_term_is_named(self):
        other = self.lab.dir / "other-tool"
        shutil.copy(self.tool, other)
        with other.open("ab") as out:
            out.write(b"x")
        self.assertNotEqual(self.sign(other).returncode, 0)
        self.sign_through_the_provider()
        answer = self.explain()
        self.assertFalse(answer["allowed"])
        self.assertIn("when", answer)
        permit = answer["permits"][0]
        self.assertFalse(permit["applies"])
        self.assertIn("measurement", permit["term"])
        self.assertIn(self.measurement, permit["wanted"])
        claims = {c["name"]: c for c in answer["claims"]}
        self.assertEqual(permit["got"], claims["measurement"]["value"])
        self.assertTrue(claims["measurement"]["attested"])
        self.assertFalse(claims["peer.uid"]["attested"])
        text = self.lab.cli("explain", "--token", "edge", "k").stdout
        for word in ("refused", "measurement", self.measurement, permit["got"]):
            self.assertIn(word, text)

    def sign_through_the_provider(self):
        """openssl asks for the key by its reference: it is told no, and the enclave remembers."""
        reference = self.lab.dir / "k.pem"
        self.lab.cli("key", "reference", "--token", "edge", "k", "--out", reference)
        process = self.lab.run(["openssl", "dgst", "-sha256", "-sign", reference, self.lab.write("m", "x")], check=False, text=False)
        self.assertNotEqual(process.returncode, 0)

    def test_self(self):
        answer = self.explain("--self")
        self.assertFalse(answer["allowed"])
        self.assertEqual(answer["permits"][0]["got"], hashlib.sha256(KEYCLAVE.read_bytes()).hexdigest())
        decrypt = self.explain("--self", "--operation", "decrypt")
        self.assertIn("operation", decrypt["permits"][0]["term"])

    def test_no_denial_yet(self):
        self.lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "fresh")
        self.assertIn("refused nobody", self.lab.cli("explain", "--token", "edge", "fresh").stdout)


if __name__ == "__main__":
    main()
