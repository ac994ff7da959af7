// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features of the last frame that was computed whole, moved to where its content is now; patches that do not look like what was moved there are computed.
#include "core/reuse/method.h"

namespace tamis::reuse {

Method blockMatchMethod();  ///< reuse.block-match
Method flowMethod();        ///< reuse.flow
Method affineMethod();      ///< reuse.affine
Method perspectiveMethod(); ///< reuse.perspective

} // namespace tamis::reuse
