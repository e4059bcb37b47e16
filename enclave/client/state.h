// What a Client holds in one process: its TLS key, the pool of channels, what it knows of the
// enclave, its logins. A forked child gets a State of its own and leaves the parent's untouched.
//
// What holds: a channel in the pool is attested, and is one to the process's home (fleet.h);
// opening and proving a channel is one thread's business at a time (the pool's turn), so that
// threads which race on first use wait instead of proving the same thing twice; nothing waits
// beyond its deadline.
#pragma once

#include <map>
#include <set>

#include "enclave/base/mutex.h"
#include "enclave/client/channel_pool.h"
#include "enclave/client/client.h"
#include "enclave/client/fleet.h"
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

  // The newest epoch that one run of a daemon told: they are compared with none of another run.
  using Epoch = std::atomic<uint64_t>;
  // A share in an attested channel.
  struct Lease {
    ChannelPool::Lease place;
    uint64_t evidence = 0;  // the number of the evidence in force when it was taken
    std::shared_ptr<Epoch> epoch;
    Channel& channel() { return place.channel(); }
  };
  // `makes`: the caller is between BeginMaking and EndMaking.
  Result<Lease> Take(const ChannelPool::Wish& wish, Deadline deadline, bool makes = false);
  // Channels opened so far, and perhaps all dead.
  uint64_t newest() const { return pool_.newest(); }

  // Renews this process's evidence, and the enclave's, if they are about to expire. Does not fail
  // while what is there is still good.
  Status RenewIfDue(Lease& lease, Deadline deadline);
  // Renews unless that has happened since the lease was taken.
  Status Renew(Lease& lease, Deadline deadline);

  // Until when a member may keep a request, so that another one has time for it.
  Deadline Patience(Deadline deadline) const;
  // Nobody takes the channel any more, nor another one to a member that is silent or refuses us.
  // Whether another connection may do better within the deadline.
  bool GiveUp(Lease& lease, const Error& error, Deadline deadline);

  // Logins survive a restart of the daemon, and a move to another, by their tickets.
  struct Login {
    wire::LoginState user = wire::LoginState::kNone;
    Bytes ticket;
    friend bool operator==(const Login&, const Login&) = default;
  };
  void KeepLogin(const wire::TokenId& token, Login login);
  // Whether there was one.
  bool ForgetLogin(const wire::TokenId& token);
  // Presents every ticket; a refused one is forgotten. Whether the enclave accepted any.
  Result<bool> RestoreLogins(Channel& channel, Deadline deadline);

  // Session objects are their home's: while there are any, or others are about to make some, the
  // process leaves it for need only.
  void BeginMaking() { makers_.fetch_add(1); }
  void EndMaking() { makers_.fetch_sub(1); }
  void NoteObject(const wire::ObjectInfo& object);
  void ForgetObject(const wire::ObjectRef& object);

  // What a reply tells beside its fields.
  void Saw(Lease& lease, const Channel::Reply& reply);
  std::shared_ptr<const attest::ClaimSet> ClaimsOf(const Channel& channel) const;
  SessionId SessionOf(const Channel& channel) const;
  uint64_t epoch() const;
  uint64_t generation() const { return generation_.load(); }
  ClientStats stats() const;
  // A request of the application's, counted.
  Result<Channel::Reply> Exchange(Lease& lease, wire::Op op, ByteSpan fields, Deadline deadline,
                                  bool& may_have_run);

 private:
  using Logins = std::map<wire::TokenId, Login>;
  // What is known of one run of a daemon, by its TLS key.
  struct Enclave {
    std::shared_ptr<const attest::ClaimSet> claims;
    std::string id;
    Deadline appraised_until{};
    uint64_t session = 0;
    Deadline session_until{};
    Deadline renew_at{};
    uint64_t evidence = 0;  // counts this process's proofs
    bool draining = false;
    std::shared_ptr<Epoch> epoch = {};
  };
  // The session at home.
  struct Home {
    ByteArray<32> run{};  // the daemon's TLS key
    uint64_t session = 0;
    std::shared_ptr<Epoch> epoch;
  };
  enum class Prove { kIfNeeded, kAnew };
  // Whether a member will do that asks its callers to go elsewhere.
  enum class Drained { kRefuse, kAccept };
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

  // Only by the holder of the turn.
  Result<std::shared_ptr<Channel>> OpenProven(Deadline deadline);
  Result<std::shared_ptr<Channel>> OpenAt(size_t member, Drained drained, Deadline deadline);
  Status ProveBoth(Channel& channel, Prove prove, Drained drained, Deadline deadline);
  Status CheckMember(const wire::HelloReply& hello, Drained drained) const;
  void MoveTo(const Channel& channel);
  void Roam(bool makes, Deadline deadline);
  Status ProveGoal(Channel& channel, const Result<bool>& open, Deadline deadline);

  Enclave KnownOf(const Channel& channel) const;
  bool IsAtHome(const Channel& channel) const;
  bool Learn(const Channel& channel, Enclave enclave);
  void Settle(const Channel& channel);
  void PutOffRenewal(const Channel& channel);
  bool HoldsSessionObjects() const;
  Status EndLogins(Channel& channel, Deadline deadline);
  Status PresentTicket(Channel& channel, const wire::TokenId& token, const Login& login,
                       Deadline deadline, bool& accepted);

  const ClientConfig& config_;
  const int pid_;
  State* const parent_;  // keeps it reachable: it may not be destroyed here
  FdTable fds_;
  std::atomic<uint64_t> generation_;
  std::atomic<uint64_t> requests_{0};
  std::atomic<unsigned> in_flight_{0};
  Spin spin_;
  std::atomic<uint64_t> connections_{0};
  std::atomic<uint64_t> attestations_{0};
  std::atomic<uint64_t> moves_{0};
  std::atomic<unsigned> makers_{0};

  Fleet fleet_;
  ChannelPool pool_;

  // The turn's.
  std::shared_ptr<const wire::TlsIdentity> identity_;
  std::string fleet_id_;            // the enclave's, which all members have
  std::unique_ptr<Channel> scout_;  // on its way to a better home
  Deadline scout_until_{};

  mutable Mutex mutex_;
  std::map<ByteArray<32>, Enclave> enclaves_ KC_GUARDED_BY(mutex_);
  std::optional<Home> home_ KC_GUARDED_BY(mutex_);
  Logins logins_ KC_GUARDED_BY(mutex_);
  std::set<wire::TokenId> ever_logged_in_ KC_GUARDED_BY(mutex_);
  std::set<wire::ObjectId> session_objects_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::client
