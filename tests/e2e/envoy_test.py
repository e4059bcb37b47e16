#!/usr/bin/env python3
# ctest: LABEL=with-envoy TIMEOUT=900 RUN_SERIAL
"""Two real Envoys with the files of docs/servers/envoy.md: handshakes, rotation under load, mTLS."""

import http.client
import os
import socket
import ssl
import threading

from envoy import Envoy, page_block, replaced
from lab import BUILD_DIR, LabTest, free_port, main, wait_until
from sds import Sds, measurement

ROTATIONS = 5


class EnvoyMesh(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        lab.write("mesh-ca.yaml", replaced(page_block("mesh-ca.yaml"), [
            ("5f1c0a9e4d2b7f6a83c1d0e5b4a79682f3e1d2c4b5a697887766554433221100", measurement(BUILD_DIR / "bin" / "keyclave-sds"))]))
        lab.cli("token", "create", "mesh", "--policy", lab.dir / "mesh-ca.yaml")
        lab.cli("key", "generate", "--token", "mesh", "--type", "ec:p256", "--label", "mesh-ca")
        cls.root = lab.dir / "mesh-ca.crt"
        lab.cli("cert", "self-sign", "--token", "mesh", "mesh-ca", "--subject", "CN=Mesh CA", "--days", "365", "--ca", "--import",
                "--out", cls.root)
        cls.ports = {"8443": free_port(), "8080": free_port()}
        edge, front = (Envoy(lab, name, port) for name, port in zip(("edge", "front"), cls.ports.values()))
        cls.sds = Sds(lab, {}, [])
        cls.sds.config.write_text(replaced(page_block("sds.yaml"), [
            ("/run/keyclave/sds.sock", cls.sds.socket), ("/run/keyclave/sds.status", cls.sds.status_file),
            ("owner: 101", f"owner: {os.getuid()}"), ("uid: 101", f"uid: {os.getuid()}"), ("uid: 102", f"uid: {os.getuid()}"),
            ("a" * 64, measurement(edge.program)), ("b" * 64, measurement(front.program)), ("ttl: 12h", "ttl: 12s")]))
        cls.sds.start()
        cls.edge = edge.start(cls.bootstrap("edge.yaml"))
        cls.front = front.start(cls.bootstrap("front.yaml"))

    @classmethod
    def bootstrap(cls, name):
        ports = [(port, number) for port, number in cls.ports.items() if port in page_block(name)]
        return replaced(page_block(name), [("/run/keyclave/sds.sock", cls.sds.socket), *ports])

    def get(self):
        """One request through both Envoys, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["8080"], timeout=30)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def test_mtls_between_two_envoys(self):
        wait_until(lambda: self.get()[0] == 200, "front to reach edge", seconds=60)
        status, body = self.get()
        self.assertEqual((status, body), (200, b"served by edge\n"))
        lines = self.sds.status()
        for word in ("edge edge: serial", "edge roots: SHA-256", "front front: serial", "front roots: SHA-256"):
            self.assertIn(word, lines)

    def test_a_client_without_certificate_is_refused(self):
        context = ssl.create_default_context(cafile=self.root)
        with socket.create_connection(("127.0.0.1", self.ports["8443"]), timeout=30) as plain:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                with context.wrap_socket(plain, server_hostname="edge.mesh.example") as tls:
                    tls.sendall(b"GET / HTTP/1.1\r\nHost: edge\r\n\r\n")
                    if not tls.recv(1):
                        raise ConnectionError("closed")

    def test_rotation_under_load(self):
        wait_until(lambda: self.get()[0] == 200, "front to reach edge", seconds=60)
        seen, failed, done = set(), [], threading.Event()
        served = [0] * 4

        def load(number):
            while not done.is_set():
                try:
                    status, _ = self.get()
                    if status != 200:
                        failed.append(status)
                except OSError as error:
                    failed.append(error)
                served[number] += 1

        def serials():
            seen.update(line for line in self.sds.status().splitlines() if ": serial" in line)
            return len({line for line in seen if line.startswith("edge ")}) > ROTATIONS and \
                len({line for line in seen if line.startswith("front ")}) > ROTATIONS

        threads = [threading.Thread(target=load, args=(number,)) for number in range(len(served))]
        for thread in threads:
            thread.start()
        try:
            wait_until(serials, f"{ROTATIONS} rotations of both", seconds=300)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])
        self.assertGreater(min(served), 10)
        for envoy in (self.edge, self.front):
            self.assertNotIn("update failed", envoy.log())
            self.assertNotIn("rejected", envoy.log())


if __name__ == "__main__":
    main()
