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
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE_DIR = pathlib.Path(os.environ.get("KEYCLAVE_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
BUILD_DIR = pathlib.Path(os.environ.get("KEYCLAVE_BUILD_DIR") or SOURCE_DIR / "build" / "release").resolve()
KEYCLAVE = BUILD_DIR / "bin" / "keyclave"
KEYCLAVED = BUILD_DIR / "bin" / "keyclaved"
PKCS11_MODULE = BUILD_DIR / "lib" / "keyclave-pkcs11.so"
PROVIDER = BUILD_DIR / "lib" / "keyclave.so"
SANITIZE = os.environ.get("KEYCLAVE_SANITIZE", "")
SANITIZER_RUNTIME = os.environ.get("KEYCLAVE_SANITIZER_RUNTIME", "")
# How much longer everything may take in a build with sanitizers.
PATIENCE = 5 if SANITIZE else 1

# Every operation for every caller that shows simulated evidence: for tests and development only.
PERMISSIVE_POLICY = """\
policy: development
version: 1
permit:
  - operations: [sign, verify, encrypt, decrypt, wrap, unwrap, derive, release, read, manage]
    when:
      tee: {is: simulated}
    allow_unattested: true
"""

# Debian package of each program that a test may need.
PACKAGES = {
    "nginx": "nginx", "curl": "curl", "openssl": "openssl", "pkcs11-tool": "opensc", "p11tool": "gnutls-bin",
    "certtool": "gnutls-bin", "gnutls-serv": "gnutls-bin", "gnutls-cli": "gnutls-bin", "p11-kit": "p11-kit",
    "softhsm2-util": "softhsm2",
}


def need(program):
    """The program's path; a test without its program fails, it does not skip."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise AssertionError(f"{program} is not installed: apt-get install {PACKAGES.get(program, program)}")
    return path


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, what, seconds=20.0, process=None):
    """Asks `condition` until it is true (its value is returned). Fails after `seconds`, or once `process` has ended."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"waiting for {what}: the process ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s in vain for {what}")
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
        else:
            time.sleep(0.02)


def alive(pid):
    """Whether a process of this id runs (a zombie does not)."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


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
        for folder in (self.config_dir, self.socket.parent, self.reports):
            folder.mkdir(parents=True, exist_ok=True)
        self.reports.chmod(0o1777)
        self.openssl_conf = self.config_dir / "openssl-keyclave.cnf"
        self.openssl_conf.write_text(
            "openssl_conf = openssl_init\n[openssl_init]\nproviders = provider_sect\n"
            "[provider_sect]\ndefault = default_sect\nkeyclave = keyclave_sect\n"
            f"[default_sect]\nactivate = 1\n[keyclave_sect]\nmodule = {PROVIDER}\nactivate = 1\n")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("KEYCLAVE_", "OPENSSL_", "SOFTHSM"))}
        self.env["KEYCLAVE_CONFIG"] = str(self.client_config)
        self.env["OPENSSL_CONF"] = str(self.openssl_conf)
        self.env.setdefault("HOME", str(self.dir))
        self.run([KEYCLAVE, "init", "--simulated", "--config-dir", self.config_dir, "--state", self.state,
                  "--socket", self.socket])
        if callable(daemon_config):
            self.config.write_text(daemon_config(self.config.read_text()))
        elif daemon_config:
            with self.config.open("a") as out:
                out.write(daemon_config)

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
            if not ours:
                env["LD_PRELOAD"] = SANITIZER_RUNTIME
            env["ASAN_OPTIONS"] = f"{common}:detect_leaks={1 if ours else 0}"
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


def end_process(process, seconds=20):
    """SIGTERM, then SIGKILL for what does not listen; returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Nginx:
    """Debian's nginx with a configuration of its own: 4 workers, ports of 127.0.0.1, every file in the lab's folder."""

    def __init__(self, lab, servers, binary=None, workers=4, name="nginx", user="www-data"):
        """`servers`: list of (port, certificate file, key file or list of such pairs, extra server lines)."""
        self.lab, self.name = lab, name
        self.binary = str(binary or need("nginx"))
        self.dir = lab.dir / name
        self.root = self.dir / "www"
        self.root.mkdir(parents=True)
        (self.root / "index.html").write_text(f"served by {name}\n")
        for folder in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.dir / folder).mkdir(mode=0o777)
            (self.dir / folder).chmod(0o777)
        self.pid_file = self.dir / "nginx.pid"
        self.error_log = self.lab.dir / f"{name}-error.log"
        self.config = self.dir / "nginx.conf"
        self.ports = [server[0] for server in servers]
        self.config.write_text(self._config_text(servers, workers, user))
        self.process = None

    def _config_text(self, servers, workers, user):
        lines = [f"worker_processes {workers};", "daemon off;", f"pid {self.pid_file};",
                 f"error_log {self.error_log} info;", "env KEYCLAVE_CONFIG;", "env OPENSSL_CONF;",
                 "env LD_PRELOAD;", "env ASAN_OPTIONS;", "env UBSAN_OPTIONS;", "env TSAN_OPTIONS;",
                 "events { worker_connections 1024; }", "http {", "  access_log off;"]
        if os.geteuid() == 0:
            lines.insert(0, f"user {user};")
        for kind, folder in (("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"),
                             ("scgi", "scgi")):
            lines.append(f"  {kind}_temp_path {self.dir / folder};")
        for port, certificate, key, *extra in servers:
            pairs = key if isinstance(key, list) else [(certificate, key)]
            lines += ["  server {", f"    listen 127.0.0.1:{port} ssl;", "    server_name localhost;"]
            for one_certificate, one_key in pairs:
                lines += [f"    ssl_certificate {one_certificate};", f"    ssl_certificate_key {one_key};"]
            lines += ["    ssl_protocols TLSv1.2 TLSv1.3;", f"    root {self.root};"]
            lines += [f"    {line}" for line in extra] + ["  }"]
        return "\n".join(lines + ["}", ""])

    def check(self):
        """`nginx -t`; the finished process."""
        return self.lab.run([self.binary, "-t", "-p", self.dir, "-c", self.config], check=False)

    def start(self):
        """Starts it and returns once every port accepts connections."""
        self.process = self.lab.spawn([self.binary, "-p", self.dir, "-c", self.config], f"{self.name}.log")
        for port in self.ports:
            wait_until(lambda port=port: accepts(port), f"{self.name} on port {port}", process=self.process)
        return self

    def workers(self):
        """Process ids of the workers that are not shutting down."""
        return [pid for pid in child_pids(self.process.pid)
                if b"shutting down" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]

    def reload(self):
        """SIGHUP; returns once other workers than before serve."""
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: (now := set(self.workers())) and not now & before and all(map(accepts, self.ports)),
                   f"new workers of {self.name}", process=self.process)

    def stop(self):
        """Ends it; returns the exit status."""
        return end_process(self.process)


def child_pids(pid):
    """Process ids of the living children of `pid`."""
    children = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid and fields[0] not in "ZX":
                    children.append(int(entry.name))
    return sorted(children)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


class LabTest(unittest.TestCase):
    """A test class with one lab for all its tests (`self.lab`); logs are printed when one fails."""

    lab_options = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(**cls.lab_options)

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

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
