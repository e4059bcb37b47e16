#include "enclave/authz/x509_constraints.h"

#include <arpa/inet.h>

#include <array>

namespace keyclave::authz {
namespace {

constexpr std::array<std::string_view, kCertificateUsageCount> kUsageNames = {
    "server-auth",  "client-auth",   "email-protection",
    "code-signing", "time-stamping", "ocsp-signing"};
constexpr size_t kMaxDnsName = 253;
constexpr size_t kMaxDnsLabel = 63;
constexpr size_t kMaxUri = 2048;
constexpr size_t kMaxOid = 128;
constexpr size_t kMaxSubjectPart = 256;
constexpr int64_t kMaxDays = 36525;  // a hundred years

// The elements of a list, each read by `parse`; none twice.
template <class Value, class Parse>
Result<std::vector<Value>> ParseList(const YamlValue& yaml, Parse parse) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("an empty list permits nothing: leave the key out");
  if (items.size() > kMaxConstraintEntries)
    return yaml.Bad("more than " + std::to_string(kMaxConstraintEntries) + " entries");
  std::vector<Value> values;
  for (const YamlValue& item : items) {
    KC_ASSIGN(Value value, parse(item));
    if (std::find(values.begin(), values.end(), value) != values.end())
      return item.Bad("named twice");
    values.push_back(std::move(value));
  }
  return values;
}

bool IsLabel(std::string_view label) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  return !label.empty() && label.size() <= kMaxDnsLabel &&
         label.find_first_not_of(kLetters) == std::string_view::npos && label.front() != '-' &&
         label.back() != '-';
}

Result<std::string> ParseHost(const YamlValue& yaml) {
  KC_ASSIGN(std::string name, yaml.AsText());
  if (!IsHostName(name))
    return yaml.Bad("wanted a host name in lower case, such as example.com (others as xn--…)");
  return name;
}

// The name without the sign that says it stands for others.
std::string_view HostPart(std::string_view name, std::string_view sign) {
  return name.substr(0, sign.size()) == sign ? name.substr(sign.size()) : name;
}

// What stands before "://"; RFC 3986 §3.1.
bool IsScheme(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
         text.find_first_not_of(kLetters) == std::string_view::npos;
}

// A URI with host and path, or "/*" at its end for every one below it. A path that climbs, or that
// spells its characters in several ways, could be another name than it looks.
bool IsUriPattern(std::string_view text) {
  const size_t scheme = text.find("://");
  const std::string_view rest = text.substr(scheme + 3);
  const size_t slash = rest.find('/');
  if (!IsScheme(text.substr(0, scheme)) || slash == std::string_view::npos ||
      !IsHostName(rest.substr(0, slash)) || text.size() > kMaxUri) {
    return false;
  }
  const std::string_view path = rest.substr(slash);
  return IsPlainPath(path.substr(0, path.size() - (path.ends_with("/*") ? 2 : 0)));
}

Result<std::string> ParseUri(const YamlValue& yaml) {
  KC_ASSIGN(std::string name, yaml.AsText());
  const bool is_uri = name.find("://") != std::string::npos;
  if (is_uri ? !IsUriPattern(name) : !IsHostName(HostPart(name, "."))) {
    return yaml.Bad(
        "wanted a URI such as spiffe://example.com/web, spiffe://example.com/* for every one below "
        "it, a host name in lower case, or .example.com for every host below it");
  }
  return name;
}

Result<std::string> ParseDns(const YamlValue& yaml) {
  KC_ASSIGN(std::string name, yaml.AsText());
  if (!IsHostName(HostPart(name, name.find('*') == 0 ? "*." : "."))) {
    return yaml.Bad(
        "wanted a name in lower case: www.example.com, .example.com for every name below it, or "
        "\"*.example.com\" for that wildcard");
  }
  return name;
}

// Decimal without sign, leading zeros or anything behind it.
std::optional<unsigned> ParseBits(std::string_view text) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0') ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  unsigned bits = 0;
  for (const char digit : text) bits = 10 * bits + static_cast<unsigned>(digit - '0');
  return bits;
}

bool IsZeroBehind(ByteSpan network, unsigned bits) {
  for (size_t bit = bits; bit < 8 * network.size(); ++bit) {
    if ((network[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

Result<IpRange> ParseIpRange(const YamlValue& yaml) {
  KC_ASSIGN(const std::string text, yaml.AsText());
  const size_t slash = text.find('/');
  const auto network = ParseIpAddress(text.substr(0, slash));
  const auto bits =
      slash == std::string::npos
          ? (network ? std::optional(static_cast<unsigned>(8 * network->size())) : std::nullopt)
          : ParseBits(std::string_view(text).substr(slash + 1));
  if (!network || !bits || *bits > 8 * network->size())
    return yaml.Bad("wanted an address or a range such as 10.1.0.0/16 or 2001:db8::/32");
  if (!IsZeroBehind(*network, *bits)) return yaml.Bad("bits behind the prefix are set");
  return IpRange{*network, *bits};
}

Result<CertificateUsage> ParseUsage(const YamlValue& yaml) {
  KC_ASSIGN(const std::string name, yaml.AsText());
  const auto usage = FindCertificateUsage(name);
  if (usage) return *usage;
  std::string known;
  for (const std::string_view one : kUsageNames)
    known.append(known.empty() ? "" : ", ").append(one);
  return yaml.Bad("no such usage (known: " + known + ")");
}

Result<std::string> ParseOid(const YamlValue& yaml) {
  KC_ASSIGN(std::string text, yaml.AsText());
  const bool good = text.size() <= kMaxOid && text.find('.') != std::string::npos &&
                    text.find_first_not_of("0123456789.") == std::string::npos &&
                    text.find("..") == std::string::npos && text.front() != '.' &&
                    text.back() != '.';
  if (!good) return yaml.Bad("wanted an object identifier such as 1.3.6.1.4.1.99999.1");
  return text;
}

Result<std::string> ParseSubjectPart(const YamlValue& yaml) {
  constexpr std::string_view kType =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
  KC_ASSIGN(std::string part, yaml.AsText());
  const size_t equals = part.find('=');
  const bool good = part.size() <= kMaxSubjectPart && equals != std::string::npos && equals > 0 &&
                    equals + 1 < part.size() && part.find_first_not_of(kType) == equals;
  if (!good) return yaml.Bad("wanted one attribute such as O=Example Inc, or OU=* for any value");
  return part;
}

std::string AddressText(const IpRange& range) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = range.network.size() == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, range.network.data(), text, sizeof(text)) == nullptr) return {};
  return "\"" + std::string(text) + "/" + std::to_string(range.bits) + "\"";
}

template <class List, class Print>
void PrintList(std::string& out, std::string_view key, const List& list, Print print) {
  if (list.empty()) return;
  std::string items;
  for (const auto& item : list) items.append(items.empty() ? "" : ", ").append(print(item));
  out.append(out.empty() ? "" : ", ").append(key).append(": [").append(items).append("]");
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

}  // namespace

std::string_view CertificateUsageName(CertificateUsage usage) {
  return kUsageNames.at(static_cast<size_t>(usage));
}

bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > kMaxDnsName) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool IsPlainPath(std::string_view path) {
  constexpr std::string_view kCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  while (!path.empty()) {
    if (path.front() != '/') return false;
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment.empty() || segment == "." || segment == ".." ||
        segment.find_first_not_of(kCharacters) != std::string_view::npos) {
      return false;
    }
    path.remove_prefix(end);
  }
  return true;
}

std::optional<Bytes> ParseIpAddress(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  std::array<uint8_t, 16> address{};
  if (inet_pton(AF_INET, text.c_str(), address.data()) == 1)
    return ToBytes(ByteSpan(address).first(4));
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return ToBytes(ByteSpan(address));
  return std::nullopt;
}

std::optional<CertificateUsage> FindCertificateUsage(std::string_view name) {
  const auto found = std::find(kUsageNames.begin(), kUsageNames.end(), name);
  if (found == kUsageNames.end()) return std::nullopt;
  return static_cast<CertificateUsage>(found - kUsageNames.begin());
}

Status TakeNames(YamlMap& map, X509Constraints& x509) {
  if (const auto dns = map.Take("dns")) {
    KC_ASSIGN(x509.dns, ParseList<std::string>(*dns, ParseDns));
  }
  if (const auto ip = map.Take("ip")) {
    KC_ASSIGN(x509.ip, ParseList<IpRange>(*ip, ParseIpRange));
  }
  if (const auto email = map.Take("email")) {
    KC_ASSIGN(x509.email, ParseList<std::string>(*email, ParseHost));
  }
  if (const auto uri = map.Take("uri")) {
    KC_ASSIGN(x509.uri, ParseList<std::string>(*uri, ParseUri));
  }
  if (const auto subject = map.Take("subject")) {
    KC_ASSIGN(x509.subject, ParseList<std::string>(*subject, ParseSubjectPart));
  }
  return Done{};
}

Result<std::vector<CertificateUsage>> ParseUsages(const YamlValue& yaml) {
  return ParseList<CertificateUsage>(yaml, ParseUsage);
}

Result<X509Constraints> ParseX509Constraints(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  X509Constraints x509;
  KC_CHECK_OK(TakeNames(map, x509));
  if (const auto usages = map.Take("usages")) {
    KC_ASSIGN(x509.usages, ParseUsages(*usages));
  }
  if (const auto extensions = map.Take("extensions")) {
    KC_ASSIGN(x509.extensions, ParseList<std::string>(*extensions, ParseOid));
  }
  if (const auto ca = map.Take("ca")) {
    KC_ASSIGN(x509.ca, ca->AsBool());
  }
  if (const auto max_days = map.Take("max_days")) {
    KC_ASSIGN(const int64_t days, max_days->AsInt(1, kMaxDays));
    x509.max_days = static_cast<uint64_t>(days);
  }
  KC_CHECK_OK(map.Finish());
  return x509;
}

std::string PrintNames(const X509Constraints& x509) {
  const auto quoted = [](const std::string& text) { return Quoted(text); };
  std::string out;
  PrintList(out, "dns", x509.dns, quoted);
  PrintList(out, "ip", x509.ip, AddressText);
  PrintList(out, "email", x509.email, quoted);
  PrintList(out, "uri", x509.uri, quoted);
  PrintList(out, "subject", x509.subject, quoted);
  return out;
}

std::string PrintUsages(const X509Constraints& x509) {
  std::string out;
  PrintList(out, "usages", x509.usages,
            [](CertificateUsage usage) { return std::string(CertificateUsageName(usage)); });
  return out;
}

std::string PrintX509Constraints(const X509Constraints& x509) {
  std::string out = PrintNames(x509);
  out.append(out.empty() ? "" : ", ").append(PrintUsages(x509));
  PrintList(out, "extensions", x509.extensions,
            [](const std::string& text) { return Quoted(text); });
  out.append(", ca: ").append(x509.ca ? "true" : "false");
  if (x509.max_days) out.append(", max_days: ").append(std::to_string(*x509.max_days));
  return out;
}

}  // namespace keyclave::authz
