#include "enclave/wire/frame.h"

namespace keyclave::wire {
namespace {

constexpr size_t kLengthSize = 4;                         // bytes
constexpr size_t kMinFrame = kFrameHeader - kLengthSize;  // version and id, after the length

// The fields of a refusal.
struct ErrorFields {
  std::optional<std::string> detail;
  KC_FIELDS_1(detail)
};

// Room for the header, which is filled in when the body's size is known.
CborWriter BeginFrame() {
  CborWriter out;
  out.Raw(ByteArray<kFrameHeader>{});
  return out;
}

Bytes FinishFrame(CborWriter&& writer, uint64_t id) {
  Bytes frame = std::move(writer).Finish();
  ByteWriter header;
  header.PutBe(static_cast<uint32_t>(frame.size() - kLengthSize));
  header.PutBe(kFrameVersion);
  header.PutBe(id);
  std::copy(header.bytes().begin(), header.bytes().end(), frame.begin());
  return frame;
}

}  // namespace

Result<std::optional<Frame>> TakeFrame(ByteSpan& buffer) {
  ByteReader in(buffer);
  if (in.remaining() < kLengthSize) return std::optional<Frame>();
  KC_ASSIGN(const uint32_t length, in.TakeBe<uint32_t>());
  if (length > kMaxFrame) return Fail(Code::kFrameTooLarge);
  if (length < kMinFrame) return Fail(Code::kTruncated, "a frame shorter than its header");
  // A wrong version is reported as soon as it is seen: the rest may never come.
  if (in.remaining() > 0 && in.rest().front() != kFrameVersion) return Fail(Code::kBadVersion);
  if (in.remaining() < length) return std::optional<Frame>();
  KC_CHECK_OK(in.Take(sizeof(kFrameVersion)));
  Frame frame;
  KC_ASSIGN(frame.id, in.TakeBe<uint64_t>());
  KC_ASSIGN(frame.body, in.Take(length - kMinFrame));
  buffer = in.rest();
  return std::optional<Frame>(frame);
}

Result<RequestBody> ParseRequest(ByteSpan body) {
  CborReader in(body);
  const auto count = in.Array(2);
  if (!count.ok() || *count != 2) return Fail(Code::kBadMessage, "a request is [op, fields]");
  const auto op = in.Uint();
  if (!op.ok()) return Fail(Code::kBadMessage, "the operation's number");
  if (!IsKnownOp(*op)) return Fail(Code::kUnknownOperation, "number " + std::to_string(*op));
  if (in.remaining() == 0) return Fail(Code::kBadMessage, "a request without fields");
  return RequestBody{static_cast<Op>(*op), body.last(in.remaining())};
}

Result<ReplyBody> ParseReply(ByteSpan body) {
  CborReader in(body);
  const auto count = in.Array(3);
  if (!count.ok() || *count != 3)
    return Fail(Code::kBadMessage, "a reply is [code, epoch, fields]");
  const auto code = in.Uint();
  if (!code.ok()) return Fail(Code::kBadMessage, "the reply's code");
  const auto epoch = in.Uint();
  if (!epoch.ok()) return Fail(Code::kBadMessage, "the reply's epoch");
  if (in.remaining() == 0) return Fail(Code::kBadMessage, "a reply without fields");
  return ReplyBody{*code, *epoch, body.last(in.remaining())};
}

Bytes BuildRequest(uint64_t id, Op op, ByteSpan fields) {
  CborWriter out = BeginFrame();
  out.Array(2);
  out.Uint(static_cast<uint64_t>(op));
  out.Raw(fields);
  return FinishFrame(std::move(out), id);
}

Bytes BuildReply(uint64_t id, uint64_t epoch, ByteSpan fields) {
  CborWriter out = BeginFrame();
  out.Array(3);
  out.Uint(0);
  out.Uint(epoch);
  out.Raw(fields);
  return FinishFrame(std::move(out), id);
}

Bytes BuildNotice(Notice notice) {
  CborWriter out = BeginFrame();
  out.Array(3);
  out.Uint(static_cast<uint64_t>(notice));
  out.Uint(0);
  out.Raw(Encode(Empty()));
  return FinishFrame(std::move(out), 0);
}

Bytes BuildErrorReply(uint64_t id, uint64_t epoch, Code code, std::string_view detail) {
  ErrorFields fields;
  if (!detail.empty()) fields.detail = std::string(detail);
  CborWriter out = BeginFrame();
  out.Array(3);
  out.Uint(static_cast<uint64_t>(code));
  out.Uint(epoch);
  out.Raw(Encode(fields));
  return FinishFrame(std::move(out), id);
}

Result<std::string> ErrorDetail(const ReplyBody& reply) {
  KC_ASSIGN(ErrorFields fields, Decode<ErrorFields>(reply.fields));
  return std::move(fields.detail).value_or(std::string());
}

}  // namespace keyclave::wire
