#include "enclave/mech/x509_name.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <optional>

#include "enclave/base/bytes.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

constexpr size_t kMaxName = 2048;

// RFC 4514 §3's table, and the few more that certificates commonly carry.
struct AttributeType {
  std::string_view name;
  int nid;
};
constexpr AttributeType kTypes[] = {
    {"CN", NID_commonName},
    {"L", NID_localityName},
    {"ST", NID_stateOrProvinceName},
    {"O", NID_organizationName},
    {"OU", NID_organizationalUnitName},
    {"C", NID_countryName},
    {"STREET", NID_streetAddress},
    {"DC", NID_domainComponent},
    {"UID", NID_userId},
    {"SERIALNUMBER", NID_serialNumber},
    {"emailAddress", NID_pkcs9_emailAddress},
    {"GN", NID_givenName},
    {"SN", NID_surname},
    {"title", NID_title},
};

Error Wrong(std::string_view what) {
  return Fail(Code::kInvalidArgument, "subject: " + std::string(what));
}

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

struct NamePart {
  int nid = 0;
  std::string value;
};
using RelativeName = std::vector<NamePart>;

// Reads an RFC 4514 string from its front.
class NameParser {
 public:
  explicit NameParser(std::string_view text) : rest_(text) {}

  Result<std::vector<RelativeName>> Parse() {
    std::vector<RelativeName> name;
    while (true) {
      RelativeName& relative = name.emplace_back();
      do {
        KC_ASSIGN(NamePart part, ParsePart());
        relative.push_back(std::move(part));
      } while (TakeIf('+'));
      if (rest_.empty()) return name;
      if (!TakeIf(',')) return Wrong("a comma is missing before \"" + std::string(rest_) + '"');
    }
  }

 private:
  bool TakeIf(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void SkipSpaces() {
    while (TakeIf(' ')) {
    }
  }

  Result<NamePart> ParsePart() {
    SkipSpaces();
    const size_t equals = rest_.find('=');
    if (equals == std::string_view::npos) return Wrong("\"" + std::string(rest_) + "\" lacks a =");
    std::string_view type = rest_.substr(0, equals);
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    rest_.remove_prefix(equals + 1);
    NamePart part;
    for (const AttributeType& row : kTypes) {
      if (SameIgnoringCase(row.name, type)) part.nid = row.nid;
    }
    if (part.nid == 0)
      return Wrong("the attribute type \"" + std::string(type) + "\" is not known");
    KC_ASSIGN(part.value, ParseValue());
    if (part.value.empty()) return Wrong("the value of " + std::string(type) + " is empty");
    return part;
  }

  Result<std::string> ParseValue() {
    SkipSpaces();
    if (!rest_.empty() && rest_.front() == '#')
      return Wrong("#hexadecimal values are not supported");
    std::string value;
    size_t keep = 0;  // spaces behind this are not part of the value
    while (!rest_.empty() && rest_.front() != ',' && rest_.front() != '+') {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '\\') {
        KC_ASSIGN(const char escaped, ParseEscape());
        value.push_back(escaped);
        keep = value.size();
        continue;
      }
      if (c == '"' || c == ';' || c == '<' || c == '>' || c == '\0') {
        return Wrong(std::string("the character ") +
                     (c == '\0' ? std::string("NUL") : std::string(1, c)) + " must be escaped");
      }
      value.push_back(c);
      if (c != ' ') keep = value.size();
    }
    value.resize(keep);
    return value;
  }

  // What follows a backslash: a special character, or two hexadecimal digits.
  Result<char> ParseEscape() {
    constexpr std::string_view kSpecial = "\\\"+,;<>=# ";
    if (!rest_.empty() && kSpecial.find(rest_.front()) != std::string_view::npos) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      return c;
    }
    const Result<Bytes> byte = FromHex(rest_.substr(0, 2));
    if (!byte.ok() || byte->size() != 1) return Wrong("a backslash escapes nothing");
    if (byte->front() == 0) return Wrong("a value has a NUL");
    rest_.remove_prefix(2);
    return static_cast<char>(byte->front());
  }

  std::string_view rest_;
};

bool IsDnsLabel(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
    return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// RFC 1034 §3.5 with the digits of RFC 1123 §2.1; RFC 6125 §6.4.3 for the wildcard. A last label of
// digits only would be taken for a bad IPv4 address.
bool IsDnsName(std::string_view name) {
  if (name.size() > 253) return false;
  const bool wildcard = name.starts_with("*.");
  if (wildcard) name.remove_prefix(2);
  size_t labels = 0;
  std::string_view last;
  while (true) {
    const size_t dot = name.find('.');
    last = name.substr(0, dot);
    if (!IsDnsLabel(last)) return false;
    ++labels;
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  const bool numeric =
      std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
  return !numeric && (!wildcard || labels >= 2);
}

// 4 or 16 bytes, or none for what is no IP address.
Bytes ToAddress(const std::string& name) {
  std::array<uint8_t, 16> address{};
  if (name.find('\0') != std::string::npos) return {};
  if (inet_pton(AF_INET, name.c_str(), address.data()) == 1) {
    return ToBytes(ByteSpan(address).first(4));
  }
  if (inet_pton(AF_INET6, name.c_str(), address.data()) == 1) return ToBytes(ByteSpan(address));
  return {};
}

using GeneralName = Owned<GENERAL_NAME, GENERAL_NAME_free>;

// Printable ASCII without what delimits URIs in texts (RFC 3986, appendix C), and something before
// and behind `mark`.
bool IsTextAround(std::string_view name, std::string_view mark) {
  const size_t place = name.find(mark);
  return name.size() <= kMaxName && place != std::string_view::npos && place > 0 &&
         place + mark.size() < name.size() && std::all_of(name.begin(), name.end(), [](char c) {
           return c > ' ' && c <= '~' && c != '"' && c != '<' && c != '>' && c != '\\';
         });
}

// GEN_…; nullopt for what is no name. Whether it may be in a certificate is another question.
std::optional<int> TypeOfName(std::string_view name) {
  if (IsTextAround(name, "://")) return GEN_URI;
  if (IsTextAround(name, "@")) return GEN_EMAIL;
  if (IsDnsName(name)) return GEN_DNS;
  return std::nullopt;
}

Result<GeneralName> ParseAlternativeName(const std::string& name) {
  const Bytes address = ToAddress(name);
  const bool is_address = !address.empty();
  const std::optional<int> type = is_address ? GEN_IPADD : TypeOfName(name);
  if (!type.has_value()) {
    return Fail(Code::kInvalidArgument,
                "\"" + name + "\" is no DNS name, IP address, mail address or URI");
  }
  const ByteSpan value = is_address ? ByteSpan(address) : AsBytes(name);
  GeneralName general(GENERAL_NAME_new());
  Owned<ASN1_STRING, ASN1_STRING_free> string(
      ASN1_STRING_type_new(is_address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!general || !string ||
      ASN1_STRING_set(string.get(), value.data(), static_cast<int>(value.size())) != 1) {
    return OpensslError("subject alternative name");
  }
  GENERAL_NAME_set0_value(general.get(), *type, string.release());
  return general;
}

}  // namespace

Result<X509Name> ParseDistinguishedName(std::string_view text) {
  X509Name name(X509_NAME_new());
  if (name == nullptr) return OpensslError("subject");
  if (text.size() > kMaxName) return Wrong("it is too long");
  if (text.empty()) return name;
  KC_ASSIGN(const std::vector<RelativeName> relatives, NameParser(text).Parse());
  for (auto relative = relatives.rbegin(); relative != relatives.rend(); ++relative) {
    int set = 0;  // the first part begins a new RDN, the others join it
    for (const NamePart& part : *relative) {
      const ByteSpan value = AsBytes(part.value);
      if (X509_NAME_add_entry_by_NID(name.get(), part.nid, MBSTRING_UTF8, value.data(),
                                     static_cast<int>(value.size()), -1, set) != 1) {
        return OpensslError(Code::kInvalidArgument, "subject: \"" + part.value + "\"");
      }
      set = -1;
    }
  }
  return name;
}

Result<GeneralNames> ParseAlternativeNames(const std::vector<std::string>& names) {
  GeneralNames general(GENERAL_NAMES_new());
  if (general == nullptr) return OpensslError("subject alternative names");
  for (const std::string& name : names) {
    KC_ASSIGN(GeneralName parsed, ParseAlternativeName(name));
    if (sk_GENERAL_NAME_push(general.get(), parsed.get()) <= 0) {
      return OpensslError("subject alternative names");
    }
    (void)parsed.release();  // the stack owns it now
  }
  return general;
}

}  // namespace keyclave::mech
