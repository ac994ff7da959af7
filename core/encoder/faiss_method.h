// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"

namespace tamis::encoder {

/// encoder.faiss: candidates by an index of the FAISS library, then exact scores; docs/methods/encoder.faiss.md.
Method faissMethod();

} // namespace tamis::encoder
