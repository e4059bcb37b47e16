// What a Client holds in one process: its TLS key, the pool of channels, what it knows of the
// enclave, its logins. A forked child gets a State of its own and leaves the parent's untouched.
//
// What holds: a channel in the pool is attested; opening and proving a channel is one thread's
// business at a time (the pool's turn), so that threads which race on first use wait instead of
// proving the same thing twice; nothing waits beyond its deadline.
#pragma once

#include <map>

#include "enclave/base/mutex.h"
#include "enclave/client/channel_pool.h"
#include "enclave/client/client.h"
#include "enclave/client/prover.h"

namespace keyclave::client {

class Client::State {
 public:
  // `parent`: the state of the process that this one is a fork of, or nullptr.
  State(const ClientConfig& config, State* parent);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool IsOfThisProcess() const;
  // In a child: closes the parent's sockets there, without a word to the enclave.
  void CloseInherited() { fds_.CloseAll(); }

  // A share in an attested channel.
  struct Lease {
    ChannelPool::Lease place;
    uint64_t evidence = 0;  // the number of the evidence in force when it was taken
    Channel& channel() { return place.channel(); }
  };
  Result<Lease> Take(const ChannelPool::Wish& wish, Deadline deadline);
  // Channels opened so far, and perhaps all dead.
  uint64_t newest() const { return pool_.newest(); }

  // Renews this process's evidence, and the enclave's, if they are about to expire. Does not fail
  // while what is there is still good.
  Status RenewIfDue(Lease& lease, Deadline deadline);
  // Renews unless that has happened since the lease was taken.
  Status Renew(Lease& lease, Deadline deadline);

  // Logins survive a restart of the daemon by their tickets.
  struct Login {
    wire::LoginState user = wire::LoginState::kNone;
    Bytes ticket;
    friend bool operator==(const Login&, const Login&) = default;
  };
  void KeepLogin(const wire::TokenId& token, Login login);
  void ForgetLogin(const wire::TokenId& token);
  // Presents every ticket; a refused one is forgotten. Whether the enclave accepted any.
  Result<bool> RestoreLogins(Channel& channel, Deadline deadline);

  void Saw(const Channel::Reply& reply);
  std::shared_ptr<const attest::ClaimSet> ClaimsOf(const Channel& channel) const;
  SessionId SessionOf(const Channel& channel) const;
  uint64_t epoch() const { return epoch_.load(); }
  uint64_t generation() const { return generation_.load(); }
  ClientStats stats() const;
  // A request of the application's, counted.
  Result<Channel::Reply> Exchange(Lease& lease, wire::Op op, ByteSpan fields, Deadline deadline,
                                  bool& may_have_run);

 private:
  // What is known of one run of the daemon, by its TLS key.
  struct Enclave {
    std::shared_ptr<const attest::ClaimSet> claims;
    std::string id;
    Deadline appraised_until{};
    uint64_t session = 0;
    Deadline session_until{};
    Deadline renew_at{};
    uint64_t evidence = 0;  // counts this process's proofs
  };
  enum class Prove { kIfNeeded, kAnew };
  // Ends the holder's turn.
  class Turn {
   public:
    explicit Turn(ChannelPool& pool) : pool_(pool) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { pool_.EndTurn(); }

   private:
    ChannelPool& pool_;
  };

  Result<std::shared_ptr<Channel>> OpenProven(Deadline deadline);
  // Only by the holder of the turn.
  Status ProveBoth(Channel& channel, Prove prove, Deadline deadline);
  Enclave KnownOf(const Channel& channel) const;
  bool Record(const Channel& channel, const Enclave& enclave);
  void PutOffRenewal(const Channel& channel);
  Status PresentTicket(Channel& channel, const wire::TokenId& token, const Login& login,
                       Deadline deadline, bool& accepted);

  const ClientConfig& config_;
  const int pid_;
  State* const parent_;  // keeps it reachable: it may not be destroyed here
  FdTable fds_;
  std::shared_ptr<const wire::TlsIdentity> identity_;  // the turn's
  std::atomic<uint64_t> epoch_;
  std::atomic<uint64_t> generation_;
  std::atomic<uint64_t> requests_{0};
  std::atomic<unsigned> in_flight_{0};
  Spin spin_;
  std::atomic<uint64_t> connections_{0};
  std::atomic<uint64_t> attestations_{0};

  ChannelPool pool_;

  mutable Mutex mutex_;
  std::map<ByteArray<32>, Enclave> enclaves_ KC_GUARDED_BY(mutex_);
  std::map<wire::TokenId, Login> logins_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::client
