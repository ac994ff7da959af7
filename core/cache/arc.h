// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Recency and frequency in balance. Source: Megiddo, Modha 2003, ARC, with the real-valued step (|B2| / |B1|), sizes in place of pages.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.arc.
Method arcMethod();

} // namespace tamis::cache
