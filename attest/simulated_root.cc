#include "attest/simulated_root.h"

#ifdef KEYCLAVE_SIMULATED
#include "attest/ecdsa_p256.h"
#include "enclave/base/file.h"
#endif

namespace keyclave::attest {

#ifdef KEYCLAVE_SIMULATED

namespace {

constexpr size_t kMaxFile = 16384;
constexpr uint32_t kReadableByAll = 0644;
constexpr std::string_view kWarning =
    "# Development root of Keyclave's simulated TEE. It protects nothing: whoever reads this file\n"
    "# can claim to be any program, and every program that proves itself must read it.\n";

}  // namespace

Status MakeSimulatedRoot(const std::string& key_path, const std::string& public_path) {
  KC_ASSIGN(const P256PrivateKey key, P256PrivateKey::Generate());
  KC_ASSIGN(const Bytes private_pem, key.ToPem());
  KC_ASSIGN(const P256PublicKey public_key, key.Public());
  KC_ASSIGN(const Bytes public_pem, public_key.ToPem());
  Bytes file = ToBytes(kWarning);
  file.insert(file.end(), private_pem.begin(), private_pem.end());
  KC_CHECK_OK(WriteNewFile(key_path, file, kReadableByAll));
  return WriteNewFile(public_path, public_pem, kReadableByAll);
}

Result<Bytes> ReadSimulatedRoot(const std::string& public_path) {
  KC_ASSIGN(const Bytes pem, ReadFile(public_path, kMaxFile));
  auto key = P256PublicKey::FromPem(pem);
  if (!key.ok()) return std::move(key).error().In(public_path);
  return key->ToSpki();
}

#else

Status MakeSimulatedRoot(const std::string& /*key_path*/, const std::string& /*public_path*/) {
  return Fail(Code::kUnsupported, "this build has no simulated TEE");
}

Result<Bytes> ReadSimulatedRoot(const std::string& /*public_path*/) {
  return Fail(Code::kUnsupported, "this build has no simulated TEE");
}

#endif

}  // namespace keyclave::attest
