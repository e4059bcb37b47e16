"""A laboratory in which nothing is simulated but the TPMs themselves: the enclave proves itself by one, seals its root secret
to it and lets it count; its callers prove themselves by another."""

import hashlib
import os
import shutil

from lab import KEYCLAVED, Lab
from tpm import SoftTpm

# The registers that are quoted and sealed to, and what the two machines "booted" into them.
REGISTERS = (4, 7, 9)
ENCLAVE_BOOT = {4: "e4" * 32, 7: "07" * 32, 9: "e9" * 32}
CALLER_BOOT = {4: "c4" * 32, 7: "07" * 32, 9: "c9" * 32}

DAEMON_CONFIG = """\
state: {state}
listen:
  - unix:{socket}
tee: tpm
recovery: none
accept: [tpm]
tpm:
  tcti: "{tcti}"
  pcrs: {{bank: sha256, registers: [{registers}]}}
trust:
  keys: {{tpm: [{enclave_key}, {caller_key}]}}
operators: [0, {uid}]
allow_unlocked_memory: {unlocked}
"""

CLIENT_CONFIG = """\
endpoint: unix:{socket}
socket_owner: {uid}
expect:
  tee: {{is: tpm}}
  platform_id: {{is: {enclave}}}
{expected}
evidence: tpm
tpm:
  tcti: "{tcti}"
  pcrs: {{bank: sha256, registers: [{registers}]}}
trust:
  keys: {{tpm: [{enclave_key}]}}
deadline: 20s
"""


class TpmLab(Lab):
    """`enclave_tpm` and `caller_tpm`, each with an attestation key that was enrolled by credential activation."""

    def _prepare(self, daemon_config):
        super()._prepare(None)
        shutil.rmtree(self.state)  # of the simulated enclave that every lab begins with
        self.enclave_tpm, self.enclave_key = self._machine("enclave", ENCLAVE_BOOT)
        self.caller_tpm, self.caller_key = self._machine("caller", CALLER_BOOT)
        places = {"state": self.state, "socket": self.socket, "uid": os.geteuid(), "enclave_key": self.enclave_key,
                  "caller_key": self.caller_key, "registers": ", ".join(map(str, REGISTERS)),
                  "unlocked": str(os.geteuid() != 0).lower()}
        self.config.write_text(DAEMON_CONFIG.format(tcti=self.enclave_tpm.tcti, **places))
        self.client_config.write_text(CLIENT_CONFIG.format(
            tcti=self.caller_tpm.tcti, enclave=fingerprint(self, self.enclave_key),
            expected=terms(self.registers_of(self.enclave_tpm)), **places))
        self.run([KEYCLAVED, "--config", self.config, "--init"])

    def _machine(self, name, boot):
        tpm = SoftTpm()
        self.on_close(tpm.close)
        self.measure(tpm, boot)
        key = self.config_dir / f"{name}-ak.pem"
        self.cli("evidence", "enroll-tpm", "--tcti", tpm.tcti, "--ek-root", tpm.root, "--ek-intermediate", tpm.issuer,
                 "--out", key)
        return tpm, key

    @staticmethod
    def measure(tpm, boot):
        """What a machine's firmware and boot loader do before anything else runs."""
        for register, digest in boot.items():
            tpm.extend_pcr(register, digest)

    @staticmethod
    def registers_of(tpm):
        return {number: tpm.register(number) for number in REGISTERS}

    def caller_policy(self, operations, max_age="1h"):
        """What permits these operations to the caller's machine as it is now, and to no other."""
        return (f"policy: caller\nversion: 1\npermit:\n  - operations: [{', '.join(operations)}]\n    max_age: {max_age}\n"
                f"    when:\n      tee: {{is: tpm}}\n      platform_id: {{is: {fingerprint(self, self.caller_key)}}}\n"
                + terms(self.registers_of(self.caller_tpm), indent=6) + "\n")


def fingerprint(lab, key):
    """The `platform_id` of a machine: SHA-256 of its attestation key (SubjectPublicKeyInfo)."""
    der = lab.openssl("pkey", "-pubin", "-in", key, "-outform", "DER", text=False).stdout
    return hashlib.sha256(der).hexdigest()


def terms(registers, indent=2):
    """Terms of an expression that want these values."""
    return "\n".join(f"{' ' * indent}tpm.pcr{number}: {{is: {value}}}" for number, value in registers.items())
