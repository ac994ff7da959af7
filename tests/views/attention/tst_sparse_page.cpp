// SPDX-License-Identifier: GPL-3.0-or-later
// What a sparse operator read: blocks by query, tokens read, gates, a query chosen in all three; the sentence for other operators.
#include "tests/views/attention_lab_sample.h"
#include "views/attention/sparse_page.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstSparsePage : public QObject {
    Q_OBJECT
    std::unique_ptr<SparsePage> m_page;
    template <class T> T* part(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_page = std::make_unique<SparsePage>();
        m_page->resize(1000, 640);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void othersGetASentence()
    {
        QVERIFY(part<QWidget>("sparseEmpty")->isVisible());
        m_page->setReport(sample::attentionLab(true)); // no block map
        QVERIFY(part<QWidget>("sparseEmpty")->isVisible());
        m_page->setReport(sample::attentionLab(false));
        QVERIFY(!part<QWidget>("sparseEmpty")->isVisible());
    }
    void blocksTokensAndGates()
    {
        m_page->setReport(sample::attentionLab(false));
        const auto& grid = m_page->map()->grid();
        QCOMPARE(grid.rows, 12);
        QCOMPARE(grid.columns, 3);
        QCOMPARE(grid.values[9 * 3 + 2], 1.0);
        QVERIFY(std::isnan(grid.values[9 * 3 + 1])); // was not read
        QVERIFY(grid.rowLabels[9].contains("word9"));
        QCOMPARE(grid.columnLabels, (QStringList{"0", "4", "8"}));
        const auto& read = m_page->read()->series();
        QCOMPARE(read.size(), std::size_t{2});
        QCOMPARE(read[0].points[9].y, 6.0); // the first block, and two of its own
        QCOMPARE(read[1].points[9].y, 10.0);
        QCOMPARE(m_page->gates()->series().size(), std::size_t{3});
        QCOMPARE(float(m_page->gates()->series()[1].points[5].y), 0.5F);
        // 10 + 26 + 26 tokens of 78
        QVERIFY2(part<QLabel>("sparseSummary")->text().contains(QStringLiteral("79.5\u202f%")), qPrintable(part<QLabel>("sparseSummary")->text()));
    }
    void scoresOnRequest()
    {
        m_page->setReport(sample::attentionLab(false));
        auto* box = part<QComboBox>("sparseColours");
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Down);
        QVERIFY(std::abs(m_page->map()->grid().values[9 * 3 + 1] - 1.0) < 1e-6); // also of blocks that were not read
        auto none = std::make_shared<report::AttentionReport>(*sample::attentionLab(false));
        none->view.blocks.scores.clear();
        m_page->setReport(none);
        QVERIFY(!box->isEnabled());
        QVERIFY(std::isnan(m_page->map()->grid().values[9 * 3 + 1]));
    }
    void aQueryIsChosenInAllThree()
    {
        m_page->setReport(sample::attentionLab(false));
        QSignalSpy chosen(m_page.get(), &SparsePage::queryChosen);
        auto* map = m_page->map();
        QTest::mouseClick(map, Qt::LeftButton, {}, map->cellRect(7, 1).center().toPoint());
        QCOMPARE(chosen.last().first().toInt(), 7);
        QCOMPARE(*m_page->read()->cursor(), 7.0);
        QCOMPARE(*m_page->gates()->cursor(), 7.0);
        QTest::keyClick(map, Qt::Key_Down);
        QCOMPARE(*m_page->read()->cursor(), 8.0);
        m_page->setQuery(3);
        QCOMPARE(map->selected()->first, 3);
        QCOMPARE(chosen.size(), 2); // what code does tells nothing
    }
};

QTEST_MAIN(TstSparsePage)
#include "tst_sparse_page.moc"
