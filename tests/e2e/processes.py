"""Programs, processes, ports: what the laboratory and its servers are made of."""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import time

SOURCE_DIR = pathlib.Path(os.environ.get("KEYCLAVE_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
# What the build was made with: "", "address,undefined" or "thread"; and the runtime that programs of others must preload.
SANITIZE = os.environ.get("KEYCLAVE_SANITIZE", "")
SANITIZER_RUNTIME = os.environ.get("KEYCLAVE_SANITIZER_RUNTIME", "")
# How much longer everything may take in a build with sanitizers.
PATIENCE = 5 if SANITIZE else 1

# Debian package of each program that a test may need.
PACKAGES = {
    "nginx": "nginx", "curl": "curl", "openssl": "openssl", "pkcs11-tool": "opensc", "p11tool": "gnutls-bin",
    "certtool": "gnutls-bin", "gnutls-serv": "gnutls-bin", "gnutls-cli": "gnutls-bin", "p11-kit": "p11-kit",
    "softhsm2-util": "softhsm2", "swtpm": "swtpm", "swtpm_setup": "swtpm-tools", "qemu-system-x86_64": "qemu-system-x86",
    "socat": "socat", "cpio": "cpio", "mkfs.ext4": "e2fsprogs", "strip": "binutils",
    "ldd": "libc-bin", "ldconfig": "libc-bin", "haproxy": "haproxy", "apache2": "apache2-bin", "stunnel4": "stunnel4",
    "node": "nodejs", "protoc": "protobuf-compiler", "postgres": "postgresql", "valgrind": "valgrind", "setpriv": "util-linux",
    "swtpm_localca": "swtpm-tools", "etcd": "etcd-server", "cryptsetup": "cryptsetup-bin",
    **dict.fromkeys(("jar", "jarsigner", "java", "javac", "keytool"), "default-jdk-headless"),
    **dict.fromkeys(("ssh", "ssh-add", "ssh-agent", "ssh-keygen"), "openssh-client"), "sshd": "openssh-server",
    **dict.fromkeys(("certutil", "cmsutil", "modutil", "pk12util", "selfserv"), "libnss3-tools"),
    **dict.fromkeys(("tpm2_createprimary", "tpm2_evictcontrol", "tpm2_flushcontext", "tpm2_pcrextend", "tpm2_readpublic"),
                    "tpm2-tools"),
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


def state(pid):
    """The letter that proc(5) has for a process: R, S, T, Z …; X if there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    return text.rpartition(")")[2].split()[0]


def alive(pid):
    """Whether a process of this id runs (a zombie does not)."""
    return state(pid) not in "ZX"


def catches(pid, number):
    """Whether the process has a handler for the signal."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"^SigCgt:\s*(\w+)$", status, re.M).group(1), 16) >> (number - 1) & 1)


class Adopted:
    """A process that somebody else has started, with the part of subprocess.Popen that tests use; its exit status is not
    ours to know and counts as 0."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None
        self._ended = select.poll()
        self._ended.register(os.pidfd_open(pid), select.POLLIN)

    def poll(self):
        return self._wait(0)

    def wait(self, timeout=None):
        if self._wait(None if timeout is None else int(timeout * 1000)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode

    def _wait(self, milliseconds):
        if self.returncode is None and self._ended.poll(milliseconds):
            self.returncode = 0
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


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
