#include "attest/vendor_roots.h"

#include <map>

namespace keyclave::attest {
namespace {

struct Pem {
  std::string_view file;
  std::string_view text;
};

// {"file", R"(its text)"}, of attest/roots/*.pem, written by the build.
constexpr Pem kPems[] = {
#include "attest/vendor_roots_pem.inc"
};

enum class Part { kRoot, kIntermediate };

struct Row {
  Part part;
  std::string_view type;
  std::string_view file;
};

constexpr Row kRows[] = {
#define KC_VENDOR_ROOT(type, file) {Part::kRoot, type, file},
#define KC_VENDOR_INTERMEDIATE(type, file) {Part::kIntermediate, type, file},
#include "attest/vendor_roots.inc"
#undef KC_VENDOR_ROOT
#undef KC_VENDOR_INTERMEDIATE
};

using ByType = std::map<std::string, std::vector<Certificate>, std::less<>>;

ByType ReadAll(Part part) {
  ByType all;
  for (const Row& row : kRows) {
    if (row.part != part) continue;
    for (const Pem& pem : kPems) {
      if (pem.file != row.file) continue;
      const auto list = Certificate::ListFrom(AsBytes(pem.text));
      // Built in: a test reads each, and a build without them trusts no vendor.
      if (!list.ok()) continue;
      auto& known = all[std::string(row.type)];
      known.insert(known.end(), list->begin(), list->end());
    }
  }
  return all;
}

const std::vector<Certificate>& In(const ByType& all, std::string_view type) {
  static const auto& none = *new std::vector<Certificate>;
  const auto found = all.find(type);
  return found == all.end() ? none : found->second;
}

}  // namespace

// Never destroyed: the modules run no destructors at exit.
const std::vector<Certificate>& VendorRoots(std::string_view type) {
  static const auto& all = *new ByType(ReadAll(Part::kRoot));
  return In(all, type);
}

const std::vector<Certificate>& VendorIntermediates(std::string_view type) {
  static const auto& all = *new ByType(ReadAll(Part::kIntermediate));
  return In(all, type);
}

}  // namespace keyclave::attest
