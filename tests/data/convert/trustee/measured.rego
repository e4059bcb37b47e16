# Who may have the keys of the night shift.
package policy

import rego.v1

default allow := false

plugin = data.plugin

evidence := input["submods"]["cpu0"]["ear.veraison.annotated-evidence"]

allow if {
    plugin == "resource"
    data["resource-path"] in {"night/keys/one", "night/keys/two"}
    input.submods.cpu0["ear.status"] == "affirming"
    evidence.snp.measurement == "3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a"
}

allow if {
    data["resource-path"] == ["day", "keys", "one"]
    evidence.tdx.quote.body.mr_td == "4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b"; evidence.tdx.td_attributes.debug == false
}
