// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/model/evaluation_view.h"
#include "views/model/quality_table_model.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;
using Model = QualityTableModel;

class TstEvaluationView : public QObject {
    Q_OBJECT
    std::unique_ptr<EvaluationView> m_view;

    QString cell(const QString& quantity, int column) const
    {
        for (int row = 0; row < m_view->model()->rowCount(); ++row)
            if (m_view->model()->index(row, 0).data().toString() == quantity)
                return m_view->model()->index(row, column).data().toString();
        return QStringLiteral("no such row");
    }
    QColor ink(const QString& quantity) const
    {
        for (int row = 0; row < m_view->model()->rowCount(); ++row)
            if (m_view->model()->index(row, 0).data().toString() == quantity)
                return m_view->model()->index(row, Model::ChangeColumn).data(Qt::ForegroundRole).value<QBrush>().color();
        return {};
    }

private slots:
    void init()
    {
        m_view = std::make_unique<EvaluationView>();
        new QAbstractItemModelTester(m_view->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_view.get());
        m_view->resize(1280, 420);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void emptyStateOffersToEvaluate()
    {
        auto* empty = m_view->findChild<QWidget*>("evaluationEmpty");
        QVERIFY(empty->isVisible());
        QSignalSpy asked(m_view.get(), &EvaluationView::evaluateRequested);
        QTest::mouseClick(empty->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_view->setReport(sample::evaluation(true));
        QVERIFY(!empty->isVisible());
        m_view->setReport(nullptr);
        QVERIFY(empty->isVisible());
    }

    void withoutAPlanThereIsOneColumnAndWords()
    {
        m_view->setReport(sample::evaluation(false));
        QVERIFY(m_view->table()->isColumnHidden(Model::CompressedColumn));
        QVERIFY(m_view->table()->isColumnHidden(Model::ChangeColumn));
        QCOMPARE(cell("Top-1", Model::DenseColumn), QStringLiteral("71.3 ± 2.1\u202f%"));
        QCOMPARE(cell("KL divergence", Model::DenseColumn), QStringLiteral("no such row"));
        QVERIFY(m_view->chart()->series().empty());
        QVERIFY(m_view->heads()->isEmpty());
        QVERIFY(!m_view->findChild<QComboBox*>("errorCurve")->isVisible());
        QVERIFY(!m_view->grab().isNull());
    }

    void denseAgainstCompressed()
    {
        m_view->setReport(sample::evaluation(true));
        QVERIFY(!m_view->table()->isColumnHidden(Model::CompressedColumn));
        QCOMPARE(cell("Top-1", Model::CompressedColumn), QStringLiteral("68.4 ± 2.6\u202f%"));
        QCOMPARE(cell("Top-1", Model::ChangeColumn), QStringLiteral("−2.9 pp"));
        QCOMPARE(cell("Top-1 agreement", Model::DenseColumn), QStringLiteral("–"));
        QCOMPARE(cell("Top-1 agreement", Model::CompressedColumn), QStringLiteral("87.1 ± 1.8\u202f%"));
        QCOMPARE(cell("KL divergence", Model::CompressedColumn), QStringLiteral("0.114 ± 0.012"));
        QCOMPARE(cell("Parameters", Model::ChangeColumn), QStringLiteral("−38.2\u202f%"));
        QCOMPARE(cell("Perplexity", Model::DenseColumn), QStringLiteral("no such row")); // no tokens
        QCOMPARE(ink("Parameters"), Theme::instance().color(Ink::Good));
        QCOMPARE(ink("Top-1"), Theme::instance().color(Ink::Loss)); // 2.9 points against a spread of 2.6
        QVERIFY(ink("Top-5") != Theme::instance().color(Ink::Loss)); // 1.1 points against a spread of 1.3: not told
    }

    void languageModelsShowPerplexity()
    {
        auto report = std::make_shared<report::EvaluationReport>();
        report->model = "tinylm";
        report->plan = "tiled";
        report->baselineQuality.perplexity = {12.4, 0.3};
        report->quality.perplexity = {15.1, 0.4};
        m_view->setReport(report);
        QCOMPARE(cell("Perplexity", Model::CompressedColumn), QStringLiteral("15.1 ± 0.4"));
        QCOMPARE(ink("Perplexity"), Theme::instance().color(Ink::Loss)); // lower is better
        QCOMPARE(cell("Top-1", Model::DenseColumn), QStringLiteral("no such row"));
    }

    void errorGrowsWithDepth()
    {
        m_view->setReport(sample::evaluation(true));
        const auto& series = m_view->chart()->series();
        QCOMPARE(series.size(), std::size_t(2));
        QVERIFY(!series[0].dashed && series[1].dashed);
        QCOMPARE(series[0].points[3].y, 0.12);
        QCOMPARE(series[1].points[3].y, 0.06 - 0.004 * 3);
        auto* curve = m_view->findChild<QComboBox*>("errorCurve");
        curve->setFocus();
        QTest::keyClick(curve, Qt::Key_Down);
        QCOMPARE(m_view->chart()->series().size(), std::size_t(1));
        QVERIFY(std::abs(m_view->chart()->series()[0].points[2].y - 0.006) < 1e-12);
        auto without = sample::evaluation(true);
        for (auto& layer : without->layers)
            layer.ownError = report::kNotMeasured;
        QTest::keyClick(curve, Qt::Key_Up);
        m_view->setReport(without);
        QCOMPARE(m_view->chart()->series().size(), std::size_t(1));
    }

    void headErrors()
    {
        const auto whole = sample::evaluation(true);
        m_view->setReport(whole);
        const auto& grid = m_view->heads()->grid();
        QCOMPARE(std::pair(grid.rows, grid.columns), std::pair(4, 6));
        for (const auto& error : whole->heads)
            QCOMPARE(grid.values[static_cast<std::size_t>(error.head * 6 + error.block)], error.mapError);
        // Blocks without attention leave no column, heads that a block lacks an empty cell.
        auto sparse = sample::evaluation(true);
        sparse->heads = {{.block = 2, .head = 0, .mapError = 0.1}, {.block = 7, .head = 2, .mapError = 0.2}};
        m_view->setReport(sparse);
        QCOMPARE(m_view->heads()->grid().columnLabels, (QStringList{"2", "7"}));
        QVERIFY(std::isnan(m_view->heads()->grid().values[0 * 2 + 1]));
        QCOMPARE(m_view->heads()->grid().values[2 * 2 + 1], 0.2);
    }

    void selectingAHead()
    {
        m_view->setReport(sample::evaluation(true));
        QSignalSpy selected(m_view.get(), &EvaluationView::blockSelected);
        QTest::mouseClick(m_view->heads(), Qt::LeftButton, {}, m_view->heads()->cellRect(2, 4).center().toPoint());
        QCOMPARE(selected.size(), 1);
        QCOMPARE(selected[0][0].toInt(), 4);
        QCOMPARE(selected[0][1].toInt(), 2);
        QCOMPARE(m_view->chart()->cursor().value_or(-1), 4.0);
        m_view->setSelectedBlock(1); // from elsewhere
        QVERIFY(!m_view->heads()->selected()); // of another block
        QCOMPARE(m_view->heads()->markedColumn(), 1);
        QCOMPARE(m_view->chart()->cursor().value_or(-1), 1.0);
        QCOMPARE(selected.size(), 1);
        m_view->chart()->canvas()->setFocus();
        QTest::keyClick(m_view->chart()->canvas(), Qt::Key_Right); // the cursor moves to the next block
        QCOMPARE(selected.last()[0].toInt(), 2);
        m_view->setSelectedBlock(-1);
        QCOMPARE(m_view->heads()->markedColumn(), -1);
        QVERIFY(!m_view->heads()->selected() && !m_view->chart()->cursor());
    }

    void warningsAndStaleness()
    {
        auto report = sample::evaluation(true);
        report->warnings = {"3 photos could not be read.", "The labels of 2 photos are not among the classes."};
        m_view->setReport(report);
        auto* warnings = m_view->findChild<QLabel*>("evaluationWarnings");
        QVERIFY(warnings->isVisible() && warnings->text().contains("3 photos"));
        auto* stale = m_view->findChild<QLabel*>("evaluationStale");
        QVERIFY(!stale->isVisible());
        m_view->setStale(true);
        QVERIFY(stale->isVisible());
        m_view->setReport(sample::evaluation(true)); // evaluated again
        QVERIFY(!stale->isVisible() && !warnings->isVisible());
        QCOMPARE(m_view->findChild<QLabel*>("evaluationWhat")->text(), QStringLiteral("vit20 on 1,000 photos of 20 classes"));
        QVERIFY(m_view->findChild<QLabel*>("evaluationWhat")->toolTip().contains("whitened, keep 60 %"));
    }

    void exports()
    {
        m_view->setReport(sample::evaluation(true));
        QStringList names;
        connect(m_view.get(), &EvaluationView::exportRequested, this, [&](Figure* figure, FigureFormat, const QString& name) {
            names << name;
            QVERIFY(!figure->figureCsv().isEmpty());
            QVERIFY(figure->figureCaption().contains("vit20 on 1,000 photos"));
            QVERIFY(figure->figureCaption().contains("32 batch"));
        });
        emit m_view->chart()->exportRequested("csv");
        emit m_view->table()->exportRequested(FigureFormat::Csv);
        for (auto* action : m_view->findChild<ExportButton*>("exportHeads")->menu()->actions())
            if (action->objectName() == "export-png")
                action->trigger();
        QCOMPARE(names, (QStringList{"error-over-depth", "quality", "attention-map-error"}));
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        for (const bool dark : {false, true})
            for (const bool compressed : {true, false}) {
                Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
                auto report = sample::evaluation(compressed);
                report->warnings = {"3 photos could not be read."};
                m_view->setReport(report);
                m_view->setSelectedBlock(2);
                QTest::qWait(40);
                const QImage picture = m_view->grab().toImage();
                QVERIFY(!picture.isNull());
                if (!folder.isEmpty())
                    QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("eval-%1-%2-%3x.png").arg(compressed).arg(dark).arg(picture.devicePixelRatio()))));
            }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstEvaluationView)
#include "tst_evaluation_view.moc"
