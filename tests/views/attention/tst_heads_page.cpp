// SPDX-License-Identifier: GPL-3.0-or-later
// All heads: the map by each measure, the table as text, sorting, and what is put in place of a head or a block, by mouse, keys and menu.
#include "tests/views/attention_lab_sample.h"
#include "views/attention/head_comparison_model.h"
#include "views/attention/heads_page.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/theme.h"

#include <QAction>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstHeadsPage : public QObject {
    Q_OBJECT
    std::unique_ptr<HeadsPage> m_page;
    template <class T> T* part(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }
    void click(const char* name) { QTest::mouseClick(part<QPushButton>(name), Qt::LeftButton); }

private slots:
    void init()
    {
        m_page = std::make_unique<HeadsPage>();
        m_page->resize(1100, 760);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setHeads(sample::attentionLab(true)->heads, 2);
        m_page->setChoices({"Nyström", {}}, {});
    }
    void cleanup() { m_page.reset(); }

    void theTableAsText()
    {
        auto& model = m_page->heads();
        QStringList row;
        for (int column = 0; column < model.columnCount(); ++column)
            row << model.index(1, column).data().toString();
        QCOMPARE(row.join(" | "), QStringLiteral("0 | 1 | Nyström | 0.02 | 0.04 | 0.98 | – | 1 | 0.5 | 2 | 25.0\u202f% | 3 | attention.band, reach 4 | 0.001"));
        model.setTitles({{"attention.band", "Band"}});
        QCOMPARE(model.index(1, HeadComparisonModel::SuitedColumn).data().toString(), QStringLiteral("Band, reach 4"));
        m_page->setChoices({"Nyström", std::vector<int>{0, 2}}, {});
        QCOMPARE(model.methodTitle(1, 0), QStringLiteral("exact")); // the method stands in other blocks
        QCOMPARE(model.methodTitle(2, 0), QStringLiteral("Nyström"));
        QCOMPARE(model.index(11, HeadComparisonModel::SuitedColumn).data().toString(), QStringLiteral("–"));
    }

    void eachMeasureColoursTheMap()
    {
        auto* box = part<QComboBox>("labHeadMeasure");
        const auto& grid = m_page->map()->grid();
        QCOMPARE(grid.rows, 3);
        QCOMPARE(grid.columns, 4);
        QCOMPARE(grid.values[2 * 4 + 1], 0.06); // layer 1, head 2: map error
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Down); // output error
        QCOMPARE(m_page->map()->grid().values[2 * 4 + 1], 0.12);
        box->setCurrentIndex(box->findText("entropy"));
        QCOMPARE(m_page->map()->grid().values[2 * 4 + 1], 2.0);
        box->setCurrentIndex(box->findText("distance looked at"));
        QCOMPARE(m_page->map()->grid().values[2 * 4 + 1], 3.0);
        QVERIFY(figureTable(*m_page->map()).contains("distance looked at"));
    }

    void mapTableAndKeysChooseAHead()
    {
        QSignalSpy chosen(m_page.get(), &HeadsPage::headChosen);
        auto* map = m_page->map();
        QTest::mouseClick(map, Qt::LeftButton, {}, map->cellRect(2, 1).center().toPoint());
        QCOMPARE(chosen.last(), (QVariantList{1, 2}));
        QVERIFY(part<QLabel>("labChosenHead")->text().contains("Layer 1, head 2"));
        QTest::keyClick(map, Qt::Key_Right);
        QCOMPARE(chosen.last(), (QVariantList{2, 2}));
        auto* table = m_page->table();
        QCOMPARE(table->toSource(table->currentIndex()).row(), 8);
        table->sortByColumn(HeadComparisonModel::MapColumn, Qt::DescendingOrder);
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(table->model()->index(0, 3)).center()); // the largest error
        QCOMPARE(chosen.last(), (QVariantList{3, 2}));
        QVERIFY((map->selected() == std::pair{2, 3}));
        const auto count = chosen.size();
        m_page->setHeads(sample::attentionLab(true)->heads, 2); // the same heads again choose nothing
        QCOMPARE(chosen.size(), count);
    }

    void placesAreAskedForByButtonAndMenu()
    {
        for (const char* name : {"labUseHead", "labUseBlock", "labExactHead", "labExactBlock", "labTakeSuited", "labForgetHead"})
            QVERIFY2(!part<QPushButton>(name)->isEnabled(), name); // no head yet
        m_page->setChosen(0, 1);
        QSignalSpy use(m_page.get(), &HeadsPage::useRequested), exact(m_page.get(), &HeadsPage::exactRequested), suited(m_page.get(), &HeadsPage::suitedRequested),
            forget(m_page.get(), &HeadsPage::forgetRequested);
        click("labUseHead");
        QVERIFY((use.last().first().value<HeadPlace>() == HeadPlace{0, 1}));
        click("labUseBlock");
        QVERIFY((use.last().first().value<HeadPlace>() == HeadPlace{0, -1}));
        click("labExactHead");
        click("labExactBlock");
        QCOMPARE(exact.size(), 2);
        click("labTakeSuited");
        QVERIFY((suited.last().first().value<HeadPlace>() == HeadPlace{0, 1}));
        QVERIFY(!part<QPushButton>("labForgetHead")->isEnabled()); // it is as the others
        m_page->setChoices({"Nyström", {}}, {{0, 1, "Band"}});
        QVERIFY((m_page->map()->badges() == std::vector<std::pair<int, int>>{{1, 0}}));
        QCOMPARE(m_page->heads().index(1, HeadComparisonModel::MethodColumn).data().toString(), QStringLiteral("Band"));
        click("labForgetHead");
        QCOMPARE(forget.size(), 1);
        QVERIFY(m_page->map()->actions().size() >= 6); // the context menus of map and table have the same
        QCOMPARE(m_page->map()->actions(), m_page->table()->actions());
        m_page->map()->actions().front()->trigger();
        QCOMPARE(use.size(), 3);
        m_page->setChosen(3, 0); // nothing is known to suit it
        QVERIFY(!part<QPushButton>("labTakeSuited")->isEnabled());
        QVERIFY(part<QPushButton>("labTakeAllSuited")->isEnabled());
    }

    void aBadgeIsDrawnInTheCellsCorner()
    {
        const QRectF cell = m_page->map()->cellRect(1, 0);
        const QPoint corner = (cell.topRight() + QPointF(-4, 3)).toPoint();
        const auto before = m_page->map()->grab().toImage().pixelColor(corner);
        m_page->setChoices({"Nyström", {}}, {{0, 1, "Band"}});
        const auto after = m_page->map()->grab().toImage().pixelColor(corner);
        QVERIFY(before != after);
        QCOMPARE(after, Theme::instance().color(Ink::HeldOut));
    }

    void jobsAreAskedForAndSayWhyNot()
    {
        QSignalSpy effects(m_page.get(), &HeadsPage::effectsRequested), search(m_page.get(), &HeadsPage::searchRequested);
        click("labMeasureEffects");
        click("labFindSuited");
        QCOMPARE(effects.size() + search.size(), 2);
        m_page->setEffectReason("nothing is replaced");
        QVERIFY(!part<QPushButton>("labMeasureEffects")->isEnabled());
        QVERIFY(part<QPushButton>("labMeasureEffects")->toolTip().contains("nothing is replaced"));
    }
};

QTEST_MAIN(TstHeadsPage)
#include "tst_heads_page.moc"
