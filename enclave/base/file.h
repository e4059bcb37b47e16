// Whole files, with the operating system's reason in every error.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave {

// kNotFound, kPermissionDenied, kTooLarge above `max` bytes, kIo; the detail names the path.
Result<Bytes> ReadFile(const std::string& path, size_t max);
// A new file (O_EXCL) with this mode, whatever the umask; on disk when it returns, its directory
// entry too.
Status WriteNewFile(const std::string& path, ByteSpan bytes, uint32_t mode);
// Replaces a file in one step (temporary beside it, fsync, rename, fsync of the directory).
Status ReplaceFile(const std::string& path, ByteSpan bytes, uint32_t mode);
// rename(2) within a directory; on disk when it returns.
Status RenameFile(const std::string& from, const std::string& to);
// kNotFound, kPermissionDenied, kStoreFull, kStoreReadOnly or kIo for the current errno; the detail
// is "what: reason".
Error ErrnoError(std::string_view what);

}  // namespace keyclave
