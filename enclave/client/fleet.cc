#include "enclave/client/fleet.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "enclave/base/hash.h"

namespace keyclave::client {
namespace {

uint64_t RandomBelow(uint64_t limit) {
  uint64_t number = 0;
  for (const uint8_t byte : RandomArray<8>()) number = number << 8 | byte;
  return number % limit;  // limits are small: what that prefers cannot be noticed
}

// From three quarters of it to five quarters: processes that lost a member at the same time shall
// not all come back at the same time.
std::chrono::milliseconds About(std::chrono::milliseconds time) {
  const auto quarter = static_cast<uint64_t>(time.count()) / 4;
  return time - time / 4 + std::chrono::milliseconds(RandomBelow(2 * quarter + 1));
}

std::vector<size_t> Preferences(size_t size, bool in_order) {
  std::vector<size_t> all(size);
  std::iota(all.begin(), all.end(), size_t{0});
  if (in_order) return all;
  for (size_t i = size; i > 1; --i) std::swap(all[i - 1], all[RandomBelow(i)]);
  return all;
}

}  // namespace

Fleet::Fleet(size_t size, bool in_order)
    : preferred_(Preferences(size, in_order)), members_(size) {}

Fleet::Rank Fleet::RankOf(size_t member, Deadline now, bool stay) const {
  const Member& known = members_[member];
  const bool good = known.failures == 0 && !known.drains;
  if (member == home_ && (stay || good)) return Rank::kHome;
  if (good) return Rank::kGood;
  if (known.drains) return Rank::kDrains;
  return now >= known.rested ? Rank::kRested : Rank::kRests;
}

std::vector<size_t> Fleet::Order(Deadline now, bool stay) const {
  struct Choice {
    Rank rank;
    Deadline rested;
    size_t member;
  };
  std::vector<Choice> choices;
  {
    const MutexLock lock(mutex_);
    for (const size_t member : preferred_) {
      const Rank rank = RankOf(member, now, stay);
      const Deadline rested = rank > Rank::kGood ? members_[member].rested : Deadline();
      choices.push_back({.rank = rank, .rested = rested, .member = member});
    }
  }
  std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    return std::tie(a.rank, a.rested) < std::tie(b.rank, b.rested);
  });
  std::vector<size_t> order;
  for (const Choice& choice : choices) order.push_back(choice.member);
  return order;
}

// Of many callers who find out at the same time, one is heard.
void Fleet::Failed(size_t member, Deadline now) {
  if (!has_choice()) return;
  const MutexLock lock(mutex_);
  Member& known = members_[member];
  if (known.failures > 0 && now < known.rested) return;
  auto rest = kFirstRest;
  for (unsigned i = 0; i < known.failures && rest < kLongestRest; ++i) rest *= 2;
  ++known.failures;
  known.drains = false;
  known.rested = now + About(std::min(rest, kLongestRest));
  known.wanted = now + About(kLongestRest);
  LookAround();
}

void Fleet::Drains(size_t member, Deadline now) {
  if (!has_choice()) return;
  const MutexLock lock(mutex_);
  Member& known = members_[member];
  known.failures = 0;
  known.drains = true;
  known.rested = known.wanted = now + About(kLongestRest);
  LookAround();
}

bool Fleet::Settle(size_t member) {
  const MutexLock lock(mutex_);
  members_[member] = Member();
  const bool moved = home_.has_value() && *home_ != member;
  home_ = member;
  LookAround();
  return moved;
}

void Fleet::LookAround() {
  const bool restless =
      home_.has_value() && (*home_ != preferred_.front() || members_[*home_].drains);
  restless_.store(restless, std::memory_order_relaxed);
}

std::optional<size_t> Fleet::Goal(Deadline now) const {
  const MutexLock lock(mutex_);
  if (!home_.has_value()) return std::nullopt;
  bool before_home = true;
  for (const size_t member : preferred_) {
    if (member == *home_) {
      before_home = false;
      continue;
    }
    if (!before_home && !members_[*home_].drains) break;
    if (now >= members_[member].wanted) return member;
  }
  return std::nullopt;
}

}  // namespace keyclave::client
