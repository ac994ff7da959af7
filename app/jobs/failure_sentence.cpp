// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/failure_sentence.h"

#include "core/base/error.h"

#include <QRegularExpression>

#include <new>
#include <string_view>

namespace tamis::app {
namespace {
constexpr int kLongest = 600;

QString nothingSaid() { return QStringLiteral("Something failed without saying what."); }

/// On one line: names from files may hold anything.
QString oneLine(const char* reason)
{
    static const QRegularExpression kBreak(QStringLiteral("\\s*[\\x{00}-\\x{1f}\\x{7f}]+\\s*"));
    QString text = QString::fromUtf8(reason).replace(kBreak, QStringLiteral(" ")).trimmed();
    if (text.size() > kLongest)
        text = text.left(kLongest - 1) + QChar(0x2026);
    return text;
}
} // namespace

QString failureSentence(const std::exception_ptr& failure)
{
    if (!failure)
        return nothingSaid();
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        if (const QString text = oneLine(error.what()); !text.isEmpty())
            return text;
        const std::string_view code = errorCodeName(error.code());
        return QStringLiteral("Something failed: %1.").arg(QLatin1String(code.data(), static_cast<qsizetype>(code.size())));
    } catch (const std::bad_alloc&) {
        return QStringLiteral("The system has no memory left for this.");
    } catch (const std::exception& error) {
        const QString text = oneLine(error.what());
        return text.isEmpty() ? nothingSaid() : oneLine(("Something unexpected failed: " + text.toStdString()).c_str());
    } catch (...) {
        return nothingSaid();
    }
}

bool isCancellation(const std::exception_ptr& failure)
{
    if (!failure)
        return false;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.code() == ErrorCode::Cancelled;
    } catch (...) {
        return false;
    }
}

} // namespace tamis::app
