#include "enclave/ctl/output.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "enclave/base/bytes.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {
namespace {

bool MayColour() {
  static const bool may = [] {
    const char* no_color = getenv("NO_COLOR");
    const char* term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') &&
           term != nullptr && std::string_view(term) != "dumb";
  }();
  return may;
}

std::string_view Sequence(Colour colour) {
  switch (colour) {
    case Colour::kNone: return "";
    case Colour::kGood: return "\x1b[32m";
    case Colour::kWarn: return "\x1b[33m";
    case Colour::kBad: return "\x1b[1;31m";
    case Colour::kDim: return "\x1b[2m";
    case Colour::kBold: return "\x1b[1m";
  }
  return "";
}

// How many bytes of a well-formed UTF-8 character stand at the front; 0 if none does.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80             ? 1
                        : (first & 0xe0) == 0xc0 ? 2
                        : (first & 0xf0) == 0xe0 ? 3
                        : (first & 0xf8) == 0xf0 ? 4
                                                 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// Columns that a text takes: characters, without the sequences that Paint puts in.
size_t Width(std::string_view text) {
  size_t width = 0;
  bool in_sequence = false;
  for (const char c : text) {
    if (c == '\x1b') in_sequence = true;
    if (!in_sequence && (static_cast<uint8_t>(c) & 0xc0) != 0x80) ++width;
    if (in_sequence && c == 'm') in_sequence = false;
  }
  return width;
}

std::string Line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - Width(cells[i]) + 2, ' ');
  }
  return line + "\n";
}

}  // namespace

std::string Paint(Colour colour, std::string_view text) {
  if (colour == Colour::kNone || !MayColour()) return std::string(text);
  return std::string(Sequence(colour)).append(text).append("\x1b[0m");
}

std::string Harmless(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto first = static_cast<uint8_t>(text[0]);
    // C1 controls (U+0080..U+009F) are c2 80 .. c2 9f.
    const bool c1 = length == 2 && first == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0;
    if (length == 0 || first < 0x20 || first == 0x7f || c1) {
      shown += "\\x" + ToHex(AsBytes(text.substr(0, 1)));
      text.remove_prefix(1);
    } else {
      shown += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return shown;
}

void Table::Add(std::vector<std::string> row) {
  row.resize(heading_.size());
  rows_.push_back(std::move(row));
}

std::string Table::Text() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < heading_.size(); ++i) {
    size_t width = Width(heading_[i]);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
  }
  std::vector<std::string> heading;
  for (const std::string& name : heading_) heading.push_back(Paint(Colour::kBold, name));
  std::string text = Line(heading, widths);
  for (const auto& row : rows_) text += Line(row, widths);
  return text;
}

std::string Fields::Text() const {
  size_t width = 0;
  for (const auto& [name, value] : lines_) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, value] : lines_) {
    text += name + (name.empty() ? " " : ":") + std::string(width - Width(name) + 2, ' ');
    text += value + "\n";
  }
  return text;
}

void Print(std::string_view text) {
  std::cout << text;
  std::cout.flush();
}

void PrintNote(std::string_view text) { std::cerr << text; }

void PrintJson(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  std::cout.flush();
}

void PrintError(const Error& error, bool json) {
  const std::string_view mend = HowToMend(error.code());
  if (json) {
    Json document;
    document["error"] = {{"number", static_cast<unsigned>(error.code())},
                         {"name", std::string(CodeName(error.code()))},
                         {"message", error.Text()},
                         {"mend", std::string(mend)}};
    std::cerr << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  std::cerr << "keyclave: " << Harmless(error.Text()) << "\n";
  if (!mend.empty()) std::cerr << "  -> " << mend << "\n";
}

}  // namespace keyclave::ctl
