// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/addressing/method.h"

namespace tamis::addressing {

/// addressing.deep-embed: a scale by layer and token on the output of a cheaper feed-forward part; docs/addressing.md.
Method deepEmbedMethod();

} // namespace tamis::addressing
