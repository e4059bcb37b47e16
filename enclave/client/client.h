// Client: calls of the wire, over attested channels that it opens, proves, renews and replaces by
// itself.
//
// What holds for every Call:
// - it returns within the deadline (times the operation's factor), also when the daemon is dead or
// stopped;
// - where the configuration has several endpoints (members of one fleet), all that this process
// asks goes to one of them, its home, and to another when the home fails or is drained (fleet.h);
// one that does not answer costs a part of the deadline, so that another is tried in time;
// - the request was sent only after the enclave's evidence satisfied `expect` on this process's own
// channel;
// - the reply came on the channel of its request, and carries its id;
// - a request that may have been executed is not sent again, unless repeating it is harmless
// (reads, signatures,
//   decryption); one that was surely not executed is sent again once after reconnecting; the same
//   holds for one that a member keeps too long while there are others;
// - evidence that is about to expire, or that the enclave calls expired or unknown, was renewed on
// the way.
//
// Threads: any number may call at once; they share connections (channel_pool.h), at most
// max_connections. Fork: a child inherits nothing; its first call makes a new key, connection and
// evidence. No locks are held across fork on the child's behalf: a Client notices the new process
// id and starts over with fresh state.
#pragma once

#include <atomic>
#include <memory>

#include "enclave/client/config.h"
#include "enclave/client/pin.h"
#include "enclave/wire/op_codec.h"

namespace keyclave::client {

// Where replies came from; the counters feed tests and `keyclave status`.
struct ClientStats {
  uint64_t requests = 0;      // key and object requests, without Hello and Attest
  uint64_t connections = 0;   // opened so far
  uint64_t attestations = 0;  // Attest requests sent
  uint64_t moves = 0;         // from one member of the fleet to another
};

// What a statement that opens a session for an owner names.
struct SessionId {
  std::string enclave_id;   // 32 hexadecimal digits
  ByteArray<32> tls_key{};  // SHA-256 of this process's SubjectPublicKeyInfo
  uint64_t session = 0;     // its number in this run of the daemon
};

class Client {
 public:
  explicit Client(ClientConfig config);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `measurement` (hexadecimal; empty: any): kEnclaveRefused, and nothing is sent, if the enclave's
  // appraised one is another. Objects that the request names must be under one of the policies
  // that the configuration pins, if it pins any.
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Call(
      const typename wire::OpTraits<op>::Request& request, const std::string& measurement = {}) {
    using Reply = typename wire::OpTraits<op>::Reply;
    constexpr bool kMakes = op != wire::Op::kGetObject && requires(Client & client, Reply made) {
      client.NoteObjects(made);
    };
    const std::conditional_t<kMakes, Making, None> making(*this);
    KC_ASSIGN(Bytes encoded, EncodePinned<op>(request, config_.policy_digests));
    KC_ASSIGN(const Bytes fields,
              CallRaw(op, std::move(encoded), measurement, kMakes && config_.IsFleet()));
    auto reply = wire::OpCodec<op>::DecodeReply(fields);
    if (!reply.ok()) return reply.error().In("reply from keyclaved");
    if constexpr (kMakes) NoteObjects(*reply);
    if constexpr (op == wire::Op::kDestroyObject) ForgetObject(request.object);
    return reply;
  }

  // The home's store's epoch as of its latest reply: cached attributes are good while it and the
  // generation stand (read that one first).
  uint64_t epoch() const;
  // A number that changes when this process is a fork of the one before, the enclave has restarted
  // or ended the session, or the process has moved to another member of the fleet: session objects
  // are gone. Logins go on where the enclave took their tickets (never in a fork).
  uint64_t generation() const;
  ClientStats stats() const;
  const ClientConfig& config() const { return config_; }

  // Logs this process in to a token; kept (as the enclave's ticket, never the PIN) and presented
  // again after a restart of the daemon. Logout forgets it, also when the daemon does not answer.
  Status Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin);
  Status Logout(const wire::TokenId& token);

  // What the enclave proved on the newest channel (opens one if there is none).
  Result<attest::ClaimSet> EnclaveClaims();
  // The session that the next call is made in (opens a channel if there is none).
  Result<SessionId> Session();

 private:
  class State;
  struct Attempt;
  Result<Bytes> CallRaw(wire::Op op, Bytes fields, const std::string& measurement, bool makes);
  Result<std::optional<Bytes>> Try(State& state, Attempt& attempt);
  // While a call may make a session object. Only a fleet's business, as is what follows.
  class Making {
   public:
    explicit Making(const Client& client);
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    ~Making();

   private:
    State* const state_;
  };
  struct None {
    explicit None(const Client& /*client*/) {}
  };
  void NoteObjects(const wire::ObjectReply& reply) { NoteObject(reply.object); }
  void NoteObjects(const wire::EncapsulateKeyReply& reply) { NoteObject(reply.object); }
  void NoteObjects(const wire::KeyPairReply& reply) {
    NoteObject(reply.public_key);
    NoteObject(reply.private_key);
  }
  void NoteObject(const wire::ObjectInfo& object);
  void ForgetObject(const wire::ObjectRef& object);
  // This process's state; made on its first use.
  State& Current() const;

  const ClientConfig config_;
  mutable std::atomic<State*> state_{nullptr};
};

}  // namespace keyclave::client
