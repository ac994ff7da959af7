// SPDX-License-Identifier: GPL-3.0-or-later
// The settings beside the curves: ticks, the policy in focus with its sliders, warm-up, the plan. By keys and mouse.
#include "views/cache/cache_settings.h"
#include "views/cache/trace_columns.h"
#include "views/common/fitted_scroll_area.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSlider>
#include <QStyle>
#include <QTest>

#include <algorithm>

using namespace tamis;
using namespace tamis::views;

class TstCacheSettings : public QObject {
    Q_OBJECT
    std::unique_ptr<CacheSettings> m_settings;
    template <class T> T* child(const char* name) const { return m_settings->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_settings = std::make_unique<CacheSettings>();
        ParameterSpec k{.name = "k", .title = "K", .type = ParameterType::Integer, .defaultValue = std::int64_t(2), .minimum = 1, .maximum = 8, .step = 1};
        m_settings->setPolicies({{"cache.lru", "LRU", "Mattson", false, {}}, {"cache.lru-k", "LRU-K", "O'Neil", false, {}}, {"cache.belady", "MIN", {}, true, {}}},
                                {{"cache.lru", ParameterSchema()}, {"cache.lru-k", ParameterSchema({k})}, {"cache.belady", ParameterSchema()}});
        m_settings->setTicked({"cache.lru"});
        m_settings->setFocused("cache.lru-k", {});
        m_settings->resize(290, 700);
        m_settings->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_settings.get()));
    }
    void cleanup() { m_settings.reset(); }

    void ticksByMouseAndKey()
    {
        QSignalSpy ticked(m_settings.get(), &CacheSettings::tickedEdited), focused(m_settings.get(), &CacheSettings::focusedEdited);
        QListView* list = m_settings->list();
        const QRect row = list->visualRect(m_settings->policies()->indexOf("cache.lru-k"));
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, row.topLeft() + QPoint(12, row.height() / 2));
        QCOMPARE(ticked.size(), 1);
        QCOMPARE(ticked[0][0].toStringList(), QStringList({"cache.lru", "cache.lru-k", "cache.belady"}));
        list->setFocus();
        QTest::keyClick(list, Qt::Key_Up);
        QCOMPARE(focused.last()[0].toString(), QStringLiteral("cache.lru"));
        QTest::keyClick(list, Qt::Key_Space);
        QCOMPARE(ticked.last()[0].toStringList(), QStringList({"cache.lru-k", "cache.belady"}));
    }
    /// A box has its row's whole height and room beside it; a click on the title chooses, and ticks nothing.
    void boxesHaveRoom()
    {
        QListView* list = m_settings->list();
        const QRect row = list->visualRect(m_settings->policies()->indexOf("cache.lru"));
        const QCheckBox like;
        const int box = like.style()->pixelMetric(QStyle::PM_IndicatorHeight, nullptr, &like);
        QVERIFY2(row.height() >= box + 4, qPrintable(QString::number(row.height())));
        QSignalSpy ticked(m_settings.get(), &CacheSettings::tickedEdited), focused(m_settings.get(), &CacheSettings::focusedEdited);
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, row.topLeft() + QPoint(box + 20, row.height() / 2));
        QVERIFY(ticked.isEmpty());
        QCOMPARE(focused.size(), 1);
        const QRect limit = list->visualRect(m_settings->policies()->indexOf("cache.belady"));
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, limit.topLeft() + QPoint(12, limit.height() / 2));
        QVERIFY(ticked.isEmpty()); // is always drawn
    }
    /// As narrow as the dock lets it be, beside its scroll bar: nothing is cut off at the side.
    void nothingIsCutOff()
    {
        ParameterSpec ids{.name = "protect", .title = "Protect", .type = ParameterType::Text, .defaultValue = std::string()};
        m_settings->setRules(ParameterSchema({ids}), {});
        FittedScrollArea area;
        area.setWidget(m_settings.get());
        area.resize(area.minimumSizeHint().width(), 200);
        area.show();
        QVERIFY(QTest::qWaitForWindowExposed(&area));
        QTRY_VERIFY(area.verticalScrollBar()->isVisible());
        int right = 0;
        for (const QWidget* each : m_settings->findChildren<QWidget*>())
            if (each->isVisible() && !m_settings->list()->isAncestorOf(each))
                right = std::max(right, each->mapTo(m_settings.get(), QPoint(each->width(), 0)).x());
        QVERIFY(right > 200);
        QVERIFY2(right <= area.viewport()->width(), qPrintable(QStringLiteral("%1 of %2").arg(right).arg(area.viewport()->width())));
        area.takeWidget();
    }
    void parametersOfTheOneInFocus()
    {
        auto* box = child<QDoubleSpinBox>("k");
        QVERIFY(box && box->isVisible());
        QSignalSpy edited(m_settings.get(), &CacheSettings::parameterEdited);
        box->setValue(5);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toString(), QStringLiteral("k"));
        QCOMPARE(std::get<std::int64_t>(edited[0][1].value<ParameterValue>()), 5);
        Parameters three;
        three.set("k", std::int64_t(3));
        m_settings->setFocused("cache.lru-k", three);
        QCOMPARE(child<QDoubleSpinBox>("k")->value(), 3.0);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(child<QLabel>("cachePolicyTitle")->text(), QStringLiteral("LRU-K"));
        m_settings->setFocused("cache.lru", {});
        QVERIFY(!child<QWidget>("cacheParameters")->isVisible());
    }
    void rulesOfAll()
    {
        QVERIFY(!child<QWidget>("cacheRules")->isVisible());
        ParameterSpec batch{.name = "batch", .title = "Batch", .type = ParameterType::Integer, .defaultValue = std::int64_t(1), .minimum = 1, .maximum = 64, .step = 1};
        Parameters four;
        four.set("batch", std::int64_t(4));
        m_settings->setRules(ParameterSchema({batch}), four);
        QVERIFY(child<QWidget>("cacheRules")->isVisible());
        QCOMPARE(child<QDoubleSpinBox>("batch")->value(), 4.0);
        QSignalSpy edited(m_settings.get(), &CacheSettings::ruleEdited);
        child<QDoubleSpinBox>("batch")->setValue(8);
        QCOMPARE(edited.size(), 1);
        ParameterSpec share = batch, ids{.name = "protect", .title = "Protect", .type = ParameterType::Text, .defaultValue = std::string()};
        share.name = "protect-most";
        m_settings->setRules(ParameterSchema({share, ids}), {});
        m_settings->setProblem(QStringLiteral("protect: found 'x', expected an id that the trace has"));
        QVERIFY(child<QLabel>("protect-problem")->isVisible() && !child<QLabel>("cacheParameterProblem")->isVisible());
        m_settings->setProblem(QStringLiteral("protect-most: found 0.9, expected less")); // of another one, which begins alike
        QVERIFY(!child<QLabel>("protect-problem")->isVisible() && child<QLabel>("cacheParameterProblem")->isVisible());
    }
    void warmUpIsHeldAndLetGo()
    {
        QSignalSpy edited(m_settings.get(), &CacheSettings::warmUpEdited);
        auto* slider = child<QSlider>("cacheWarmUp");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_PageUp);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].toDouble(), 0.1);
        QVERIFY(edited[0][1].toBool());
        m_settings->setWarmUp(0.25);
        QCOMPARE(slider->value(), 25);
        QCOMPARE(child<QLabel>("cacheWarmUpText")->text(), QStringLiteral("25 %"));
        QCOMPARE(edited.size(), 1);
    }
    void thePlan()
    {
        auto* put = child<QPushButton>("planCache");
        auto* remove = child<QPushButton>("unplanCache");
        QVERIFY(put->isEnabled() && !remove->isVisible());
        m_settings->setPlanned({}, false, QStringLiteral("no trace is open"));
        QVERIFY(!put->isEnabled() && put->toolTip().contains("no trace is open"));
        m_settings->setPlanned(QStringLiteral("LRU, 10 objects"), true, {});
        QVERIFY(!put->isEnabled() && remove->isVisible());
        QVERIFY(child<QLabel>("plannedCache")->text().contains("LRU, 10 objects"));
        QSignalSpy removed(m_settings.get(), &CacheSettings::unplanRequested), kept(m_settings.get(), &CacheSettings::keepRequested);
        QTest::mouseClick(remove, Qt::LeftButton);
        QTest::mouseClick(child<QPushButton>("keepCacheRun"), Qt::LeftButton);
        QCOMPARE(removed.size(), 1);
        QCOMPARE(kept.size(), 1);
    }
    void columnsOfATable()
    {
        TraceColumns columns;
        columns.setFormats({"automatic", "csv", "le64"});
        columns.setColumns({"key", {}, "3", "price", "alone", "op", "csv"}, false);
        columns.show();
        QVERIFY(QTest::qWaitForWindowExposed(&columns));
        QSignalSpy applied(&columns, &TraceColumns::applied);
        auto* time = columns.findChild<QLineEdit*>("traceTimeColumn");
        time->setFocus();
        QTest::keyClicks(time, " stamp ");
        QTest::keyClick(time, Qt::Key_Return);
        QCOMPARE(applied.size(), 1);
        const auto names = applied[0][0].value<TraceColumns::Names>();
        QCOMPARE(names.id, QStringLiteral("key"));
        QCOMPARE(names.time, QStringLiteral("stamp"));
        QCOMPARE(names.size, QStringLiteral("3"));
        QCOMPARE(names.cost, QStringLiteral("price"));
        QCOMPARE(names.uniqueness, QStringLiteral("alone"));
        QCOMPARE(names.operation, QStringLiteral("op"));
        QCOMPARE(names.format, QStringLiteral("csv"));
        auto* format = columns.findChild<QComboBox*>("traceFormat");
        format->setFocus();
        QTest::keyClick(format, Qt::Key_Down); // ids one after another have no columns
        QCOMPARE(format->currentText(), QStringLiteral("le64"));
        QVERIFY(!time->isVisible());
        QTest::mouseClick(columns.findChild<QPushButton*>("applyTraceColumns"), Qt::LeftButton);
        QCOMPARE(applied.last()[0].value<TraceColumns::Names>().format, QStringLiteral("le64"));
        columns.setColumns({{}, {}, {}, {}, {}, {}, "automatic"}, true);
        QVERIFY(time->isVisible());
    }
};

QTEST_MAIN(TstCacheSettings)
#include "tst_cache_settings.moc"
