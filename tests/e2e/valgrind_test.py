#!/usr/bin/env python3
# ctest: TIMEOUT=900 RUN_SERIAL
"""The provider under valgrind: in openssl's commands and in nginx, whose workers are forks, no access goes wrong and nothing
of ours is lost, at exit too."""

import re
import signal
import ssl

from lab import LabTest, Nginx, child_pids, main, need, wait_until
from provider_keys import PLAIN, TOKEN, make_keys
from processes import alive

# What valgrind says of memory that is touched wrongly, and of memory that is lost.
WRONG = r"Invalid|[Uu]ninitialised|Mismatched|overlap|Process terminating with default action"
LOST = r"(definitely|possibly) lost in"
OURS = "keyclave::"
PATIENCE = 120  # seconds that a start may take, which valgrind makes some fifty times as long


def valgrind(log):
    return [need("valgrind"), "--leak-check=full", "--num-callers=40", f"--log-file={log}"]


def complaints(log):
    """The paragraphs of valgrind's log that say something is wrong with an access, or that something of ours is lost."""
    lines = re.sub(r"(?m)^==\d+== ?", "", log.read_text())
    paragraphs = re.split(r"\n\s*\n", lines)
    return [one for one in paragraphs if re.search(WRONG, one) or (re.search(LOST, one) and OURS in one)]


class NginxUnderValgrind(Nginx):
    def command(self):
        return [*valgrind(self.lab.dir / "nginx-valgrind.log"), *super().command()]

    def start(self):
        self.process = self.lab.spawn(self.command(), self.log.name, env=self.env)
        wait_until(self.ready, f"{self.name} to serve", seconds=PATIENCE, process=self.process)
        return self

    def workers(self):
        """All children: their titles stay valgrind's."""
        return child_pids(self.process.pid)

    def reload(self):
        before = self.workers()
        self.ask_to_reload()
        wait_until(lambda: not any(map(alive, before)) and self.ready(), "new workers", seconds=PATIENCE, process=self.process)


class ProviderUnderValgrind(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"rsa": "rsa:2048", "p256": "ec:p256"})
        cls.message = cls.lab.write("message", "what is signed\n")

    def path(self, name):
        return self.lab.dir / name

    def openssl(self, *arguments, check=True):
        """One of openssl's commands, of which valgrind has nothing to say."""
        log = self.path("valgrind.log")
        log.unlink(missing_ok=True)
        done = self.lab.run([*valgrind(log), need("openssl"), *arguments], check=check)
        self.assertIn("ERROR SUMMARY: 0 errors", log.read_text(), log.read_text())
        self.assertEqual(complaints(log), [])
        return done

    def test_commands(self):
        self.lab.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", self.path("rsa.pub"), "-in", self.message, "-out",
                         self.path("sealed"), env=PLAIN)
        self.openssl("dgst", "-sha256", "-sign", self.path("rsa.key"), "-out", self.path("signature"), self.message)
        self.openssl("req", "-x509", "-new", "-key", f"pkcs11:token={TOKEN};object=p256", "-subj", "/CN=x", "-out",
                     self.path("made.crt"))
        opened = self.openssl("pkeyutl", "-decrypt", "-inkey", self.path("rsa.key"), "-in", self.path("sealed"))
        self.assertEqual(opened.stdout, self.message.read_text())

    def test_commands_that_fail(self):
        sign = ("dgst", "-sha256", "-out", self.path("signature"), "-sign")
        self.assertNotEqual(self.openssl(*sign, f"pkcs11:token={TOKEN};object=none", self.message, check=False).returncode, 0)
        self.lab.stop()
        try:
            self.assertNotEqual(self.openssl(*sign, self.path("rsa.key"), self.message, check=False).returncode, 0)
        finally:
            self.lab.start_daemon()

    def test_nginx(self):
        """Handshakes, a reload, a daemon that is away and comes back, and the end, of two workers and their master."""
        nginx = NginxUnderValgrind(self.lab, workers=2)
        nginx.configure(self.path("p256.crt"), self.path("p256.key")).start()
        self.fetch(nginx, 8)
        nginx.reload()
        self.lab.stop()
        try:
            with self.assertRaises(OSError):
                self.fetch(nginx, 1)
        finally:
            self.lab.start_daemon()
        self.fetch(nginx, 8)
        nginx.process.send_signal(signal.SIGQUIT)
        self.assertEqual(nginx.process.wait(timeout=PATIENCE), 0)
        log = self.path("nginx-valgrind.log")
        self.assertEqual(complaints(log), [])
        self.assertEqual(log.read_text().count("ERROR SUMMARY"), 5)  # the master, and twice two workers

    def fetch(self, nginx, count):
        for _ in range(count):
            context = ssl.create_default_context(cafile=self.path("p256.crt"))
            with nginx.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
                nginx.talk(tls)


class TheCheckItself(LabTest):
    lab_options = {"start": False}

    def test_finds_what_is_wrong(self):
        log = self.lab.write("log", "==7== Memcheck\n==7== \n==7== Invalid read of size 8\n==7==    at 0x1: main (in /bin/x)\n==7== \n"
                             "==7== 24 bytes in 1 blocks are definitely lost in loss record 1 of 2\n==7==    at 0x1: malloc\n"
                             "==7==    by 0x2: keyclave::ossl::NewCtx(void*) (encoder.cc:1)\n==7== \n"
                             "==7== 24 bytes in 1 blocks are definitely lost in loss record 2 of 2\n==7==    at 0x1: malloc\n==7== \n"
                             "==7== LEAK SUMMARY:\n==7==    definitely lost: 48 bytes in 2 blocks\n")
        self.assertEqual([one.split()[0] for one in complaints(log)], ["Invalid", "24"])


if __name__ == "__main__":
    main()
