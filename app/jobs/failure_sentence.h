// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include <exception>

namespace tamis::app {

/// Any exception as one sentence for the user.
QString failureSentence(const std::exception_ptr& failure);
bool isCancellation(const std::exception_ptr& failure);

} // namespace tamis::app
