// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/spectrum/method.h"

namespace tamis::spectrum {

/// spectrum.whitened: the SVD of W C^{1/2}; docs/methods/spectrum.whitened.md.
Method whitenedMethod();

} // namespace tamis::spectrum
