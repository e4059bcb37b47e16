// Frames: how requests and replies lie on the TLS stream (docs/wire.md).
//
//   u32 length    big-endian; of everything after it, 9..kMaxFrame
//   u8  version   1
//   u64 id        big-endian; chosen by the client, repeated in the reply
//   body          CBOR: a request is [op, map]; a reply is [code, epoch, map] where map is the
//   reply's fields if code is 0,
//                 else {} or {1: detail text}
#pragma once

#include "enclave/base/byte_reader.h"
#include "enclave/wire/messages.h"

namespace keyclave::wire {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeader = 13;                   // bytes
inline constexpr size_t kMaxFrame = (size_t{2} << 20) + 64;  // bytes after the length

struct Frame {
  uint64_t id = 0;
  ByteSpan body;
};

// Takes the first whole frame off `buffer` (nullopt: more bytes are needed). kFrameTooLarge,
// kBadVersion, kTruncated for a length under 9: the stream cannot be resumed after an error.
Result<std::optional<Frame>> TakeFrame(ByteSpan& buffer);

// What a daemon says unasked, in place of a reply's code and with id 0. Numbers below those of
// errors: the stream goes on.
enum class Notice : uint64_t {
  kDrain = 1,  // the caller shall go to another member of the fleet
};

struct RequestBody {
  Op op{};
  ByteSpan fields;
};
struct ReplyBody {
  uint64_t code = 0;   // 0: success
  uint64_t epoch = 0;  // moves whenever an object or policy changes
  ByteSpan fields;
};
Result<RequestBody> ParseRequest(ByteSpan body);  // kUnknownOperation, kBadMessage
Result<ReplyBody> ParseReply(ByteSpan body);

Bytes BuildRequest(uint64_t id, Op op, ByteSpan fields);
Bytes BuildReply(uint64_t id, uint64_t epoch, ByteSpan fields);
// `detail` is sent to operators only; others get an empty one.
Bytes BuildErrorReply(uint64_t id, uint64_t epoch, Code code, std::string_view detail);
// Only for callers that said that they listen (HelloRequest::can_move).
Bytes BuildNotice(Notice notice);
Result<std::string> ErrorDetail(const ReplyBody& reply);

}  // namespace keyclave::wire
