#!/usr/bin/env python3
# ctest: LABEL=with-envoy TIMEOUT=600
"""keyclave sds and a client in Node that speaks Envoy's own published definitions."""

import base64
import json
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from envoy import node_modules
from lab import LabTest, main, need
from sds import MINE, SECRETS, Sds, make_ca


class NodeClient(LabTest):
    def test_three_methods_by_the_published_definitions(self):
        root = make_ca(self.lab)
        node = need("node")
        sds = Sds(self.lab, SECRETS, [("node", os.path.realpath(node), MINE)]).start()
        process = self.lab.run([node, pathlib.Path(__file__).with_name("sds_node_client.js"), node_modules(), sds.socket])
        steps = [json.loads(line) for line in process.stdout.splitlines()]
        by_step = {}
        for step in steps:
            by_step.setdefault(step["step"], []).append(step)
        self.assertEqual({name: len(found) for name, found in by_step.items()}, {"stream": 2, "delta": 2, "fetch": 2, "refused": 1})
        self.assertEqual(by_step["refused"][0]["code"], "PERMISSION_DENIED")
        self.assertEqual([step["secret"]["name"] for step in steps if "secret" in step],
                         ["quick", "quick", "edge", "edge", "edge", "roots"])
        for first, second in (by_step["stream"], by_step["delta"]):
            self.assertNotEqual(first["version"], second["version"])
            for step in (first, second):
                tls = step["secret"]["tls_certificate"]
                leaf = x509.load_pem_x509_certificate(base64.b64decode(tls["certificate_chain"]["inline_bytes"]))
                key = serialization.load_pem_private_key(base64.b64decode(tls["private_key"]["inline_bytes"]), None)
                self.assertEqual(leaf.public_key().public_numbers(), key.public_key().public_numbers())
        trusted = by_step["fetch"][1]["secret"]["validation_context"]["trusted_ca"]["inline_bytes"]
        self.assertEqual(base64.b64decode(trusted), root.read_bytes())
        self.assertIn("the caller rejected it: rejected by the test", sds.text())


if __name__ == "__main__":
    main()
