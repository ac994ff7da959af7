// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>

#include <exception>

namespace tamis::app {

/// Any exception as one sentence for the user: on one line, never empty, at most 600 characters.
QString failureSentence(const std::exception_ptr& failure);
/// Error{Cancelled}: the user stopped it.
bool isCancellation(const std::exception_ptr& failure);

} // namespace tamis::app
