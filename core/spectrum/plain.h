// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/spectrum/method.h"

namespace tamis::spectrum {

/// spectrum.plain: the SVD of W; docs/methods/spectrum.plain.md.
Method plainMethod();

} // namespace tamis::spectrum
