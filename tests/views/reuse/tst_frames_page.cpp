// SPDX-License-Identifier: GPL-3.0-or-later
// The frame player as a whole: what is shown follows the frame and the run that are chosen anywhere.
#include "tests/views/reuse/reuse_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/reuse/frame_timeline.h"
#include "views/reuse/frame_view.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/reuse_frontier.h"
#include "views/reuse/reuse_run_model.h"
#include "views/reuse/reuse_settings.h"
#include "views/reuse/transport_bar.h"

#include <QAction>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstFramesPage : public QObject {
    Q_OBJECT
    std::unique_ptr<FramesPage> m_page;
    QString text(const char* name) const { return m_page->findChild<QLabel*>(QLatin1String(name))->text(); }

private slots:
    void init()
    {
        m_page = std::make_unique<FramesPage>();
        m_page->resize(1200, 800);
        m_page->setEmptyState({}, {}, {});
        m_page->setFrameCount(10, {5});
        m_page->setRuns(shownRuns(test::sampleReuse()));
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void aFrameChosenAnywhereIsShownEverywhere()
    {
        QSignalSpy shown(m_page.get(), &FramesPage::frameShown);
        QTest::mouseClick(m_page->findChild<QToolButton*>("nextFrame"), Qt::LeftButton);
        QCOMPARE(m_page->frame(), 1);
        QCOMPARE(m_page->timeline()->frame(), 1);
        QVERIFY(m_page->view()->frame()->file == "f1.jpg");
        auto* timeline = m_page->timeline();
        QTest::mouseClick(timeline, Qt::LeftButton, {}, QPoint(static_cast<int>(std::lround(timeline->xOf(7))), static_cast<int>(timeline->stripArea(1).center().y())));
        QCOMPARE(m_page->frame(), 7);
        QCOMPARE(m_page->transport()->frame(), 7);
        QVERIFY(!shown.isEmpty());
        QCOMPARE(shown.last()[0].toInt(), 7);
        QVERIFY(text("frameLabels").contains("dog 88\u202f%") && text("frameLabels").contains("fox 75\u202f%") && text("frameLabels").contains("another label"));
        QVERIFY(text("frameSaved").contains("27\u202f%") && text("frameSaved").contains("error 0.07"));
        const auto before = shown.size();
        m_page->setFrame(2);
        QCOMPARE(shown.size(), before); // not by the user
        QVERIFY(!text("frameLabels").contains("another label"));
    }

    void aRunChosenAnywhereIsShownEverywhere()
    {
        QSignalSpy shown(m_page.get(), &FramesPage::runShown), taken(m_page.get(), &FramesPage::runTaken), forgotten(m_page.get(), &FramesPage::runForgotten);
        QCOMPARE(m_page->view()->frame().has_value(), true);
        QTest::mouseClick(m_page->frontier(), Qt::LeftButton, {}, m_page->frontier()->toPixel(1).toPoint());
        QCOMPARE(m_page->shownRun(), 1);
        QCOMPARE(shown.size(), 1);
        auto* table = m_page->table();
        QCOMPARE(table->toSource(table->currentIndex()).row(), 1);
        QVERIFY(m_page->timeline()->flips().empty());
        const QModelIndex trivial = table->fromSource(m_page->runs()->index(3, 0));
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(trivial).center());
        QCOMPARE(m_page->shownRun(), 3);
        QCOMPARE(m_page->frontier()->chosen(), 3);
        QTest::mouseDClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(trivial).center());
        QCOMPARE(taken.size(), 1);
        QCOMPARE(taken[0][0].toInt(), 3);
        table->setFocus();
        m_page->findChild<QAction*>("forgetReuseRun")->trigger();
        QCOMPARE(forgotten.size(), 1);
        QCOMPARE(forgotten[0][0].toInt(), 3);
        m_page->setRuns(shownRuns(test::sampleReuse())); // newer numbers
        QCOMPARE(m_page->shownRun(), 3);
        QCOMPARE(shown.size(), 2);
    }

    void picturesOfOtherFramesAreNotShown()
    {
        QImage photo(30, 20, QImage::Format_RGB32);
        photo.fill(Qt::gray);
        m_page->setPhoto(4, photo);
        QVERIFY(m_page->view()->photo().isNull());
        m_page->setPhoto(0, photo);
        QVERIFY(!m_page->view()->photo().isNull());
        m_page->setFrameCount(5, {}); // another sequence
        QVERIFY(m_page->view()->photo().isNull());
    }

    void slidersReachTheView()
    {
        auto* opacity = m_page->findChild<QSlider*>("frameOpacity");
        opacity->setFocus();
        QTest::keyClick(opacity, Qt::Key_End);
        QCOMPARE(m_page->view()->opacity(), 1.0);
        QVERIFY(m_page->view()->arrows());
        auto* arrows = m_page->findChild<QWidget*>("frameArrows");
        QTest::keyClick(arrows, Qt::Key_Space);
        QVERIFY(!m_page->view()->arrows());
    }

    void marksAndThreshold()
    {
        QCOMPARE(m_page->transport()->slider()->keyFrames(), (std::vector<int>{0, 5}));
        QCOMPARE(m_page->transport()->slider()->sceneCuts(), (std::vector<int>{5}));
        const auto report = test::sampleReuse();
        QCOMPARE(thresholdOf(report->runs[0]), std::optional<double>(0.1));
        QVERIFY(!thresholdOf(report->runs[2]));
        auto other = report->runs[0];
        other.parameters.set("policy", std::string("top-r"));
        QVERIFY(!thresholdOf(other)); // not what decides
    }

    void incompleteAndFailedRuns()
    {
        auto partial = test::sampleReuse();
        partial->runs[0].frames.resize(2);
        m_page->setRuns(shownRuns(partial));
        m_page->setFrame(6);
        QVERIFY(!m_page->view()->frame());
        QCOMPARE(text("frameLabels"), QString("Not computed yet"));
        partial = test::sampleReuse();
        partial->runs[0].frames.clear();
        partial->runs[0].failure = "no such <thing>";
        m_page->setRuns(shownRuns(partial));
        QVERIFY(text("frameLabels").contains("no such <thing>"));
        m_page->setRuns(nullptr);
        QVERIFY(!m_page->view()->frame());
        QCOMPARE(m_page->runs()->rowCount(), 0);
    }

    void exports()
    {
        QSignalSpy asked(m_page.get(), &FramesPage::exportRequested);
        for (const char* name : {"frame", "runs", "frontier", "timeline"}) {
            emit m_page->findChild<ExportButton*>(QLatin1String("export-") + QLatin1String(name))->exportRequested(FigureFormat::Csv);
            QCOMPARE(asked.last()[2].toString(), QLatin1String(name));
        }
        QCOMPARE(asked.size(), 4);
        m_page->setCaption("gate 0.1");
        QCOMPARE(m_page->view()->figureCaption(), QString("gate 0.1"));
        QCOMPARE(m_page->timeline()->figureCaption(), QString("gate 0.1"));
    }

    void everythingHasAName()
    {
        for (auto* widget : m_page->findChildren<QWidget*>())
            if (widget->focusPolicy() != Qt::NoFocus && (qobject_cast<QSlider*>(widget) || qobject_cast<QToolButton*>(widget) || widget == m_page->view() || widget == m_page->timeline()))
                QVERIFY2(!widget->accessibleName().isEmpty() || !widget->property("text").toString().isEmpty(), qPrintable(widget->objectName()));
    }

    void settingsTellWhatIsAsked()
    {
        ReuseSettings& settings = *m_page->settings();
        settings.setParent(nullptr);
        settings.show();
        QSignalSpy open(&settings, &ReuseSettings::openRequested), keep(&settings, &ReuseSettings::keepRequested), plan(&settings, &ReuseSettings::planRequested);
        const auto click = [&](const char* name) { QTest::mouseClick(settings.findChild<QPushButton*>(QLatin1String(name)), Qt::LeftButton); };
        click("openFrames");
        click("keepReuseRun");
        click("planReuse");
        QCOMPARE(open.size() + keep.size() + plan.size(), 3);
        settings.setPlanned("Token gate", true, {});
        QVERIFY(!settings.findChild<QPushButton*>("planReuse")->isEnabled());
        QVERIFY(settings.findChild<QPushButton*>("unplanReuse")->isEnabled());
        settings.setDisabledReason("no model is open");
        QVERIFY(settings.findChild<QLabel*>("reuseReason")->isVisible());
        QVERIFY(!settings.findChild<QPushButton*>("compareReuse")->isEnabled());
        settings.setRunning(true);
        QVERIFY(settings.findChild<QPushButton*>("stopReuse")->isVisible());
        settings.setParent(m_page.get());
    }
};

QTEST_MAIN(TstFramesPage)
#include "tst_frames_page.moc"
