// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/failure_sentence.h"

#include "core/base/error.h"

#include <new>

namespace tamis::app {

QString failureSentence(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const std::bad_alloc&) {
        return QStringLiteral("The system has no memory left for this.");
    } catch (const std::exception& error) {
        return QString::fromUtf8(error.what());
    } catch (...) {
        return QStringLiteral("Something failed without saying what.");
    }
}

bool isCancellation(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.code() == ErrorCode::Cancelled;
    } catch (...) {
        return false;
    }
}

} // namespace tamis::app
