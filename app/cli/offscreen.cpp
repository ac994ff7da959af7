// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/offscreen.h"

#include "views/common/theme.h"

#include <clocale>
#include <cstdio>
#include <cstdlib>

namespace tamis::cli {
namespace {
/// Qt's platform plugin warns of what a picture does not need (size hints, a runtime directory); errors are kept.
void sayErrorsOnly(QtMsgType type, const QMessageLogContext&, const QString& text)
{
    if (type == QtCriticalMsg || type == QtFatalMsg)
        std::fprintf(stderr, "%s\n", qPrintable(text));
}

int& prepared(int& count)
{
    qInstallMessageHandler(sayErrorsOnly);
    setenv("QT_QPA_PLATFORM", "offscreen", 1);
    return count;
}
} // namespace

Offscreen::Offscreen() : m_application(prepared(m_count), m_arguments)
{
    std::setlocale(LC_NUMERIC, "C"); // QApplication took the user's; our numbers do not depend on it
    views::Theme::instance().apply(m_application, views::Theme::Mode::Light);
}

Offscreen::~Offscreen() = default;

} // namespace tamis::cli
