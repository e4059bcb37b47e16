#!/usr/bin/env python3
"""keyclave as a stranger meets it: help, usage errors, exit codes, --json errors, no colour in pipes."""

import json

from lab import KEYCLAVE, LabTest, main

COMMANDS = ["init", "dev", "run", "status", "doctor", "drain", "backup", "token", "apply", "secret", "owner", "request",
            "key", "cert", "policy", "set", "approve", "approvals", "revoke", "explain", "evidence", "audit", "store",
            "replica", "upgrade", "kbs"]


class Usage(LabTest):
    def keyclave(self, *arguments, **more):
        return self.lab.run([KEYCLAVE, *arguments], check=False, **more)

    def test_help_lists_every_command(self):
        process = self.keyclave("--help")
        self.assertEqual(process.returncode, 0)
        for command in COMMANDS:
            self.assertRegex(process.stdout, rf"(?m)^  {command} ")
            one = self.keyclave(command, "--help")
            self.assertEqual(one.returncode, 0, command)
            self.assertIn("--help", one.stdout, command)

    def test_version(self):
        self.assertRegex(self.keyclave("--version").stdout, r"^keyclave \d+\.\d+\.\d+\n$")

    def test_usage_errors_end_with_2(self):
        for arguments in ([], ["nonsense"], ["token"], ["token", "create"], ["status", "--no-such-option"], ["key", "show"],
                          ["key", "generate", "--label", "x", "--type", "rsa:1024"], ["status", "--", "true"],
                          ["key", "generate", "--label", "x", "--type", "ec:p256", "--id", "0g"], ["run"],
                          ["evidence", "measure"], ["explain", "x", "--operation", "fly"]):
            process = self.keyclave(*arguments)
            self.assertEqual(process.returncode, 2, (arguments, process.stderr))
            self.assertIn("keyclave: ", process.stderr)
            self.assertEqual(process.stdout, "")

    def test_unreachable_ends_with_3_and_says_how_to_start(self):
        config = self.lab.write("nowhere.yaml", self.lab.client_config.read_text().replace(
            str(self.lab.socket), str(self.lab.dir / "nobody.sock")))
        process = self.keyclave("status", env={"KEYCLAVE_CONFIG": str(config)})
        self.assertEqual(process.returncode, 3, process.stderr)
        self.assertIn("keyclaved", process.stderr)
        self.assertIn("->", process.stderr)

    def test_refusals_end_with_1(self):
        process = self.keyclave("key", "list", "--token", "no such token")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("no such token", process.stderr)

    def test_errors_as_json(self):
        process = self.keyclave("key", "list", "--token", "absent", "--json")
        self.assertEqual(process.returncode, 1)
        self.assertEqual(process.stdout, "")
        error = json.loads(process.stderr)["error"]
        self.assertEqual(error["name"], "TokenNotFound")
        self.assertEqual(error["number"], 1000)
        self.assertIn("absent", error["message"])
        usage = self.keyclave("--json", "nonsense")
        self.assertEqual(usage.returncode, 2)
        self.assertIn("error", json.loads(usage.stderr))

    def test_missing_configuration_says_how_to_make_one(self):
        process = self.keyclave("status", "--config", "/no/such/client.yaml")
        self.assertEqual(process.returncode, 1)
        self.assertIn("/no/such/client.yaml", process.stderr)
        self.assertIn("keyclave init", process.stderr)

    def test_bad_configuration_names_file_line_and_key(self):
        text = self.lab.client_config.read_text()
        for bad, expected in ((text + "colour: red\n", "colour"), (text + "deadline: 5s\n", "deadline"),
                              (text.replace("deadline: 5s", "deadline: soon"), "deadline")):
            config = self.lab.write("bad.yaml", bad)
            process = self.keyclave("status", "--config", config)
            self.assertEqual(process.returncode, 1)
            self.assertRegex(process.stderr, rf"bad\.yaml:\d+: .*{expected}")

    def test_no_colour_in_a_pipe(self):
        self.assertNotIn("\x1b", self.keyclave("status", env={"TERM": "xterm"}).stdout)

    def test_labels_cannot_steer_the_terminal(self):
        self.lab.make_token("esc\x1b[2J")
        self.assertNotIn("\x1b", self.keyclave("token", "list").stdout)
        self.assertIn("esc\\x1b[2J", self.keyclave("token", "list").stdout)
        self.lab.cli("token", "delete", "esc\x1b[2J", "--yes")


class Status(LabTest):
    def test_says_simulated_loudly(self):
        text = self.lab.cli("status").stdout
        self.assertIn("SIMULATED ENCLAVE", text.splitlines()[0])

    def test_tells_programs_the_same(self):
        status = self.lab.cli("status", json=True)
        self.assertTrue(status["simulated"])
        self.assertEqual(status["tee"], "simulated")
        self.assertRegex(status["enclave"], "^[0-9a-f]{32}$")
        self.assertTrue(any("SIMULATED" in warning for warning in status["warnings"]))
        self.assertIn("measurement", {claim["name"] for claim in status["evidence"]})
        self.assertGreaterEqual(status["operations"]["Status"], 1)

    def test_counts_tokens_and_operations(self):
        before = self.lab.cli("status", json=True)
        self.lab.make_token("counted")
        self.lab.cli("key", "generate", "--token", "counted", "--type", "ec:p256", "--label", "k")
        after = self.lab.cli("status", json=True)
        self.assertEqual(after["tokens"], before["tokens"] + 1)
        self.assertEqual(after["objects"], before["objects"] + 2)
        self.assertEqual(after["operations"]["GenerateKeyPair"], before["operations"].get("GenerateKeyPair", 0) + 1)
        self.assertGreater(after["epoch"], before["epoch"])


if __name__ == "__main__":
    main()
