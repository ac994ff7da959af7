// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/spectrum/method.h"

namespace tamis::spectrum {

/// spectrum.scaled: the SVD of W with scaled inputs (ASVD and its relatives), measured under the calibration.
Method scaledMethod();

} // namespace tamis::spectrum
