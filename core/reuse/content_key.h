// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.content-key: finished features of frames or patches by a key made of pixels or embedded patches.
Method contentKeyMethod();

} // namespace tamis::reuse
