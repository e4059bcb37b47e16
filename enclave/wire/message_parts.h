// The parts that messages are made of: identifiers, operations, and what several messages hold.
// Every struct lists its fields once, with stable numbers: new fields get new numbers and are
// optional.
#pragma once

#include <map>

#include "enclave/wire/attributes.h"
#include "enclave/wire/mech_param.h"

namespace keyclave::wire {

using ObjectId = ByteArray<16>;
using TokenId = ByteArray<16>;

enum class Op : uint16_t {
#define KC_OP(number, name, deadline_factor) k##name = number,
#include "enclave/wire/ops.inc"
#undef KC_OP
};

std::string_view OpName(Op op);  // "Sign"; "?" for an unknown number
bool IsKnownOp(uint64_t number);
unsigned OpDeadlineFactor(Op op);

#define KC_FIELDS_1(a) \
  template <class V>   \
  void Visit(V&& v) {  \
    v(1, a);           \
  }
#define KC_FIELDS_2(a, b) \
  template <class V>      \
  void Visit(V&& v) {     \
    v(1, a);              \
    v(2, b);              \
  }
#define KC_FIELDS_3(a, b, c) \
  template <class V>         \
  void Visit(V&& v) {        \
    v(1, a);                 \
    v(2, b);                 \
    v(3, c);                 \
  }
#define KC_FIELDS_4(a, b, c, d) \
  template <class V>            \
  void Visit(V&& v) {           \
    v(1, a);                    \
    v(2, b);                    \
    v(3, c);                    \
    v(4, d);                    \
  }
#define KC_FIELDS_5(a, b, c, d, e) \
  template <class V>               \
  void Visit(V&& v) {              \
    v(1, a);                       \
    v(2, b);                       \
    v(3, c);                       \
    v(4, d);                       \
    v(5, e);                       \
  }
#define KC_FIELDS_6(a, b, c, d, e, f) \
  template <class V>                  \
  void Visit(V&& v) {                 \
    v(1, a);                          \
    v(2, b);                          \
    v(3, c);                          \
    v(4, d);                          \
    v(5, e);                          \
    v(6, f);                          \
  }
#define KC_FIELDS_0() \
  template <class V>  \
  void Visit(V&& /*v*/) {}

struct Empty {
  KC_FIELDS_0()
};

// A key or another object by name. Either `id`, or a token with what is known of the object: the
// enclave refuses a selector that fits no object (kObjectNotFound) or several (kObjectAmbiguous),
// and an object whose policy's digest is not among those that the caller pinned (kPolicyDigest).
struct ObjectRef {
  std::optional<ObjectId> id;
  std::optional<std::string> token_label;
  std::optional<std::string> token_serial;
  std::optional<uint64_t> object_class;
  std::optional<Bytes> cka_id;
  std::optional<std::string> label;
  std::optional<std::vector<ByteArray<32>>> policies;  // digests, SHA-256
  std::optional<uint64_t> login;                       // a Reauthenticate's, which this use uses up
  template <class V>
  void Visit(V&& v) {
    v(1, id);
    v(2, token_label);
    v(3, token_serial);
    v(4, object_class);
    v(5, cka_id);
    v(6, label);
    v(7, policies);
    v(8, login);
  }
};
inline constexpr size_t kMaxPinnedPolicies = 16;

struct ObjectInfo {
  ObjectId id{};
  TokenId token{};
  AttributeList attributes;  // all that may be read; sensitive values are left out
  KC_FIELDS_3(id, token, attributes)
};

struct ObjectReply {
  ObjectInfo object;
  KC_FIELDS_1(object)
};

enum class LoginState : uint8_t { kNone = 0, kUser, kSecurityOfficer, kLast = kSecurityOfficer };

struct TokenInfo {
  TokenId id{};
  uint64_t slot = 0;  // stable for the life of the token
  std::string label;
  std::string serial;  // 16 hexadecimal digits
  bool initialized = false;
  bool has_user_pin = false;
  bool has_so_pin = false;
  uint64_t user_tries_left = 0;
  uint64_t so_tries_left = 0;
  std::string default_policy;
  LoginState login = LoginState::kNone;  // of the calling attested session
  std::optional<uint64_t> owners;        // how many it has; absent: operators administer it
  template <class V>
  void Visit(V&& v) {
    v(1, id);
    v(2, slot);
    v(3, label);
    v(4, serial);
    v(5, initialized);
    v(6, has_user_pin);
    v(7, has_so_pin);
    v(8, user_tries_left);
    v(9, so_tries_left);
    v(10, default_policy);
    v(11, login);
    v(12, owners);
  }
};

struct MechanismInfo {
  uint64_t type = 0;
  uint64_t min_key_size = 0;  // as CK_MECHANISM_INFO
  uint64_t max_key_size = 0;
  uint64_t flags = 0;
  KC_FIELDS_4(type, min_key_size, max_key_size, flags)
};

// A claim as text, for people: explain, status, audit.
struct ClaimText {
  std::string name;
  std::string value;
  bool attested = false;
  KC_FIELDS_3(name, value, attested)
};

// Why one permit did not apply (or that it did: `term` empty).
struct PermitText {
  uint64_t permit = 0;  // its place in the policy, from 1
  uint64_t line = 0;    // of the policy's text
  std::string operations;
  std::string term;  // the first failing term
  std::string wanted;
  std::string got;
  std::optional<std::string> policy;  // whose permit it is, if not the key's own
  std::optional<uint64_t> used;       // of the uses that its limits permit; absent without those
  template <class V>
  void Visit(V&& v) {
    v(1, permit);
    v(2, line);
    v(3, operations);
    v(4, term);
    v(5, wanted);
    v(6, got);
    v(7, policy);
    v(8, used);
  }
};

struct NameCount {
  std::string name;
  uint64_t count = 0;
  KC_FIELDS_2(name, count)
};

}  // namespace keyclave::wire
