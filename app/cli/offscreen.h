// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Drawing without a display.
#include <QApplication>

namespace tamis::cli {

/// Qt's application for pictures, in the light theme. Main thread, one a program.
class Offscreen {
public:
    Offscreen();
    ~Offscreen();
    Offscreen(const Offscreen&) = delete;
    Offscreen& operator=(const Offscreen&) = delete;

private:
    int m_count = 1;
    char m_name[10] = "tamis-cli";
    char* m_arguments[2] = {m_name, nullptr};
    QApplication m_application;
};

} // namespace tamis::cli
