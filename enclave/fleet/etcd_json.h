// The texts of etcd's JSON gateway: keys and values in base64, 64-bit numbers as texts, zero and
// false left out. Replies are a stranger's: any text gives an answer or an error.
#pragma once

#include <string_view>

#include "enclave/fleet/etcd.h"

namespace keyclave::fleet {

std::string RangeRequest(const RangeQuery& query);
std::string TransactionRequest(const Transaction& transaction);
std::string WatchRequest(ByteSpan key, int64_t from);

// kMalformed.
Result<Range> ReadRange(std::string_view reply);
Result<Outcome> ReadOutcome(std::string_view reply);
// What a reply that is no success means: an error that every endpoint would give, or nullopt, where
// another may know better. `why`: in words.
std::optional<Error> ReadRefusal(long status, std::string_view reply, std::string& why);
// Whether one of the whole lines of a watch tells of an event, or that events were missed, or
// cannot be read. Takes these lines.
bool TakeEvents(std::string& lines);

}  // namespace keyclave::fleet
