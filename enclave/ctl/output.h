// What people and programs see: tables, coloured words, JSON and errors.
//
// Text from outside (labels, claims, file names) is made harmless before it reaches a terminal: a
// control character is shown as \xNN. Colour is used on a terminal only, and never with NO_COLOR.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "enclave/base/result.h"

namespace keyclave::ctl {

using Json = nlohmann::ordered_json;

enum class Colour { kNone, kGood, kWarn, kBad, kDim, kBold };

// The text in this colour if standard output is a terminal that may have colour; else the text.
std::string Paint(Colour colour, std::string_view text);
// Control characters and broken UTF-8 as \xNN.
std::string Harmless(std::string_view text);

// Left-aligned columns, two spaces apart, under a heading.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void Add(std::vector<std::string> row);
  bool empty() const { return rows_.empty(); }
  std::string Text() const;

 private:
  std::vector<std::string> heading_;
  std::vector<std::vector<std::string>> rows_;
};

// "name:   value" lines, aligned.
class Fields {
 public:
  void Add(std::string name, std::string_view value) {
    lines_.emplace_back(std::move(name), Harmless(value));
  }
  // The value is printed as it is (painted text).
  void AddPainted(std::string name, std::string value) {
    lines_.emplace_back(std::move(name), std::move(value));
  }
  std::string Text() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

void Print(std::string_view text);      // standard output, as it is
void PrintNote(std::string_view text);  // standard error: for people, beside output for programs
void PrintJson(const Json& document);
// "keyclave: what is wrong" and how to mend it; with json one object {"error": …}. Standard error.
void PrintError(const Error& error, bool json);

// What a person can do about an error of this kind; empty where the error says it all.
std::string_view HowToMend(Code code);

}  // namespace keyclave::ctl
