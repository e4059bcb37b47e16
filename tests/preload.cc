// Preloaded beside a sanitizer's runtime into programs that were not built with it. With
// AddressSanitizer in the process libp11-kit's destructor waits forever in freelocale, for a lock
// of glibc's whose readers were counted wrongly; that happens to p11tool with any module. Memory at
// exit is the kernel's to free.
#include <clocale>

extern "C" __attribute__((visibility("default"))) void freelocale(locale_t /*locale*/) noexcept {}
