#include "tests/e2e/tee_lab.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "attest/gnutls_handles.h"
#include "enclave/base/cbor.h"
#include "enclave/base/file.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::string_view kTokenLabel = "callers";

attest::ReportData ToReportData(ByteSpan bytes) {
  attest::ReportData data{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), data.size()), data.begin());
  return data;
}

// The security module's answer to a request for a document: aws-nitro-enclaves-nsm-api, src/api.
Bytes AnswerOfNsm(ByteSpan request, const Signer& sign) {
  CborReader reader(request);
  Must(reader.Map(1));
  Must(reader.Text(64));  // "Attestation"
  ByteSpan user_data;
  const uint64_t count = Must(reader.Map(3));
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view field = Must(reader.Text(64));
    if (reader.TakeNull()) continue;
    const ByteSpan value = Must(reader.ByteString(1024));
    if (field == "user_data") user_data = value;
  }
  CborWriter writer;
  writer.Map(1);
  writer.Text("Attestation");
  writer.Map(1);
  writer.Text("document");
  writer.ByteString(sign(ToReportData(user_data)));
  return std::move(writer).Finish();
}

// The variable in which a program that gets tokens finds what they are to be bound to.
attest::ReportData ReportDataOf(const attest::Command& command) {
  const std::string& variable = command.environment.front();
  return ToReportData(Must(FromHex(variable.substr(variable.find('=') + 1))));
}

std::string ToPem(const Bytes& spki) {
  attest::OwnedDatum pem;
  const gnutls_datum_t der = attest::AsDatum(spki);
  if (gnutls_pem_base64_encode2("PUBLIC KEY", &der, pem.get()) != 0) std::abort();
  return std::string(AsText(pem.bytes()));
}

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

}  // namespace

Machine::Machine(const RealDaemon& daemon, const std::string& type, Signer sign) {
  client::ClientConfig config = daemon.Caller();
  config.evidence_type = type;
  config.producer.host = &host_;
  config.producer.token_command = {"/usr/bin/get-token"};
  AddDevices(type, sign);
  caller_ = std::make_unique<client::Client>(std::move(config));
}

void Machine::AddDevices(const std::string& type, const Signer& sign) {
  constexpr size_t kSnpReport = 1184;
  gramine_.make_quote = sign;
  nsm_.answer_to = [sign](ByteSpan request) { return AnswerOfNsm(request, sign); };
  const std::map<std::string, std::string> providers = {
      {"tdx", "tdx_guest"}, {"cca", "arm_cca_guest"}, {"sev-snp", "sev_guest"}};
  const auto provider = providers.find(type);
  tsm_.provider = provider == providers.end() ? "" : provider->second;
  tsm_.make = [this, type, sign](const fakes::FakeTsm::Item& item) {
    Bytes made = sign(ToReportData(item.inblob));
    if (type != "sev-snp") return made;
    tsm_.auxblob = Bytes(made.begin() + kSnpReport, made.end());
    made.resize(kSnpReport);
    return made;
  };
  host_.run = [sign](const attest::Command& command, attest::CommandOutcome& outcome) {
    outcome.output = sign(ReportDataOf(command));
    outcome.wait_status = 0;
    return 0;
  };
  if (type == "sgx") host_.Add(gramine_);
  if (!tsm_.provider.empty()) host_.Add(tsm_);
  if (type == "nitro") host_.Add(nsm_);
}

TeeLab::TeeLab(const std::vector<std::string>& types, attest::Trust trust)
    : trust_(std::move(trust)) {
  daemon_ = std::make_unique<RealDaemon>(folder_, TrustBlock(types));
  administrator_ = std::make_unique<client::Client>(daemon_->Caller());
  wire::CreateTokenRequest request;
  request.label = kTokenLabel;
  request.policy =
      "policy: nobody\nversion: 1\npermit:\n  - operations: [sign]\n    when: {tee: "
      "{is: nitro}, measurement: {is: \"00\"}}\n";
  token_ = Must(administrator_->Call<wire::Op::kCreateToken>(request)).token.id;
}

std::string TeeLab::NewFile(const std::string& name, ByteSpan bytes) const {
  const std::string path = folder_.path() + "/" + name;
  if (!WriteNewFile(path, bytes, 0600).ok()) std::abort();
  return path;
}

std::string TeeLab::TrustBlock(const std::vector<std::string>& types) const {
  std::string text = "accept: [simulated, " + Join(types) + "]\n";
  const std::string collateral = folder_.path() + "/collateral";
  ::mkdir(collateral.c_str(), 0700);
  text += "trust:\n  collateral: " + collateral + "\n";
  unsigned number = 0;
  const auto file = [&](const std::string& folder, ByteSpan bytes) {
    return NewFile(folder + "file" + std::to_string(number++), bytes);
  };
  for (const auto& one : trust_.collateral->certificates()) file("collateral/", one.der());
  for (const auto& one : trust_.collateral->revocation_lists()) file("collateral/", one.der());
  for (const auto& one : trust_.collateral->documents()) file("collateral/", one.bytes());
  text += trust_.roots.empty() ? "" : "  roots:\n";
  for (const auto& [type, roots] : trust_.roots) {
    std::vector<std::string> files;
    for (const attest::Certificate& root : roots) files.push_back(file("", root.der()));
    text += "    " + type + ": [" + Join(files) + "]\n";
  }
  text += trust_.keys.empty() ? "" : "  keys:\n";
  for (const auto& [type, keys] : trust_.keys) {
    std::vector<std::string> files;
    for (const Bytes& spki : keys) files.push_back(file("", AsBytes(ToPem(spki))));
    text += "    " + type + ": [" + Join(files) + "]\n";
  }
  text += trust_.token_issuers.empty() ? "" : "  tokens:\n";
  for (const attest::TokenIssuer& one : trust_.token_issuers)
    text += "    - {issuer: \"" + one.issuer + "\", audience: " + one.audience +
            ", keys: " + file("", one.keys) + (one.unbound ? ", unbound: true" : "") + "}\n";
  return text;
}

TeeLab::Key TeeLab::MakeKey(const std::string& when) { return MakeKeyOf(when, ""); }

TeeLab::Key TeeLab::MakeKeyOf(const std::string& when, const std::string& line) {
  const std::string name = "p" + std::to_string(++keys_);
  wire::ApplyPolicyRequest policy;
  policy.token = token_;
  policy.text = "policy: " + name + "\nversion: 1\n" + line +
                "\npermit:\n  - operations: [sign]\n    when: " + when + "\n";
  const auto applied = administrator_->Call<wire::Op::kApplyPolicy>(policy);
  EXPECT_TRUE(applied.ok()) << applied.error().Text() << "\n" << policy.text;
  wire::GenerateKeyPairRequest request;
  request.token = token_;
  request.mechanism.type = CKM_EC_KEY_PAIR_GEN;
  request.public_attributes.Set(CKA_EC_PARAMS, kP256);
  request.private_attributes.SetText(kCkaPolicy, name);
  request.private_attributes.SetBool(CKA_SIGN, true);
  for (auto* attributes : {&request.public_attributes, &request.private_attributes})
    attributes->SetBool(CKA_TOKEN, true);
  const auto pair = Must(administrator_->Call<wire::Op::kGenerateKeyPair>(request));
  wire::ObjectRef ref;
  ref.id = pair.private_key.id;
  const Bytes* spki = pair.public_key.attributes.Find(CKA_PUBLIC_KEY_INFO);
  return {std::move(ref), Must(attest::PublicKey::FromSpki(*spki))};
}

TeeLab::Key TeeLab::MakeKey(const std::string& type, const std::string& measurement) {
  return MakeKey("{tee: {is: " + type + "}, measurement: {is: \"" + measurement + "\"}}");
}

Status TeeLab::Sign(client::Client& caller, const Key& key) {
  wire::SignRequest request;
  request.key = key.ref;
  request.mechanism.type = CKM_ECDSA_SHA256;
  request.input = ToBytes(RandomArray<32>());
  KC_ASSIGN(const auto reply, caller.Call<wire::Op::kSign>(request));
  const ByteSpan signature = reply.output;
  if (signature.size() != 64) return Fail(Code::kSignatureInvalid, "not 64 bytes");
  return key.public_key.VerifyEcdsa(attest::SignatureScheme::kEcdsaP256Sha256, request.input,
                                    signature.first(32), signature.subspan(32));
}

wire::ExplainReply TeeLab::Explain(const Key& key) {
  wire::ExplainRequest request;
  request.key = key.ref;
  request.operation = "sign";
  return Must(administrator_->Call<wire::Op::kExplain>(request));
}

std::string TeeLab::Refusal(const std::string& type, const Signer& sign) {
  Machine machine(*daemon_, type, sign);
  const auto listed = machine.caller().Call<wire::Op::kListTokens>({});
  if (listed.ok()) return {};
  EXPECT_EQ(listed.code(), Code::kEvidenceRefused) << listed.error().Text();
  return listed.error().Text();
}

void CheckRefusal(TeeLab& lab, const std::string& type, const Signer& sign, Code code,
                  const std::vector<std::string>& words) {
  const std::string refusal = lab.Refusal(type, sign);
  EXPECT_NE(refusal, "") << "it was accepted";
  EXPECT_NE(refusal.find(Sentence(code)), std::string::npos) << refusal;
  for (const std::string& word : words)
    EXPECT_NE(refusal.find(word), std::string::npos) << "wanted " << word << " in " << refusal;
}

}  // namespace keyclave::test
