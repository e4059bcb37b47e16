# The disk's passphrase is for one confidential virtual machine.
package policy

import rego.v1

default allow := false

evidence := input["submods"]["cpu0"]["ear.veraison.annotated-evidence"]

allow if {
    data.plugin == "resource"
    data["resource-path"] == ["default", "key", "disk"]
    evidence.snp.measurement == "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
    evidence.snp.policy_debug_allowed == "0"
}
