// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.pyramid: a frame at half its size first; then, in full, the patches that the small picture does not show.
Method pyramidMethod();

} // namespace tamis::reuse
