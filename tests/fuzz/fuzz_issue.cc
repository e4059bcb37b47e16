// Certification requests (PKCS#10) as anybody with a permit sends them into the enclave: read,
// drafted, judged, their signature checked. A draft is never a CA's, whatever the request says.
#include <cstdlib>

#include "enclave/guard/issue.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keyclave;  // NOLINT(google-build-using-namespace)
  wire::IssueCertificateRequest request;
  request.csr = ToBytes(FromC(data, size));
  request.names = {"a.mesh.example"};
  request.usages = {"server-auth"};
  request.validity = 60;
  const auto leaf = mech::DraftLeaf(request);
  if (!leaf.ok()) return 0;
  const authz::IssueRule rule{
      .x509 = {.dns = {".mesh.example"}, .usages = {authz::CertificateUsage::kServerAuth}},
      .max_validity = 60};
  if (!guard::CheckIssue(rule, *leaf).ok() || X509_check_ca(leaf->draft.get()) != 0) std::abort();
  static_cast<void>(mech::CheckProof(*leaf).ok());
  return 0;
}
