"""What UID2's files say, as Keyclave has it: adopt.py set|policy FOLDER, or adopt.py secret FOLDER NAME."""

import datetime
import json
import pathlib
import sys

SET = """\
# From enclaves.json.
set: operator-enclaves
version: 1
entries:
"""
POLICY = """\
# From Occlum.json and operator-config.json.
policy: uid2-operator
version: 1
on_verifier_trouble: use_cached({grace}h)   # failure_shutdown_wait_hours; but nothing is shut down
permit:
"""
PERMIT = """\
  - operations: {operations}
    when:
      tee: {{is: sgx}}
      measurement: {{in-set: operator-enclaves}}
      product_id: {{is: "{product_id}"}}
      svn: {{min: {version_number}}}
    max_age: {hours}h   # then evidence is made anew, within the call
"""


def entry(enclave):
    if enclave["protocol"] != "azure-sgx":
        sys.exit(f"{enclave['name']}: {enclave['protocol']} is another kind of evidence: it needs a permit of its own")
    created = datetime.datetime.fromtimestamp(enclave["created"], datetime.timezone.utc)
    return f"  - value: \"{enclave['identifier']}\"\n    reason: {enclave['name']}, registered {created:%Y-%m-%d}\n"


def policy(config, enclave):
    if enclave["debuggable"]:
        sys.exit("an enclave that can be debugged proves nothing")
    permits = ("[read]", "[encrypt]\n    mechanisms: [aes-gcm]")
    return POLICY.format(grace=config["failure_shutdown_wait_hours"]) + "".join(
        PERMIT.format(operations=operations, hours=config["attestation_expiry_hours"], **enclave) for operations in permits)


def main():
    what, folder = sys.argv[1], pathlib.Path(sys.argv[2])

    def read(name):
        return json.loads((folder / name).read_text())

    if what == "set":
        print(SET + "".join(map(entry, read("enclaves.json"))), end="")
    elif what == "policy":
        print(policy(read("operator-config.json"), read("Occlum.json")["metadata"]), end="")
    else:
        print(read("operator-config.json")[sys.argv[3]], end="")


main()
