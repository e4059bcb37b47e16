// Certificates: whose they are. No name is in a certificate that the policy did not permit, be it
// among the alternative names or in the subject, where older software still looks.

#include "enclave/guard/x509.h"

namespace keyclave::guard {
namespace {

using authz::IpRange;
using authz::X509Constraints;

Error Refuse(std::string_view kind, std::string_view name) {
  return Fail(Code::kInputRefused,
              std::string(kind) + " \"" + std::string(name) + "\" is not permitted");
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Itself, or something below an entry that begins with a dot.
bool PermitsHost(const std::vector<std::string>& list, const std::string& host) {
  if (!authz::IsHostName(host)) return false;
  return std::any_of(list.begin(), list.end(), [&](const std::string& entry) {
    return entry == host || (entry.front() == '.' && host.size() > entry.size() &&
                             host.compare(host.size() - entry.size(), entry.size(), entry) == 0);
  });
}

bool PermitsDns(const X509Constraints& constraints, std::string_view name) {
  const std::string lower = Lower(name);
  if (lower.find('*') != std::string::npos) return Contains(constraints.dns, lower);
  return PermitsHost(constraints.dns, lower);
}

bool PermitsIp(const X509Constraints& constraints, ByteSpan address) {
  return std::any_of(constraints.ip.begin(), constraints.ip.end(), [&](const IpRange& range) {
    if (range.network.size() != address.size()) return false;
    for (unsigned bit = 0; bit < range.bits; ++bit) {
      const unsigned differ = range.network[bit / 8] ^ unsigned { address[bit / 8] };
      if ((differ >> (7 - bit % 8) & 1U) != 0) return false;
    }
    return true;
  });
}

// A plain local part (RFC 5322's dot-atom) and a domain.
bool PermitsEmail(const X509Constraints& constraints, std::string_view name) {
  constexpr std::string_view kLocal =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.";
  const size_t at = name.find('@');
  if (at == std::string_view::npos || at == 0) return false;
  return name.substr(0, at).find_first_not_of(kLocal) == std::string_view::npos &&
         Contains(constraints.email, Lower(name.substr(at + 1)));
}

// The URI itself, or every one that begins like an entry before its "*", as it is written: no other
// spelling of it, and no path that climbs out again.
bool PermitsWhole(const std::vector<std::string>& list, std::string_view uri) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view entry) {
    if (entry.find("://") == std::string_view::npos) return false;
    if (!entry.ends_with("/*")) return entry == uri;
    entry.remove_suffix(1);
    return uri.size() > entry.size() && uri.starts_with(entry) &&
           authz::IsPlainPath(uri.substr(entry.size() - 1));
  });
}

// scheme://host[:port][/…] in printable ASCII, without a user: others hide their host.
bool PermitsUri(const X509Constraints& constraints, std::string_view uri) {
  constexpr std::string_view kScheme = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-.";
  const bool printable = std::all_of(uri.begin(), uri.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '\\' && c != '"' && c != '<' && c != '>';
  });
  const size_t colon = uri.find("://");
  if (!printable || colon == std::string_view::npos || colon == 0 ||
      uri.substr(0, colon).find_first_not_of(kScheme) != std::string_view::npos) {
    return false;
  }
  const std::string_view rest = uri.substr(colon + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const size_t port = authority.find(':');
  if (port != std::string_view::npos &&
      authority.substr(port + 1).find_first_not_of("0123456789") != std::string_view::npos) {
    return false;
  }
  return PermitsHost(constraints.uri, Lower(authority.substr(0, port))) ||
         PermitsWhole(constraints.uri, uri);
}

// What some software takes for a host, an address or a mail box has to be a permitted one.
bool PermitsCommonName(const X509Constraints& constraints, const std::string& text) {
  if (PermitsDns(constraints, text) || PermitsEmail(constraints, text)) return true;
  const auto address = authz::ParseIpAddress(text);
  return address && PermitsIp(constraints, *address);
}

// "CN=*" is for people: a name with a space inside is nothing else.
bool IsForPeople(std::string_view text) {
  return text.find(' ') != std::string_view::npos && text.front() != ' ' && text.back() != ' ';
}

bool PermitsAttribute(const X509Constraints& constraints, const std::string& type,
                      const std::string& text) {
  if (Contains(constraints.subject, type + "=" + text)) return true;
  const bool any = Contains(constraints.subject, type + "=*");
  if (type == "CN") return PermitsCommonName(constraints, text) || (any && IsForPeople(text));
  if (type == "emailAddress") return PermitsEmail(constraints, text);
  return any;
}

std::string TypeName(const ASN1_OBJECT* object) {
  const int nid = OBJ_obj2nid(object);
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  char text[128] = "";
  const int size = OBJ_obj2txt(text, sizeof(text), object, /*no_name=*/1);
  return size > 0 && static_cast<size_t>(size) < sizeof(text) ? text : "an unreadable type";
}

ByteSpan Content(const ASN1_STRING* string) {
  return FromC(ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string)));
}

// The kinds of strings that RFC 5280 §4.1.2.4 leaves to new certificates, with nothing invisible in
// them.
bool IsPlain(const ASN1_STRING* string) {
  const int type = ASN1_STRING_type(string);
  const ByteSpan content = Content(string);
  const bool control =
      std::any_of(content.begin(), content.end(), [](uint8_t c) { return c < 0x20 || c == 0x7f; });
  const bool ascii =
      std::all_of(content.begin(), content.end(), [](uint8_t c) { return c < 0x80; });
  if (control || content.empty()) return false;
  if (type == V_ASN1_UTF8STRING) return IsUtf8(content);
  return ascii && (type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING);
}

}  // namespace

Status CheckSubject(const X509Constraints& constraints, const X509_NAME* subject) {
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(subject, i);
    const std::string type = TypeName(X509_NAME_ENTRY_get_object(entry));
    const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(entry);
    if (!IsPlain(value))
      return Fail(Code::kInputRefused, "the subject's " + type + " is no plain text");
    const std::string text(AsText(Content(value)));
    if (!PermitsAttribute(constraints, type, text)) return Refuse("the subject's " + type, text);
  }
  return Done{};
}

Status CheckAlternativeName(const X509Constraints& constraints, const GENERAL_NAME& name) {
  int type = 0;
  const void* const value = GENERAL_NAME_get0_value(&name, &type);
  const auto text = [&] { return AsText(Content(static_cast<const ASN1_STRING*>(value))); };
  switch (type) {
    case GEN_DNS:
      if (PermitsDns(constraints, text())) return Done{};
      return Refuse("the name", text());
    case GEN_EMAIL:
      if (PermitsEmail(constraints, text())) return Done{};
      return Refuse("the mail address", text());
    case GEN_URI:
      if (PermitsUri(constraints, text())) return Done{};
      return Refuse("the URI", text());
    case GEN_IPADD: {
      const ByteSpan address = Content(static_cast<const ASN1_STRING*>(value));
      if (PermitsIp(constraints, address)) return Done{};
      return Refuse("the address", ToHex(address));
    }
    default:
      return Fail(Code::kInputRefused, "an alternative name is of no kind that is permitted");
  }
}

}  // namespace keyclave::guard
