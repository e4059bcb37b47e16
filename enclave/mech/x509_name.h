// Names as people write them, in the forms that X.509 needs.
#pragma once

#include <string_view>
#include <vector>

#include "enclave/base/result.h"
#include "enclave/mech/openssl_handles.h"

namespace keyclave::mech {

using GeneralNames = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

// A distinguished name in RFC 4514 form: "CN=www.example.org,OU=Web+L=Bern,O=Example\, Inc.". The
// most specific part comes first in the text and last in the DER, as that RFC says. The empty text
// is the empty name. kInvalidArgument says what is wrong.
Result<X509Name> ParseDistinguishedName(std::string_view text);

// Subject alternative names: DNS names (a leading "*." allowed), IP addresses, mail addresses and
// URIs (what has a "://"). kInvalidArgument names the one that is none of them.
Result<GeneralNames> ParseAlternativeNames(const std::vector<std::string>& names);

}  // namespace keyclave::mech
