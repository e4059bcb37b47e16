"""./run demo --tpm: the same with two TPMs, of the enclave's machine and of nginx's. Nothing is simulated but the TPMs (swtpm)."""

from demo import Demo
from lab import KEYCLAVED, Nginx, free_port, wait_until
from tpm_lab import CALLER_BOOT, ENCLAVE_BOOT

CHANGED = "ff" * 32
LABEL = "web-ec"


class TpmDemo(Demo):
    def run(self):
        self.show_machines()
        self.make_key()
        self.serve_and_refuse()
        self.seal()
        self.audit()

    def cat(self, path, lines=None):
        self.screen.command(f"cat {path}".replace(str(self.lab.dir), "$D"))
        text = path.read_text().replace(str(self.lab.dir), "$D")
        self.screen.output("\n".join(line if len(line) <= 110 else line[:100] + " …" for line in text.splitlines()[:lines]))

    def show_machines(self):
        self.screen.step("Two machines with a TPM each: the enclave's and nginx's")
        self.screen.say("Each TPM has made an attestation key, and has proved by credential activation that it holds it beside the")
        self.screen.say("endorsement key that its maker has certified:")
        tpm = self.lab.caller_tpm
        self.screen.command(f"keyclave evidence enroll-tpm --ek-root maker.pem --out $D/etc/caller-ak.pem --tcti {tpm.tcti}")
        self.cat(self.lab.config)
        self.screen.say("The enclave's root secret opens only while its machine's registers are what they are now:")
        self.cat(self.lab.state / "root.key")

    def make_key(self):
        self.screen.step("A key for one machine in one state: the policy names its TPM, and what it booted")
        policy = self.lab.write("edge.yaml", self.lab.caller_policy(["sign"], "2s"))
        self.cat(policy)
        self.keyclave("token", "create", "edge", "--policy", policy)
        self.keyclave("key", "generate", "--token", "edge", "--type", "ec:p256", "--label", LABEL)
        self.keyclave("cert", "self-sign", "--token", "edge", LABEL, "--subject", "CN=localhost", "--san", "localhost",
                      "--out", self.lab.dir / f"{LABEL}.crt")
        self.keyclave("key", "reference", "--token", "edge", LABEL, "--out", self.lab.dir / f"{LABEL}.key")

    def serve_and_refuse(self):
        self.screen.step("nginx, as Debian ships it, serves while its machine is in that state")
        port = free_port()
        nginx = Nginx(self.lab, [(port, self.lab.dir / f"{LABEL}.crt", self.lab.dir / f"{LABEL}.key")]).start()
        self.fetch(LABEL, port, "1.3")
        self.screen.step("Something else is measured on nginx's machine: its evidence is two seconds old at most")
        self.screen.command(f"tpm2_pcrextend 9:sha256={CHANGED[:8]}…")
        self.lab.caller_tpm.extend_pcr(9, CHANGED)
        wait_until(lambda: self.quiet_fetch(port).returncode != 0, "the key to be refused", process=nginx.process)
        self.fetch(LABEL, port, "1.3", check=False)
        self.screen.point("Refused. Why, says the enclave to its operator:")
        explained = self.keyclave("explain", "--token", "edge", LABEL)
        if "tpm.pcr9" not in explained.stdout:
            raise AssertionError("keyclave explain does not name the register")
        self.screen.step("The machine is booted as before; nginx is not touched")
        self.reboot(self.lab.caller_tpm, CALLER_BOOT)
        wait_until(lambda: self.quiet_fetch(port).returncode == 0, "the key to be permitted", process=nginx.process)
        self.fetch(LABEL, port, "1.3")
        nginx.stop()

    def quiet_fetch(self, port):
        return self.lab.run(["curl", "--silent", "--cacert", self.lab.dir / f"{LABEL}.crt", f"https://localhost:{port}/"],
                            check=False, env={"OPENSSL_CONF": "/etc/ssl/openssl.cnf"})

    def reboot(self, tpm, boot):
        tpm.restart()
        self.lab.measure(tpm, boot)

    def seal(self):
        self.screen.step("The enclave's machine boots another system: its root secret stays sealed")
        self.lab.stop()
        self.reboot(self.lab.enclave_tpm, ENCLAVE_BOOT | {4: CHANGED})
        self.screen.command("keyclaved --config $D/etc/keyclaved.yaml")
        refused = self.lab.run([KEYCLAVED, "--config", self.lab.config], check=False)
        self.screen.output(refused.stderr.replace(str(self.lab.dir), "$D"))
        if refused.returncode == 0 or "PCR 4" not in refused.stderr:
            raise AssertionError("the root secret was opened on another system")
        self.screen.step("And its own again")
        self.reboot(self.lab.enclave_tpm, ENCLAVE_BOOT)
        self.lab.start_daemon()
        self.keyclave("key", "list", "--token", "edge")

