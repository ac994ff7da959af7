// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/error.h"

#include <QString>

#include <functional>

namespace tamis::test {

/// The sentence that `run` throws with this code; else a sentence that no test expects.
inline QString failure(const std::function<void()>& run, ErrorCode code)
{
    try {
        run();
    } catch (const Error& error) {
        return error.code() == code ? QString::fromUtf8(error.what()) : "another error: " + QString::fromUtf8(error.what());
    }
    return "no error";
}

} // namespace tamis::test
