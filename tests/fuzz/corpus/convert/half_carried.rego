package policy

default allow = false

allow if {
    input.submods.cpu0["ear.veraison.annotated-evidence"].snp.measurement == "3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a"
    input.submods.cpu0["ear.veraison.annotated-evidence"].snp.platform_smt_enabled == 1
}

allow if input.submods.cpu0["ear.veraison.annotated-evidence"].sgx.body.mr_enclave == "6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d"
