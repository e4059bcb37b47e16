"""A laboratory for end-to-end tests: a real keyclaved with a throw-away simulated enclave, and the real programs that use it.

    with Lab() as lab:
        lab.make_token("web", pin="123456")
        lab.cli("key", "generate", "--token", "web", ...)

A Lab owns a temporary folder and every process that it started; leaving the `with` ends them by their ids. Nothing waits
for time to pass: readiness is a condition that is asked for. Standard library only.
"""

import contextlib
import json as json_module
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from nginx import Nginx
from processes import (PATIENCE, SANITIZER_RUNTIME, SOURCE_DIR, accepts, alive, child_pids, end_process, free_port,
                       is_socket, need, wait_until)

# Tests take all they need from here.
__all__ = ["BUILD_DIR", "KEYCLAVE", "KEYCLAVED", "PATIENCE", "PERMISSIVE_POLICY", "PKCS11_MODULE", "PROVIDER", "SOURCE_DIR",
           "CommandFailed", "Lab", "LabTest", "Nginx", "accepts", "alive", "child_pids", "end_process", "free_port",
           "is_socket", "main", "need", "wait_until"]

BUILD_DIR = pathlib.Path(os.environ.get("KEYCLAVE_BUILD_DIR") or SOURCE_DIR / "build" / "release").resolve()
KEYCLAVE = BUILD_DIR / "bin" / "keyclave"
KEYCLAVED = BUILD_DIR / "bin" / "keyclaved"
PKCS11_MODULE = BUILD_DIR / "lib" / "keyclave-pkcs11.so"
PROVIDER = BUILD_DIR / "lib" / "keyclave.so"

# Every operation for every caller that shows simulated evidence: for tests and development only.
PERMISSIVE_POLICY = """\
policy: development
version: 1
permit:
  - operations: [sign, verify, encrypt, decrypt, wrap, unwrap, derive, release, read, manage, encapsulate, decapsulate]
    when:
      tee: {is: simulated}
    allow_unattested: true
"""


class CommandFailed(AssertionError):
    """A command that had to succeed did not; carries the finished process as `.process`."""

    def __init__(self, process):
        self.process = process
        super().__init__(f"{process.args} ended with {process.returncode}\n--- stdout\n{process.stdout}\n"
                         f"--- stderr\n{process.stderr}")


class Lab:
    """One enclave, its daemon, and an environment in which programs find it."""

    def __init__(self, start=True, daemon_config=None):
        """`daemon_config`: lines appended to keyclaved.yaml, or a function text -> text."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-lab."))
        self.dir.chmod(0o755)  # nginx workers are another user
        self.config_dir = self.dir / "etc"
        self.state = self.dir / "state"
        self.socket = self.dir / "run" / "keyclaved.sock"
        self.config = self.config_dir / "keyclaved.yaml"
        self.client_config = self.config_dir / "client.yaml"
        self.daemon_log = self.dir / "keyclaved.log"
        self.reports = self.dir / "sanitizer"
        self.daemon = None
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(shutil.rmtree, self.dir, ignore_errors=True)
        try:
            self._prepare(daemon_config)
            if start:
                self.start_daemon()
        except BaseException:
            self.print_logs()
            self.close()
            raise

    def _prepare(self, daemon_config):
        self._prepare_environment()
        self.run([KEYCLAVE, "init", "--simulated", "--config-dir", self.config_dir, "--state", self.state,
                  "--socket", self.socket])
        if os.geteuid() != 0:  # whose locked memory is limited
            text = self.config.read_text()
            self.config.write_text(text.replace("allow_unlocked_memory: false", "allow_unlocked_memory: true"))
        if callable(daemon_config):
            self.config.write_text(daemon_config(self.config.read_text()))
        elif daemon_config:
            with self.config.open("a") as out:
                out.write(daemon_config)

    def _prepare_environment(self):
        for folder in (self.config_dir, self.socket.parent, self.reports):
            folder.mkdir(parents=True, exist_ok=True)
        self.reports.chmod(0o1777)
        self.openssl_conf = self.config_dir / "openssl.cnf"  # keyclave init writes it
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("KEYCLAVE_", "OPENSSL_", "SOFTHSM"))}
        self.env["KEYCLAVE_BUILD_DIR"] = str(BUILD_DIR)  # of tests that are programs of their own
        self.env["KEYCLAVE_CONFIG"] = str(self.client_config)
        self.env["OPENSSL_CONF"] = str(self.openssl_conf)
        self.env.setdefault("HOME", str(self.dir))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.print_logs()
        self.close()
        return False

    def close(self):
        """Ends everything; raises if a sanitizer has reported anything."""
        try:
            self.stop()
            found = self.sanitizer_reports()
        finally:
            self._cleanup.close()
        if found:
            raise AssertionError("sanitizer reports:\n" + found)

    def on_close(self, function, *arguments):
        """Calls function(*arguments) when the lab closes, last come first."""
        self._cleanup.callback(function, *arguments)

    # ---- programs ----

    def foreign_env(self, command):
        """The environment for a command: under sanitizers, programs that we did not build get the runtime preloaded."""
        env = dict(self.env)
        if SANITIZER_RUNTIME:
            common = f"log_path={self.reports}/report"
            ours = str(command).startswith(str(BUILD_DIR))
            if not ours and not str(command).endswith(("/curl", "/sshd")):  # which load no module of ours
                env["LD_PRELOAD"] = SANITIZER_RUNTIME
            env["ASAN_OPTIONS"] = (f"{common}:detect_leaks=1" if ours else
                                   f"{common}:detect_leaks=0:suppressions={SOURCE_DIR}/tests/asan.supp")
            env["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1"
            env["TSAN_OPTIONS"] = (f"{common}:die_after_fork=0:suppressions={SOURCE_DIR}/tests/tsan.supp"
                                   + ("" if ours else ":ignore_noninstrumented_modules=1"))
        return env

    def run(self, command, check=True, input=None, env=None, text=True, timeout=120, **more):
        """Runs a command in the lab's environment (`env` is added) with its output captured. Returns the finished process."""
        command = [str(part) for part in command]
        full_env = self.foreign_env(command[0])
        full_env.update(env or {})
        if input is None:
            more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.run(command, input=input, env=full_env, text=text, capture_output=True,
                                 timeout=timeout * PATIENCE, cwd=more.pop("cwd", self.dir), check=False, **more)
        if check and process.returncode != 0:
            raise CommandFailed(process)
        return process

    def spawn(self, command, log, env=None, **more):
        """Starts a command whose output goes to the file `log` in the lab's folder; it is ended when the lab closes."""
        command = [str(part) for part in command]
        full_env = self.foreign_env(command[0])
        full_env.update(env or {})
        with open(self.dir / log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env=full_env, cwd=more.pop("cwd", self.dir), **more)
        self.on_close(end_process, process)
        return process

    def cli(self, *arguments, json=False, check=True, input=None, env=None):
        """Runs `keyclave …`. With json=True `--json` is added and the parsed answer returned; else the finished process."""
        command = [KEYCLAVE, *arguments] + (["--json"] if json else [])
        process = self.run(command, check=check, input=input, env=env)
        return json_module.loads(process.stdout) if json else process

    # ---- the daemon ----

    def start_daemon(self):
        """Starts keyclaved and returns once it answers `keyclave status`."""
        assert self.daemon is None or self.daemon.poll() is not None, "a daemon is running already"
        with self.daemon_log.open("ab") as out:
            self.daemon = subprocess.Popen([str(KEYCLAVED), "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                           stdout=out, stderr=subprocess.STDOUT, env=self.foreign_env(KEYCLAVED),
                                           cwd=self.dir)
        wait_until(lambda: self.cli("status", check=False).returncode == 0, "keyclaved to answer", process=self.daemon)

    def kill_daemon(self, how=signal.SIGKILL):
        """Sends the signal and waits for the end; returns the daemon's exit status (negative: the signal's number)."""
        self.daemon.send_signal(how)
        return self.daemon.wait(timeout=30 * PATIENCE)

    def stop(self):
        """Asks the daemon to end (SIGTERM) and waits. Fails if it ends with an error of its own."""
        if self.daemon is None or self.daemon.poll() is not None:
            return
        status = end_process(self.daemon)
        if status not in (0, -signal.SIGTERM):
            raise AssertionError(f"keyclaved ended with {status}:\n{self.log_text()}")

    def log_text(self):
        return self.daemon_log.read_text(errors="replace") if self.daemon_log.exists() else ""

    def sanitizer_reports(self):
        if not self.reports.is_dir():
            return ""
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')}" for p in sorted(self.reports.iterdir()))

    def print_logs(self):
        for path in sorted(self.dir.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            print(f"--- {path.name} ({len(lines)} lines, the last 60)", *lines[-60:], sep="\n", file=sys.stderr)
        print(self.sanitizer_reports(), file=sys.stderr)

    # ---- what most tests begin with ----

    def write(self, name, text, mode=0o644):
        """A file in the lab's folder."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def make_token(self, label, policy=PERMISSIVE_POLICY, pin=None, so_pin=None):
        """A token under this policy; with PINs if they are given. Returns its description."""
        command = ["token", "create", label, "--policy", self.write(f"policy-{label}.yaml", policy)]
        if so_pin is not None:
            command += ["--so-pin-file", self.write(f"so-pin-{label}", so_pin + "\n", 0o600)]
        if pin is not None:
            command += ["--pin-file", self.write(f"pin-{label}", pin + "\n", 0o600)]
        return self.cli(*command, json=True)

    def pkcs11_tool(self, *arguments, check=True, **more):
        return self.run([need("pkcs11-tool"), "--module", PKCS11_MODULE, *arguments], check=check, **more)

    def openssl(self, *arguments, check=True, **more):
        return self.run([need("openssl"), *arguments], check=check, **more)


class LabTest(unittest.TestCase):
    """A test class with one lab for all its tests (`self.lab`); logs are printed when one fails."""

    lab_options = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(**cls.lab_options)
        cls.addClassCleanup(cls.lab.close)  # also when the rest of a setUpClass fails

    def run(self, result=None):
        def bad():
            return len(result.failures) + len(result.errors) if result else 0
        before = bad()
        outcome = super().run(result)
        if bad() > before and getattr(self, "lab", None):
            print(f"--- {self.id()} failed; logs of its lab:", file=sys.stderr)
            self.lab.print_logs()
        return outcome


def main():
    """What every test file ends with."""
    for program in (KEYCLAVE, KEYCLAVED):
        if not program.exists():
            sys.exit(f"{program} is not built: ./run build")
    unittest.main(module="__main__", verbosity=2)
