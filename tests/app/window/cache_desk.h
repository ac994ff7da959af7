// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The window with the cache lab at hand.
#include "tests/app/window/desk.h"
#include "views/cache/cache_panel.h"
#include "views/cache/curves_page.h"
#include "views/cache/steps_page.h"

#include <QFile>
#include <QPushButton>
#include <QTest>

namespace tamis::app::test {

struct CacheDesk : Desk {
    CacheController& cache() { return window.cache().cache(); }
    views::CurvesPage& page() { return cache().curvesPage(); }
    views::StepsPage& steps() { return cache().stepsPage(); }
    const CacheChoice& choice() { return window.document().state().cache; }
    bool expose()
    {
        const bool there = QTest::qWaitForWindowExposed(&window, kExposed);
        QApplication::setActiveWindow(&window);
        return there;
    }
    bool idle()
    {
        return waitFor([this] { return !window.jobs().isRunning() && cache().sources() && !cache().isBusy(); });
    }
    /// Few policies: quick, also where the build is slow.
    bool openBundled()
    {
        if (!expose())
            return false;
        window.document().change("few", {}, [](SessionState& state) { state.cache.policies = std::vector<std::string>{"cache.lru", "cache.lru-k"}; });
        window.showLab(&window.cachePanel());
        QTest::mouseClick(child<QPushButton>("openBundledTrace"), Qt::LeftButton);
        return idle();
    }
    QString file(const char* name, const QByteArray& text) const
    {
        QFile made(path(name));
        return made.open(QIODevice::WriteOnly) && made.write(text) == text.size() ? path(name) : QString();
    }
    const views::ShownCurve* curve(const std::string& policy)
    {
        for (const auto& each : cache().curves())
            if (each.curve.policy == policy && each.kept < 0)
                return &each;
        return nullptr;
    }
};

} // namespace tamis::app::test
