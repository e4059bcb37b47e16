#include "ossl_provider/generation.h"

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include "ossl_provider/digest.h"
#include "ossl_provider/lookup.h"
#include "ossl_provider/params.h"
#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

// Where the key goes and what it is called; the names are those of docs/provider.md.
constexpr char kToken[] = "token";
constexpr char kLabel[] = "label";
constexpr char kId[] = "id";
constexpr char kPolicy[] = "policy";
constexpr char kUsage[] = "usage";
constexpr char kUri[] = "pkcs11_uri";
constexpr size_t kRandomId = 8;  // bytes

struct GenerationContext {
  Context& context;
  const KeyType type;
  int selection;
  client::KeyUri uri{};  // token, label, id; a PIN
  std::string policy{};
  std::string usage{};
  uint64_t bits = 2048;  // of RSA, as OpenSSL's default
  Bytes exponent = {1, 0, 1};
  std::string group{};  // of EC, as the application says it
};

GenerationContext& Ctx(void* genctx) { return *static_cast<GenerationContext*>(genctx); }

// What a key may do, in words, and the attribute of each half that says so.
struct Usage {
  std::string_view word;
  uint64_t private_attribute;
  uint64_t public_attribute;
};
constexpr Usage kUsages[] = {{"sign", CKA_SIGN, CKA_VERIFY},
                             {"decrypt", CKA_DECRYPT, CKA_ENCRYPT},
                             {"unwrap", CKA_UNWRAP, CKA_WRAP},
                             {"derive", CKA_DERIVE, CKA_DERIVE},
                             {"decapsulate", CKA_DECAPSULATE, CKA_ENCAPSULATE}};

struct FamilyGeneration {
  uint64_t mechanism;
  std::string_view usage;  // if nothing else is said
};
FamilyGeneration GenerationOf(KeyFamily family) {
  switch (family) {
    case KeyFamily::kRsa: return {CKM_RSA_PKCS_KEY_PAIR_GEN, "sign,decrypt"};
    case KeyFamily::kRsaPss: return {CKM_RSA_PKCS_KEY_PAIR_GEN, "sign"};
    case KeyFamily::kEc: return {CKM_EC_KEY_PAIR_GEN, "sign"};
    case KeyFamily::kSm2: return {kCkmSm2KeyPairGen, "sign,decrypt"};
    case KeyFamily::kEdwards: return {CKM_EC_EDWARDS_KEY_PAIR_GEN, "sign"};
    case KeyFamily::kMontgomery: return {CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "derive"};
    case KeyFamily::kMlDsa: return {CKM_ML_DSA_KEY_PAIR_GEN, "sign"};
    case KeyFamily::kMlKem: return {CKM_ML_KEM_KEY_PAIR_GEN, "decapsulate"};
    case KeyFamily::kSlhDsa: return {CKM_SLH_DSA_KEY_PAIR_GEN, "sign"};
  }
  return {};
}

Status SetUsage(std::string_view words, wire::AttributeList& private_half,
                wire::AttributeList& public_half) {
  for (const Usage& usage : kUsages) {
    private_half.SetBool(usage.private_attribute, false);
    public_half.SetBool(usage.public_attribute, false);
  }
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    const auto* found = std::find_if(std::begin(kUsages), std::end(kUsages),
                                     [&](const Usage& usage) { return usage.word == word; });
    if (found == std::end(kUsages)) {
      return Fail(Code::kInvalidArgument,
                  "usage " + std::string(word) + ": sign, decrypt, unwrap, derive or decapsulate");
    }
    private_half.SetBool(found->private_attribute, true);
    public_half.SetBool(found->public_attribute, true);
  }
  return Done{};
}

// DER of a curve's object identifier, which is what CKA_EC_PARAMS is.
Result<Bytes> CurveOid(const std::string& name) {
  int nid = OBJ_txt2nid(name.c_str());
  if (nid == NID_undef) nid = EC_curve_nist2nid(name.c_str());
  const ASN1_OBJECT* object = nid != NID_undef ? OBJ_nid2obj(nid) : nullptr;
  unsigned char* der = nullptr;
  const int size = object != nullptr ? i2d_ASN1_OBJECT(object, &der) : 0;
  const Memory owned(der);
  if (size <= 0) return Fail(Code::kCurveUnsupported, "the curve " + name);
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

// What the type of key adds to the public half's template.
Status SetParameters(const GenerationContext& ctx, wire::AttributeList& public_half) {
  const KeyTypeInfo& info = InfoOf(ctx.type);
  switch (info.family) {
    case KeyFamily::kRsa:
    case KeyFamily::kRsaPss:
      public_half.SetUlong(CKA_MODULUS_BITS, ctx.bits);
      public_half.Set(CKA_PUBLIC_EXPONENT, ctx.exponent);
      return Done{};
    case KeyFamily::kEc:
    case KeyFamily::kSm2:
    case KeyFamily::kEdwards:
    case KeyFamily::kMontgomery: {
      const bool named = info.family == KeyFamily::kEc;
      if (named && ctx.group.empty()) {
        return Fail(Code::kInvalidArgument,
                    "no curve is named (openssl genpkey: -pkeyopt ec_paramgen_curve:P-256)");
      }
      KC_ASSIGN(const Bytes oid, CurveOid(named ? ctx.group : info.name));
      public_half.Set(CKA_EC_PARAMS, oid);
      return Done{};
    }
    case KeyFamily::kMlDsa:
    case KeyFamily::kMlKem:
    case KeyFamily::kSlhDsa:
      public_half.SetUlong(CKA_PARAMETER_SET, info.parameter_set);
      return Done{};
  }
  return Done{};
}

// For the enclave an RSA-PSS key is an RSA key that does nothing else.
Bytes PssMechanisms() {
  Bytes list = wire::UlongBytes(CKM_RSA_PKCS_PSS);
  for (const Digest& digest : AllDigests()) {
    const Bytes number = wire::UlongBytes(digest.rsa_pss);
    list.insert(list.end(), number.begin(), number.end());
  }
  return list;
}

Result<wire::GenerateKeyPairRequest> MakeRequest(const GenerationContext& ctx) {
  wire::GenerateKeyPairRequest request;
  const FamilyGeneration family = GenerationOf(FamilyOf(ctx.type));
  request.mechanism.type = family.mechanism;
  for (wire::AttributeList* half : {&request.private_attributes, &request.public_attributes}) {
    half->SetBool(CKA_TOKEN, true);
    half->SetText(CKA_LABEL, ctx.uri.object.label.value_or(""));
    half->Set(CKA_ID, *ctx.uri.object.cka_id);
    if (!ctx.policy.empty()) half->SetText(kCkaPolicy, ctx.policy);
  }
  request.private_attributes.SetBool(CKA_PRIVATE, true);
  request.private_attributes.SetBool(CKA_SENSITIVE, true);
  request.private_attributes.SetBool(CKA_EXTRACTABLE, false);
  request.public_attributes.SetBool(CKA_PRIVATE, false);
  KC_CHECK_OK(SetUsage(ctx.usage.empty() ? family.usage : ctx.usage, request.private_attributes,
                       request.public_attributes));
  KC_CHECK_OK(SetParameters(ctx, request.public_attributes));
  if (FamilyOf(ctx.type) == KeyFamily::kRsaPss)
    request.private_attributes.Set(CKA_ALLOWED_MECHANISMS, PssMechanisms());
  return request;
}

// A second key of the same name could be reached by its id only.
Status CheckNameIsFree(GenerationContext& ctx) {
  if (!ctx.uri.object.label) return Done{};
  client::KeyUri same = ctx.uri;
  same.object.cka_id.reset();
  const auto found = FetchObject(ctx.context, same);
  if (!found.ok() && found.code() == Code::kObjectNotFound) return Done{};
  if (!found.ok() && found.code() != Code::kObjectAmbiguous) return found.error();
  return Fail(Code::kTemplateInconsistent,
              "the token has a key of this label already: choose another one");
}

Status CheckPlace(GenerationContext& ctx) {
  wire::ObjectRef& object = ctx.uri.object;
  if (!object.token_label && !object.token_serial) object.token_label = ctx.context.DefaultToken();
  if (object.token_label || object.token_serial) return Done{};
  return Fail(Code::kUnsupported,
              "no token is named for the new key (openssl genpkey: -pkeyopt token:NAME -pkeyopt "
              "label:NAME); for keys outside the enclave activate the default provider before "
              "keyclave (openssl.cnf, -provider)");
}

Result<KeyPtr> MakeKey(GenerationContext& ctx) {
  KC_CHECK_OK(ctx.context.CheckOthersActive());
  KC_CHECK_OK(CheckPlace(ctx));
  if (!ctx.uri.object.cka_id) {
    const ByteArray<kRandomId> random = RandomArray<kRandomId>();
    ctx.uri.object.cka_id = ToBytes(ByteSpan(random));
  }
  ctx.uri.object.object_class = CKO_PRIVATE_KEY;
  KC_ASSIGN(wire::GenerateKeyPairRequest request, MakeRequest(ctx));
  KC_ASSIGN(client::Client * client, ctx.context.Client());
  KC_ASSIGN(const wire::TokenInfo token, FindToken(*client, ctx.uri));
  KC_CHECK_OK(CheckNameIsFree(ctx));
  if (ctx.uri.HasPin()) KC_CHECK_OK(LoginWithUriPin(*client, ctx.uri));
  request.token = token.id;
  ctx.uri.object.token_label = token.label;
  KC_ASSIGN(const auto reply,
            client->Call<wire::Op::kGenerateKeyPair>(request, ctx.uri.measurement));
  const Bytes* spki = reply.private_key.attributes.Find(CKA_PUBLIC_KEY_INFO);
  if (spki == nullptr || spki->empty())
    return Fail(Code::kReplyMismatch, "a new key without its public key");
  if (FamilyOf(ctx.type) != KeyFamily::kRsaPss) return Key::FromSpki(ctx.context, *spki, ctx.uri);
  KC_ASSIGN(const Bytes pss, PssPublicKeyInfo(ctx.context, *spki));
  return Key::FromSpki(ctx.context, pss, ctx.uri);
}

Status SetUri(GenerationContext& ctx, const OSSL_PARAM params[]) {
  KC_ASSIGN(const auto text, TextParam(params, kUri));
  if (!text) return Done{};
  KC_ASSIGN(client::KeyUri uri, client::ParseKeyUri(std::string(*text)));
  if (uri.object.object_class.value_or(CKO_PRIVATE_KEY) != CKO_PRIVATE_KEY)
    return Fail(Code::kInvalidArgument, "pkcs11_uri names no private key");
  ctx.uri = std::move(uri);
  return Done{};
}

Status SetName(std::optional<std::string>& to, const OSSL_PARAM params[], const char* name) {
  KC_ASSIGN(const auto text, TextParam(params, name));
  if (text) to = std::string(*text);
  return Done{};
}

Status SetPlace(GenerationContext& ctx, const OSSL_PARAM params[]) {
  KC_CHECK_OK(SetUri(ctx, params));
  KC_CHECK_OK(SetName(ctx.uri.object.token_label, params, kToken));
  KC_CHECK_OK(SetName(ctx.uri.object.label, params, kLabel));
  KC_ASSIGN(const auto id, TextParam(params, kId));
  if (id) {
    KC_ASSIGN(ctx.uri.object.cka_id, FromHex(*id));
  }
  KC_ASSIGN(const auto policy, TextParam(params, kPolicy));
  if (policy) ctx.policy = *policy;
  KC_ASSIGN(const auto usage, TextParam(params, kUsage));
  if (usage) ctx.usage = *usage;
  return Done{};
}

Status SetParams(GenerationContext& ctx, const OSSL_PARAM params[]) {
  KC_CHECK_OK(SetPlace(ctx, params));
  KC_ASSIGN(const auto bits, IntParam(params, OSSL_PKEY_PARAM_RSA_BITS));
  if (bits) ctx.bits = static_cast<uint64_t>(std::max(*bits, 0));
  KC_ASSIGN(const auto exponent, NumberParam(params, OSSL_PKEY_PARAM_RSA_E));
  if (exponent) ctx.exponent = *exponent;
  KC_ASSIGN(const auto primes, IntParam(params, OSSL_PKEY_PARAM_RSA_PRIMES));
  if (primes && *primes != 2) return Fail(Code::kUnsupported, "RSA keys of more than two primes");
  KC_ASSIGN(const auto group, TextParam(params, OSSL_PKEY_PARAM_GROUP_NAME));
  if (group) ctx.group = *group;
  return Done{};
}

#define KC_PLACE_PARAMS                                                                     \
  OSSL_PARAM_utf8_string(kToken, nullptr, 0), OSSL_PARAM_utf8_string(kLabel, nullptr, 0),   \
      OSSL_PARAM_utf8_string(kId, nullptr, 0), OSSL_PARAM_utf8_string(kPolicy, nullptr, 0), \
      OSSL_PARAM_utf8_string(kUsage, nullptr, 0), OSSL_PARAM_utf8_string(kUri, nullptr, 0)

const OSSL_PARAM kRsaSettable[] = {
    KC_PLACE_PARAMS, OSSL_PARAM_size_t(OSSL_PKEY_PARAM_RSA_BITS, nullptr),
    OSSL_PARAM_size_t(OSSL_PKEY_PARAM_RSA_PRIMES, nullptr),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0), OSSL_PARAM_END};
const OSSL_PARAM kEcSettable[] = {
    KC_PLACE_PARAMS, OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
    // Accepted: keys of the enclave are always on named curves.
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, nullptr, 0), OSSL_PARAM_END};
const OSSL_PARAM kSettable[] = {KC_PLACE_PARAMS, OSSL_PARAM_END};

}  // namespace

void* BeginGeneration(Context& context, KeyType type, int selection, const OSSL_PARAM params[]) {
  return GuardPointer(context, [&]() -> Result<GenerationContext*> {
    auto made = std::make_unique<GenerationContext>(
        GenerationContext{.context = context, .type = type, .selection = selection});
    KC_CHECK_OK(SetParams(*made, params));
    return made.release();
  });
}

// A key of the same parameters: its curve, its size.
int SetGenerationTemplate(void* genctx, void* keydata) {
  GenerationContext& ctx = Ctx(genctx);
  return Guard(ctx.context, [&]() -> Status {
    const KeyPtr& key = static_cast<const KeyData*>(keydata)->key;
    if (key == nullptr) return Fail(Code::kInvalidArgument, "the template is empty");
    char group[64] = "";
    size_t size = 0;
    if (EVP_PKEY_get_group_name(key->public_key(), group, sizeof(group), &size) == 1)
      ctx.group = group;
    ctx.bits = static_cast<uint64_t>(EVP_PKEY_get_bits(key->public_key()));
    return Done{};
  });
}

int SetGenerationParams(void* genctx, const OSSL_PARAM params[]) {
  GenerationContext& ctx = Ctx(genctx);
  return Guard(ctx.context, [&] { return SetParams(ctx, params); });
}

const OSSL_PARAM* SettableGenerationParams(void* genctx, void* /*provctx*/) {
  switch (FamilyOf(Ctx(genctx).type)) {
    case KeyFamily::kRsa:
    case KeyFamily::kRsaPss: return kRsaSettable;
    case KeyFamily::kEc:
    case KeyFamily::kSm2: return kEcSettable;
    default: return kSettable;
  }
}

void* Generate(void* genctx, OSSL_CALLBACK* /*progress*/, void* /*argument*/) {
  GenerationContext& ctx = Ctx(genctx);
  return GuardPointer(ctx.context, [&]() -> Result<KeyData*> {
    if ((ctx.selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
      return Fail(Code::kUnsupported, "parameters without a key: name the curve instead");
    KC_ASSIGN(KeyPtr key, MakeKey(ctx));
    return new KeyData{ctx.context, ctx.type, std::move(key)};
  });
}

void EndGeneration(void* genctx) { delete static_cast<GenerationContext*>(genctx); }

}  // namespace keyclave::ossl
