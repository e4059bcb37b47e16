// Type `cca`: the attestation token of Arm's Confidential Compute Architecture, a collection of two
// COSE_Sign1: the platform's, signed with its attestation key (CPAK), and the realm's, signed with
// a key whose hash is the platform token's challenge ("Realm Management Monitor specification", Arm
// DEN0137, section A7; draft-ffm-rats-cca-token).
//
// Trust. Arm runs no root: whoever made the platform tells its key. Trust::keys["cca"] holds those
// that are believed in. Binding: the realm token's challenge, 64 bytes. A token has no time in it;
// it is as fresh as its challenge.
//
// Claims: measurement is the realm's initial measurement; host_data its personalization value,
// which the host chooses; platform_id the platform's instance id. debug is false only for a
// platform whose life cycle is `secured`. There is no signer and no tcb_status: nothing of the kind
// is in a token, and what the platform's firmware is, cca.platform_sw_components says.

#include "attest/cose.h"
#include "attest/produce/produce.h"
#include "attest/tee_type.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kType = "cca";
constexpr uint64_t kCollectionTag = 399;
constexpr uint64_t kPlatformToken = 44234;
constexpr uint64_t kRealmToken = 44241;
constexpr size_t kMaxToken = size_t{32} << 10;
constexpr size_t kMaxText = 256;
constexpr size_t kMaxBytes = 512;
constexpr uint64_t kMaxComponents = 64;
constexpr uint64_t kExtensible = 4;
constexpr size_t kRawKeySize = 97;  // an uncompressed point of P-384
constexpr size_t kFieldSize = 48;
constexpr int64_t kSecured = 0x30;  // of the life cycle, the byte above the implementation's
constexpr std::string_view kPlatformProfiles[] = {"http://arm.com/CCA-SSD/1.0.0",
                                                  "tag:arm.com,2023:cca_platform#1.0.0"};
constexpr std::string_view kRealmProfile = "tag:arm.com,2023:realm#1.0.0";

struct Component {
  std::string type;
  std::string version;
  std::string hash_algorithm;
  Bytes measurement;
  Bytes signer_id;
};

struct Platform {
  std::string profile;
  Bytes challenge;
  Bytes implementation_id;
  Bytes instance_id;
  Bytes config;
  int64_t lifecycle = 0;
  std::string hash_algorithm;
  std::string verification_service;
  std::vector<Component> components;
};

struct Realm {
  std::string profile;  // empty in the first edition
  Bytes challenge;
  Bytes personalization_value;
  std::string hash_algorithm;
  std::string key_hash_algorithm;
  Bytes public_key;
  Bytes initial_measurement;
  std::vector<Bytes> extensible_measurements;
};

struct Parsed {
  CoseSign1 platform_message;
  CoseSign1 realm_message;
  Platform platform;
  Realm realm;
};

Status TakeText(CborReader& reader, std::string& text) {
  KC_ASSIGN(const std::string_view taken, reader.Text(kMaxText));
  const bool printable =
      std::all_of(taken.begin(), taken.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable) return Fail(Code::kMalformed, "not a printable text");
  text = taken;
  return Done{};
}

// A byte string of one of these sizes; any, up to the limit, if there are none.
Status TakeBytes(CborReader& reader, Bytes& bytes, std::initializer_list<size_t> sizes) {
  KC_ASSIGN(const ByteSpan taken, reader.ByteString(kMaxBytes));
  if (sizes.size() != 0 && std::find(sizes.begin(), sizes.end(), taken.size()) == sizes.end())
    return Fail(Code::kMalformed, "a byte string of " + std::to_string(taken.size()) + " bytes");
  bytes = ToBytes(taken);
  return Done{};
}

Status TakeHash(CborReader& reader, Bytes& hash) { return TakeBytes(reader, hash, {32, 48, 64}); }

// One claim of a map whose keys are numbers.
template <class Claims>
struct Member {
  int64_t key;
  bool required;
  Status (*take)(CborReader& reader, Claims& claims);
};

// A map of these members, each at most once and no other; what is required is there.
template <class Claims, size_t N>
Status TakeMap(CborReader& reader, const Member<Claims> (&members)[N], Claims& claims) {
  uint32_t seen = 0;
  KC_ASSIGN(const uint64_t count, reader.Map(N));
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const int64_t key, reader.Int());
    const auto* member = std::find_if(std::begin(members), std::end(members),
                                      [&](const Member<Claims>& one) { return one.key == key; });
    const std::string name = "claim " + std::to_string(key);
    if (member == std::end(members)) return Fail(Code::kMalformed, name + " is not known");
    const uint32_t bit = uint32_t{1} << (member - std::begin(members));
    if ((seen & bit) != 0) return Fail(Code::kMalformed, name + " comes twice");
    seen |= bit;
    auto taken = member->take(reader, claims);
    if (!taken.ok()) return taken.error().In(name);
  }
  for (size_t i = 0; i < N; ++i) {
    if (members[i].required && (seen >> i & 1) == 0)
      return Fail(Code::kMalformed, "claim " + std::to_string(members[i].key) + " is missing");
  }
  return Done{};
}

constexpr Member<Component> kComponentMembers[] = {
    {1, false, [](CborReader& r, Component& c) { return TakeText(r, c.type); }},
    {2, true, [](CborReader& r, Component& c) { return TakeHash(r, c.measurement); }},
    {4, false, [](CborReader& r, Component& c) { return TakeText(r, c.version); }},
    {5, true, [](CborReader& r, Component& c) { return TakeHash(r, c.signer_id); }},
    {6, false, [](CborReader& r, Component& c) { return TakeText(r, c.hash_algorithm); }},
};

Status TakeComponents(CborReader& reader, Platform& platform) {
  KC_ASSIGN(const uint64_t count, reader.Array(kMaxComponents));
  for (uint64_t i = 0; i < count; ++i) {
    Component component;
    KC_CHECK_OK(TakeMap(reader, kComponentMembers, component));
    platform.components.push_back(std::move(component));
  }
  return Done{};
}

Status TakeLifecycle(CborReader& reader, Platform& platform) {
  KC_ASSIGN(platform.lifecycle, reader.Int());
  if (platform.lifecycle < 0 || platform.lifecycle > 0xffff)
    return Fail(Code::kMalformed, "not 16 bits");
  return Done{};
}

Status TakePlatformProfile(CborReader& reader, Platform& platform) {
  KC_CHECK_OK(TakeText(reader, platform.profile));
  for (const std::string_view known : kPlatformProfiles) {
    if (platform.profile == known) return Done{};
  }
  return Fail(Code::kMalformed, "a profile that is not known");
}

Status TakeRealmProfile(CborReader& reader, Realm& realm) {
  KC_CHECK_OK(TakeText(reader, realm.profile));
  if (realm.profile != kRealmProfile) return Fail(Code::kMalformed, "a profile that is not known");
  return Done{};
}

Status TakeExtensible(CborReader& reader, Realm& realm) {
  KC_ASSIGN(const uint64_t count, reader.Array(kExtensible));
  if (count != kExtensible) return Fail(Code::kMalformed, "not four measurements");
  realm.extensible_measurements.resize(kExtensible);
  for (Bytes& measurement : realm.extensible_measurements)
    KC_CHECK_OK(TakeHash(reader, measurement));
  return Done{};
}

constexpr Member<Platform> kPlatformMembers[] = {
    {265, true, TakePlatformProfile},
    {10, true, [](CborReader& r, Platform& p) { return TakeHash(r, p.challenge); }},
    {2396, true,
     [](CborReader& r, Platform& p) { return TakeBytes(r, p.implementation_id, {32}); }},
    {256, true, [](CborReader& r, Platform& p) { return TakeBytes(r, p.instance_id, {33}); }},
    {2401, true, [](CborReader& r, Platform& p) { return TakeBytes(r, p.config, {}); }},
    {2395, true, TakeLifecycle},
    {2402, true, [](CborReader& r, Platform& p) { return TakeText(r, p.hash_algorithm); }},
    {2400, false, [](CborReader& r, Platform& p) { return TakeText(r, p.verification_service); }},
    {2399, true, TakeComponents},
};

constexpr Member<Realm> kRealmMembers[] = {
    {265, false, TakeRealmProfile},
    {10, true, [](CborReader& r, Realm& c) { return TakeBytes(r, c.challenge, {64}); }},
    {44235, true,
     [](CborReader& r, Realm& c) { return TakeBytes(r, c.personalization_value, {64}); }},
    {44236, true, [](CborReader& r, Realm& c) { return TakeText(r, c.hash_algorithm); }},
    {44237, true, [](CborReader& r, Realm& c) { return TakeBytes(r, c.public_key, {}); }},
    {44238, true, [](CborReader& r, Realm& c) { return TakeHash(r, c.initial_measurement); }},
    {44239, true, TakeExtensible},
    {44240, true, [](CborReader& r, Realm& c) { return TakeText(r, c.key_hash_algorithm); }},
};

template <class Claims, size_t N>
Status TakeToken(CborReader& collection, uint64_t label, const Member<Claims> (&members)[N],
                 CoseSign1& message, Claims& claims) {
  KC_ASSIGN(const uint64_t found, collection.Uint());
  if (found != label) return Fail(Code::kMalformed, "not the two tokens in their order");
  KC_ASSIGN(const ByteSpan token, collection.ByteString(kMaxToken));
  KC_ASSIGN(message, ParseCoseSign1(token));
  CborReader reader(message.payload);
  KC_CHECK_OK(TakeMap(reader, members, claims));
  return reader.ExpectEnd();
}

Result<Parsed> ParseAll(ByteSpan bytes) {
  CborReader reader(bytes);
  if (!reader.TakeTag(kCollectionTag)) return Fail(Code::kMalformed, "not tag 399");
  KC_ASSIGN(const uint64_t count, reader.Map(2));
  if (count != 2) return Fail(Code::kMalformed, "not two tokens");
  Parsed parsed;
  auto platform =
      TakeToken(reader, kPlatformToken, kPlatformMembers, parsed.platform_message, parsed.platform);
  if (!platform.ok()) return platform.error().In("platform token");
  auto realm = TakeToken(reader, kRealmToken, kRealmMembers, parsed.realm_message, parsed.realm);
  if (!realm.ok()) return realm.error().In("realm token");
  KC_CHECK_OK(reader.ExpectEnd());
  return parsed;
}

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = ParseAll(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "cca: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

// With no believed-in key that fits, nobody can tell a stranger's platform from a bad signature.
Status VerifyPlatform(const Parsed& evidence, const Trust& trust) {
  if (const auto keys = trust.keys.find(kType); keys != trust.keys.end()) {
    for (const Bytes& spki : keys->second) {
      const auto key = PublicKey::FromSpki(spki);
      if (key.ok() && VerifyCoseSign1(evidence.platform_message, *key).ok()) return Done{};
    }
  }
  return Fail(Code::kEvidenceChain, "no key that is believed in has signed for platform " +
                                        ToHex(evidence.platform.instance_id));
}

// The first edition has the point itself, the one with a profile a COSE_Key (RFC 9052 §7): key
// type 1: EC2 (2), curve -1: P-384 (2), x and y -2, -3.
Result<PublicKey> RealmKey(const Realm& realm) {
  const ByteSpan bytes = realm.public_key;
  if (realm.profile.empty()) {
    if (bytes.size() != kRawKeySize || bytes[0] != 4)
      return Fail(Code::kMalformed, "not a point of P-384");
    return PublicKey::FromEcPoint(KeyKind::kEcP384, bytes.subspan(1, kFieldSize),
                                  bytes.subspan(1 + kFieldSize));
  }
  CborReader reader(bytes);
  KC_ASSIGN(const uint64_t count, reader.Map(4));
  std::map<int64_t, int64_t> numbers;
  std::map<int64_t, ByteSpan> coordinates;
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(const int64_t label, reader.Int());
    if (label == -2 || label == -3) {
      KC_ASSIGN(coordinates[label], reader.ByteString(kFieldSize));
    } else {
      KC_ASSIGN(numbers[label], reader.Int());
    }
  }
  KC_CHECK_OK(reader.ExpectEnd());
  const bool p384 = numbers == std::map<int64_t, int64_t>{{1, 2}, {-1, 2}};
  if (!p384 || coordinates[-2].size() != kFieldSize || coordinates[-3].size() != kFieldSize)
    return Fail(Code::kMalformed, "not a COSE_Key of P-384");
  return PublicKey::FromEcPoint(KeyKind::kEcP384, coordinates[-2], coordinates[-3]);
}

Result<Bytes> HashBy(std::string_view name, ByteSpan bytes) {
  if (name == "sha-256") return Hash(HashAlgorithm::kSha256, bytes);
  if (name == "sha-384") return Hash(HashAlgorithm::kSha384, bytes);
  if (name == "sha-512") return Hash(HashAlgorithm::kSha512, bytes);
  return Fail(Code::kMalformed, "hash algorithm " + std::string(name));
}

Status VerifyRealm(const Parsed& evidence) {
  // The platform vouches for the realm's key by its hash; which hash, only the realm's own token
  // says: they are all without known collisions, and of different lengths.
  const Realm& realm = evidence.realm;
  const auto hash = HashBy(realm.key_hash_algorithm, realm.public_key);
  if (!hash.ok()) return Fail(Code::kEvidenceSignature, hash.error().detail());
  if (!Equal(*hash, evidence.platform.challenge))
    return FailWanted(Code::kEvidenceSignature, "realm key's hash in the platform token",
                      ToHex(evidence.platform.challenge), ToHex(*hash));
  const auto key = RealmKey(realm);
  if (!key.ok()) return Fail(Code::kEvidenceSignature, "realm key: " + key.error().Text());
  return VerifyCoseSign1(evidence.realm_message, *key);
}

ClaimSet ClaimsOf(const Platform& platform, const Realm& realm) {
  ClaimSet claims;
  claims.Set("tee", std::string(kType));
  claims.Set("measurement", ToHex(realm.initial_measurement));
  claims.Set("debug", platform.lifecycle >> 8 != kSecured);
  claims.Set("platform_id", ToHex(platform.instance_id));
  claims.Set("host_data", ToHex(realm.personalization_value));
  claims.Set("cca.realm_challenge", ToHex(realm.challenge));
  claims.Set("cca.realm_initial_measurement", ToHex(realm.initial_measurement));
  for (size_t i = 0; i < realm.extensible_measurements.size(); ++i)
    claims.Set("cca.realm_extensible_measurement" + std::to_string(i),
               ToHex(realm.extensible_measurements[i]));
  claims.Set("cca.realm_hash_algo_id", realm.hash_algorithm);
  claims.Set("cca.platform_profile", platform.profile);
  claims.Set("cca.platform_implementation_id", ToHex(platform.implementation_id));
  claims.Set("cca.platform_config", ToHex(platform.config));
  claims.Set("cca.platform_lifecycle", platform.lifecycle);
  claims.Set("cca.platform_hash_algo_id", platform.hash_algorithm);
  std::vector<std::string> components;
  for (const Component& one : platform.components)
    components.push_back(one.type + "=" + ToHex(one.measurement));
  claims.Set("cca.platform_sw_components", std::move(components));
  return claims;
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  KC_CHECK_OK(VerifyPlatform(evidence, context.trust));
  KC_CHECK_OK(VerifyRealm(evidence));
  KC_CHECK_OK(context.binding.Check(evidence.realm.challenge));
  return ClaimsOf(evidence.platform, evidence.realm);
}

bool Recognises(ByteSpan bytes) {
  CborReader reader(bytes);
  if (!reader.TakeTag(kCollectionTag)) return false;
  const auto count = reader.Map(2);
  const auto label = reader.Uint();
  return count.ok() && label.ok() && *label == kPlatformToken;
}

std::vector<Field> Describe(const std::any& parsed) {
  const auto& [platform_message, realm_message, platform, realm] =
      std::any_cast<const Parsed&>(parsed);
  std::vector<Field> fields = {
      {"cca-platform-profile", platform.profile},
      {"cca-platform-challenge", ToHex(platform.challenge)},
      {"cca-platform-implementation-id", ToHex(platform.implementation_id)},
      {"cca-platform-instance-id", ToHex(platform.instance_id)},
      {"cca-platform-config", ToHex(platform.config)},
      {"cca-platform-lifecycle", std::to_string(platform.lifecycle)},
      {"cca-platform-hash-algo-id", platform.hash_algorithm},
      {"cca-platform-service-indicator", platform.verification_service}};
  for (size_t i = 0; i < platform.components.size(); ++i) {
    const Component& one = platform.components[i];
    const std::string name = "cca-platform-sw-components." + std::to_string(i);
    fields.push_back({name + ".measurement-type", one.type});
    fields.push_back({name + ".version", one.version});
    fields.push_back({name + ".measurement-value", ToHex(one.measurement)});
    fields.push_back({name + ".signer-id", ToHex(one.signer_id)});
    fields.push_back({name + ".hash-algo-id", one.hash_algorithm});
  }
  fields.push_back({"cca-platform.signature", ToHex(platform_message.signature)});
  fields.push_back({"cca-realm-profile", realm.profile});
  fields.push_back({"cca-realm-challenge", ToHex(realm.challenge)});
  fields.push_back({"cca-realm-personalization-value", ToHex(realm.personalization_value)});
  fields.push_back({"cca-realm-initial-measurement", ToHex(realm.initial_measurement)});
  for (size_t i = 0; i < realm.extensible_measurements.size(); ++i)
    fields.push_back({"cca-realm-extensible-measurements." + std::to_string(i),
                      ToHex(realm.extensible_measurements[i])});
  fields.push_back({"cca-realm-hash-algo-id", realm.hash_algorithm});
  fields.push_back({"cca-realm-public-key", ToHex(realm.public_key)});
  fields.push_back({"cca-realm-public-key-hash-algo-id", realm.key_hash_algorithm});
  fields.push_back({"cca-realm.signature", ToHex(realm_message.signature)});
  return fields;
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceCca(report_data, config);
}

}  // namespace

extern const TeeType kCcaTee;
const TeeType kCcaTee = {"cca", Recognises, Parse, Verify, Describe, Produce};

}  // namespace keyclave::attest
