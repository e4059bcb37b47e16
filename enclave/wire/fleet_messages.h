// Requests and replies about the members of a fleet.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

// Whom the token's default policy permits to `join` has the root secret, and with it all keys.
struct FoundFleetRequest {
  TokenId token{};
  KC_FIELDS_1(token)
};
using FoundFleetReply = Empty;

struct JoinFleetRequest {
  std::string member;        // how the others call it
  std::optional<Bytes> key;  // SubjectPublicKeyInfo: later secrets are encrypted to it
  KC_FIELDS_2(member, key)
};
// A root secret that took the place of the first one, for sealing.
struct RootGeneration {
  uint64_t number = 0;  // from 2
  SecretBytes secret;
  KC_FIELDS_2(number, secret)
};
struct JoinFleetReply {
  SecretBytes root_secret;
  // The newest state that this member knows: the one that joins takes none that is older.
  uint64_t epoch = 0;
  ByteArray<32> head_digest{};
  std::optional<std::vector<RootGeneration>> generations = {};
  std::optional<uint64_t> oldest = {};  // generation that still seals anything; absent: 1
  KC_FIELDS_5(root_secret, epoch, head_digest, generations, oldest)
};

struct FleetMember {
  std::string name;
  int64_t joined = 0;             // Unix seconds
  std::vector<ClaimText> claims;  // what it proved then
  std::optional<Bytes> key = {};  // as in JoinFleetRequest
  KC_FIELDS_4(name, joined, claims, key)
};
using ListMembersRequest = Empty;
struct ListMembersReply {
  std::optional<ObjectId> object;  // whose policy says who may join; absent: it is no fleet
  std::vector<FleetMember> members;
  std::optional<uint64_t> generation = {};  // of the root secret, that seals what is written now
  std::optional<uint64_t> older_rows = {};  // of the store: sealed under a generation before it
  KC_FIELDS_4(object, members, generation, older_rows)
};

// Takes a member out, and makes the next generation of the root secret, which it does not get.
struct RemoveMemberRequest {
  TokenId token{};  // the fleet's: its owners sign
  std::string member;
  KC_FIELDS_2(token, member)
};
struct RemoveMemberReply {
  uint64_t generation = 0;  // the new one
  uint64_t older_rows = 0;
  KC_FIELDS_2(generation, older_rows)
};

}  // namespace keyclave::wire
