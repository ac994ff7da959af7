// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every test of the encoder tab in the window starts from.
#include "tests/app/window/desk.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_settings.h"

#include <QComboBox>
#include <QTabWidget>
#include <QTest>

namespace tamis::app::test {

inline QString smallAutoencoder() { return dataset("sae/vit20.block3.k16/sparsify"); }

struct LabDesk : Desk {
    LabDesk() { yes = true; }
    EncoderController& lab() { return window.encoder(); }
    views::EncoderPanel& panel() { return *window.encoderViews().panel; }
    const EncoderChoice& choice() { return window.document().state().encoder; }
    bool showWindow()
    {
        if (!QTest::qWaitForWindowExposed(&window, kExposed))
            return false;
        QApplication::setActiveWindow(&window);
        return true;
    }
    /// Opened, its tab in front, the whole picture with its latencies on screen.
    bool openAutoencoder(const QString& path)
    {
        if (!showWindow())
            return false;
        window.open(path);
        return complete();
    }
    bool complete()
    {
        return waitFor([this] { return !window.jobs().isRunning() && !lab().isBusy() && lab().isUpToDate() && !lab().picture()->report->latency.empty(); });
    }
    void chooseMethod(const char* id)
    {
        auto* combo = panel().settings()->findChild<QComboBox*>("encoderMethod");
        combo->setCurrentIndex(combo->findData(QLatin1String(id)));
        emit combo->activated(combo->currentIndex());
    }
    QTabWidget* labs() { return child<QTabWidget>("labs"); }
};

} // namespace tamis::app::test
