#include "enclave/authz/policy_diff.h"

#include <algorithm>

#include "enclave/authz/permit_diff.h"
#include "enclave/authz/verifier_trouble.h"

namespace keyclave::authz {
namespace {

constexpr size_t kNone = SIZE_MAX;

// A permit with what it is recognised by in another version.
struct Known {
  const Permit* permit = nullptr;
  std::set<std::string, std::less<>> terms;  // its conjuncts
  size_t partner = kNone;                    // in the other policy
  bool covers = false;                       // its limits count for a permit of the other policy
};

std::vector<Known> Recognise(const Policy& policy) {
  std::vector<Known> list;
  for (const Permit& permit : policy.permits()) {
    Known& known = list.emplace_back();
    known.permit = &permit;
    for (const attest::Expression& term : permit.when.Conjuncts()) known.terms.insert(term.Print());
  }
  return list;
}

bool ShareOperation(const OperationSet& one, const OperationSet& other) {
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    if (one.Has(operation) && other.Has(operation)) return true;
  }
  return false;
}

// How much two permits have in common; 0 for permits of different operations.
size_t Likeness(const Known& one, const Known& other) {
  if (!ShareOperation(one.permit->operations, other.permit->operations)) return 0;
  size_t score = 1;
  for (const std::string& term : one.terms) score += other.terms.contains(term) ? 2U : 0U;
  if (one.permit->operations == other.permit->operations) score += 2;
  if (one.permit->mechanisms == other.permit->mechanisms) score += 1;
  return score;
}

bool IsSame(const Known& one, const Known& other) {
  return one.permit->operations == other.permit->operations && one.terms == other.terms &&
         ComparePermits(*one.permit, *other.permit).empty();
}

class Comparer {
 public:
  Comparer(const Policy& before, const Policy& after)
      : before_(before), after_(after), old_(Recognise(before)), new_(Recognise(after)) {}

  std::vector<PolicyChange> Run() {
    CompareDocuments();
    Pair([](const Known& one, const Known& other) { return IsSame(one, other) ? 1U : 0U; });
    Pair(Likeness);
    for (size_t i = 0; i < new_.size(); ++i) ComparePermit(i);
    for (size_t i = 0; i < old_.size(); ++i) {
      if (old_[i].partner == kNone) ExplainGone(i);
    }
    return std::move(changes_);
  }

 private:
  void CompareDocuments() {
    if (before_.name() != after_.name()) {
      Add(ChangeVerdict::kChanged, 0, 0,
          "another policy: " + before_.name() + " becomes " + after_.name());
    }
    if (before_.locked() != after_.locked()) {
      Add(after_.locked() ? ChangeVerdict::kStricter : ChangeVerdict::kWeaker, 0, 0,
          after_.locked() ? "locked: it cannot be changed any more" : "locked is dropped");
    }
    if (before_.collateral_grace() != after_.collateral_grace()) {
      const bool weaker = after_.collateral_grace() > before_.collateral_grace();
      Add(weaker ? ChangeVerdict::kWeaker : ChangeVerdict::kStricter, 0, 0,
          "on_verifier_trouble " + PrintVerifierTrouble(before_.collateral_grace()) + " becomes " +
              PrintVerifierTrouble(after_.collateral_grace()));
    }
    if (before_.change() == after_.change()) return;
    const auto text = [](const std::optional<Quorum>& quorum) {
      return quorum.has_value() ? quorum->Print() : std::string("any owner");
    };
    Add(CompareQuorums(before_.change(), after_.change()), 0, 0,
        "change " + text(before_.change()) + " becomes " + text(after_.change()));
  }

  // Each permit that has no partner yet gets the one that is most like it, in order.
  template <class Score>
  void Pair(const Score& score) {
    for (size_t i = 0; i < new_.size(); ++i) {
      if (new_[i].partner != kNone) continue;
      size_t best = 0;
      for (size_t j = 0; j < old_.size(); ++j) {
        if (old_[j].partner != kNone) continue;
        const size_t likeness = score(new_[i], old_[j]);
        if (likeness <= best) continue;
        best = likeness;
        new_[i].partner = j;
      }
      if (new_[i].partner != kNone) old_[new_[i].partner].partner = i;
    }
  }

  void ComparePermit(size_t i) {
    if (new_[i].partner == kNone) {
      ExplainNew(i);
      return;
    }
    const size_t j = new_[i].partner;
    for (Difference& difference : ComparePermits(*old_[j].permit, *new_[i].permit))
      Add(difference.verdict, j + 1, i + 1, std::move(difference.what));
  }

  void ExplainNew(size_t i) {
    const size_t covering = CoveredBy(*new_[i].permit, old_);
    const std::string what =
        "permits " + new_[i].permit->operations.Text() + " to " + new_[i].permit->when.Print();
    if (covering == kNone) {
      Add(ChangeVerdict::kWeaker, 0, i + 1, "a new permit: " + what);
    } else {
      Add(ChangeVerdict::kSame, 0, i + 1,
          "a new permit: " + what + ", as permit " + std::to_string(covering + 1) + " did");
    }
  }

  void ExplainGone(size_t i) {
    const size_t covering = CoveredBy(*old_[i].permit, new_);
    const std::string what = "the permit of " + old_[i].permit->operations.Text() + " to " +
                             old_[i].permit->when.Print() + " is gone";
    if (covering == kNone) {
      Add(ChangeVerdict::kStricter, i + 1, 0, what);
    } else {
      Add(ChangeVerdict::kSame, i + 1, 0,
          what + ", and permit " + std::to_string(covering + 1) + " still permits it");
    }
  }

  // The permit among `list` that permits all that this one does; kNone if there is none. What has
  // limits stands for no other permit beside its partner: two permits count twice.
  static size_t CoveredBy(const Permit& permit, std::vector<Known>& list) {
    for (size_t j = 0; j < list.size(); ++j) {
      if (list[j].permit->limits.has_value() && (list[j].partner != kNone || list[j].covers))
        continue;
      const std::vector<Difference> differences = ComparePermits(permit, *list[j].permit);
      const bool covers =
          std::all_of(differences.begin(), differences.end(), [](const Difference& difference) {
            return difference.verdict == ChangeVerdict::kSame ||
                   difference.verdict == ChangeVerdict::kWeaker;
          });
      if (!covers) continue;
      list[j].covers = true;
      return j;
    }
    return kNone;
  }

  void Add(ChangeVerdict verdict, size_t before, size_t after, std::string what) {
    changes_.push_back({verdict, before, after, std::move(what)});
  }

  const Policy& before_;
  const Policy& after_;
  std::vector<Known> old_;
  std::vector<Known> new_;
  std::vector<PolicyChange> changes_;
};

}  // namespace

std::string_view ChangeName(ChangeVerdict verdict) {
  switch (verdict) {
    case ChangeVerdict::kSame: return "SAME";
    case ChangeVerdict::kWeaker: return "WEAKER";
    case ChangeVerdict::kStricter: return "STRICTER";
    case ChangeVerdict::kChanged: return "CHANGED";
  }
  return "";
}

std::vector<PolicyChange> Compare(const Policy& before, const Policy& after) {
  return Comparer(before, after).Run();
}

ChangeVerdict Overall(const std::vector<PolicyChange>& changes) {
  bool gains = false;
  bool losses = false;
  for (const PolicyChange& change : changes) {
    gains |= change.verdict == ChangeVerdict::kWeaker || change.verdict == ChangeVerdict::kChanged;
    losses |=
        change.verdict == ChangeVerdict::kStricter || change.verdict == ChangeVerdict::kChanged;
  }
  return VerdictOf(!losses, !gains);
}

}  // namespace keyclave::authz
