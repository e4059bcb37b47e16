// What Trustee's clients send, to the gateway and through it to the enclave, and JWEs: whatever
// comes in, an answer or an error.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "attest/rcar.h"
#include "attest/snp/report.h"
#include "attest/strict_json.h"
#include "enclave/kbs/messages.h"
#include "enclave/mech/jwe.h"

using keyclave::AsText;
using keyclave::ByteSpan;
using keyclave::Equal;
using keyclave::FromC;
using keyclave::attest::ParseRcarRuntimeData;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// Of P-256: opening for it costs little.
const keyclave::mech::Key& RecipientKey() {
  static const auto* const key = [] {
    constexpr std::string_view kPkcs8 =
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJHh+PrcrmJXmBmDOZLaxkO2IpbobtNVEXGD9"
        "3S8PGU2hRANCAAQ/pqBakKnDwvoy3Q4BeAbCSWAB8swUqhrypaxx7O66IQWVIL1gcsqp27XS2RPInDiVy9zM"
        "rRdSb2mjxJV5/Hmt";
    auto made = keyclave::mech::MaterialFromPkcs8(keyclave::FromBase64(kPkcs8).value()).value();
    made.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
    return new auto(keyclave::mech::LoadKey(made.attributes, made.material).value());
  }();
  return **key;
}

void ReadRuntimeData(ByteSpan bytes) {
  const auto data = ParseRcarRuntimeData(bytes);
  if (!data.ok()) return;
  Require(!data->recipient.spki.empty());
  const auto json = keyclave::attest::ParseStrictJson(bytes).value();
  Require(Equal(
      keyclave::attest::EncodeRcarRuntimeData(data->nonce, json.at("tee-pubkey"),
                                              json.at("additional-evidence").get<std::string>()),
      bytes));
}

// What the gateway passes on is well formed for the enclave.
void ReadAttest(std::string_view tee, ByteSpan bytes) {
  const auto request = keyclave::kbs::ParseAttestRequest(tee, bytes);
  if (!request.ok()) return;
  const auto data = ParseRcarRuntimeData(request->runtime_data);
  Require(data.ok() && data->nonce == request->nonce);
  if (tee == "snp") Require(request->evidence.bytes.size() >= keyclave::attest::kSnpReportSize);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan bytes = FromC(data, size);
  ReadRuntimeData(bytes);
  if (const auto json = keyclave::attest::ParseStrictJson(bytes); json.ok()) {
    const auto key = keyclave::attest::ParseTeePublicKey(*json);
    Require(!key.ok() || !key->spki.empty());
  }
  const auto auth = keyclave::kbs::ParseAuthRequest(bytes);
  Require(!auth.ok() || keyclave::kbs::IsKnownTee(auth->tee));
  for (const char* tee : {"snp", "tdx", "sgx"}) ReadAttest(tee, bytes);
  static_cast<void>(keyclave::kbs::SessionOfToken(AsText(bytes)));
  const auto flattened = keyclave::kbs::FlattenedJwe(bytes);
  static_cast<void>(flattened.ok());
  if (const auto label = keyclave::kbs::LabelOf(AsText(bytes))) {
    Require(std::count(label->begin(), label->end(), '/') == 2);
    Require(label->find("..") != 0 && label->find("/.") == std::string::npos);
  }
  const auto opened =
      keyclave::mech::JweOpen(keyclave::mech::JweAlgorithm::kEcdhEsA256Kw, RecipientKey(), bytes);
  Require(!opened.ok() || opened->size() < size);
  return 0;
}
