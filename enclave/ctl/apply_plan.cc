#include "enclave/ctl/apply_plan.h"

#include <algorithm>

#include "enclave/base/file.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/secret_compare.h"

namespace keyclave::ctl {
namespace {

using authz::Policy;
using Action = PolicyStep::Action;

constexpr size_t kMaxPolicyFile = size_t{1} << 20;  // bytes
constexpr std::string_view kFirst = "\nversion: 1\n";

std::string PlaceOf(const WantedPolicy& policy) {
  return policy.file.empty() ? policy.where : policy.where + ": " + policy.file;
}

std::string Beside(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  if (name.starts_with('/') || slash == std::string::npos) return name;
  return path.substr(0, slash + 1) + name;
}

// The key in the file, or the one that AECS's file holds.
Status TakePair(WantedSecret& secret, const std::string& place, ByteSpan bytes) {
  KC_ASSIGN(PrivateKeyFile key, ParsePrivateKey(place, bytes, [&]() -> Result<SecretBytes> {
              return Fail(Code::kKeyFileInvalid,
                          place +
                              ": it is encrypted, and nobody is asked for its passphrase here: "
                              "keyclave key import does");
            }));
  const bool any_size = secret.key_type.kind == KeyType::Kind::kRsa && secret.key_type.size == 0;
  const KeyType type = KeyTypeOf(key.attributes);
  if (any_size && type.kind == KeyType::Kind::kRsa) secret.key_type = type;
  if (!IsOfType(key.attributes, secret.key_type))
    return Fail(Code::kKeyFileInvalid,
                place + ": the key is " + TypeText(key.attributes) + ", and no " + secret.type);
  secret.public_key = key.attributes.Find(CKA_PUBLIC_KEY_INFO) != nullptr
                          ? *key.attributes.Find(CKA_PUBLIC_KEY_INFO)
                          : Bytes();
  secret.value = std::move(key.pkcs8);
  return Done{};
}

Status TakeSecretKey(WantedSecret& secret, const std::string& place, ByteSpan bytes) {
  if (bytes.size() * 8 != secret.key_type.size)
    return Fail(Code::kKeyFileInvalid,
                place + ": wanted the key's " + std::to_string(secret.key_type.size / 8) +
                    " bytes themselves, got " + std::to_string(bytes.size()));
  secret.value = SecretBytes::CopyOf(bytes);
  return Done{};
}

Status ReadValue(WantedSecret& secret, const std::string& path) {
  const bool is_key = secret.kind == SecretKind::kKey || secret.kind == SecretKind::kCertificate;
  Bytes bytes;
  std::string place = secret.where;
  if (!secret.file.empty()) {
    place += ": " + secret.file;
    auto read = ReadFile(Beside(path, secret.file), kMaxSecret);
    if (!read.ok()) return read.error().In(secret.where);
    bytes = *std::move(read);
  } else if (secret.value.has_value()) {
    bytes = ToBytes(secret.value->Expose(SecretAccess()));
  } else {
    return Done{};  // made in the enclave
  }
  if (!is_key) {
    if (bytes.empty()) return Fail(Code::kConfigBadValue, place + ": it is empty");
    secret.value = SecretBytes::CopyOf(bytes);
    return Done{};
  }
  if (secret.key_type.kind == KeyType::Kind::kAes) return TakeSecretKey(secret, place, bytes);
  return TakePair(secret, place, bytes);
}

// A policy without a version of its own: the next one, if it says something else.
void TakeNextVersion(const Policy& before, const Policy& after, PolicyStep& step) {
  if (authz::Overall(authz::Compare(before, after)) == authz::ChangeVerdict::kSame &&
      before.locked() == after.locked()) {
    step.after = before.version();
    return;
  }
  step.after = before.version() + 1;
  step.action = Action::kChange;
  const size_t at = step.text.find(kFirst);
  if (at == std::string::npos) return;
  step.text.replace(at, kFirst.size(), "\nversion: " + std::to_string(step.after) + "\n");
}

class Planner {
 public:
  Planner(const SecretsFile& file, const Present& present) : file_(file), present_(present) {}

  Result<Plan> Run() {
    for (const WantedPolicy& wanted : file_.policies) KC_CHECK_OK(AddPolicy(wanted));
    if (file_.Shares() && !parsed_.contains(std::string(kPublicPolicy)) &&
        !present_.policies.contains(std::string(kPublicPolicy)))
      KC_CHECK_OK(AddPolicy({.where = "share: public", .file = {}, .text = PublicPolicyText()}));
    if (!file_.default_policy.empty() && !parsed_.contains(file_.default_policy))
      return Fail(Code::kConfigBadValue,
                  "token.default_policy: " + file_.default_policy + " is none of the policies");
    for (const WantedSecret& wanted : file_.secrets) KC_CHECK_OK(AddSecret(wanted));
    return std::move(plan_);
  }

 private:
  Status AddPolicy(const WantedPolicy& wanted) {
    auto parsed = Policy::Parse(wanted.text, PlaceOf(wanted));
    if (!parsed.ok()) return parsed.error();
    const Policy& policy = *parsed;
    if (parsed_.contains(policy.name()))
      return Fail(Code::kConfigBadValue,
                  PlaceOf(wanted) + ": policy " + policy.name() + " is there twice");
    PolicyStep step{.action = Action::kCreate,
                    .name = policy.name(),
                    .after = policy.version(),
                    .text = wanted.text};
    const auto found = present_.policies.find(policy.name());
    if (found != present_.policies.end()) {
      KC_ASSIGN(const Policy before, Policy::Parse(found->second, "present version"));
      ComparePolicy(wanted, before, policy, step);
    }
    plan_.policies.push_back(std::move(step));
    parsed_.emplace(policy.name(), std::move(parsed).value());
    return Done{};
  }

  void ComparePolicy(const WantedPolicy& wanted, const Policy& before, const Policy& after,
                     PolicyStep& step) {
    step.before = before.version();
    step.action = Action::kNothing;
    if (before.digest() == after.digest()) return;
    if (wanted.any_version) {
      TakeNextVersion(before, after, step);
      if (step.action == Action::kNothing) return;
    } else if (after.version() <= before.version()) {
      plan_.conflicts.push_back(PlaceOf(wanted) + ": policy " + after.name() + " version " +
                                std::to_string(after.version()) +
                                " is another text than the token's version " +
                                std::to_string(before.version()) + ": raise its version");
      return;
    }
    step.action = Action::kChange;
    step.changes = authz::Compare(before, after);
    if (before.locked())
      plan_.conflicts.push_back(PlaceOf(wanted) + ": policy " + after.name() +
                                " is locked (`locked: true`): nobody can change it");
  }

  Status AddSecret(const WantedSecret& wanted) {
    KC_CHECK_OK(CheckPolicyOf(wanted));
    SecretStep step{.wanted = &wanted};
    step.public_policy = wanted.is_shared ? std::string(kPublicPolicy) : wanted.policy;
    const auto found = present_.objects.find(wanted.name);
    step.creates = found == present_.objects.end() || found->second.empty();
    if (!step.creates) {
      KC_ASSIGN(const Comparison compared,
                CompareSecret(wanted, step.public_policy, found->second));
      step.note = compared.note;
      for (const std::string& conflict : compared.conflicts)
        plan_.conflicts.push_back(wanted.where + ": " + wanted.name + " " + conflict);
    }
    plan_.secrets.push_back(std::move(step));
    return Done{};
  }

  // What the enclave would say of it later, and without the place.
  Status CheckPolicyOf(const WantedSecret& wanted) const {
    const auto put = parsed_.find(wanted.policy);
    if (put == parsed_.end() && present_.absent.contains(wanted.policy))
      return Fail(Code::kPolicyNotFound, wanted.where + ".policy: " + wanted.policy +
                                             " is none of the file's, and none of the token's");
    const auto there = present_.policies.find(wanted.policy);
    if (!wanted.extractable || (put == parsed_.end() && there == present_.policies.end()))
      return Done{};
    std::optional<Policy> policy;
    if (put != parsed_.end()) {
      policy = put->second;
    } else {
      KC_ASSIGN(policy, Policy::Parse(there->second, "present version"));
    }
    if (Releases(*policy)) return Done{};
    return Fail(Code::kConfigBadValue, wanted.where + ".extractable: no permit of policy " +
                                           wanted.policy + " has `release`");
  }

  static bool Releases(const Policy& policy) {
    return std::any_of(policy.permits().begin(), policy.permits().end(), [](const auto& permit) {
      return permit.operations.Has(authz::Operation::kRelease);
    });
  }

  const SecretsFile& file_;
  const Present& present_;
  std::map<std::string, Policy> parsed_;
  Plan plan_;
};

}  // namespace

bool Plan::IsDone() const {
  return std::all_of(policies.begin(), policies.end(),
                     [](const PolicyStep& step) { return step.action == Action::kNothing; }) &&
         std::all_of(secrets.begin(), secrets.end(),
                     [](const SecretStep& step) { return !step.creates; });
}

Status ReadNamedFiles(SecretsFile& file, const std::string& path) {
  for (WantedPolicy& policy : file.policies) {
    if (policy.file.empty()) continue;
    const auto text = ReadFile(Beside(path, policy.file), kMaxPolicyFile);
    if (!text.ok()) return text.error().In(policy.where);
    policy.text = AsText(*text);
  }
  for (WantedSecret& secret : file.secrets) KC_CHECK_OK(ReadValue(secret, path));
  return Done{};
}

Result<PolicyNames> PolicyNamesOf(const SecretsFile& file) {
  PolicyNames names;
  if (file.Shares()) names.put.emplace(kPublicPolicy);
  for (const WantedPolicy& policy : file.policies) {
    KC_ASSIGN(const Policy parsed, Policy::Parse(policy.text, PlaceOf(policy)));
    names.put.insert(parsed.name());
  }
  for (const WantedSecret& secret : file.secrets) {
    if (!secret.policy.empty() && !names.put.contains(secret.policy))
      names.used.insert(secret.policy);
  }
  return names;
}

Result<Plan> MakePlan(const SecretsFile& file, const Present& present) {
  return Planner(file, present).Run();
}

}  // namespace keyclave::ctl
