#include "attest/tee_type.h"

namespace keyclave::attest {

// Each file in attest/tee/ defines its row; a name in the list without its file does not link.
#define KEYCLAVE_TEE(name) extern const TeeType k##name##Tee;
#include "attest/tee_list.inc"
#undef KEYCLAVE_TEE

std::vector<const TeeType*> AllTeeTypes() {
  return {
#define KEYCLAVE_TEE(name) &k##name##Tee,
#include "attest/tee_list.inc"
#undef KEYCLAVE_TEE
  };
}

const TeeType* FindTeeType(std::string_view name) {
  for (const TeeType* type : AllTeeTypes()) {
    if (type->name == name) return type;
  }
  return nullptr;
}

}  // namespace keyclave::attest
