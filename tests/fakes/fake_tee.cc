#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

// Each in its own file, tests/fakes/fake_<type>.cc.
#define KC_FAKE_TEE(name, make) std::unique_ptr<FakeTee> make();
#include "tests/fakes/fake_tee_list.inc"
#undef KC_FAKE_TEE

std::unique_ptr<FakeTee> FakeTee::Create([[maybe_unused]] std::string_view type) {
#define KC_FAKE_TEE(name, make) \
  if (type == (name)) return make();
#include "tests/fakes/fake_tee_list.inc"
#undef KC_FAKE_TEE
  return nullptr;
}

}  // namespace keyclave::test
