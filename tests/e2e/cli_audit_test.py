#!/usr/bin/env python3
"""keyclave audit: what happened is in the log, and a copy that was tampered with does not verify."""

import json

from lab import LabTest, main


class Audit(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("t")
        cls.lab.cli("key", "generate", "--token", "t", "--type", "ec:p256", "--label", "k")
        cls.key = cls.lab.dir / "audit.pem"
        cls.lab.cli("audit", "key", "--out", cls.key)
        # The end of the daemon writes a checkpoint over everything before it.
        cls.lab.stop()
        cls.lab.start_daemon()

    def lines(self, *more):
        return self.lab.cli("audit", "show", "--json", *more).stdout.splitlines()

    def verify(self, lines, *more):
        path = self.lab.write("copy.jsonl", "\n".join(lines) + "\n" if lines else "")
        return self.lab.cli("audit", "verify", path, "--key", self.key, *more, check=False)

    def test_changes_are_recorded(self):
        records = [json.loads(line) for line in self.lines()]
        self.assertEqual([r["seq"] for r in records], list(range(1, len(records) + 1)))
        operations = [r.get("operation") for r in records if r["event"] == "change"]
        self.assertIn("CreateToken", operations)
        self.assertIn("GenerateKeyPair", operations)
        self.assertEqual(records[0]["event"], "start")
        text = self.lab.cli("audit", "show").stdout
        self.assertRegex(text, r"(?m)^\d+  \d{4}-\d\d-\d\dT[\d:]+Z  change  operation=GenerateKeyPair ")

    def test_pages(self):
        everything = self.lines()
        self.assertEqual(self.lines("--from", "2", "--limit", "2"), everything[1:3])
        self.assertEqual(self.lines("--from", "100000"), [])

    def test_a_whole_copy_verifies(self):
        report = json.loads(self.verify(self.lines(), "--json").stdout)
        self.assertTrue(report["whole"])
        self.assertEqual(report["records"], len(self.lines()))
        self.assertGreaterEqual(report["checkpoints"], 1)

    def test_the_daemons_own_files_verify(self):
        process = self.lab.cli("audit", "verify", self.lab.state / "audit", "--key", self.key)
        self.assertIn("whole", process.stdout)

    def test_without_the_key_it_says_what_that_proves(self):
        path = self.lab.write("copy.jsonl", "\n".join(self.lines()) + "\n")
        self.assertIn("not checked", self.lab.cli("audit", "verify", path).stdout)

    def test_tampering_is_found(self):
        lines = self.lines()
        place = next(i for i, line in enumerate(lines) if "GenerateKeyPair" in line)
        edited = lines[:place] + [lines[place].replace("GenerateKeyPair", "GenerateKeyPain")] + lines[place + 1:]
        removed = lines[:place] + lines[place + 1:]
        swapped = lines[:place - 1] + [lines[place], lines[place - 1]] + lines[place + 1:]
        doubled = lines[:place] + [lines[place]] + lines[place:]
        for what, copy in (("edited", edited), ("removed", removed), ("swapped", swapped), ("doubled", doubled),
                           ("garbage", lines + ["{"])):
            process = self.verify(copy)
            self.assertEqual(process.returncode, 1, what)
            self.assertIn("not a whole chain", process.stderr, what)

    def test_another_enclaves_key_does_not_verify(self):
        other = self.lab.dir / "other.pem"
        plain = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}
        private = self.lab.dir / "other.key"
        self.lab.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", private], env=plain)
        self.lab.run(["openssl", "pkey", "-in", private, "-pubout", "-out", other], env=plain)
        path = self.lab.write("copy.jsonl", "\n".join(self.lines()) + "\n")
        self.assertEqual(self.lab.cli("audit", "verify", path, "--key", other, check=False).returncode, 1)

    def test_files_that_are_not_there(self):
        for arguments in (["/no/such/log"], ["/no/such/log", "--key", self.key], [self.key, "--key", "/no/such.pem"]):
            process = self.lab.cli("audit", "verify", *arguments, check=False)
            self.assertEqual(process.returncode, 1)
            self.assertIn("/no/such", process.stderr)


if __name__ == "__main__":
    main()
