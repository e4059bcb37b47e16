// The real evidence in the folder that KEYCLAVE_EVIDENCE_DIR names; nothing of it lies here.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attest/tee_type.h"
#include "enclave/base/file.h"

namespace keyclave::test {

struct Vector {
  std::filesystem::path folder;
  std::string name;  // "milan-v2"
  nlohmann::json meta;

  bool Has(const std::string& file) const { return std::filesystem::exists(folder / file); }
  Bytes Read(const std::string& file) const {
    auto bytes = ReadFile((folder / file).string(), size_t{1} << 20);
    return bytes.ok() ? *std::move(bytes) : Bytes();
  }
  std::string Verdict() const { return meta.at("expected").at("verdict_code"); }
  // When it is to be verified; `otherwise` where the vector does not say.
  UnixTime VerifyAt(UnixTime otherwise) const {
    const auto& expected = meta.at("expected");
    if (!expected.contains("verify_at") || !expected["verify_at"].is_string()) return otherwise;
    const auto time = ParseTime(expected["verify_at"].get<std::string>());
    return time.ok() ? *time : otherwise;
  }
};

// The vectors of a family, by name; empty if there is no such folder.
inline std::vector<Vector> Vectors(const std::string& family) {
  std::vector<Vector> vectors;
  const char* root = std::getenv("KEYCLAVE_EVIDENCE_DIR");
  if (root == nullptr) return vectors;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(root) / family, error)) {
    Vector vector{entry.path(), entry.path().filename().string(), {}};
    if (!vector.Has("META.json")) continue;
    const Bytes meta = vector.Read("META.json");
    vector.meta = nlohmann::json::parse(meta.begin(), meta.end());
    vectors.push_back(std::move(vector));
  }
  std::sort(vectors.begin(), vectors.end(),
            [](const Vector& a, const Vector& b) { return a.name < b.name; });
  return vectors;
}

// What examining evidence of this type at that time gives.
inline Result<attest::ClaimSet> Examine(std::string_view type, ByteSpan bytes,
                                        const attest::Trust& trust, UnixTime at) {
  KC_ASSIGN(const attest::Unverified evidence, attest::ParseEvidence(type, bytes));
  return attest::ExamineEvidence(evidence, {trust, at, attest::ExpectedBinding::None()});
}

inline std::string ClaimText(const attest::ClaimSet& claims, std::string_view name) {
  const attest::Claim* claim = claims.Find(name);
  return claim == nullptr ? "(absent)" : attest::ToText(claim->value);
}

}  // namespace keyclave::test
