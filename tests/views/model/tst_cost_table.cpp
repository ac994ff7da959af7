// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/number_format.h"
#include "views/model/cost_table.h"
#include "views/model/cost_table_model.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <ctime>

using namespace tamis;
using namespace tamis::views;
using Model = CostTableModel;

class TstCostTable : public QObject {
    Q_OBJECT
    std::shared_ptr<report::ModelCostReport> m_report;
    std::unique_ptr<CostTable> m_table;

    Model& model() const { return *m_table->model(); }
    QVariant cell(const QString& name, int column, int role = Qt::DisplayRole) const { return model().index(model().rowOf(name), column).data(role); }
    QString total(int column) const { return m_table->totals()->model()->index(0, column).data().toString(); }
    QStringList shown() const
    {
        QStringList names;
        const auto* rows = m_table->view()->model();
        for (int row = 0; row < rows->rowCount(); ++row)
            names << rows->index(row, Model::NameColumn).data().toString();
        return names;
    }
    void click(const QString& name, Qt::KeyboardModifiers keys = {})
    {
        auto* view = m_table->view();
        const QModelIndex at = view->model()->index(static_cast<int>(shown().indexOf(name)), Model::NameColumn);
        view->scrollTo(at);
        QTest::mouseClick(view->viewport(), Qt::LeftButton, keys, view->visualRect(at).center());
    }

private slots:
    void init()
    {
        m_report = sample::vit20(40);
        m_table = std::make_unique<CostTable>();
        new QAbstractItemModelTester(&model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_table.get());
        new QAbstractItemModelTester(m_table->totals()->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_table.get());
        m_table->setReport(m_report);
        m_table->resize(1300, 420);
        m_table->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_table.get()));
    }
    void cleanup() { m_table.reset(); }

    void cellsShowTheReport()
    {
        QCOMPARE(model().rowCount(), 1 + 6 * 8 + 2);
        QCOMPARE(cell("blocks.0.attn.qkv", Model::BlockColumn).toString(), QStringLiteral("0"));
        QCOMPARE(cell("head", Model::BlockColumn).toString(), QStringLiteral("–"));
        QCOMPARE(cell("blocks.0.attn.qkv", Model::FormColumn).toString(), QStringLiteral("dense"));
        QCOMPARE(cell("blocks.3.attn.qkv", Model::FormColumn).toString(), QStringLiteral("factors, rank 40"));
        QCOMPARE(cell("blocks.0.attn.qkv", Model::InputColumn).toString(), QStringLiteral("65 × 128"));
        QCOMPARE(cell("blocks.0.attn.qkv", Model::ParametersColumn).toString(), formatCount(128 * 384 + 384));
        QCOMPARE(cell("blocks.0.attn.qkv", Model::MacsColumn, kSortRole).toDouble(), 65.0 * 128 * 384);
        QCOMPARE(cell("blocks.3.attn.qkv", Model::MacsColumn, kSortRole).toDouble(), 65.0 * 40 * (128 + 384));
        QCOMPARE(cell("blocks.0.mlp.fc1", Model::MacsColumn, kFractionRole).toDouble(), 1.0); // the largest
        QCOMPARE(cell("blocks.0.attn.proj", Model::MacsColumn, kFractionRole).toDouble(), 0.25);
        QVERIFY(!cell("blocks.0.attn.qkv", Model::NameColumn, kFractionRole).isValid());
        QVERIFY(cell("blocks.0.attn.qkv", Model::NameColumn, Qt::ToolTipRole).toString().contains("65 × 384 out"));
    }

    void withoutMeasurementsThereAreDashes()
    {
        m_table->setReport(sample::vit20(0, false));
        QCOMPARE(cell("blocks.0.attn.qkv", Model::MeasuredColumn).toString(), QStringLiteral("–"));
        QVERIFY(!cell("blocks.0.attn.qkv", Model::MeasuredColumn, kFractionRole).isValid());
        QCOMPARE(total(Model::MeasuredColumn), QStringLiteral("–"));
        QVERIFY(total(Model::PredictedColumn) != QStringLiteral("–"));
    }

    void totalsAreThoseOfTheReport()
    {
        QCOMPARE(total(Model::NameColumn), QStringLiteral("Whole model"));
        QCOMPARE(total(Model::ParametersColumn), formatCount(static_cast<double>(m_report->parameters)));
        QCOMPARE(total(Model::MacsColumn), formatCount(static_cast<double>(m_report->macs)));
        QCOMPARE(total(Model::MeasuredColumn), Model::format(Model::MeasuredColumn, m_report->measuredMs));
        double activations = 0;
        for (const auto& l : m_report->layers)
            activations += static_cast<double>(l.activationBytes);
        QCOMPARE(total(Model::IntensityColumn), formatNumber(2 * static_cast<double>(m_report->macs) / (static_cast<double>(m_report->weightBytes) + activations), 3));
        m_table->setReport(nullptr);
        QCOMPARE(total(Model::NameColumn), QString());
        QCOMPARE(total(Model::MacsColumn), QString());
    }

    void totalsFollowTheFilter()
    {
        auto* text = m_table->findChild<QLineEdit*>("layerFilter");
        QTest::keyClicks(text, "blocks.1. LINEAR");
        QCOMPARE(shown(), (QStringList{"blocks.1.attn.qkv", "blocks.1.attn.proj", "blocks.1.mlp.fc1", "blocks.1.mlp.fc2"}));
        QCOMPARE(m_table->findChild<QLabel*>("layerCount")->text(), QStringLiteral("4 of 51"));
        QCOMPARE(total(Model::NameColumn), QStringLiteral("4 of 51 layers"));
        QCOMPARE(total(Model::MacsColumn), formatCount(65.0 * 12 * 128 * 128));
        text->clear();
        m_table->findChild<QCheckBox*>("layersWithMacs")->click();
        QVERIFY(!shown().contains("blocks.0.norm1") && shown().contains("blocks.0.attention"));
        QCOMPARE(total(Model::MacsColumn), formatCount(static_cast<double>(m_report->macs)));
        m_table->setReport(sample::vit20()); // the filter stays, the sums are new
        QCOMPARE(total(Model::MacsColumn), formatCount(static_cast<double>(sample::vit20()->macs)));
    }

    void totalsStandUnderTheirColumns()
    {
        auto* header = m_table->view()->horizontalHeader();
        auto* foot = m_table->totals()->horizontalHeader();
        header->resizeSection(Model::MacsColumn, 150);
        header->moveSection(header->visualIndex(Model::MeasuredColumn), 1);
        m_table->view()->setColumnHidden(Model::KindColumn, true);
        m_table->resize(500, 300);
        QTest::qWait(20);
        m_table->view()->horizontalScrollBar()->setValue(130);
        for (int column = 0; column < Model::kColumnCount; ++column) {
            QCOMPARE(foot->isSectionHidden(column), header->isSectionHidden(column));
            if (!header->isSectionHidden(column))
                QCOMPARE(foot->sectionViewportPosition(column), header->sectionViewportPosition(column));
        }
    }

    void headersSortByNumber()
    {
        auto* header = m_table->view()->horizontalHeader();
        const auto press = [&](int column) {
            QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, QPoint(header->sectionViewportPosition(column) + 12, header->height() / 2));
        };
        press(Model::ParametersColumn);
        press(Model::ParametersColumn); // descending
        std::vector<double> values;
        for (const auto& name : shown())
            values.push_back(cell(name, Model::ParametersColumn, kSortRole).toDouble());
        QVERIFY(std::is_sorted(values.rbegin(), values.rend()) || std::is_sorted(values.begin(), values.end()));
        QVERIFY(values.front() != values.back());
        QCOMPARE(total(Model::NameColumn), QStringLiteral("Whole model")); // at the foot, whatever the order
    }

    void clickingSelects()
    {
        QSignalSpy selected(m_table.get(), &CostTable::selectionChanged);
        click("blocks.0.attn.proj");
        click("blocks.2.mlp.fc1", Qt::ControlModifier);
        QCOMPARE(selected.last()[0].toStringList(), (QStringList{"blocks.0.attn.proj", "blocks.2.mlp.fc1"}));
        QTest::keyClick(m_table->view(), Qt::Key_Down);
        QCOMPARE(m_table->selection(), QStringList{"blocks.2.mlp.act"});
        const auto told = selected.size();
        m_table->setSelection({"blocks.5.mlp.fc2"}); // from elsewhere
        QCOMPARE(selected.size(), told);
        m_table->setReport(sample::vit20(20)); // same layers: stays
        QCOMPARE(m_table->selection(), QStringList{"blocks.5.mlp.fc2"});
        QCOMPARE(selected.size(), told);
        m_table->setReport(sample::swin());
        QVERIFY(m_table->selection().isEmpty());
    }

    void copying()
    {
        click("blocks.0.attn.qkv");
        QTest::keyClick(m_table->view(), Qt::Key_C, Qt::ControlModifier);
        const QStringList cells = QApplication::clipboard()->text().trimmed().split('\t');
        QVERIFY(cells.contains("blocks.0.attn.qkv"));
        QVERIFY(cells.contains(QString::number(65 * 128 * 384)));
        QVERIFY(m_table->view()->figureCaption().contains("300 GFLOP/s"));
    }

    void aLargeModelIsQuick()
    {
        const std::clock_t before = std::clock(); // processor time, unlike the clock, is not the neighbours' doing
        m_table->setReport(sample::llama());
        QCOMPARE(shown().size(), 2 + 32 * 11 + 1);
        const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
        qInfo("356 rows in %.3f s", seconds);
        QVERIFY2(seconds < 0.5, qPrintable(QString::number(seconds)));
    }
};

QTEST_MAIN(TstCostTable)
#include "tst_cost_table.moc"
