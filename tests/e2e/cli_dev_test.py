#!/usr/bin/env python3
"""keyclave dev and keyclave run: programs find the enclave; whatever ends them, nothing is left."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from lab import KEYCLAVE, PATIENCE, PKCS11_MODULE, PROVIDER, Lab, alive, main, wait_until


class Dev(unittest.TestCase):
    def setUp(self):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-devtest."))
        self.tmp.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.tmp, ignore_errors=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("KEYCLAVE_", "OPENSSL_"))}
        self.env["TMPDIR"] = str(self.tmp)

    def dev(self, *arguments):
        return subprocess.run([KEYCLAVE, "dev", *arguments], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120 * PATIENCE, check=False)

    def start(self, *arguments):
        """keyclave dev in the background; its output is read up to the end of the first JSON document."""
        process = subprocess.Popen([KEYCLAVE, "dev", "--json", *arguments], env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.reap, process)
        text = ""
        for line in process.stdout:
            text += line
            if line == "}\n":
                break
        self.assertTrue(text, "keyclave dev said nothing")
        return process, json.loads(text)

    def reap(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def assert_nothing_is_left(self, daemon):
        wait_until(lambda: not alive(daemon), "the daemon to end")
        self.assertEqual(list(self.tmp.glob("keyclave-dev.*")), [])

    def test_runs_a_command_and_returns_its_exit_code(self):
        process = self.dev("--", "sh", "-c", "echo $KEYCLAVE_TOKEN; exit 42")
        self.assertEqual(process.returncode, 42, process.stderr)
        self.assertEqual(process.stdout, "dev\n")
        self.assertIn("SIMULATED", process.stderr)
        self.assertIn("allow_unattested", process.stderr)
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_a_command_that_a_signal_ends(self):
        self.assertEqual(self.dev("--", "sh", "-c", "kill -9 $$").returncode, 128 + 9)

    def test_a_command_that_is_not_there(self):
        process = self.dev("--", "no-such-program-anywhere")
        self.assertEqual(process.returncode, 1)
        self.assertIn("no-such-program-anywhere", process.stderr)
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_the_environment(self):
        process = self.dev("--token", "t", "--", "env")
        variables = dict(line.split("=", 1) for line in process.stdout.splitlines() if "=" in line)
        self.assertEqual(variables["KEYCLAVE_PKCS11_MODULE"], str(PKCS11_MODULE))
        self.assertEqual(variables["KEYCLAVE_PROVIDER"], str(PROVIDER))
        self.assertEqual(variables["KEYCLAVE_TOKEN"], "t")
        self.assertTrue(variables["KEYCLAVE_CONFIG"].endswith("/client.yaml"))
        self.assertTrue(variables["OPENSSL_CONF"].endswith("/openssl.cnf"))
        self.assertIn(str(KEYCLAVE.parent), variables["PATH"].split(":"))

    def test_keyclave_works_inside(self):
        process = self.dev("--", "sh", "-c", "keyclave key generate --type ec:p256 --label k >&2 && keyclave key list --json")
        self.assertEqual(process.returncode, 0, process.stderr)
        listed = json.loads(process.stdout)
        self.assertEqual([o["label"] for o in listed["objects"]], ["k"])
        self.assertEqual(listed["objects"][0]["type"], "EC P-256")
        self.assertEqual(listed["objects"][0]["policy"], "development")

    def test_pins(self):
        process = self.dev("--token", "t", "--pin", "123456", "--so-pin", "12345678", "--", "keyclave", "token", "list", "--json")
        token = json.loads(process.stdout)["tokens"][0]
        self.assertEqual((token["label"], token["user_pin"], token["so_pin"]), ("t", True, True))
        self.assertNotIn("123456", process.stderr)

    def test_ctrl_c_and_termination_clean_up(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process, said = self.start()
                self.assertTrue(alive(said["daemon"]))
                self.assertTrue(pathlib.Path(said["directory"]).is_dir())
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60 * PATIENCE), 0)
                self.assert_nothing_is_left(said["daemon"])

    def test_the_daemon_does_not_outlive_it(self):
        process, said = self.start()
        process.kill()
        process.wait()
        wait_until(lambda: not alive(said["daemon"]), "the daemon to end")

    def test_a_daemon_that_dies_is_told(self):
        process, said = self.start()
        os.kill(said["daemon"], signal.SIGKILL)
        self.assertEqual(process.wait(timeout=60 * PATIENCE), 3)
        self.assertIn("keyclaved has ended", process.stderr.read())
        self.assert_nothing_is_left(said["daemon"])

    def test_a_signal_reaches_the_command(self):
        # bash runs a trap between two commands.
        script = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
        process = subprocess.Popen([KEYCLAVE, "dev", "--", "bash", "-c", script], env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.reap, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.terminate()
        self.assertEqual(process.stdout.readline(), "caught\n")
        self.assertEqual(process.wait(timeout=60 * PATIENCE), 7)
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_a_given_directory_is_kept_and_can_be_used_again(self):
        folder = self.tmp / "mine"
        made = self.dev("--dir", folder, "--", "keyclave", "key", "generate", "--type", "ec:p256", "--label", "k")
        self.assertEqual(made.returncode, 0, made.stderr)
        again = self.dev("--dir", folder, "--", "keyclave", "key", "list", "--json")
        self.assertEqual([o["label"] for o in json.loads(again.stdout)["objects"]], ["k"])
        self.assertIn("is kept", again.stderr)

    def test_one_directory_serves_one_at_a_time(self):
        folder = self.tmp / "mine"
        process, _ = self.start("--dir", folder)
        second = self.dev("--dir", folder, "--", "true")
        self.assertEqual(second.returncode, 3, second.stderr)
        self.assertIn("keyclaved did not start", second.stderr)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60 * PATIENCE), 0)

    def test_export_lines_are_fit_for_a_shell(self):
        process = subprocess.Popen([KEYCLAVE, "dev"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.reap, process)
        lines = [process.stdout.readline() for _ in range(5)]
        self.assertTrue(all(line.startswith("export ") for line in lines), lines)
        shell = subprocess.run(["sh", "-c", "".join(lines) + f"exec {KEYCLAVE} token list --json"], env=self.env,
                               capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
        self.assertEqual(json.loads(shell.stdout)["tokens"][0]["label"], "dev", shell.stderr)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60 * PATIENCE), 0)


class Run(unittest.TestCase):
    def test_becomes_the_program_with_everything_configured(self):
        with Lab() as lab:
            env = {"OPENSSL_CONF": ""}
            process = lab.run([KEYCLAVE, "run", "--token", "edge", "--", "env"], env=env)
            variables = dict(line.split("=", 1) for line in process.stdout.splitlines() if "=" in line)
            self.assertEqual(variables["KEYCLAVE_CONFIG"], str(lab.client_config))
            self.assertEqual(variables["OPENSSL_CONF"], str(lab.config_dir / "openssl.cnf"))
            self.assertEqual(variables["KEYCLAVE_TOKEN"], "edge")
            code = lab.run([KEYCLAVE, "run", "--", "sh", "-c", "exit 9"], check=False, env=env).returncode
            self.assertEqual(code, 9)
            (lab.config_dir / "openssl.cnf").unlink()
            missing = lab.run([KEYCLAVE, "run", "--", "true"], check=False, env=env)
            self.assertEqual(missing.returncode, 1)
            self.assertIn("keyclave init", missing.stderr)


if __name__ == "__main__":
    main()
