#include "enclave/ctl/weakening.h"

#include <algorithm>

#include "enclave/authz/policy_diff.h"
#include "enclave/base/clock.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

using Entry = authz::SetDocument::Entry;

std::string EntryText(const Entry& entry) {
  std::string text = entry.value;
  if (entry.not_before) text += " from " + FormatTime(*entry.not_before);
  if (entry.not_after) text += " until " + FormatTime(*entry.not_after);
  return text;
}

// Whether `one` counts only at times at which `other` does, too.
bool Within(const Entry& one, const Entry& other) {
  const auto from = [](const Entry& entry) { return entry.not_before.value_or(INT64_MIN); };
  const auto until = [](const Entry& entry) { return entry.not_after.value_or(INT64_MAX); };
  return one.value == other.value && from(one) >= from(other) && until(one) <= until(other);
}

bool Holds(const authz::SetDocument& set, const Entry& entry) {
  return std::any_of(set.entries().begin(), set.entries().end(),
                     [&](const Entry& other) { return Within(entry, other); });
}

std::string ChangeText(const std::optional<authz::Quorum>& change) {
  return change ? change->Print() : "one owner";
}

}  // namespace

std::vector<std::string> Weakenings(const authz::Policy& before, const authz::Policy& after) {
  std::vector<std::string> weaker;
  for (const authz::PolicyChange& change : authz::Compare(before, after)) {
    const bool gains = change.verdict == authz::ChangeVerdict::kWeaker ||
                       change.verdict == authz::ChangeVerdict::kChanged;
    if (!gains) continue;
    const std::string permit =
        change.after == 0 ? "" : "permit " + std::to_string(change.after) + ": ";
    weaker.push_back(std::string(authz::ChangeName(change.verdict)) + ": " + permit + change.what);
  }
  return weaker;
}

std::vector<std::string> Weakenings(const authz::SetDocument& before,
                                    const authz::SetDocument& after) {
  std::vector<std::string> weaker;
  for (const Entry& entry : after.entries()) {
    if (!Holds(before, entry)) weaker.push_back("weaker: lets in " + EntryText(entry));
  }
  if (before.change() != after.change())
    weaker.push_back("perhaps weaker: who signs the next version, " + ChangeText(before.change()) +
                     ", becomes " + ChangeText(after.change()));
  return weaker;
}

std::vector<std::string> Differences(const authz::SetDocument& before,
                                     const authz::SetDocument& after) {
  const auto texts = [](const authz::SetDocument& set) {
    std::vector<std::string> all;
    for (const Entry& entry : set.entries())
      all.push_back(EntryText(entry) + "  (" + entry.reason + ")");
    std::sort(all.begin(), all.end());
    return all;
  };
  const std::vector<std::string> old_texts = texts(before);
  const std::vector<std::string> new_texts = texts(after);
  std::vector<std::string> lines;
  const auto add = [&](const std::vector<std::string>& of, const std::vector<std::string>& not_in,
                       const char* sign) {
    std::vector<std::string> only;
    std::set_difference(of.begin(), of.end(), not_in.begin(), not_in.end(),
                        std::back_inserter(only));
    for (const std::string& text : only) lines.push_back(sign + text);
  };
  add(old_texts, new_texts, "- ");
  add(new_texts, old_texts, "+ ");
  if (before.change() != after.change()) {
    lines.push_back("- change: " + ChangeText(before.change()));
    lines.push_back("+ change: " + ChangeText(after.change()));
  }
  return lines;
}

Result<bool> AcceptWeakening(const std::string& document, const std::vector<std::string>& weaker,
                             bool yes) {
  if (weaker.empty()) return true;
  PrintNote("The new version of " + Harmless(document) +
            " lets in what the present one does not:\n");
  for (const std::string& line : weaker) PrintNote("  " + Harmless(line) + "\n");
  if (yes) return true;
  const auto sure = Confirm("Apply it all the same?");
  if (sure.ok()) return *sure;
  PrintNote("Nobody can be asked here: say --yes if this is meant.\n");
  return false;
}

}  // namespace keyclave::ctl
