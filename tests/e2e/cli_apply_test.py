#!/usr/bin/env python3
"""keyclave apply: a file of secrets against a real enclave. All of it, or nothing; once more changes nothing."""

import base64
import json
import signal
import subprocess

from lab import KEYCLAVE, LabTest, main, wait_until
from owned import OwnedTest

ARCHIVE = """\
policy: archive
version: %d
permit:
  - operations: [%s]
    when: {tee: {is: simulated}}
    allow_unattested: true
"""
EVERYTHING = """\
token: {label: %s, create: true, default_policy: archive}
policies:
  - file: archive.yaml
  - text: |
      policy: readers
      version: 1
      permit:
        - operations: [read]
          when: {tee: {is: simulated}}
          allow_unattested: true
secrets:
  - {name: db-key, type: aes:256, policy: archive, usage: [encrypt, decrypt], extractable: true}
  - {name: signing, type: ec:p384, policy: archive, share: public}
  - {name: guomi, type: sm2}
  - {name: edwards, type: ed25519}
  - {name: brought, type: rsa:2048, import: brought.pem}
  - {name: short, type: aes:128, import: short.bin, extractable: true}
  - {name: web, type: certificate, key: rsa:2048, subject: CN=web.example, names: [web.example, 192.0.2.7], days: 30}
  - {name: licence, type: data, policy: readers, file: licence.bin}
  - {name: greeting, type: data, policy: readers, value: hello, secret: false}
  - {name: settings, type: configuration, policy: readers, values: {port: 80, host: ledger}}
"""
AECS = """\
apiVersion: v1
kind: SecretPolicy
secrets:
- spec:
    name: archive-key
    type: SECRET_TYPE_AES256_KEY
    service: ledger
    readonly: "false"
    policy: &1
- spec:
    name: ledger-key
    type: SECRET_TYPE_RSA_KEY_PAIR
    service: ledger
    share: "public"
    policy: &1
    params:
    - {key: pkcs_type, value: pkcs8}
    - {key: bit_length, value: 2048}
- spec:
    name: brought-key
    type: SECRET_TYPE_SM2_KEY_PAIR
    service: ledger
    policy: &1
  data: &2
- spec:
    name: ledger-tls
    type: SECRET_TYPE_CERTIFICATE
    service: ledger
    share: "public"
    policy: &1
- spec:
    name: image-key
    type: SECRET_TYPE_IMPORT_DATA
    service: ledger
    policy: &1
  data: "48-f1-87-6c"
- spec:
    name: settings
    type: SECRET_TYPE_CONFIGURATIONS
    service: ledger
    policy: &1
    params:
    - {key: endpoint, value: ledger.example}
"""
ROW = '{enclaveMatchAnyRules: [{mrenclave: "%s", minIsvSvn: "%d", debug_disabled: "true"}]}'


class Apply(LabTest):
    def setUp(self):
        self.lab.write("archive.yaml", ARCHIVE % (1, "sign, encrypt, decrypt, release, manage"))

    def openssl(self, *arguments):
        return self.lab.openssl(*arguments, env={"OPENSSL_CONF": "/dev/null"}).stdout

    def file(self, text, name="secrets.yaml"):
        return self.lab.write(name, text)

    def apply(self, text, *more, code=0, **options):
        process = self.lab.cli("apply", "-f", self.file(text), *more, check=False, **options)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process

    def plan(self, text, *more, code=0):
        return json.loads(self.apply(text, "--json", *more, code=code).stdout)

    def objects(self, token):
        return self.lab.cli("key", "list", "--token", token, "--all", json=True)["objects"]

    def tokens(self):
        return [t["label"] for t in self.lab.cli("token", "list", json=True)["tokens"]]

    def policies(self, token):
        return {p["policy"]: p["version"] for p in self.lab.cli("policy", "list", "--token", token, json=True)["policies"]}

    def write_material(self):
        self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self.lab.dir / "brought.pem"))
        (self.lab.dir / "short.bin").write_bytes(bytes(range(16)))
        (self.lab.dir / "licence.bin").write_bytes(b"\x00licence\xff" * 1000)

    def get(self, token, name):
        path = self.lab.dir / f"got-{token}-{name}"
        self.lab.cli("secret", "get", name, "--token", token, "--out", path)
        return path.read_bytes()

    def test_everything_is_made_and_once_more_changes_nothing(self):
        self.write_material()
        text = EVERYTHING % "archive"
        planned = self.plan(text, "--dry-run")
        self.assertEqual((planned["creates_token"], planned["done"]), (True, False))
        self.assertNotIn("archive", self.tokens())
        done = self.plan(text)
        self.assertTrue(done["done"])
        self.assertEqual({s["action"] for s in done["secrets"]}, {"create"})
        self.assertEqual(self.policies("archive"), {"archive": 1, "readers": 1, "public": 1})
        objects = self.objects("archive")
        by_class = {(o["label"], o["class"]): o for o in objects}
        self.assertEqual(len(by_class), len(objects))
        self.assertEqual(by_class["signing", "private key"]["policy"], "archive")
        self.assertEqual(by_class["signing", "public key"]["policy"], "public")
        self.assertEqual(by_class["guomi", "public key"]["policy"], "archive")
        self.assertEqual(by_class["db-key", "secret key"]["usage"], ["encrypt", "decrypt"])
        self.assertEqual(self.get("archive", "licence"), b"\x00licence\xff" * 1000)
        self.assertEqual(json.loads(self.get("archive", "settings")), {"host": "ledger", "port": "80"})
        self.assertEqual(self.get("archive", "short"), bytes(range(16)))
        public = self.openssl("pkey", "-in", str(self.lab.dir / "brought.pem"), "-pubout")
        self.assertEqual(self.lab.cli("secret", "get", "brought", "--token", "archive", "--public").stdout, public)
        certificate = self.lab.write("web.pem", self.lab.cli("secret", "get", "web", "--token", "archive", "--public").stdout)
        shown = self.openssl("x509", "-in", str(certificate), "-noout", "-subject", "-ext", "subjectAltName")
        self.assertIn("web.example", shown)
        self.assertIn("192.0.2.7", shown)
        # The certificate is its key's.
        self.lab.cli("key", "reference", "--token", "archive", "web", "--out", self.lab.dir / "web.key")
        signed = self.lab.openssl("dgst", "-sha256", "-sign", self.lab.dir / "web.key", "-out", self.lab.dir / "signature",
                                  certificate)
        self.assertEqual(signed.returncode, 0)
        key = self.lab.write("web.pub", self.openssl("x509", "-in", str(certificate), "-noout", "-pubkey"))
        self.assertIn("Verified OK", self.openssl("dgst", "-sha256", "-verify", str(key), "-signature",
                                                  str(self.lab.dir / "signature"), str(certificate)))
        again = self.plan(text)
        self.assertEqual(({s["action"] for s in again["secrets"]}, {p["action"] for p in again["policies"]}, again["done"]),
                         ({"unchanged"}, {"unchanged"}, False))
        self.assertEqual(self.objects("archive"), objects)
        # One change in the audit log has all of them.
        kept = [line for line in self.lab.cli("audit", "show", "--json").stdout.splitlines() if objects[0]["object"] in line]
        self.assertIn("KeepObjects", kept[0])
        for item in objects:
            self.assertIn(item["object"], kept[0])

    def test_a_dry_run_changes_nothing(self):
        self.lab.make_token("dry")
        before = self.policies("dry")
        text = "token: dry\npolicies: [{file: archive.yaml}]\nsecrets: [{name: k, type: sm2, policy: archive}]\n"
        shown = self.apply(text, "--dry-run").stdout
        self.assertRegex(shown, r"(?m)^create +policy archive, version 1$")
        self.assertRegex(shown, r"(?m)^create +k, sm2, under policy archive$")
        self.assertEqual((self.policies("dry"), self.objects("dry")), (before, []))

    def test_what_differs_stops_everything(self):
        self.lab.make_token("mixed")
        self.lab.cli("key", "generate", "--token", "mixed", "--type", "aes:128", "--label", "there")
        before = self.objects("mixed"), self.policies("mixed")
        text = ("token: mixed\npolicies: [{file: archive.yaml}]\nsecrets:\n  - {name: fresh, type: sm2, policy: archive}\n"
                "  - {name: there, type: aes:256}\n")
        process = self.apply(text, code=1)
        self.assertIn("secrets.yaml:5: secrets[2]: there is there as AES 128, wanted aes:256", process.stderr)
        self.assertIn("Nothing was changed", process.stderr)
        self.assertEqual((self.objects("mixed"), self.policies("mixed")), before)
        self.assertEqual(len(self.plan(text, code=1)["conflicts"]), 1)

    def test_what_the_enclave_refuses_stops_everything(self):
        self.lab.write("archive.yaml", ARCHIVE % (1, "sign, manage"))
        self.lab.make_token("refusing", policy=ARCHIVE % (1, "sign, manage"))
        before = self.policies("refusing")
        # What may leave must be under a policy that lets it: here the token's default, which the file does not say.
        text = ("token: refusing\npolicies:\n  - text: |\n      policy: more\n      version: 1\n      permit:\n"
                "        - {operations: [sign], when: {tee: {is: simulated}}, allow_unattested: true}\n%s"
                "secrets:\n  - {name: a, type: aes:256, policy: more}\n  - {name: b, type: ec:p256, extractable: true}\n")
        process = self.apply(text % "", code=1)
        self.assertIn("nothing was changed", process.stderr)
        self.assertIn("release", process.stderr)
        self.assertEqual((self.objects("refusing"), self.policies("refusing")), ([], before))
        # A token that was made for it goes, too.
        brief = (text % "  - file: archive.yaml\n").replace("token: refusing",
                                                            "token: {label: brief, create: true, default_policy: archive}")
        self.assertIn("nothing was changed", self.apply(brief, code=1).stderr)
        self.assertNotIn("brief", self.tokens())
        wrong = "token: refusing\nsecrets:\n  - {name: b, type: ec:p256, policy: nowhere}\n"
        self.assertIn("secrets.yaml:3: secrets[1].policy: nowhere is none of", self.apply(wrong, code=1).stderr)

    def test_killed_in_the_middle_it_leaves_nothing(self):
        self.lab.make_token("killed")
        before = self.policies("killed")
        keys = "".join(f"  - {{name: k{i}, type: rsa:4096, policy: archive}}\n" for i in range(40))
        text = "token: killed\npolicies: [{file: archive.yaml}]\nsecrets:\n" + keys
        made = self.made()
        process = subprocess.Popen([KEYCLAVE, "apply", "-f", self.file(text, "many.yaml")], env=self.lab.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.made() > made, "the first keys to be made")
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.assertEqual((self.objects("killed"), self.policies("killed")), ([], before))
        self.lab.kill_daemon()
        self.lab.start_daemon()
        self.assertEqual((self.objects("killed"), self.policies("killed")), ([], before))

    def made(self):
        """How many key pairs were ever made here, by the audit log."""
        return self.lab.cli("audit", "show").stdout.count("GenerateKeyPair")

    def test_policies_change_by_their_version_and_weaker_ones_are_asked_about(self):
        self.lab.make_token("versions")
        text = "token: versions\npolicies: [{file: archive.yaml}]\nsecrets: [{name: k, type: aes:256, policy: archive}]\n"
        self.lab.write("archive.yaml", ARCHIVE % (1, "encrypt"))
        self.apply(text)
        self.lab.write("archive.yaml", ARCHIVE % (1, "encrypt, decrypt"))
        self.assertIn("raise its version", self.apply(text, code=1).stderr)
        self.lab.write("archive.yaml", ARCHIVE % (2, "encrypt, decrypt"))
        self.assertIn("WEAKER", self.apply(text, "--dry-run").stdout)
        self.apply(text, code=1)  # nobody can be asked here
        self.assertEqual(self.policies("versions")["archive"], 1)
        self.apply(text, "--yes")
        self.assertEqual(self.policies("versions")["archive"], 2)
        digest = self.lab.cli("key", "show", "--token", "versions", "k", json=True)["attributes"]["policy_digest"]
        listed = self.lab.cli("policy", "list", "--token", "versions", json=True)["policies"]
        self.assertIn(digest, [p["digest"] for p in listed], "the key is sealed under the new version")

    def test_a_token_with_a_pin(self):
        self.lab.make_token("pinned", pin="123456", so_pin="654321")
        pin = self.lab.dir / "pin-pinned"
        text = ("token: pinned\nsecrets:\n  - {name: k, type: aes:256}\n"
                "  - {name: d, type: data, value: x, secret: false}\n")
        wrong = self.lab.write("wrong-pin", "111111\n", 0o600)
        self.apply(text, "--pin-file", wrong, code=1)
        self.assertEqual(self.objects("pinned"), [])
        self.apply(text, "--pin-file", pin)
        self.assertEqual(len(self.objects("pinned")), 2)
        # Who has not given it does not see what is in data, an operator neither.
        again = self.plan(text)
        self.assertEqual([s["note"] != "" for s in again["secrets"]], [False, True])

    def test_mistakes_name_file_line_and_key(self):
        for text, wanted in (("token: t\nsecrets:\n  - {name: k, type: rsa:1024}\n", "secrets.yaml:3: secrets[1].type"),
                             ("token: t\ncolour: red\n", "secrets.yaml:2: colour"),
                             ("token: t\nsecrets: [{name: k, type: data, file: absent}]\n", "absent"),
                             ("token: no such token\nsecrets: [{name: k, type: sm2}]\n", "no such token")):
            self.assertIn(wanted, self.apply(text, code=1).stderr)
        self.assertIn("--token", self.apply("token: a\nsecrets: [{name: k, type: sm2}]\n", "--token", "b", code=2).stderr)

    def test_aecs_files_as_they_are(self):
        self.lab.make_token("ledger")
        key = self.lab.dir / "sm2.pem"
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", str(key))
        data = base64.b64encode(json.dumps({"private_key": key.read_text(), "public_key": "PEM"}).encode()).decode()

        def text(svn):
            return AECS.replace("&1", ROW % ("6d" * 32, svn)).replace("&2", data)

        process = self.apply(text(1))
        self.assertIn("mrsigner is empty", process.stderr)
        self.assertIn("the secret itself is in this file", process.stderr)
        objects = {(o["label"], o["class"]): o for o in self.objects("ledger")}
        self.assertEqual(objects["ledger-key", "private key"]["policy"], "ledger-key")
        self.assertEqual(objects["ledger-key", "public key"]["policy"], "public")
        self.assertEqual(objects["ledger-tls", "certificate"]["policy"], "public")
        public = self.openssl("pkey", "-in", str(key), "-pubout")
        self.assertEqual(self.lab.cli("secret", "get", "brought-key", "--token", "ledger", "--public").stdout, public)
        self.assertEqual(self.apply(text(1)).stdout.count("unchanged"), 12)
        # Another policy is its next version; nothing else is another.
        plan = self.plan(text(2), "--yes")
        self.assertEqual({(p["action"], p["before"], p["after"]) for p in plan["policies"] if p["policy"] != "public"},
                         {("change", 1, 2)})
        self.assertEqual(self.policies("ledger")["image-key"], 2)
        self.assertEqual(len(self.objects("ledger")), len(objects))
        for secret in ("SECRET_TYPE_DSA_KEY_PAIR", "SECRET_TYPE_RSA"):
            self.assertIn("no such type", self.apply(text(1).replace("SECRET_TYPE_RSA_KEY_PAIR", secret), code=1).stderr)


class OwnedApply(OwnedTest):
    def test_owners_sign_what_is_applied(self):
        text = ("token: edge\npolicies:\n  - text: |\n      policy: fresh\n      version: 1\n      permit:\n"
                "        - {operations: [sign], mechanisms: [ecdsa], when: {tee: {is: simulated}}, allow_unattested: true}\n"
                "secrets:\n  - {name: one, type: ec:p256, policy: fresh}\n  - {name: two, type: aes:256, policy: fresh}\n")
        path = self.lab.write("owned.yaml", text)
        self.assertIn("owner", self.refused("apply", "-f", path))
        self.lab.cli("apply", "-f", path, *self.ops)
        objects = self.lab.cli("key", "list", "--token", "edge", *self.ops, json=True)["objects"]
        self.assertEqual({o["policy"] for o in objects if o["label"] in ("one", "two")}, {"fresh"})
        again = self.lab.cli("apply", "-f", path, *self.security, json=True)
        self.assertEqual({s["action"] for s in again["secrets"]}, {"unchanged"})

    def test_a_policy_that_asks_for_more_owners_is_refused_whole(self):
        shown = self.lab.cli("policy", "show", "--token", "edge", *self.ops, json=True)["text"]
        version = self.lab.cli("policy", "show", "--token", "edge", *self.ops, json=True)["version"]
        self.lab.write("edge-next.yaml", shown.replace(f"version: {version}\n", f"version: {version + 1}\n")
                       .replace("[sign]", "[sign, verify]"))
        path = self.lab.write("quorum.yaml", "token: edge\npolicies: [{file: edge-next.yaml}]\n"
                                             "secrets: [{name: three, type: sm2}]\n")
        self.assertIn("nothing was changed", self.refused("apply", "-f", path, "--yes", *self.ops))
        objects = self.lab.cli("key", "list", "--token", "edge", *self.ops, json=True)["objects"]
        self.assertNotIn("three", {o["label"] for o in objects})
        self.lab.cli("apply", "-f", path, "--yes", *self.ops, *self.security)


if __name__ == "__main__":
    main()
