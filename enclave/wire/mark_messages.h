// Requests and replies about marks: how far the store of an enclave had come, said to another one
// that remembers it, or compares it with its own.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

struct StoreMark {
  uint64_t epoch = 0;
  ByteArray<32> head{};  // SHA-256 of the store's sealed head
  KC_FIELDS_2(epoch, head)
};

// Remembers the mark if it is newer than what is remembered under this name; without one, only
// asks.
struct KeepMarkRequest {
  ByteArray<32> name{};  // known to the enclave alone whose mark it is
  std::optional<StoreMark> mark;
  KC_FIELDS_2(name, mark)
};
struct KeepMarkReply {
  std::optional<StoreMark> newest;  // remembered now, on disk; absent: none
  KC_FIELDS_1(newest)
};

// Between members of a fleet, whose stores are one.
struct CompareMarksRequest {
  StoreMark mine;
  KC_FIELDS_1(mine)
};
struct CompareMarksReply {
  StoreMark mine;                     // of the one that answers
  std::optional<ByteArray<32>> then;  // its head at the epoch that was asked about; absent: it does
                                      // not know (any more, or yet)
  KC_FIELDS_2(mine, then)
};

}  // namespace keyclave::wire
