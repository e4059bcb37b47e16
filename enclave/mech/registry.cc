// The table of all mechanisms, made from mech_list.inc and checked before its first use.

#include <algorithm>
#include <cstdlib>

#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

const MechFamily* const kFamilies[] = {
#define KC_MECH(name) &k##name##Family,
#include "enclave/mech/mech_list.inc"
#undef KC_MECH
};

// Whether the family has exactly the functions that its rows' flags speak of.
bool FlagsMatchFunctions(const MechFamily& family) {
  uint64_t flags = 0;
  for (const MechRow& row : family.rows) flags |= row.flags;
  const auto agree = [&](uint64_t flag, bool present) { return ((flags & flag) != 0) == present; };
  const bool can_wrap = family.wrap != nullptr || family.encrypt != nullptr;
  const bool can_unwrap = family.unwrap != nullptr || family.decrypt != nullptr;
  return agree(CKF_SIGN, family.sign != nullptr) && agree(CKF_VERIFY, family.verify != nullptr) &&
         ((flags & CKF_SIGN_RECOVER) == 0 || family.sign != nullptr) &&
         agree(CKF_VERIFY_RECOVER, family.verify_recover != nullptr) &&
         agree(CKF_DIGEST, family.digest != nullptr) &&
         agree(CKF_ENCRYPT, family.encrypt != nullptr) &&
         agree(CKF_DECRYPT, family.decrypt != nullptr) &&
         agree(CKF_GENERATE | CKF_GENERATE_KEY_PAIR, family.generate != nullptr) &&
         agree(CKF_DERIVE, family.derive != nullptr || family.derive_with != nullptr) &&
         agree(CKF_ENCAPSULATE, family.encapsulate != nullptr) &&
         agree(CKF_DECAPSULATE, family.decapsulate != nullptr) &&
         ((flags & CKF_WRAP) == 0 || can_wrap) && ((flags & CKF_UNWRAP) == 0 || can_unwrap);
}

std::vector<MechEntry> MakeTable(bool available_only) {
  std::vector<MechEntry> table;
  for (const MechFamily* family : kFamilies) {
    // A table that contradicts itself is a defect of the program, which no caller can do anything
    // about.
    if (!FlagsMatchFunctions(*family)) std::abort();
    for (const MechRow& row : family->rows) {
      const bool available = family->available == nullptr || family->available(row);
      if (available || !available_only) table.push_back({family, &row});
    }
  }
  const auto by_type = [](const MechEntry& a, const MechEntry& b) {
    return a.row->type < b.row->type;
  };
  std::sort(table.begin(), table.end(), by_type);
  const auto same = [](const MechEntry& a, const MechEntry& b) {
    return a.row->type == b.row->type;
  };
  if (std::adjacent_find(table.begin(), table.end(), same) != table.end()) std::abort();
  return table;
}

const std::vector<MechEntry>& Table() {
  static const std::vector<MechEntry> table = MakeTable(/*available_only=*/true);
  return table;
}

}  // namespace

Result<MechEntry> FindMechanism(uint64_t type) {
  const std::vector<MechEntry>& table = Table();
  const auto found = std::lower_bound(
      table.begin(), table.end(), type,
      [](const MechEntry& entry, uint64_t number) { return entry.row->type < number; });
  if (found == table.end() || found->row->type != type) return Fail(Code::kMechanismInvalid);
  return *found;
}

std::vector<MechEntry> AllMechanisms() { return Table(); }

std::vector<MechEntry> EveryMechanism() { return MakeTable(/*available_only=*/false); }

bool IsFamilyName(std::string_view name) {
  return std::any_of(std::begin(kFamilies), std::end(kFamilies),
                     [&](const MechFamily* family) { return family->name == name; });
}

}  // namespace keyclave::mech
