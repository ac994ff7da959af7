// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/comparison.h"

namespace tamis::lowrank {

} // namespace tamis::lowrank
