// A confidential virtual machine of Azure's: an SNP guest whose paravisor keeps a virtual TPM, and
// has the hardware vouch for that TPM's key.
#pragma once

#include "tests/fakes/fake_snp.h"
#include "tests/fakes/fake_tpm.h"

namespace keyclave::test {

// The runtime data of a machine with this vTPM (of an RSA key).
std::string RuntimeData(const FakeTpm& vtpm);
// The HCL report around a hardware report, whatever that vouches for, as it lies in NV memory.
// `type`: 2 is SNP, 4 TDX.
Bytes HclReport(const Bytes& hardware, const std::string& runtime, uint32_t type = 2);
// The guest's report about these runtime data.
Bytes ReportOn(const FakeSnp& guest, const std::string& runtime);
// All of it, and a quote.
attest::tpm::Evidence AzureParts(const FakeSnp& guest, const FakeTpm& vtpm,
                                 ByteSpan qualifying_data);

}  // namespace keyclave::test
