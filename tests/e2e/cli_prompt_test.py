#!/usr/bin/env python3
"""Questions on a terminal: PINs without echo, confirmations, and a terminal that is itself again afterwards."""

import os
import pty
import termios
import unittest

from lab import KEYCLAVE, PATIENCE, LabTest, main, wait_until


def has_terminals():
    try:
        for fd in os.openpty():
            os.close(fd)
        return True
    except OSError:
        return False


class Terminal:
    """A keyclave on a terminal of its own: what it shows is collected, what is typed is sent."""

    def __init__(self, lab, *arguments, env=None):
        words = [str(KEYCLAVE), *map(str, arguments)]
        environment = {**lab.foreign_env(words[0]), "TERM": "xterm", **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, environment)
        self.shown = ""
        os.set_blocking(self.fd, False)

    def _read(self):
        try:
            self.shown += os.read(self.fd, 4096).decode()
        except (BlockingIOError, OSError):  # EIO: the program has ended
            pass
        return self.shown

    def expect(self, text):
        wait_until(lambda: text in self._read(), f"{text!r} on the terminal, which shows {self.shown!r}")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Waits for the end; returns the exit code."""
        def ended():
            self._read()
            pid, self.status = os.waitpid(self.pid, os.WNOHANG)
            return pid == self.pid
        wait_until(ended, "keyclave to end", seconds=60 * PATIENCE)
        self._read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(self.status)


@unittest.skipUnless(has_terminals(), "no terminals here: /dev/pts is not mounted")
class Prompt(LabTest):
    def tokens(self):
        return {token["label"]: token for token in self.lab.cli("token", "list", json=True)["tokens"]}

    def test_pins_are_asked_twice_and_not_shown(self):
        terminal = Terminal(self.lab, "token", "create", "asked", "--ask-so-pin", "--ask-pin")
        terminal.expect("New security officer PIN: ")
        wait_until(lambda: not terminal.echoes(), "the echo to be off")
        terminal.type("so-secret\n")
        terminal.expect("New security officer PIN again: ")
        terminal.type("so-secret\n")
        terminal.expect("New PIN: ")
        terminal.type("user-wrong\x15user-secrex\x7ft\r")  # Ctrl-U and backspace mend what was typed
        terminal.expect("New PIN again: ")
        terminal.type("user-secret\n")
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertNotIn("secre", terminal.shown)
        self.assertTrue(self.tokens()["asked"]["user_pin"])
        pin = self.lab.write("pin", "user-secret\n", 0o600)
        self.lab.cli("key", "generate", "--token", "asked", "--type", "ec:p256", "--label", "k", "--pin-file", pin)

    def test_two_that_differ(self):
        terminal = Terminal(self.lab, "token", "create", "differ", "--ask-so-pin")
        terminal.expect("PIN: ")
        terminal.type("so-secret\n")
        terminal.expect("again: ")
        terminal.type("so-secres\n")
        self.assertEqual(terminal.end(), 2)
        self.assertIn("differ", terminal.shown)
        self.assertNotIn("differ", self.tokens())

    def test_giving_up_restores_the_terminal(self):
        for key in ("\x03", "\x04"):
            terminal = Terminal(self.lab, "token", "create", "never", "--ask-so-pin")
            terminal.expect("PIN: ")
            terminal.type("half" + key)
            terminal.expect("was given")
            self.assertTrue(terminal.echoes())
            self.assertEqual(terminal.end(), 2)
        self.assertNotIn("never", self.tokens())

    def test_the_pin_of_a_token_is_asked_when_it_is_needed(self):
        self.lab.make_token("guarded", pin="123456", so_pin="87654321")
        terminal = Terminal(self.lab, "key", "generate", "--token", "guarded", "--type", "ec:p256", "--label", "k")
        terminal.expect("PIN of token guarded: ")
        terminal.type("123456\n")
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertNotIn("123456", terminal.shown)

    def test_a_passphrase_is_asked(self):
        passphrase = self.lab.write("passphrase", "open sesame\n", 0o600)
        path = self.lab.dir / "encrypted.pem"
        self.lab.run(["openssl", "genpkey", "-algorithm", "RSA", "-aes-256-cbc", "-pass", f"file:{passphrase}", "-out", path],
                     env={"OPENSSL_CONF": "/etc/ssl/openssl.cnf"})
        self.lab.make_token("import")
        terminal = Terminal(self.lab, "key", "import", "--token", "import", "--label", "k", path)
        terminal.expect("passphrase of ")
        terminal.type("open sesame\n")
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertNotIn("sesame", terminal.shown)

    def test_deletion_wants_a_yes(self):
        self.lab.make_token("doomed")
        for answer, code in (("no", 1), ("y", 1), ("", 1), ("yes", 0)):
            terminal = Terminal(self.lab, "token", "delete", "doomed")
            terminal.expect("Type yes: ")
            terminal.type(answer + "\n")
            self.assertEqual(terminal.end(), code, terminal.shown)
            self.assertEqual("doomed" in self.tokens(), code == 1)

    def test_a_weaker_policy_wants_a_yes(self):
        self.lab.make_token("asked-of")
        weaker = self.lab.write("weaker.yaml", self.lab.cli("policy", "show", "--token", "asked-of").stdout.replace(
            "version: 1", "version: 2").replace("permit:", "permit:\n  - operations: [sign]\n    when: {peer.uid: {is: 4711}}\n"
                                                           "    allow_unattested: true", 1))
        for answer, code in (("no", 1), ("yes", 0)):
            terminal = Terminal(self.lab, "policy", "apply", "--token", "asked-of", weaker)
            terminal.expect("a new permit")
            terminal.expect("Type yes: ")
            terminal.type(answer + "\n")
            self.assertEqual(terminal.end(), code, terminal.shown)
            listed = self.lab.cli("policy", "list", "--token", "asked-of", json=True)["policies"]
            self.assertEqual([policy["version"] for policy in listed], [2 - code])

    def test_colour_on_a_terminal_unless_it_is_unwanted(self):
        coloured = Terminal(self.lab, "status")
        self.assertEqual(coloured.end(), 0)
        self.assertIn("\x1b[", coloured.shown)
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = Terminal(self.lab, "status", env=env)
            self.assertEqual(plain.end(), 0)
            self.assertNotIn("\x1b[", plain.shown)


if __name__ == "__main__":
    main()
