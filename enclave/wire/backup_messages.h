// Requests and replies about backups: making and checking one, and bringing an enclave back.
#pragma once

#include "enclave/wire/recovery.h"

namespace keyclave::wire {

inline constexpr size_t kBackupChunk = size_t{512} << 10;  // bytes

using BeginBackupRequest = Empty;
struct BeginBackupReply {
  uint64_t backup = 0;  // its number, for ReadBackup
  uint64_t rows = 0;    // about so many will come
  KC_FIELDS_2(backup, rows)
};

// The bytes behind those that came (docs/recovery.md has the format). One backup is made at a time:
// a new one ends the one before.
struct ReadBackupRequest {
  uint64_t backup = 0;
  uint64_t offset = 0;  // bytes that came
  KC_FIELDS_2(backup, offset)
};
struct ReadBackupReply {
  Bytes bytes;        // at most kBackupChunk
  bool done = false;  // they are the last
  KC_FIELDS_2(bytes, done)
};

// The bytes of a backup, in order: what they are is looked at by the enclave that can open them.
// The first begins anew.
struct CheckBackupRequest {
  uint64_t offset = 0;  // of these bytes
  Bytes bytes;          // at most kBackupChunk
  bool last = false;
  KC_FIELDS_3(offset, bytes, last)
};
struct CheckBackupReply {
  uint64_t rows = 0;              // opened so far
  std::optional<uint64_t> epoch;  // of the whole backup, with the last bytes
  uint64_t epoch_now = 0;         // of the enclave
  KC_FIELDS_3(rows, epoch, epoch_now)
};

// What an enclave that is being restored shows to the holders of recovery keys.
using RestoreStatusRequest = Empty;
struct RestoreStatusReply {
  Recovery recovery;
  int64_t created = 0;             // Unix seconds: the backup's
  std::vector<std::string> given;  // whose parts are there
  KC_FIELDS_3(recovery, created, given)
};
struct GiveRecoveryShareRequest {
  std::string holder;
  SecretBytes parts;
  KC_FIELDS_2(holder, parts)
};
struct GiveRecoveryShareReply {
  uint64_t missing = 0;  // holders; 0: the enclave is restored now
  KC_FIELDS_1(missing)
};

// Of an enclave that runs: who could restore it.
struct RecoveryKey {
  std::string name;
  ByteArray<32> fingerprint{};  // SHA-256 of the SubjectPublicKeyInfo
  KC_FIELDS_2(name, fingerprint)
};
struct RecoveryInfo {
  uint64_t threshold = 0;
  std::vector<RecoveryKey> keys;
  KC_FIELDS_2(threshold, keys)
};

}  // namespace keyclave::wire
