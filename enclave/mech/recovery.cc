#include "enclave/mech/recovery.h"

#include <bit>
#include <functional>
#include <set>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/mech/release_form.h"
#include "enclave/wire/codec.h"

namespace keyclave::mech {
namespace {

constexpr std::string_view kPartLabel = "keyclave/recovery-part/1";
constexpr std::string_view kSealLabel = "keyclave/recovery-seal/1";
constexpr size_t kMaxName = 64;  // characters

// Parts are random, so a digest of one says nothing about it.
ByteArray<32> CommitTo(const std::string& enclave_id, size_t part, ByteSpan bytes) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(kPartLabel));
  out.PutPrefixed(AsBytes(enclave_id));
  out.PutBe(static_cast<uint16_t>(part));
  out.PutPrefixed(bytes);
  return Sha256(out.bytes());
}

// What is sealed to a holder is for this enclave, this place and these holders.
Bytes BindingOf(const wire::Recovery& recovery, size_t holder) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(kSealLabel));
  out.PutPrefixed(AsBytes(recovery.enclave_id));
  out.PutBe(static_cast<uint16_t>(recovery.threshold));
  out.PutBe(static_cast<uint16_t>(holder));
  for (const wire::RecoveryHolder& one : recovery.holders) {
    out.PutPrefixed(AsBytes(one.name));
    out.PutPrefixed(one.public_key);
  }
  return std::move(out).Finish();
}

void Add(SecretBytes& to, ByteSpan bytes) {
  const std::span<uint8_t> sum = to.ExposeMutable(SecretAccess());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = static_cast<uint8_t>(sum[i] ^ bytes[i]);
}

std::vector<SecretBytes> SplitSecret(const SecretBytes& secret, size_t parts) {
  std::vector<SecretBytes> split;
  SecretBytes last = secret.Clone();
  for (size_t i = 0; i + 1 < parts; ++i) {
    SecretBytes& part = split.emplace_back(secret.size());
    RandomFill(part.ExposeMutable(SecretAccess()));
    Add(last, part.Expose(SecretAccess()));
  }
  split.push_back(std::move(last));
  return split;
}

bool Gets(uint32_t mask, size_t holder) { return (mask >> holder & 1U) == 0; }

SecretBytes PartsOf(const std::vector<SecretBytes>& split, const std::vector<uint32_t>& masks,
                    size_t holder) {
  const auto count = static_cast<size_t>(
      std::count_if(masks.begin(), masks.end(), [&](uint32_t mask) { return Gets(mask, holder); }));
  SecretBytes parts(count * split.front().size());
  std::span<uint8_t> to = parts.ExposeMutable(SecretAccess());
  for (size_t i = 0; i < masks.size(); ++i) {
    if (!Gets(masks[i], holder)) continue;
    const ByteSpan part = split[i].Expose(SecretAccess());
    std::copy(part.begin(), part.end(), to.begin());
    to = to.subspan(part.size());
  }
  return parts;
}

Result<size_t> PlaceOf(const wire::Recovery& recovery, const std::string& name) {
  for (size_t i = 0; i < recovery.holders.size(); ++i) {
    if (recovery.holders[i].name == name) return i;
  }
  std::string names;
  for (const wire::RecoveryHolder& holder : recovery.holders)
    names.append(names.empty() ? "" : ", ").append(holder.name);
  return Fail(Code::kNotFound, "no holder is called " + name + "; there are " + names);
}

// Cuts a holder's parts, each checked against its digest.
Status ForEachPart(const wire::Recovery& recovery, size_t holder, const SecretBytes& parts,
                   const std::function<void(size_t part, ByteSpan bytes)>& visit) {
  const std::vector<uint32_t> masks = PartMasks(recovery.threshold, recovery.holders.size());
  const auto count = static_cast<size_t>(
      std::count_if(masks.begin(), masks.end(), [&](uint32_t mask) { return Gets(mask, holder); }));
  const Error wrong =
      Fail(Code::kRecoveryShareInvalid,
           "what " + recovery.holders[holder].name + " gives is not what was made at --init");
  if (parts.empty() || parts.size() % count != 0) return wrong;
  const size_t size = parts.size() / count;
  ByteSpan rest = parts.Expose(SecretAccess());
  for (size_t i = 0; i < masks.size(); ++i) {
    if (!Gets(masks[i], holder)) continue;
    const ByteSpan part = rest.first(size);
    rest = rest.subspan(size);
    if (!Equal(CommitTo(recovery.enclave_id, i, part), recovery.commitments[i])) return wrong;
    visit(i, part);
  }
  return Done{};
}

Status CheckHolders(const std::vector<RecoveryKeyholder>& holders) {
  std::set<std::string> names;
  std::set<Bytes> keys;
  for (const RecoveryKeyholder& holder : holders) {
    if (holder.name.empty() || holder.name.size() > kMaxName)
      return Fail(Code::kInvalidArgument, "a holder's name has 1 to 64 characters");
    if (!names.insert(holder.name).second)
      return Fail(Code::kInvalidArgument, "two holders are called " + holder.name);
    if (!keys.insert(holder.public_key).second)
      return Fail(Code::kInvalidArgument,
                  holder.name + " has the key of another holder: each needs one of his own");
  }
  return Done{};
}

}  // namespace

Status CheckSplit(size_t threshold, size_t holders) {
  if (threshold >= 1 && threshold <= holders && holders <= kMaxHolders) return Done{};
  return Fail(Code::kInvalidArgument,
              "of " + std::to_string(holders) + " holders " + std::to_string(threshold) +
                  " cannot be needed: at most " + std::to_string(kMaxHolders) +
                  " holders, and of them at least one");
}

std::vector<uint32_t> PartMasks(size_t threshold, size_t holders) {
  std::vector<uint32_t> masks;
  for (uint32_t mask = 0; mask < uint32_t{1} << holders; ++mask) {
    if (static_cast<size_t>(std::popcount(mask)) + 1 == threshold) masks.push_back(mask);
  }
  return masks;
}

Result<wire::Recovery> MakeRecovery(const std::string& enclave_id,
                                    const std::vector<RecoveryKeyholder>& holders, size_t threshold,
                                    const SecretBytes& secret) {
  KC_CHECK_OK(CheckSplit(threshold, holders.size()));
  KC_CHECK_OK(CheckHolders(holders));
  wire::Recovery recovery{enclave_id, threshold, {}, {}};
  for (const RecoveryKeyholder& holder : holders)
    recovery.holders.push_back({holder.name, holder.public_key, "", {}});
  const std::vector<uint32_t> masks = PartMasks(threshold, holders.size());
  const std::vector<SecretBytes> split = SplitSecret(secret, masks.size());
  for (size_t i = 0; i < split.size(); ++i)
    recovery.commitments.push_back(CommitTo(enclave_id, i, split[i].Expose(SecretAccess())));
  for (size_t i = 0; i < holders.size(); ++i) {
    wire::RecoveryHolder& holder = recovery.holders[i];
    const auto key = PublicKeyFromInfo(holder.public_key);
    if (!key.ok())
      return Fail(Code::kInvalidArgument, holder.name + "'s key: " + key.error().Text());
    const ReleaseForm* form = FormFor(**key);
    // A JWE has no place for what binds a share to its enclave and its holder.
    if (form == nullptr || form->jwe)
      return Fail(Code::kInvalidArgument,
                  holder.name +
                      "'s key is neither RSA, P-256 nor X25519: nothing can be sealed to "
                      "it");
    holder.form = form->name;
    KC_ASSIGN(holder.sealed,
              WrapReleased(*form, **key, BindingOf(recovery, i), PartsOf(split, masks, i)));
  }
  return recovery;
}

Status CheckRecovery(const wire::Recovery& recovery) {
  const bool splits = CheckSplit(recovery.threshold, recovery.holders.size()).ok();
  if (splits &&
      recovery.commitments.size() == PartMasks(recovery.threshold, recovery.holders.size()).size())
    return Done{};
  return Fail(Code::kMalformed, "the recovery holders and their parts do not fit together");
}

Result<SecretBytes> OpenParts(const wire::Recovery& recovery, const std::string& holder,
                              const Key& private_key) {
  KC_CHECK_OK(CheckRecovery(recovery));
  KC_ASSIGN(const size_t place, PlaceOf(recovery, holder));
  const wire::RecoveryHolder& own = recovery.holders[place];
  KC_ASSIGN(const Bytes public_key, PublicKeyInfo(private_key));
  const ReleaseForm* form = FindReleaseForm(own.form);
  if (form == nullptr || public_key != own.public_key)
    return Fail(Code::kKeyTypeInconsistent, "this is not the private key of " + holder);
  auto parts = OpenReleased(*form, private_key, BindingOf(recovery, place), own.sealed);
  if (!parts.ok())
    return Fail(Code::kRecoveryShareInvalid, "what was sealed to " + holder + " does not open");
  KC_CHECK_OK(ForEachPart(recovery, place, *parts, [](size_t /*part*/, ByteSpan /*bytes*/) {}));
  return std::move(parts).value();
}

RecoveryMeeting::RecoveryMeeting(wire::Recovery recovery)
    : recovery_(std::move(recovery)), parts_(recovery_.commitments.size()) {}

size_t RecoveryMeeting::missing() const {
  return given_.size() < recovery_.threshold ? recovery_.threshold - given_.size() : 0;
}

Status RecoveryMeeting::Give(const std::string& holder, const SecretBytes& parts) {
  KC_ASSIGN(const size_t place, PlaceOf(recovery_, holder));
  KC_CHECK_OK(ForEachPart(recovery_, place, parts, [&](size_t part, ByteSpan bytes) {
    parts_[part] = SecretBytes::CopyOf(bytes);
  }));
  if (std::find(given_.begin(), given_.end(), holder) == given_.end()) given_.push_back(holder);
  return Done{};
}

Result<SecretBytes> RecoveryMeeting::Join() const {
  if (missing() != 0) return Fail(Code::kWrongState, "holders are missing");
  SecretBytes secret = parts_.front().Clone();
  for (size_t i = 1; i < parts_.size(); ++i) {
    if (parts_[i].size() != secret.size())
      return Fail(Code::kRecoveryShareInvalid, "parts of different sizes");
    Add(secret, parts_[i].Expose(SecretAccess()));
  }
  return secret;
}

}  // namespace keyclave::mech
