"""A token that three owners decide about: a P-256 key and an Ed25519 key in files, and an RSA key in SoftHSM2."""

import hashlib
import os
import pathlib
import subprocess
import sys

from lab import LabTest, end_process, need

PIN = "4711"
PYTHON = pathlib.Path(sys.executable).resolve()
MEASUREMENT = hashlib.sha256(PYTHON.read_bytes()).hexdigest()

POLICY = """\
policy: edge
version: 1
change: {quorum: 2, of: [ops, security, vault]}
permit:
  - operations: [sign]
    mechanisms: [ecdsa]
    when:
      tee: {is: simulated}
      measurement: {in-set: workloads}
    allow_unattested: true
"""
APPROVED = """\
policy: drill
version: 1
permit:
  - operations: [sign]
    mechanisms: [ecdsa]
    when: {tee: {is: simulated}, measurement: {is: %s}}
    approvals: {quorum: 2, of: [ops, security, vault]}
    allow_unattested: true
""" % MEASUREMENT
SET = """\
# what may run at the edge
set: workloads
version: 1
change: {quorum: 1, of: [ops, security, vault]}
entries:
  - value: "%s"
    reason: an earlier release
""" % ("ab" * 32)


def softhsm():
    found = [path for path in pathlib.Path("/usr/lib").glob("**/libsofthsm2.so")]
    assert found, "libsofthsm2.so is missing: apt-get install softhsm2"
    return found[0]


class OwnedTest(LabTest):
    """`self.ops`, `self.security`, `self.vault`: --owner and who it is, ready to be put into a command."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.make_keys()
            cls.make_token()
        except BaseException:
            cls.lab.print_logs()
            cls.lab.close()
            raise

    @classmethod
    def make_keys(cls):
        lab = cls.lab
        lab.cli("owner", "keygen", "ops", "-o", lab.dir / "ops.pem")
        lab.cli("owner", "keygen", "security", "-o", lab.dir / "security.pem", "--type", "ed25519")
        cls.ops = ["--owner", f"ops={lab.dir}/ops.pem"]
        cls.security = ["--owner", f"security={lab.dir}/security.pem"]
        (lab.dir / "softhsm").mkdir()
        lab.env["SOFTHSM2_CONF"] = str(lab.write("softhsm2.conf", f"directories.tokendir = {lab.dir}/softhsm\n"))
        plain = {"OPENSSL_CONF": "/dev/null"}
        lab.run([need("softhsm2-util"), "--init-token", "--free", "--label", "vault", "--so-pin", PIN, "--pin", PIN], env=plain)
        lab.run([need("pkcs11-tool"), "--module", softhsm(), "--token-label", "vault", "--login", "--pin", PIN,
                 "--keypairgen", "--key-type", "rsa:2048", "--label", "owner", "--id", "01"], env=plain)
        pin = lab.write("vault.pin", PIN + "\n", 0o600)
        cls.vault = ["--owner", f"vault=pkcs11:token=vault;object=owner?module-path={softhsm()}&pin-source=file:{pin}"]

    @classmethod
    def make_token(cls):
        lab = cls.lab
        lab.cli("token", "create", "edge", "--policy", lab.write("edge.yaml", POLICY), *cls.ops, *cls.security, *cls.vault)
        lab.cli("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", "www", *cls.ops)

    def refused(self, *arguments, code=1):
        process = self.lab.cli(*arguments, check=False)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def policy(self, version, text=POLICY):
        return self.lab.write(f"edge-{version}.yaml", text.replace("version: 1\n", f"version: {version}\n"))

    def next_version(self):
        listed = self.lab.cli("policy", "list", "--token", "edge", *self.ops, json=True)["policies"]
        return {policy["policy"]: policy["version"] for policy in listed}["edge"] + 1


class Workload:
    """A program (this interpreter) that keeps its session with the enclave and signs when it is asked to."""

    def __init__(self, lab):
        script = pathlib.Path(__file__).with_name("owned_workload.py")
        self.process = subprocess.Popen([str(PYTHON), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**lab.foreign_env(PYTHON), "PYTHONPATH": os.path.dirname(__file__)})
        lab.on_close(end_process, self.process)

    def sign(self, label):
        """"signed", or why not."""
        self.process.stdin.write(label + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()
