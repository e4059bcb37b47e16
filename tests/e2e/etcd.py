"""A cluster of etcd on loopback, with TLS and certificates of its own, whose members reach each other over links that a test
cuts."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

from lab import end_process, free_port, need, wait_until
from links import Link


class Etcd:
    """`size` members, each a process of its own; clients need a certificate of `ca`: that of another cluster, if it is `like` one."""

    def __init__(self, lab, size=3, name="etcd", like=None):
        self.lab, self.name, self.dir = lab, name, lab.dir / name
        self.dir.mkdir()
        self.certificates = like.certificates if like else self.dir
        self.ca, self.certificate, self.key = (self.certificates / name for name in ("ca.pem", "client.pem", "client-key.pem"))
        if not like:
            self._make_certificates()
        self.ports = [(free_port(), free_port()) for _ in range(size)]
        self.processes = [None] * size
        self.peer_links = [Link(lab, ports[1], self._whose, seed) for seed, ports in enumerate(self.ports)]
        lab.on_close(self.close)
        for number in range(size):
            self.start(number, wait=False)
        for number in range(size):
            self.wait_for(number)

    def _make_certificates(self):
        openssl = need("openssl")

        def run(*command):
            subprocess.run([openssl, *map(str, command)], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=etcd CA",
            "-keyout", self.dir / "ca-key.pem", "-out", self.ca)
        extensions = self.dir / "extensions.cnf"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
        for name in ("client", "server"):
            run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", self.dir / f"{name}-key.pem", "-out", self.dir / f"{name}.csr")
            run("x509", "-req", "-in", self.dir / f"{name}.csr", "-CA", self.ca, "-CAkey", self.dir / "ca-key.pem", "-days", "2",
                "-extfile", extensions, "-out", self.dir / f"{name}.pem")

    def url(self, number):
        return f"https://127.0.0.1:{self.ports[number][0]}"

    def start(self, number, wait=True):
        client, peer = (f"https://127.0.0.1:{port}" for port in self.ports[number])
        links = [f"https://127.0.0.1:{link.port}" for link in self.peer_links]
        cluster = ",".join(f"n{i}={link}" for i, link in enumerate(links))
        server = ["--cert-file", "--key-file", "--trusted-ca-file"]
        files = [self.certificates / "server.pem", self.certificates / "server-key.pem", self.ca]
        tls = [part for option, file in zip(server, files) for part in (option, file)]
        tls += [part for option, file in zip(server, files) for part in ("--peer-" + option[2:], file)]
        command = [need("etcd"), "--name", f"n{number}", "--data-dir", self.dir / f"n{number}", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", links[number],
                   "--initial-cluster", cluster, "--initial-cluster-token", "test", *tls, "--client-cert-auth", "--peer-client-cert-auth",
                   "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap", "--log-level", "error"]
        with open(self.lab.dir / f"{self.name}{number}.log", "ab") as out:
            self.processes[number] = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                                      stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        if wait:
            self.wait_for(number)

    def ask(self, number, path, body):
        """The answer of one member, or nothing."""
        done = subprocess.run([need("curl"), "-sS", "--max-time", "3", "--cacert", self.ca, "--cert", self.certificate, "--key", self.key,
                               "--data", json.dumps(body), self.url(number) + path], capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith("{") else None

    def snapshot(self, number=0):
        """All keys and their values, as whoever owns the cluster reads them."""
        return {one["key"]: one["value"] for one in self.ask(number, "/v3/kv/range", {"key": "AA==", "range_end": "AA=="}).get("kvs", [])}

    def put_back(self, values, number=0):
        """In one transaction, as nobody but the cluster's owner would: these values, and no others."""
        puts = [{"request_put": {"key": key, "value": value}} for key, value in values.items()]
        gone = [{"request_delete_range": {"key": key}} for key in self.snapshot(number).keys() - values.keys()]
        answer = self.ask(number, "/v3/kv/txn", {"success": puts + gone})
        assert answer and answer.get("succeeded"), answer

    def wait_for(self, number):
        def healthy():
            answer = self.ask(number, "/v3/kv/range", {"key": "AA=="})
            return answer and "header" in answer
        wait_until(healthy, f"etcd {number} to answer", seconds=180, process=self.processes[number])

    def leader(self):
        for number, process in enumerate(self.processes):
            if process.poll() is None:
                status = self.ask(number, "/v3/maintenance/status", {})
                if status and status.get("leader") == status["header"]["member_id"]:
                    return number
        raise AssertionError("etcd has no leader")

    def kill(self, number):
        self.processes[number].kill()
        self.processes[number].wait()

    def pause(self, *numbers):
        for number in numbers or range(len(self.processes)):
            self.processes[number].send_signal(signal.SIGSTOP)

    def resume(self, *numbers):
        for number in numbers or range(len(self.processes)):
            self.processes[number].send_signal(signal.SIGCONT)

    def between(self, number):
        """The ways between a member and the others: (link, whose connections of it)."""
        return [(link, None if to == number else number) for to, link in enumerate(self.peer_links)]

    def _whose(self, port):
        """The member that has connected from this port."""
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines():
            fields = line.split()
            if fields[1] == f"0100007F:{port:04X}":
                return self._holder(f"socket:[{fields[9]}]")
        return None

    def _holder(self, name):
        for number, process in enumerate(self.processes):
            if process is None:
                continue
            with contextlib.suppress(OSError):
                for entry in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        if os.readlink(entry) == name:
                            return number
        return None

    def close(self):
        for process in self.processes:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                end_process(process)

