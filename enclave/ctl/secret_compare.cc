#include "enclave/ctl/secret_compare.h"

#include <arpa/inet.h>
#include <openssl/x509.h>

#include <algorithm>
#include <set>

#include "enclave/ctl/key_file.h"
#include "enclave/mech/x509_name.h"

namespace keyclave::ctl {
namespace {

using wire::ObjectInfo;

uint64_t ClassOf(const ObjectInfo& object) {
  return object.attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
}

std::vector<const ObjectInfo*> OfClass(const std::vector<ObjectInfo>& objects, uint64_t wanted) {
  std::vector<const ObjectInfo*> found;
  for (const ObjectInfo& object : objects) {
    if (ClassOf(object) == wanted) found.push_back(&object);
  }
  return found;
}

// Which classes of objects the secret's name may mean; the first is the secret itself.
std::vector<uint64_t> ClassesOf(const WantedSecret& wanted) {
  if (wanted.kind == SecretKind::kData || wanted.kind == SecretKind::kConfiguration)
    return {CKO_DATA};
  if (wanted.key_type.kind == KeyType::Kind::kAes) return {CKO_SECRET_KEY};
  return {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE};
}

std::string YesOrNo(bool value) { return value ? "yes" : "no"; }

Result<Bytes> SubjectOf(const std::string& text) {
  KC_ASSIGN(const auto name, mech::ParseDistinguishedName(text));
  unsigned char* der = nullptr;
  const int size = i2d_X509_NAME(name.get(), &der);
  if (size < 0) return Fail(Code::kOutOfMemory);
  Bytes bytes = ToBytes(FromC(der, static_cast<size_t>(size)));
  OPENSSL_free(der);
  return bytes;
}

bool IsCa(ByteSpan der) {
  const uint8_t* next = der.data();
  const mech::X509Cert certificate(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
  return certificate != nullptr && (X509_get_extension_flags(certificate.get()) & EXFLAG_CA) != 0;
}

// As certificates' own names are shown (key_file.h), which has none of other kinds.
std::set<std::string> Comparable(const std::vector<std::string>& names) {
  std::set<std::string> comparable;
  for (const std::string& name : names) {
    if (name.find('@') != std::string::npos || name.find("://") != std::string::npos) continue;
    std::array<uint8_t, sizeof(in6_addr)> address{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = inet_pton(AF_INET, name.c_str(), address.data()) == 1    ? AF_INET
                       : inet_pton(AF_INET6, name.c_str(), address.data()) == 1 ? AF_INET6
                                                                                : AF_UNSPEC;
    const bool is_address = family != AF_UNSPEC &&
                            inet_ntop(family, address.data(), text.data(), text.size()) != nullptr;
    comparable.insert(is_address ? text.data() : name);
  }
  return comparable;
}

class Comparer {
 public:
  Comparer(const WantedSecret& wanted, const std::string& public_policy,
           const std::vector<ObjectInfo>& objects)
      : wanted_(wanted), public_policy_(public_policy), objects_(objects) {}

  Result<Comparison> Run() {
    const std::vector<uint64_t> classes = ClassesOf(wanted_);
    for (const ObjectInfo& object : objects_) {
      if (std::find(classes.begin(), classes.end(), ClassOf(object)) == classes.end())
        Differs("is there as a " + ClassText(object.attributes));
    }
    const auto own = OfClass(objects_, classes.front());
    if (own.size() > 1) Differs("is there " + std::to_string(own.size()) + " times");
    if (own.empty() && result_.conflicts.empty())
      Differs("is there as a " + ClassText(objects_.front().attributes) + " alone");
    if (!result_.conflicts.empty()) return std::move(result_);
    ComparePolicy(*own.front(), wanted_.policy);
    if (classes.front() == CKO_DATA) {
      CompareData(*own.front());
      return std::move(result_);
    }
    KC_CHECK_OK(CompareKey(*own.front()));
    for (const uint64_t shown : {CKO_PUBLIC_KEY, CKO_CERTIFICATE}) {
      for (const ObjectInfo* object : OfClass(objects_, shown))
        ComparePolicy(*object, public_policy_);
    }
    if (wanted_.kind == SecretKind::kCertificate) KC_CHECK_OK(CompareCertificates());
    return std::move(result_);
  }

 private:
  void Differs(const std::string& how) { result_.conflicts.push_back(how); }
  void Note(const std::string& what) { result_.note += (result_.note.empty() ? "" : "; ") + what; }

  void ComparePolicy(const ObjectInfo& object, const std::string& policy) {
    const std::string has = object.attributes.Text(kCkaPolicy);
    if (!policy.empty() && has != policy)
      Differs("is there, and its " + ClassText(object.attributes) + " is under policy " + has +
              ", wanted " + policy);
  }

  Status CompareKey(const ObjectInfo& key) {
    if (!IsOfType(key.attributes, wanted_.key_type)) {
      Differs("is there as " + TypeText(key.attributes) + ", wanted " + wanted_.type);
      return Done{};
    }
    const NewKey like{.label = wanted_.name,
                      .id = {},
                      .policy = {},
                      .usage = wanted_.usage,
                      .extractable = wanted_.extractable};
    KC_ASSIGN(const KeyTemplates templates, MakeKeyTemplates(like, wanted_.key_type));
    for (const wire::Attribute& attribute : templates.private_attributes.items) {
      const auto wanted = templates.private_attributes.Bool(attribute.type);
      if (!wanted.has_value() || attribute.type == CKA_TOKEN) continue;
      const bool has = key.attributes.IsTrue(attribute.type);
      if (has == *wanted) continue;
      wire::AttributeList one;
      one.SetBool(attribute.type, has);
      Differs("is there, and its " + AttributeTexts(one).front().name + " is " + YesOrNo(has) +
              ", wanted " + YesOrNo(*wanted));
    }
    const Bytes* spki = key.attributes.Find(CKA_PUBLIC_KEY_INFO);
    if (!wanted_.public_key.empty() && spki != nullptr && *spki != wanted_.public_key)
      Differs("is there, and is another key than the one to import");
    if (wanted_.value.has_value() && wanted_.public_key.empty())
      Note("whether it is the key to import is not known");
    return Done{};
  }

  Status CompareCertificates() {
    const auto certificates = OfClass(objects_, CKO_CERTIFICATE);
    if (certificates.empty()) Differs("is there without a certificate");
    KC_ASSIGN(const Bytes subject, SubjectOf(wanted_.subject));
    for (const ObjectInfo* object : certificates) {
      const Bytes* value = object->attributes.Find(CKA_VALUE);
      if (value == nullptr) continue;
      KC_ASSIGN(const Certificate certificate, ParseCertificate(*value));
      if (certificate.subject != subject)
        Differs("is there, and its certificate is of " + certificate.subject_text + ", wanted " +
                wanted_.subject);
      if (Comparable(certificate.names) != Comparable(wanted_.names))
        Differs("is there, and its certificate is for other names");
      if (IsCa(*value) != wanted_.is_ca)
        Differs(std::string("is there, and its certificate is ") +
                (wanted_.is_ca ? "no CA's" : "a CA's"));
    }
    return Done{};
  }

  void CompareData(const ObjectInfo& object) {
    const std::string_view application =
        wanted_.kind == SecretKind::kConfiguration ? kConfigurationApplication : "";
    if (object.attributes.Text(CKA_APPLICATION) != application) {
      Differs(wanted_.kind == SecretKind::kConfiguration ? "is there as data, and no configuration"
                                                         : "is there as data of an application");
      return;
    }
    const Bytes* value = object.attributes.Find(CKA_VALUE);
    if (value == nullptr) {
      Note("its value cannot be compared: its policy does not let this caller read it");
    } else if (!wanted_.value.has_value() ||
               !EqualConstantTime(*value, wanted_.value->Expose(SecretAccess()))) {
      Differs("is there, and has another value");
    }
  }

  const WantedSecret& wanted_;
  const std::string& public_policy_;
  const std::vector<ObjectInfo>& objects_;
  Comparison result_;
};

}  // namespace

Result<Comparison> CompareSecret(const WantedSecret& wanted, const std::string& public_policy,
                                 const std::vector<ObjectInfo>& objects) {
  return Comparer(wanted, public_policy, objects).Run();
}

}  // namespace keyclave::ctl
