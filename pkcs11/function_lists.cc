// The function lists and interfaces: exactly 2.40 from C_GetFunctionList; 2.40, 3.0 and 3.2 from
// C_GetInterface.
#include <array>

#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/entry.h"
#include "pkcs11/out_buffer.h"

namespace keyclave::pkcs11 {
namespace {

constexpr CK_VERSION k2_40{2, 40};
constexpr CK_VERSION k3_0{3, 0};
constexpr CK_VERSION k3_2{3, 2};

// A list names its own version in C_GetInfo too: programs that ask for 2.40 check for it.
template <CK_BYTE minor>
CK_RV GetInfo3(CK_INFO_PTR info) {
  return Barrier("C_GetInfo", [&] { return call::GetInfoOf({3, minor}, info); });
}

CK_FUNCTION_LIST list_2_40 = {
    .version = k2_40,
#define KC_FUNCTION(name, parameters, arguments) .name = ::name,
#define KC_FUNCTION_3_0(name, parameters, arguments)
#include "pkcs11/functions.inc"
};

constexpr CK_FUNCTION_LIST_3_0 MakeList30() {
  CK_FUNCTION_LIST_3_0 list = {
      .version = k3_0,
#define KC_FUNCTION(name, parameters, arguments) .name = ::name,
#define KC_FUNCTION_3_2(name, parameters, arguments)
#include "pkcs11/functions.inc"
  };
  list.C_GetInfo = GetInfo3<0>;
  return list;
}
constinit CK_FUNCTION_LIST_3_0 list_3_0 = MakeList30();

constexpr CK_FUNCTION_LIST_3_2 MakeList32() {
  CK_FUNCTION_LIST_3_2 list = {
      .version = k3_2,
#define KC_FUNCTION(name, parameters, arguments) .name = ::name,
#include "pkcs11/functions.inc"
  };
  list.C_GetInfo = GetInfo3<2>;
  return list;
}
constinit CK_FUNCTION_LIST_3_2 list_3_2 = MakeList32();

// Its characters are CK_UTF8CHAR in the standard's header and char in that of p11-kit 0.25.
using NameChar = std::remove_pointer_t<decltype(CK_INTERFACE::pInterfaceName)>;
NameChar standard_name[] = "PKCS 11";

// The default comes first: C_GetInterface without a name or version gives it.
struct Row {
  CK_VERSION version;
  CK_INTERFACE interface;
};
std::array<Row, 3> interfaces = {{
    {k3_2, {standard_name, &list_3_2, 0}},
    {k3_0, {standard_name, &list_3_0, 0}},
    {k2_40, {standard_name, &list_2_40, 0}},
}};

bool SameName(const CK_UTF8CHAR* name) {
  const auto* end = std::end(standard_name);
  for (const auto* c = std::begin(standard_name); c != end; ++c, ++name) {
    if (*name != *c) return false;
  }
  return true;
}

}  // namespace

namespace call {

Status C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  KC_CHECK_OK(NotNull(list));
  *list = &list_2_40;
  return Done{};
}

Status C_GetInterfaceList(CK_INTERFACE_PTR interfaces_out, CK_ULONG_PTR count) {
  const OutArray<CK_INTERFACE> out(interfaces_out, count);
  KC_CHECK_OK(out.Check());
  std::vector<CK_INTERFACE> list;
  for (const Row& row : interfaces) list.push_back(row.interface);
  return IgnoreDelivery(out.Put(list));
}

// No interface has flags: none keeps sessions over fork (CKF_INTERFACE_FORK_SAFE).
Status C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION_PTR version, CK_INTERFACE_PTR_PTR found,
                      CK_FLAGS flags) {
  KC_CHECK_OK(NotNull(found));
  for (Row& row : interfaces) {
    if (name != nullptr && !SameName(name)) continue;
    if (version != nullptr &&
        (version->major != row.version.major || version->minor != row.version.minor))
      continue;
    if ((row.interface.flags & flags) != flags) continue;
    *found = &row.interface;
    return Done{};
  }
  return Fail(Code::kP11NoInterface);
}

}  // namespace call
}  // namespace keyclave::pkcs11
