// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.eventful: a gate before every linear part of every block, attention that follows changes.
Method eventfulMethod();

} // namespace tamis::reuse
