// SPDX-License-Identifier: GPL-3.0-or-later
#include "sample_table.h"
#include "views/common/copyable_table_view.h"
#include "views/common/elided_label.h"
#include "views/common/figure_export.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTest>
#include <QToolButton>

using namespace tamis::views;

class TstTablesAndNotices : public QObject {
    Q_OBJECT
    std::unique_ptr<SampleTable> m_table;
    std::unique_ptr<CopyableTableView> m_view;

    QStringList names() const
    {
        QStringList all;
        for (int row = 0; row < m_view->proxy()->rowCount(); ++row)
            all.append(m_view->proxy()->index(row, 0).data().toString().section(QLatin1Char('.'), -1));
        return all;
    }

private slots:
    void init()
    {
        m_table = std::make_unique<SampleTable>(SampleTable::matrices());
        m_view = std::make_unique<CopyableTableView>();
        m_view->setSourceModel(m_table.get());
        m_view->setItemDelegateForColumn(SampleTable::kParameters, new InlineBarDelegate(m_view.get()));
        m_view->setItemDelegateForColumn(SampleTable::kLock, new LockDelegate(m_view.get()));
        m_view->resize(600, 300);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup()
    {
        m_view.reset();
        m_table.reset();
    }

    /// The picture of a line that has no room ends before its own edge, in dots; what can be read out and copied is all of it.
    void aLineWithoutRoomEndsInDots()
    {
        ElidedLabel label(nullptr, QStringLiteral("line"), Ink::Text);
        label.setText(QStringLiteral("measured on 384 rows that were fitted to nothing"));
        const int whole = label.fontMetrics().horizontalAdvance(label.text());
        label.resize(whole + 10, 30);
        QVERIFY(!label.elided());
        const QImage roomy = label.grab().toImage();
        label.resize(whole / 2, 30);
        QVERIFY(label.elided());
        const QImage narrow = label.grab().toImage();
        QVERIFY(narrow != roomy.copy(0, 0, narrow.width(), narrow.height())); // not merely cut off
        QVERIFY(label.text().endsWith(QStringLiteral("nothing")));
    }
    void sortsNumbersAsNumbers()
    {
        QAbstractItemModelTester tester(m_view->proxy(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        QCOMPARE(names().first(), QStringLiteral("qkv")); // the model's own order
        m_view->sortByColumn(SampleTable::kParameters, Qt::AscendingOrder);
        QCOMPARE(names().first(), QStringLiteral("head, \"top\"")); // 192 before 36864, though "0.2 k" is text
        QCOMPARE(m_view->toSource(m_view->proxy()->index(0, 0)).row(), 4);
        m_view->sortByColumn(SampleTable::kLoss, Qt::AscendingOrder);
        QCOMPARE(names().last(), QStringLiteral("fc2")); // not a number: last
        m_view->proxy()->setFilterFixedString(QStringLiteral("MLP"));
        QCOMPARE(m_view->proxy()->rowCount(), 2);
    }

    void copiesTheSelectionAsShownOrder()
    {
        QSignalSpy selected(m_view.get(), &CopyableTableView::selectedRowsChanged);
        m_view->setColumnHidden(SampleTable::kLoss, true);
        m_view->horizontalHeader()->moveSection(SampleTable::kParameters, 0);
        m_view->sortByColumn(SampleTable::kParameters, Qt::DescendingOrder);
        m_view->selectRow(0);
        m_view->selectionModel()->select(m_view->proxy()->index(4, 0), QItemSelectionModel::Select | QItemSelectionModel::Rows);
        QTest::keyClick(m_view.get(), Qt::Key_C, Qt::ControlModifier);
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QCOMPARE(lines.size(), 3);
        QVERIFY(lines[0].startsWith(QStringLiteral("147456\tblocks.0.mlp.fc"))); // exact number, moved column first
        QCOMPARE(lines[1], QStringLiteral("192\thead, \"top\"\tfalse"));
        const auto rows = selected.last()[0].value<QList<int>>();
        QCOMPARE(rows.size(), 2);
        QCOMPARE(rows[1], 4);
        QVERIFY(m_view->selectionAsTsv(true).startsWith(QStringLiteral("Parameters\tMatrix\tLock\n")));
    }

    void csvAndPicture()
    {
        m_view->setCaption(QStringLiteral("keep=0.6"));
        const QStringList lines = figureTable(*m_view).split(QLatin1Char('\n'));
        QCOMPARE(lines[0], QStringLiteral("# keep=0.6"));
        QCOMPARE(lines[1], QStringLiteral("Matrix,Parameters,Relative loss,Lock"));
        QCOMPARE(lines[2], QStringLiteral("blocks.0.attn.qkv,110592,0.0312,false"));
        QCOMPARE(lines[6], QStringLiteral("\"head, \"\"top\"\"\",192,1e-06,false"));
        const QImage picture = figureImage(*m_view, 1);
        QVERIFY(picture.height() > m_view->figureSize().height()); // the caption stands below
        QVERIFY(picture.width() == m_view->figureSize().width());
    }

    void lockTogglesWithClickAndSpace()
    {
        const QModelIndex cell = m_view->proxy()->index(0, SampleTable::kLock);
        QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {}, m_view->visualRect(cell).center());
        QVERIFY(m_table->rows()[0].locked);
        m_view->setCurrentIndex(cell);
        QTest::keyClick(m_view.get(), Qt::Key_Space);
        QVERIFY(!m_table->rows()[0].locked);
        QTest::mouseClick(m_view->viewport(), Qt::RightButton, {}, m_view->visualRect(cell).center());
        QVERIFY(!m_table->rows()[0].locked);
    }

    void barsHaveTheLengthOfTheFraction()
    {
        m_view->setColumnWidth(SampleTable::kParameters, 160);
        m_view->clearSelection();
        const QImage picture = m_view->viewport()->grab().toImage();
        const QColor bar = Theme::instance().color(Ink::Accent);
        for (const auto& [row, fraction] : {std::pair{0, 110592.0 / 147456}, {1, 36864.0 / 147456}, {2, 1.0}}) {
            const QRect cell = m_view->visualRect(m_view->proxy()->index(row, SampleTable::kParameters));
            const int y = cell.bottom() - 3; // middle of the bar
            int length = 0;
            for (int x = cell.left(); x <= cell.right(); ++x)
                length += picture.pixelColor(x, y) == bar;
            const double full = cell.width() - 2 * Theme::kSpacing;
            QVERIFY2(std::abs(length - fraction * full) <= 4, qPrintable(QStringLiteral("%1: %2 of %3").arg(row).arg(length).arg(full)));
        }
    }

    void notices()
    {
        NoticeBar bar;
        QVERIFY(!bar.isVisible());
        QSignalSpy dismissed(&bar, &NoticeBar::dismissed), acted(&bar, &NoticeBar::actionTriggered);
        bar.showNotice(NoticeBar::Severity::Error, QStringLiteral("<b>x</b> failed"), QStringLiteral("Retry"));
        QVERIFY(bar.isVisible());
        QCOMPARE(bar.text(), QStringLiteral("<b>x</b> failed"));
        QCOMPARE(bar.findChild<QLabel*>(QStringLiteral("notice-text"))->textFormat(), Qt::PlainText); // file names are no mark-up
        QCOMPARE(bar.accessibleDescription(), bar.text());
        QTest::mouseClick(bar.findChild<QPushButton*>(QStringLiteral("notice-action")), Qt::LeftButton);
        QCOMPARE(acted.size(), 1);
        QTest::mouseClick(bar.findChild<QToolButton*>(QStringLiteral("notice-close")), Qt::LeftButton);
        QCOMPARE(dismissed.size(), 1);
        QVERIFY(!bar.isVisible());
        PlaceholderPanel panel(QStringLiteral("open"), QStringLiteral("Nothing open"), QStringLiteral("Drop a checkpoint here."));
        QSignalSpy opened(&panel, &PlaceholderPanel::actionTriggered);
        panel.setAction(QStringLiteral("Open…"));
        panel.show();
        QTest::mouseClick(panel.findChild<QPushButton*>(QStringLiteral("placeholder-action")), Qt::LeftButton);
        QCOMPARE(opened.size(), 1);
    }
};

QTEST_MAIN(TstTablesAndNotices)
#include "tst_tables_and_notices.moc"
