#include "ossl_provider/key_type.h"

#include <strings.h>

#include <string>

namespace keyclave::ossl {

std::optional<KeyType> FindKeyType(std::string_view name) {
  const std::string text(name);
  for (const KeyTypeInfo& info : kKeyTypes) {
    if (strcasecmp(text.c_str(), info.name) == 0) return info.type;
  }
  return std::nullopt;
}

}  // namespace keyclave::ossl
