#!/usr/bin/env python3
"""keyclave token: create, list, delete; PINs from files only."""

from lab import KEYCLAVE, PERMISSIVE_POLICY, LabTest, main


class Token(LabTest):
    def refused(self, *arguments, code=1):
        process = self.lab.cli(*arguments, check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def labels(self):
        return [token["label"] for token in self.lab.cli("token", "list", json=True)["tokens"]]

    def test_create_list_delete(self):
        token = self.lab.make_token("a")
        self.assertRegex(token["serial"], "^[0-9a-f]{16}$")
        self.assertEqual((token["user_pin"], token["so_pin"], token["default_policy"]), (False, False, "development"))
        self.assertIn("a", self.labels())
        self.assertRegex(self.lab.cli("token", "list").stdout, r"(?m)^a +[0-9a-f]{16} ")
        self.lab.cli("token", "delete", "a", "--yes")
        self.assertNotIn("a", self.labels())

    def test_without_a_policy_the_daemons_default_governs(self):
        self.assertEqual(self.lab.cli("token", "create", "plain", json=True)["default_policy"], "default")

    def test_pins_come_from_files(self):
        token = self.lab.make_token("pins", pin="123456", so_pin="87654321")
        self.assertTrue(token["user_pin"] and token["so_pin"])
        self.assertRegex(self.lab.cli("token", "list").stdout, r"(?m)^pins .*set, \d+ tries +set, \d+ tries +operators$")

    def test_a_pin_from_standard_input(self):
        so_pin = self.lab.write("so-pin", "87654321\n", 0o600)
        token = self.lab.cli("token", "create", "stdin", "--so-pin-file", so_pin, "--pin-file", "-", json=True, input="4711-4711\n")
        self.assertTrue(token["user_pin"])

    def test_a_pin_that_nobody_can_be_asked_for(self):
        process = self.lab.run([KEYCLAVE, "token", "create", "ask", "--ask-so-pin"], check=False, start_new_session=True)
        self.assertEqual(process.returncode, 2)
        self.assertIn("no terminal", process.stderr)
        self.assertNotIn("ask", self.labels())

    def test_no_option_takes_a_pin(self):
        self.assertIn("--pin", self.refused("token", "create", "x", "--pin", "123456", code=2))

    def test_an_empty_pin_file(self):
        empty = self.lab.write("empty", "\n")
        self.assertIn("empty", self.refused("token", "create", "x", "--so-pin-file", empty, code=2))

    def test_a_user_pin_needs_a_security_officer(self):
        pin = self.lab.write("pin", "123456\n", 0o600)
        self.assertIn("SO PIN", self.refused("token", "create", "x", "--pin-file", pin, code=2))

    def test_a_label_twice(self):
        self.lab.make_token("twice")
        self.assertIn("exists", self.refused("token", "create", "twice"))

    def test_labels_that_do_not_fit(self):
        self.refused("token", "create", "x" * 33, code=2)
        self.lab.cli("token", "create", "x" * 32)

    def test_a_bad_policy_names_its_line(self):
        policy = self.lab.write("bad.yaml", PERMISSIVE_POLICY.replace("when:", "whenever:"))
        self.assertRegex(self.refused("token", "create", "x", "--policy", policy), r"bad\.yaml:4: .*when")

    def test_delete_asks_and_needs_an_answer(self):
        self.lab.make_token("kept")
        self.assertIn("--yes", self.refused("token", "delete", "kept", code=2))
        self.assertIn("kept", self.labels())

    def test_delete_of_none_and_of_a_nameless_one(self):
        self.assertIn("absent", self.refused("token", "delete", "absent", "--yes"))
        before = self.labels()
        self.refused("token", "delete", "", "--yes", code=2)
        self.assertEqual(self.labels(), before)


if __name__ == "__main__":
    main()
