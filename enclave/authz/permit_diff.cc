#include "enclave/authz/permit_diff.h"

#include <algorithm>

#include "enclave/authz/families.h"

namespace keyclave::authz {
namespace {

using attest::Expression;

template <class List>
std::string Join(const List& list) {
  std::string text;
  for (const std::string_view item : list) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

template <class T>
bool IsSubset(const std::vector<T>& part, const std::vector<T>& whole) {
  return std::all_of(part.begin(), part.end(), [&](const T& one) {
    return std::find(whole.begin(), whole.end(), one) != whole.end();
  });
}

// Whether whoever satisfies `a` satisfies `b`: so many of a's owners are among b's at least.
bool Implies(const Quorum& a, const Quorum& b) {
  const auto outside = std::count_if(a.of.begin(), a.of.end(), [&](const std::string& name) {
    return std::find(b.of.begin(), b.of.end(), name) == b.of.end();
  });
  return a.quorum >= b.quorum + static_cast<uint64_t>(outside);
}

bool Implies(const X509Constraints& a, const X509Constraints& b) {
  const bool days =
      !b.max_days.has_value() || (a.max_days.has_value() && *a.max_days <= *b.max_days);
  return IsSubset(a.dns, b.dns) && IsSubset(a.ip, b.ip) && IsSubset(a.email, b.email) &&
         IsSubset(a.uri, b.uri) && IsSubset(a.subject, b.subject) && IsSubset(a.usages, b.usages) &&
         IsSubset(a.extensions, b.extensions) && (!a.ca || b.ca) && days;
}

bool Implies(const IssueRule& a, const IssueRule& b) {
  return Implies(a.x509, b.x509) && a.max_validity <= b.max_validity &&
         IsSubset(b.claims, a.claims);
}

bool IsAny(const std::optional<InputRule>& rule) {
  return !rule.has_value() || rule->Has(InputForm::kAny);
}

bool Implies(const std::optional<InputRule>& a, const std::optional<InputRule>& b) {
  if (IsAny(b)) return true;
  if (IsAny(a) || !IsSubset(a->forms, b->forms)) return false;
  return !a->x509.has_value() || (b->x509.has_value() && Implies(*a->x509, *b->x509));
}

// Whether a use that `a` lets through, `b` lets through too, whatever was used before.
bool Implies(const std::optional<LimitRule>& a, const std::optional<LimitRule>& b) {
  if (!b.has_value()) return true;
  if (!a.has_value()) return false;
  // What one caller may do together with others, it may do alone.
  if (a->per != b->per && a->per != LimitRule::Per::kKey) return false;
  if (b->uses.has_value() && (!a->uses.has_value() || *a->uses > *b->uses)) return false;
  if (!b->rate.has_value()) return true;
  if (!a->rate.has_value() || a->burst > b->burst) return false;
  return a->rate->count * b->rate->seconds <= b->rate->count * a->rate->seconds;
}

bool ImpliesWrap(const WrapForms& a, const WrapForms& b) {
  for (size_t i = 0; i < kWrapFormCount; ++i) {
    const auto form = static_cast<WrapForm>(i);
    if (a.Has(form) && !b.Has(form)) return false;
  }
  return true;
}

class Comparer {
 public:
  Comparer(const Permit& before, const Permit& after) : before_(before), after_(after) {}

  std::vector<Difference> Run() {
    CompareOperations();
    CompareMechanisms();
    CompareWhen();
    CompareTimes();
    CompareUses();
    if (before_.allow_unattested != after_.allow_unattested) {
      Add(after_.allow_unattested ? ChangeVerdict::kWeaker : ChangeVerdict::kStricter,
          after_.allow_unattested ? "allow_unattested is said" : "allow_unattested is dropped");
    }
    return std::move(differences_);
  }

 private:
  void Add(ChangeVerdict verdict, std::string what) {
    differences_.push_back({verdict, std::move(what)});
  }

  void AddGain(const std::string& gained, std::string_view what) {
    if (!gained.empty()) Add(ChangeVerdict::kWeaker, std::string(what) + " also: " + gained);
  }
  void AddLoss(const std::string& lost, std::string_view what) {
    if (!lost.empty()) Add(ChangeVerdict::kStricter, std::string(what) + " no longer: " + lost);
  }

  void CompareOperations() {
    OperationSet gained;
    OperationSet lost;
    for (size_t i = 0; i < kOperationCount; ++i) {
      const auto operation = static_cast<Operation>(i);
      const bool had = before_.operations.Has(operation);
      const bool has = after_.operations.Has(operation);
      if (has && !had) gained.Add(operation);
      if (had && !has) lost.Add(operation);
    }
    AddGain(gained.Text(), "operations");
    AddLoss(lost.Text(), "operations");
  }

  void CompareMechanisms() {
    if (before_.mechanisms == after_.mechanisms) return;
    if (!after_.mechanisms.has_value()) {
      Add(ChangeVerdict::kWeaker, "mechanisms are dropped: every mechanism is permitted");
    } else if (!before_.mechanisms.has_value()) {
      Add(ChangeVerdict::kStricter, "mechanisms are limited to " + Join(*after_.mechanisms));
    } else {
      AddGain(Join(Without(*after_.mechanisms, *before_.mechanisms)), "mechanisms");
      AddLoss(Join(Without(*before_.mechanisms, *after_.mechanisms)), "mechanisms");
    }
  }

  static std::vector<std::string> Without(const std::set<std::string, std::less<>>& all,
                                          const std::set<std::string, std::less<>>& some) {
    std::vector<std::string> rest;
    std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(rest));
    return rest;
  }

  // Terms that stand in both go away; of the others those about the same claim belong together.
  void CompareWhen() {
    if (before_.when.Print() == after_.when.Print()) return;
    CompareMentions();
    std::vector<Expression> old_terms = before_.when.Conjuncts();
    std::vector<Expression> new_terms = after_.when.Conjuncts();
    RemoveCommon(old_terms, new_terms);
    const size_t known = differences_.size();
    for (const Expression& old_term : old_terms) CompareTerm(old_term, new_terms);
    for (const Expression& new_term : new_terms) {
      const bool implied = before_.when.Implies(new_term);
      Add(implied ? ChangeVerdict::kSame : ChangeVerdict::kStricter,
          "the term " + Text(new_term) + " is added" + (implied ? ", and held already" : ""));
    }
    if (differences_.size() == known) Add(ChangeVerdict::kSame, "the terms are in another order");
  }

  // Evidence that counts only where it is named, wherever in the expression that is.
  void CompareMentions() {
    const auto compare = [&](bool before, bool after, const std::string& what) {
      if (!before && after) Add(ChangeVerdict::kWeaker, what + " is named, and so let in");
      if (before && !after) Add(ChangeVerdict::kStricter, what + " is not named any more");
    };
    compare(before_.when.MentionsUnbound(), after_.when.MentionsUnbound(),
            "token.bound: {is: false}");
    compare(before_.when.MentionsCoResident(), after_.when.MentionsCoResident(),
            "tee: {is: co-resident}");
  }

  static std::string Text(const Expression& term) {
    const std::string text = term.Print();
    return text.substr(1, text.size() - 2);
  }

  static void RemoveCommon(std::vector<Expression>& one, std::vector<Expression>& other) {
    std::erase_if(one, [&](const Expression& term) {
      const auto found = std::find_if(other.begin(), other.end(), [&](const Expression& candidate) {
        return candidate.Print() == term.Print();
      });
      if (found == other.end()) return false;
      other.erase(found);
      return true;
    });
  }

  // Takes from `candidates` the term that stands in the old one's place, if there is one.
  void CompareTerm(const Expression& old_term, std::vector<Expression>& candidates) {
    auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Expression& one) {
      return !old_term.SubjectClaim().empty() && one.SubjectClaim() == old_term.SubjectClaim();
    });
    if (found == candidates.end()) {
      found = std::find_if(candidates.begin(), candidates.end(), [&](const Expression& one) {
        return old_term.Implies(one) || one.Implies(old_term);
      });
    }
    if (found == candidates.end()) {
      const bool still = after_.when.Implies(old_term);
      Add(still ? ChangeVerdict::kSame : ChangeVerdict::kWeaker,
          "the term " + Text(old_term) + " is dropped" + (still ? ", and holds still" : ""));
      return;
    }
    Add(VerdictOf(before_.when.Implies(*found), after_.when.Implies(old_term)),
        "the term " + Text(old_term) + " becomes " + Text(*found));
    candidates.erase(found);
  }

  void CompareTimes() {
    if (before_.max_age != after_.max_age) {
      const auto text = [](const std::optional<uint64_t>& age) {
        return age.has_value() ? std::to_string(*age) + " s" : std::string("none");
      };
      const bool weaker = !after_.max_age.has_value() ||
                          (before_.max_age.has_value() && *after_.max_age > *before_.max_age);
      Add(weaker ? ChangeVerdict::kWeaker : ChangeVerdict::kStricter,
          "max_age " + text(before_.max_age) + " becomes " + text(after_.max_age));
    }
    const auto time = [](const std::optional<UnixTime>& value, const char* otherwise) {
      return value.has_value() ? FormatTime(*value) : std::string(otherwise);
    };
    if (before_.valid_from != after_.valid_from) {
      const bool weaker =
          !after_.valid_from.has_value() ||
          (before_.valid_from.has_value() && *after_.valid_from < *before_.valid_from);
      Add(weaker ? ChangeVerdict::kWeaker : ChangeVerdict::kStricter,
          "valid from " + time(before_.valid_from, "ever") + " becomes from " +
              time(after_.valid_from, "ever"));
    }
    if (before_.valid_until == after_.valid_until) return;
    const bool weaker =
        !after_.valid_until.has_value() ||
        (before_.valid_until.has_value() && *after_.valid_until > *before_.valid_until);
    Add(weaker ? ChangeVerdict::kWeaker : ChangeVerdict::kStricter,
        "valid until " + time(before_.valid_until, "ever") + " becomes until " +
            time(after_.valid_until, "ever"));
  }

  // What only a request can tell.
  void CompareUses() {
    if (before_.bound != after_.bound) {
      Add(after_.bound ? ChangeVerdict::kStricter : ChangeVerdict::kWeaker,
          after_.bound ? "bind: self is added" : "bind: self is dropped");
    }
    const auto input = [](const std::optional<InputRule>& rule) {
      return rule.has_value() ? PrintInputRule(*rule) : std::string("any");
    };
    if (before_.input != after_.input) {
      Add(VerdictOf(Implies(before_.input, after_.input), Implies(after_.input, before_.input)),
          "input " + input(before_.input) + " becomes " + input(after_.input));
    }
    const bool releases =
        before_.operations.Has(Operation::kRelease) && after_.operations.Has(Operation::kRelease);
    if (releases && !(before_.wrap == after_.wrap)) {
      Add(VerdictOf(ImpliesWrap(before_.wrap, after_.wrap), ImpliesWrap(after_.wrap, before_.wrap)),
          "wrap [" + before_.wrap.Text() + "] becomes [" + after_.wrap.Text() + "]");
    }
    if (before_.issue && after_.issue && before_.issue != after_.issue) {
      Add(VerdictOf(Implies(*before_.issue, *after_.issue), Implies(*after_.issue, *before_.issue)),
          "issue " + PrintIssueRule(*before_.issue) + " becomes " + PrintIssueRule(*after_.issue));
    }
    const auto limits = [](const std::optional<LimitRule>& rule) {
      return rule.has_value() ? Print(*rule) : std::string("none");
    };
    if (before_.limits != after_.limits) {
      Add(VerdictOf(Implies(before_.limits, after_.limits), Implies(after_.limits, before_.limits)),
          "limits " + limits(before_.limits) + " become " + limits(after_.limits));
    }
    const auto approvals = [](const std::optional<Quorum>& quorum) {
      return quorum.has_value() ? quorum->Print() : std::string("none");
    };
    if (before_.approvals != after_.approvals) {
      Add(CompareQuorums(before_.approvals, after_.approvals),
          "approvals " + approvals(before_.approvals) + " become " + approvals(after_.approvals));
    }
  }

  const Permit& before_;
  const Permit& after_;
  std::vector<Difference> differences_;
};

}  // namespace

ChangeVerdict VerdictOf(bool nobody_loses, bool nobody_gains) {
  if (nobody_loses && nobody_gains) return ChangeVerdict::kSame;
  if (nobody_loses) return ChangeVerdict::kWeaker;
  return nobody_gains ? ChangeVerdict::kStricter : ChangeVerdict::kChanged;
}

ChangeVerdict CompareQuorums(const std::optional<Quorum>& before,
                             const std::optional<Quorum>& after) {
  const bool nobody_loses = !after.has_value() || (before.has_value() && Implies(*before, *after));
  const bool nobody_gains = !before.has_value() || (after.has_value() && Implies(*after, *before));
  return VerdictOf(nobody_loses, nobody_gains);
}

std::vector<Difference> ComparePermits(const Permit& before, const Permit& after) {
  return Comparer(before, after).Run();
}

}  // namespace keyclave::authz
