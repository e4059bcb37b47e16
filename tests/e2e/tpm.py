"""A TPM in software for a test: swtpm with its state, ports and certificate authority of its own.

    with SoftTpm() as tpm:
        tpm.tcti   # "swtpm:host=127.0.0.1,port=…"
        tpm.root   # the root that its maker's certificates end in, PEM
"""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from processes import end_process, free_port, need, wait_until

SHA256_ZERO = "0" * 64
CONFIG = """\
create_certs_tool = {localca}
create_certs_tool_config = {dir}/localca.conf
create_certs_tool_options = {dir}/localca.options
active_pcr_banks = sha256
"""
LOCALCA = """\
statedir = {dir}/ca
signingkey = {dir}/ca/signkey.pem
issuercert = {dir}/ca/issuercert.pem
certserial = {dir}/ca/certserial
"""
LOCALCA_OPTIONS = """\
--platform-manufacturer Keyclave
--platform-version 1
--platform-model tests
"""


class SoftTpm:
    """`ek`: what endorsement keys it is born with: "rsa" alone, or "ecc" beside it (P-384)."""

    def __init__(self, ek="rsa", ca=None):
        self._cleanup = contextlib.ExitStack()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-tpm."))
        self._cleanup.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.process = None
        self.ca = ca.ca if ca else self.dir / "ca"
        try:
            self._manufacture(ek)
            self.start()
        except BaseException:
            self.close()
            raise

    def _manufacture(self, ek):
        (self.dir / "state").mkdir()
        self.ca.mkdir(exist_ok=True)
        places = {"dir": self.ca.parent, "localca": need("swtpm_localca")}
        (self.dir / "setup.conf").write_text(CONFIG.format(**places))
        (self.ca.parent / "localca.conf").write_text(LOCALCA.format(**places))
        (self.ca.parent / "localca.options").write_text(LOCALCA_OPTIONS)
        subprocess.run([need("swtpm_setup"), "--tpm2", "--tpmstate", self.dir / "state", "--create-ek-cert", "--lock-nvram",
                        "--config", self.dir / "setup.conf", *(["--ecc"] if ek == "ecc" else [])],
                       check=True, capture_output=True, timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False

    def close(self):
        self.stop()
        self._cleanup.close()

    @property
    def tcti(self):
        return f"swtpm:host=127.0.0.1,port={self.port}"

    @property
    def root(self):
        return self.ca / "swtpm-localca-rootca-cert.pem"

    @property
    def issuer(self):
        """The certificate between the root and the endorsement keys'."""
        return self.ca / "issuercert.pem"

    def start(self):
        """As after a reset: registers start anew, NV memory stays. The ports stay the same."""
        for _ in range(20):
            port = getattr(self, "port", None) or free_port()
            pid = self.dir / "pid"
            pid.unlink(missing_ok=True)
            self.process = subprocess.Popen(
                [need("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={self.dir}/state",
                 "--server", f"type=tcp,port={port},bindaddr=127.0.0.1",
                 "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1",
                 "--flags", "not-need-init,startup-clear", "--pid", f"file={pid}", "--log", f"file={self.dir}/log"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(AssertionError):  # somebody has the port above it
                wait_until(lambda file=pid: file.exists() and file.read_text(), "swtpm", process=self.process)
                self.port = port
                return
        raise AssertionError("swtpm does not start")

    def stop(self):
        if self.process is not None:
            end_process(self.process)
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def tool(self, name, *arguments, check=True):
        """One of tpm2-tools."""
        return subprocess.run([need(name), "-T", self.tcti, *map(str, arguments)], check=check, capture_output=True, text=True,
                              timeout=60)

    @property
    def state(self):
        return self.dir / "state"

    def register(self, index):
        """What a register of the SHA-256 bank holds, in lower-case hexadecimal."""
        return self.tool("tpm2_pcrread", f"sha256:{index}").stdout.split("0x")[1].split()[0].lower()

    def extend_pcr(self, index, digest="ab" * 32):
        self.tool("tpm2_pcrextend", f"{index}:sha256={digest}")
