// One TLS connection as the dispatch table and the handshake see it.
#pragma once

#include <optional>

#include "enclave/session/session.h"

namespace keyclave::session {

struct Connection {
  Peer peer;
  int socket = -1;  // of a unix socket's connection: evidence `co-resident` looks at its peer
  SessionPtr session;
  ByteArray<32> exporter{};     // TLS exporter of this connection
  ByteArray<32> server_spki{};  // SHA-256 of our own SubjectPublicKeyInfo
  // The nonce of the last Hello, until an Attest uses it up or it is 60 s old.
  struct Nonce {
    ByteArray<32> value{};
    UnixTime made = 0;
  };
  std::optional<Nonce> nonce;
  bool hello_done = false;
  bool can_move = false;  // says the caller: to another daemon, when it is told
};

}  // namespace keyclave::session
