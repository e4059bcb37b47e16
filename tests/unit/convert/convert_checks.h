// What the tests of conversions share: examples out of tests/data/convert, and callers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attest/token/family.h"
#include "enclave/authz/authorize.h"
#include "enclave/base/file.h"
#include "enclave/ctl/convert/conversion.h"
#include "tests/fakes/paths.h"

namespace keyclave::ctl::convert {

using attest::ClaimSet;
using authz::Operation;

inline constexpr UnixTime kNow = 1'790'000'000;

// The repeated byte in hexadecimal, as the examples have it.
inline std::string Repeated(std::string_view byte, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += byte;
  return text;
}

inline std::string Example(const std::string& dialect, const std::string& name) {
  const std::string path = fakes::SourcePath("tests/data/convert/") + dialect + "/" + name;
  const auto bytes = ReadFile(path, kMaxSource);
  EXPECT_TRUE(bytes.ok()) << path;
  return bytes.ok() ? std::string(AsText(*bytes)) : "";
}

inline Converted Only(const std::string& dialect, const std::string& name,
                      const Options& options = {}) {
  auto list = Convert(dialect, Example(dialect, name), name, options);
  EXPECT_TRUE(list.ok() && list->size() == 1) << (list.ok() ? "" : list.error().Text());
  return list.ok() && !list->empty() ? list->front()
                                     : Converted{.name = {}, .text = {}, .findings = {}};
}

inline bool Allows(const Converted& converted, const ClaimSet& claims, Operation operation) {
  if (!converted.text.has_value()) return false;
  const auto policy = authz::Policy::Parse(*converted.text, "converted");
  EXPECT_TRUE(policy.ok()) << policy.error().Text() << "\n" << *converted.text;
  if (!policy.ok()) return false;
  for (const auto& verdict : authz::Explain(*policy, claims, kNow, kNow, operation, "")) {
    if (verdict.term.empty()) return true;
  }
  return false;
}

// "left-out anyOf[0]", one for each finding of that kind.
inline std::vector<std::string> Places(const Converted& converted, Finding::Kind kind) {
  std::vector<std::string> places;
  for (const Finding& finding : converted.findings) {
    if (finding.kind == kind) places.push_back(finding.where);
  }
  return places;
}

// What a verified token of this payload and issuer says, by the code that verifies tokens.
inline ClaimSet TokenClaims(const std::string& issuer, const std::string& payload) {
  const auto json = nlohmann::json::parse(payload);
  const attest::token::Family* family = attest::token::FindFamily(json);
  if (family == nullptr) {
    ADD_FAILURE() << "a token of no family: " << payload;
    return {};
  }
  auto claims = family->claims(json);
  if (!claims.ok()) {
    ADD_FAILURE() << claims.error().Text();
    return {};
  }
  claims->Set("tee", std::string("token"));
  claims->Set("token.family", std::string(family->name));
  claims->Set("token.bound", true);
  claims->Set("token.issuer", issuer);
  claims->Set("token.bound", true);
  return *std::move(claims);
}

// The same claims, one of them changed.
inline ClaimSet With(ClaimSet claims, const std::string& name, attest::ClaimValue value) {
  claims.Set(name, std::move(value));
  return claims;
}

}  // namespace keyclave::ctl::convert
