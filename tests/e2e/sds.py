"""keyclave-sds as a test runs it, and a client of it: gRPC from Debian's Python, messages by Keyclave's own definitions."""

import hashlib
import importlib.util
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading

from lab import KEYCLAVE, PATIENCE, SOURCE_DIR, is_socket, need, wait_until

# Debian's, whose packages are python3-grpcio, python3-protobuf and python3-cryptography; another one may run a test.
PYTHON = "/usr/bin/python3"
TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
METHODS = "/envoy.service.secret.v3.SecretDiscoveryService/"
CA_POLICY = """\
policy: mesh-ca
version: 1
permit:
  - operations: [issue]
    mechanisms: [ecdsa]
    issue:
      dns: [.mesh.example]
      uri: ["spiffe://mesh.example/*"]
      ip: [127.0.0.0/8]
      usages: [server-auth, client-auth]
      max_validity: 1h
    when:
      tee: {is: simulated}
    allow_unattested: true
"""


def use_debians_python():
    """Goes on in Debian's Python, if this one lacks its packages."""
    if importlib.util.find_spec("grpc") is not None:
        return
    found = subprocess.run([PYTHON, "-c", "import cryptography, google.protobuf, grpc"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise SystemExit(f"{found.stderr}\napt-get install python3-grpcio python3-protobuf python3-cryptography")
    os.execv(PYTHON, [PYTHON, *sys.argv])


def measurement(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def certificate(ca, names, ttl, **more):
    return {"certificate": {"ca": ca, "names": names, "usages": ["server-auth", "client-auth"], "ttl": ttl, **more}}


CA = "pkcs11:token=mesh;object=mesh-ca"
SECRETS = {
    "edge": certificate(CA, ["edge.mesh.example", "spiffe://mesh.example/edge"], "30m"),
    "rsa": certificate(CA, ["rsa.mesh.example"], "30m", key="rsa:2048", subject="CN=rsa.mesh.example"),
    "quick": certificate(CA, ["quick.mesh.example"], "10s"),
    "outside": certificate(CA, ["www.evil.example"], "30m"),
    "roots": {"trusted_ca": {"ca": CA}},
    "other": certificate(CA, ["other.mesh.example"], "30m"),
}
MINE = [name for name in SECRETS if name != "other"]  # what the tests' caller may have


class Sds:
    """One keyclave-sds of a lab. `secrets` as in sds.yaml; callers as (name, executable, secrets)."""

    def __init__(self, lab, secrets, callers, name="sds"):
        self.lab, self.name = lab, name
        self.socket = lab.dir / f"{name}.sock"
        self.config = lab.dir / f"{name}.yaml"
        self.status_file = lab.dir / f"{name}.status"
        self.log = lab.dir / f"{name}.log"
        self.process = None
        self.configure(secrets, callers)

    def configure(self, secrets, callers):
        callers = [{"name": name, "uid": os.getuid(), "executable": measurement(executable), "secrets": names}
                   for name, executable, names in callers]
        text = json.dumps({"socket": str(self.socket), "mode": "0600", "status_file": str(self.status_file), "callers": callers,
                           "secrets": secrets})
        # JSON is YAML; times are not quoted.
        self.config.write_text(re.sub(r'"(\d+[smhd])"', r"\1", text))

    def start(self):
        self.process = self.lab.spawn([KEYCLAVE, "sds", "--sds-config", self.config], self.log.name)
        wait_until(lambda: is_socket(self.socket) and "listening on" in self.text(), "keyclave-sds to listen", process=self.process)
        return self

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def status(self):
        return self.status_file.read_text() if self.status_file.exists() else ""

    def reload(self):
        before = self.text().count("configuration")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.text().count("configuration") > before, "the configuration to be read", process=self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30 * PATIENCE)


def make_ca(lab, token="mesh", policy=CA_POLICY):
    """A token with a CA of P-256; the path of its certificate."""
    lab.make_token(token, policy)
    lab.cli("key", "generate", "--token", token, "--type", "ec:p256", "--label", "mesh-ca")
    path = lab.dir / f"{token}-ca.crt"
    lab.cli("cert", "self-sign", "--token", token, "mesh-ca", "--subject", "CN=Mesh CA", "--ca", "--import", "--out", path)
    return path


def messages(folder):
    """Python's classes for Keyclave's own definitions of the protocol."""
    if not (folder / "sds_pb2.py").exists():
        folder.mkdir(exist_ok=True)
        protos = SOURCE_DIR / "enclave" / "sds" / "proto"
        subprocess.run([need("protoc"), f"-I{protos}", f"--python_out={folder}", *sorted(map(str, protos.glob("*.proto")))], check=True)
    sys.path.insert(0, str(folder))
    import discovery_pb2  # pylint: disable=import-outside-toplevel
    import secret_pb2  # pylint: disable=import-outside-toplevel
    return discovery_pb2, secret_pb2


class Stream:
    """A stream of one of the two protocols: what is sent goes out as it is, what comes waits in a queue."""

    def __init__(self, client, delta):
        self.client, self.delta = client, delta
        self._out = queue.Queue()
        self._in = queue.Queue()
        self.call = client.bidi("DeltaSecrets" if delta else "StreamSecrets", delta)(iter(self._out.get, None))
        self.error = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self.call:
                self._in.put(response)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
        self._in.put(None)

    def send(self, **fields):
        kind = self.client.discovery.DeltaDiscoveryRequest if self.delta else self.client.discovery.DiscoveryRequest
        self._out.put(kind(type_url=TYPE, **fields))

    def next(self, seconds=30):
        """The next response; None if the stream has ended."""
        return self._in.get(timeout=seconds * PATIENCE)

    def nothing(self):
        """Whether no response is there now."""
        return self._in.empty()

    def code(self):
        """The status that the stream ended with."""
        while self.next() is not None:
            pass
        return self.error.code().name if self.error is not None else "OK"

    def close(self):
        self._out.put(None)
        self.call.cancel()


class Client:
    def __init__(self, lab, socket):
        import grpc  # pylint: disable=import-outside-toplevel
        self.discovery, self.secret = messages(lab.dir / "protos")
        self.channel = grpc.insecure_channel(f"unix:{socket}")
        self.failure = grpc.RpcError

    def bidi(self, method, delta):
        kind = "DeltaDiscoveryResponse" if delta else "DiscoveryResponse"
        return self.channel.stream_stream(METHODS + method, request_serializer=lambda m: m.SerializeToString(),
                                          response_deserializer=getattr(self.discovery, kind).FromString)

    def fetch(self, *names, type_url=TYPE):
        call = self.channel.unary_unary(METHODS + "FetchSecrets", request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=self.discovery.DiscoveryResponse.FromString)
        return call(self.discovery.DiscoveryRequest(type_url=type_url, resource_names=names), timeout=30 * PATIENCE)

    def stream(self, *names):
        """StreamSecrets, subscribed to these."""
        stream = Stream(self, delta=False)
        stream.send(resource_names=names)
        return stream

    def delta(self, *names):
        stream = Stream(self, delta=True)
        stream.send(resource_names_subscribe=names)
        return stream

    def secrets(self, response):
        """The secrets of a response, by name."""
        found = {}
        for resource in response.resources:
            packed = resource.resource if hasattr(resource, "resource") else resource
            secret = self.secret.Secret()
            assert packed.type_url == TYPE
            secret.ParseFromString(packed.value)
            found[secret.name] = secret
        return found

    def close(self):
        self.channel.close()

