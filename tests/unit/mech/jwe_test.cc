// JWE: what another implementation sealed opens, what was sealed here opens, and nothing else does.

#include "enclave/mech/jwe.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "enclave/mech/release_form.h"
#include "tests/fakes/paths.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

using Json = nlohmann::json;

struct Vector {
  std::string kind;
  std::shared_ptr<const Key> private_key;
  std::shared_ptr<const Key> public_key;
  std::string jwe;
  JweAlgorithm algorithm() const {
    return kind == "rsa" ? JweAlgorithm::kRsaOaep256 : JweAlgorithm::kEcdhEsA256Kw;
  }
};

std::vector<Vector> ReadVectors() {
  std::ifstream file(fakes::SourcePath("tests/data/mech/jwe_jwcrypto.txt"));
  std::vector<Vector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line);
    Vector vector;
    std::string key;
    words >> vector.kind >> key >> vector.jwe;
    NewKey made = Get(MaterialFromPkcs8(Get(FromBase64(key))));
    made.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
    vector.private_key = Get(LoadKey(made.attributes, made.material));
    vector.public_key = Get(PublicKeyFromInfo(Get(PublicKeyInfo(*vector.private_key))));
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

std::string Opened(const Vector& vector, std::string_view jwe) {
  const auto opened = JweOpen(vector.algorithm(), *vector.private_key, AsBytes(jwe));
  return opened.ok() ? std::string(AsText(opened->Expose(SecretAccess()))) : CodeOf(opened);
}

std::vector<std::string> PartsOf(std::string_view jwe) {
  std::istringstream stream{std::string(jwe)};
  std::vector<std::string> parts;
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) text.append(".").append(parts[i]);
  return text;
}

class Jwe : public testing::TestWithParam<size_t> {
 protected:
  const Vector vector = ReadVectors().at(GetParam());
  std::string Seal(std::string_view text) {
    const auto sealed = JweSeal(vector.algorithm(), *vector.public_key, AsBytes(text));
    EXPECT_TRUE(sealed.ok()) << sealed.error().Text();
    return std::string(AsText(*sealed));
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Jwe, testing::Range(size_t{0}, size_t{4}),
                         [](const auto& row) { return ReadVectors().at(row.param).kind; });

TEST_P(Jwe, WhatAnotherImplementationSealedOpens) {
  EXPECT_EQ(Opened(vector, vector.jwe), "what jwcrypto sealed");
}

TEST_P(Jwe, WhatWasSealedOpens) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100'000, 'y')})
    EXPECT_EQ(Opened(vector, Seal(text)), text);
  EXPECT_NE(Seal("x"), Seal("x"));
}

// Trustee's clients write the header anew to know what the content is bound to: in this order,
// without white space.
TEST_P(Jwe, TheHeaderIsWrittenAsItsReadersWriteIt) {
  const std::string header(AsText(Get(FromBase64(PartsOf(Seal("x")).front()))));
  if (vector.kind == "rsa") {
    EXPECT_EQ(header, R"({"alg":"RSA-OAEP-256","enc":"A256GCM"})");
    return;
  }
  const Json epk = Json::parse(header).at("epk");
  const std::string curve = "P-" + vector.kind.substr(1);
  EXPECT_EQ(header, R"({"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{"crv":")" + curve +
                        R"(","kty":"EC","x":")" + epk.at("x").get<std::string>() + R"(","y":")" +
                        epk.at("y").get<std::string>() + R"("}})");
}

TEST_P(Jwe, NothingElseOpens) {
  const std::vector<std::string> parts = PartsOf(Seal("a secret"));
  ASSERT_EQ(parts.size(), 5U);
  for (size_t i = 0; i < parts.size(); ++i) {
    for (const size_t at : {size_t{0}, parts[i].size() / 2}) {
      std::vector<std::string> changed = parts;
      changed[i][at] = changed[i][at] == 'B' ? 'C' : 'B';
      EXPECT_EQ(Opened(vector, Joined(changed)), "EncryptedDataInvalid") << i << " at " << at;
    }
    std::vector<std::string> shorter = parts;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(Opened(vector, Joined(shorter)), "EncryptedDataInvalid") << "without " << i;
  }
  EXPECT_EQ(Opened(vector, Joined(parts) + ".AAAA"), "EncryptedDataInvalid");
  EXPECT_EQ(Opened(vector, ""), "EncryptedDataInvalid");
  EXPECT_EQ(Opened(vector, "...."), "EncryptedDataInvalid");
}

TEST_P(Jwe, TheHeaderSaysOneAlgorithmAndNoMore) {
  std::vector<std::string> parts = PartsOf(Seal("a secret"));
  const Json header = Json::parse(AsText(Get(FromBase64(parts.front()))));
  for (const Json& change :
       {Json{{"alg", "dir"}}, Json{{"alg", "RSA-OAEP"}}, Json{{"enc", "A128GCM"}},
        Json{{"zip", "DEF"}}, Json{{"crit", {"exp"}}}, Json{{"epk", nullptr}}, Json{{"epk", 1}},
        Json{{"epk", {{"kty", "EC"}}}}}) {
    Json changed = header;
    changed.update(change);
    parts.front() = ToBase64Url(AsBytes(changed.dump()));
    EXPECT_EQ(Opened(vector, Joined(parts)), "EncryptedDataInvalid") << change;
  }
}

TEST_P(Jwe, KeysThatDoNotFitAreRefused) {
  for (const Vector& other : ReadVectors()) {
    const bool fits = other.algorithm() == vector.algorithm();
    EXPECT_EQ(JweFits(vector.algorithm(), *other.public_key), fits) << other.kind;
    const auto sealed = JweSeal(vector.algorithm(), *other.public_key, AsBytes("x"));
    EXPECT_EQ(sealed.ok(), fits) << other.kind;
    if (!fits) {
      EXPECT_EQ(sealed.code(), Code::kKeyTypeInconsistent);
    }
    if (other.kind == vector.kind) continue;
    const auto opened = JweOpen(vector.algorithm(), *other.private_key, AsBytes(vector.jwe));
    EXPECT_EQ(CodeOf(opened), fits ? "EncryptedDataInvalid" : "KeyTypeInconsistent") << other.kind;
  }
  EXPECT_EQ(CodeOf(JweOpen(vector.algorithm(), *vector.public_key, AsBytes(vector.jwe))),
            "KeyFunctionNotPermitted");
}

TEST(JweForm, IsReleasedAndOpenedByItsName) {
  for (const Vector& vector : ReadVectors()) {
    const ReleaseForm* form =
        FindReleaseForm(vector.kind == "rsa" ? "jwe-rsa-oaep-256" : "jwe-ecdh-es-a256kw");
    ASSERT_NE(form, nullptr);
    EXPECT_TRUE(FormFits(*form, *vector.public_key));
    const SecretBytes secret = SecretBytes::CopyOf(AsBytes("released"));
    const Bytes wrapped = Get(WrapReleased(*form, *vector.public_key, AsBytes("aad"), secret));
    const auto opened = OpenReleased(*form, *vector.private_key, AsBytes("aad"), wrapped);
    ASSERT_TRUE(opened.ok()) << vector.kind;
    EXPECT_TRUE(*opened == secret);
  }
}

}  // namespace
}  // namespace keyclave::mech
