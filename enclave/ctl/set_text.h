// Changes of a reference-value set's text that keep all else as its authors wrote it.
#pragma once

#include "enclave/authz/set_document.h"

namespace keyclave::ctl {

// The text with the next version and this entry behind the others. kInvalidArgument where the text
// is laid out in another way than a line for `version:` and a list in lines of its own: such a file
// is changed by hand.
Result<std::string> WithEntry(const std::string& text, const authz::SetDocument::Entry& entry);

}  // namespace keyclave::ctl
