"""A client of Trustee's Key Broker Service, after kbs_attestation_protocol.md (0.4.0), and a TEE for it to run in: nothing
of it is Keyclave's. JSON is put into its canonical form (RFC 8785) here, JWEs are opened by jose.py."""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import threading

from fake_evidence import FAKE_EVIDENCE
from jose import new_key, open_jwe, public_jwk
from lab import KEYCLAVE, end_process, free_port, wait_until

TEES = {"snp": "sev-snp", "tdx": "tdx", "sgx": "sgx"}  # Trustee's names and Keyclave's


def canonical(value):
    """RFC 8785 of what has ASCII names and texts only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class FakeTee:
    """A TEE under a root of its own: evidence over any report data, in Trustee's JSON."""

    def __init__(self, lab, tee, name=None):
        self.tee, self.type = tee, TEES[tee]
        self.folder = lab.dir / (name or f"fake-{tee}")
        self.lock = threading.Lock()
        self.process = subprocess.Popen([FAKE_EVIDENCE, self.type, self.folder, "--answer"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        lab.on_close(self.process.stdout.close)
        lab.on_close(self.process.stdin.close)
        lab.on_close(end_process, self.process)
        self.bytes_over(bytes(64))  # the files are there, too

    def bytes_over(self, report_data):
        with self.lock:
            self.process.stdin.write(report_data.hex() + "\n")
            self.process.stdin.flush()
            return base64.b64decode(self.process.stdout.readline())

    def evidence(self, report_data):
        made = self.bytes_over(report_data)
        if self.tee != "snp":
            return {"quote": base64.b64encode(made).decode(), "cc_eventlog": None}
        return {"attestation_report": sev_report(made), "cert_chain": None}

    def measurement(self):
        """The byte offsets are those of the formats."""
        made = self.bytes_over(bytes(64))
        start, size = {"snp": (0x90, 48), "tdx": (48 + 136, 48), "sgx": (48 + 64, 32)}[self.tee]
        return made[start:start + size].hex()


def sev_report(report):
    """As the Rust crate `sev` writes a report of a CPU before Turin."""
    def number(at, size):
        return int.from_bytes(report[at:at + size], "little")

    def octets(at, size):
        return list(report[at:at + size])

    def tcb(at):
        return {"fmc": None, "bootloader": report[at], "tee": report[at + 1], "snp": report[at + 6], "microcode": report[at + 7]}

    def firmware(at):
        return {"build": report[at], "minor": report[at + 1], "major": report[at + 2]}

    return {
        "version": number(0, 4), "guest_svn": number(4, 4), "policy": number(8, 8), "family_id": octets(0x10, 16),
        "image_id": octets(0x20, 16), "vmpl": number(0x30, 4), "sig_algo": number(0x34, 4), "current_tcb": tcb(0x38),
        "plat_info": number(0x40, 8), "key_info": number(0x48, 4), "report_data": octets(0x50, 64),
        "measurement": octets(0x90, 48), "host_data": octets(0xc0, 32), "id_key_digest": octets(0xe0, 48),
        "author_key_digest": octets(0x110, 48), "report_id": octets(0x140, 32), "report_id_ma": octets(0x160, 32),
        "reported_tcb": tcb(0x180), "cpuid_fam_id": report[0x188], "cpuid_mod_id": report[0x189], "cpuid_step": report[0x18a],
        "chip_id": octets(0x1a0, 64), "committed_tcb": tcb(0x1e0), "current": firmware(0x1e8), "committed": firmware(0x1ec),
        "launch_tcb": tcb(0x1f0), "launch_mit_vector": None, "current_mit_vector": None,
        "signature": {"r": octets(0x2a0, 72), "s": octets(0x2e8, 72)}}


class TeeKey:
    """The client's key: RSA, or a curve."""

    def __init__(self, kind="P-256"):
        self.key = new_key(kind)
        self.jwk = public_jwk(self.key)

    def open(self, reply):
        return open_jwe(reply, self.key)


class Kbs:
    """`keyclave kbs` of a lab."""

    def __init__(self, lab, token, *more, name="kbs", config=None):
        self.lab, self.log = lab, lab.dir / f"{name}.log"
        self.port = free_port()
        command = [KEYCLAVE, "kbs", "--token", token, "--listen", f"127.0.0.1:{self.port}", *more]
        if config:
            command += ["--config", config]
        self.process = lab.spawn(command, self.log.name)
        wait_until(lambda: "listening on" in self.text(), "keyclave-kbs to listen", process=self.process)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def client(self, **more):
        return Client(self.port, **more)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


class Client:
    """One client with its cookie. Each call gives the status and the JSON that came."""

    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls
        self.cookie = None

    def request(self, method, path, body=None, headers=None):
        if self.tls:
            connection = http.client.HTTPSConnection("localhost", self.port, context=ssl.create_default_context(cafile=self.tls),
                                                     timeout=60)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = dict(headers or {})
        if self.cookie and "Authorization" not in headers:
            headers["Cookie"] = self.cookie
        if isinstance(body, dict):
            body = json.dumps(body)  # not canonical: with spaces, and in the order of the members
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            text = response.read()
        if response.getheader("Set-Cookie"):
            self.cookie = response.getheader("Set-Cookie").split(";")[0]
        return response.status, json.loads(text) if text else None

    def auth(self, tee, version="0.4.0"):
        return self.request("POST", "/kbs/v0/auth", {
            "version": version, "tee": tee, "extra-params": {"supported-hash-algorithms": ["sha256", "sha384"]}})

    def attest_body(self, source, key, nonce, additional="", bound=None):
        """`bound`: what else than these the evidence is bound to."""
        runtime = {"tee-pubkey": key.jwk, "nonce": nonce, "additional-evidence": additional, **(bound or {})}
        digest = hashlib.sha384(canonical(runtime)).digest()
        return {"init-data": {"format": "toml", "body": "version = \"0.1.0\""},
                "runtime-data": {"nonce": nonce, "tee-pubkey": key.jwk},
                "tee-evidence": {"primary_evidence": source.evidence(digest + bytes(16)), "additional_evidence": additional}}

    def attest(self, source, key, additional=""):
        """Both steps; gives the token."""
        status, challenge = self.auth(source.tee)
        assert status == 200, (status, challenge)
        assert challenge["extra-params"] == "" and len(base64.b64decode(challenge["nonce"], validate=True)) == 32, challenge
        status, reply = self.send_attest(self.attest_body(source, key, challenge["nonce"], additional))
        assert status == 200, (status, reply)
        return reply["token"]

    def send_attest(self, body):
        return self.request("POST", "/kbs/v0/attest", body)

    def resource(self, path, **more):
        return self.request("GET", f"/kbs/v0/resource/{path}", **more)
