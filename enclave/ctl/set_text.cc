#include "enclave/ctl/set_text.h"

#include <algorithm>

#include "enclave/base/clock.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

using authz::SetDocument;
using Lines = std::vector<std::string>;

Lines Split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// JSON's strings are among YAML's.
std::string Quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Lines EntryLines(const SetDocument::Entry& entry, const std::string& indent) {
  Lines lines = {indent + "- value: " + Quoted(entry.value)};
  if (entry.not_before) lines.push_back(indent + "  not_before: " + FormatTime(*entry.not_before));
  if (entry.not_after) lines.push_back(indent + "  not_after: " + FormatTime(*entry.not_after));
  lines.push_back(indent + "  reason: " + Quoted(entry.reason));
  return lines;
}

std::string Indent(const std::string& line) {
  return line.substr(0, std::min(line.find_first_not_of(' '), line.size()));
}

bool Same(const SetDocument::Entry& one, const SetDocument::Entry& other) {
  return one.value == other.value && one.not_before == other.not_before &&
         one.not_after == other.not_after && one.reason == other.reason;
}

// What was meant, read back.
bool IsMeant(const SetDocument& before, const SetDocument& after, const SetDocument::Entry& entry) {
  const auto& old_entries = before.entries();
  const auto& new_entries = after.entries();
  return after.name() == before.name() && after.version() == before.version() + 1 &&
         after.change() == before.change() && new_entries.size() == old_entries.size() + 1 &&
         std::equal(old_entries.begin(), old_entries.end(), new_entries.begin(), Same) &&
         Same(new_entries.back(), entry);
}

}  // namespace

Result<std::string> WithEntry(const std::string& text, const SetDocument::Entry& entry) {
  KC_ASSIGN(const SetDocument before, SetDocument::Parse(text, "set"));
  Lines lines = Split(text);
  const std::string version = "version:";
  const auto head = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.starts_with(version);
  });
  const auto last = std::find_if(lines.rbegin(), lines.rend(), [](const std::string& line) {
    return line.substr(Indent(line).size()).starts_with("- ");
  });
  const auto empty = std::find(lines.begin(), lines.end(), "entries: []");
  if (head != lines.end()) *head = version + " " + std::to_string(before.version() + 1);
  std::string indent = "  ";
  auto place = lines.end();
  if (empty != lines.end()) {
    *empty = "entries:";
    place = std::next(empty);
  } else if (last != lines.rend()) {
    indent = Indent(*last);
    // Behind the lines of the last entry, which are indented deeper.
    place = std::find_if(last.base(), lines.end(), [&](const std::string& line) {
      return line.size() <= indent.size() || line[indent.size()] != ' ';
    });
  }
  const Lines added = EntryLines(entry, indent);
  lines.insert(place, added.begin(), added.end());
  std::string changed;
  for (const std::string& line : lines) changed.append(line).append("\n");
  const auto after = SetDocument::Parse(changed, "changed set");
  if (after.ok() && IsMeant(before, *after, entry)) return changed;
  return Fail(Code::kInvalidArgument,
              "the set's text is laid out in a way that cannot be added to: keyclave set show " +
                  before.name() + " > set.yaml, change it there, keyclave set apply set.yaml");
}

}  // namespace keyclave::ctl
