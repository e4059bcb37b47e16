// Ready keys, bounded: one that leaves is wiped when its last user lets go of it.
#pragma once

#include "enclave/keys/recent_cache.h"
#include "enclave/mech/key.h"

namespace keyclave::keys {

using KeyCache = RecentCache<mech::Key>;

}  // namespace keyclave::keys
