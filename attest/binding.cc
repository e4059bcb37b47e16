#include "attest/binding.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kLabel = "keyclave/evidence/1";

std::string_view RoleName(Role role) { return role == Role::kEnclave ? "enclave" : "caller"; }

}  // namespace

ReportData ComputeReportData(const Binding& binding) {
  ByteWriter fields;
  fields.PutPrefixed(AsBytes(kLabel));
  fields.PutPrefixed(AsBytes(RoleName(binding.role)));
  fields.PutPrefixed(binding.nonce);
  fields.PutPrefixed(binding.exporter);
  fields.PutPrefixed(binding.client_spki);
  fields.PutPrefixed(binding.server_spki);
  fields.PutPrefixed(AsBytes(binding.audience));
  fields.PutPrefixed(Sha256(binding.runtime_claims));
  return Sha512(fields.bytes());
}

}  // namespace keyclave::attest
