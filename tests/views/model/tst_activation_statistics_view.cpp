// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/model/activation_statistics_model.h"
#include "views/model/activation_statistics_view.h"
#include "views/model/feature_strip.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::views;
using Model = ActivationStatisticsModel;

class TstActivationStatistics : public QObject {
    Q_OBJECT
    std::unique_ptr<ActivationStatisticsView> m_view;
    std::vector<report::ActivationStatistics> m_sites;

    void click(const QString& name)
    {
        auto* view = m_view->table();
        const QModelIndex at = view->fromSource(m_view->model()->index(m_view->model()->rowOf(name), Model::NameColumn));
        view->scrollTo(at);
        QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, view->visualRect(at).center());
    }

private slots:
    void init()
    {
        m_sites = sample::activations(*sample::vit20());
        m_view = std::make_unique<ActivationStatisticsView>();
        new QAbstractItemModelTester(m_view->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_view.get());
        m_view->resize(1250, 440);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void emptyStateOffersToCapture()
    {
        QVERIFY(m_view->isEmpty());
        auto* empty = m_view->findChild<QWidget*>("activationsEmpty");
        QVERIFY(empty->isVisible());
        QSignalSpy asked(m_view.get(), &ActivationStatisticsView::captureRequested);
        QTest::mouseClick(empty->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_view->setStatistics(m_sites, "512 photos");
        QVERIFY(!empty->isVisible());
        m_view->setStatistics({}, {});
        QVERIFY(empty->isVisible());
    }

    void tableShowsTheSites()
    {
        m_view->setStatistics(m_sites, "512 photos");
        const auto* model = m_view->model();
        QCOMPARE(model->rowCount(), 26); // patch, 4 a block, head
        const int row = model->rowOf("blocks.5.mlp.fc2");
        const auto& site = m_sites[static_cast<std::size_t>(row)];
        QCOMPARE(model->index(row, Model::FeaturesColumn).data().toString(), QStringLiteral("512"));
        QCOMPARE(model->index(row, Model::RmsColumn).data(kSortRole).toDouble(), site.rms);
        QCOMPARE(model->index(row, Model::TopFeaturesColumn).data(kFractionRole).toDouble(), site.topFeatureShare);
        QCOMPARE(model->index(row, Model::EffectiveRankColumn).data(kFractionRole).toDouble(), site.effectiveRank / 512);
        auto without = m_sites;
        without[0].effectiveRank = 0; // not computed
        m_view->setStatistics(without, {});
        QCOMPARE(model->index(0, Model::EffectiveRankColumn).data().toString(), QStringLiteral("–"));
        QVERIFY(!model->index(0, Model::EffectiveRankColumn).data(kFractionRole).isValid());
    }

    void curvesOverDepth()
    {
        m_view->setStatistics(m_sites, {});
        const auto& series = m_view->chart()->series();
        QCOMPARE(series.size(), std::size_t(4)); // attn.qkv, attn.proj, mlp.fc1, mlp.fc2
        QCOMPARE(series[0].name, std::string("attn.qkv"));
        QCOMPARE(series[0].points.size(), std::size_t(6));
        auto* measure = m_view->findChild<QComboBox*>("activationMeasure");
        measure->setFocus();
        QTest::keyClick(measure, Qt::Key_Down);
        QTest::keyClick(measure, Qt::Key_Down);
        QCOMPARE(m_view->chart()->axes().yTitle, QStringLiteral("Kurtosis"));
        for (const auto& site : m_sites)
            if (site.name == "blocks.3.mlp.fc2")
                QCOMPARE(m_view->chart()->series()[3].points[3].y, site.kurtosis);
        m_view->setStatistics(sample::activations(*sample::llama()), {});
        QCOMPARE(m_view->chart()->series().size(), std::size_t(7));
        QCOMPARE(m_view->chart()->series()[0].points.size(), std::size_t(32));
    }

    void theHeaviestTailIsShownFirst()
    {
        m_view->setStatistics(m_sites, {});
        QVERIFY(m_view->current().startsWith("blocks.5."));
        QCOMPARE(m_view->chart()->cursor().value_or(-1), 5.0);
    }

    void selectingShowsTheFeatures()
    {
        m_view->setStatistics(m_sites, {});
        QSignalSpy selected(m_view.get(), &ActivationStatisticsView::selectionChanged);
        click("blocks.1.attn.proj");
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"blocks.1.attn.proj"});
        QCOMPARE(m_view->current(), QStringLiteral("blocks.1.attn.proj"));
        QCOMPARE(m_view->strip()->outliers(), (std::vector<int>{7, 87}));
        QTest::keyClick(m_view->table(), Qt::Key_Down);
        QCOMPARE(m_view->current(), QStringLiteral("blocks.1.mlp.fc1"));
        const auto told = selected.size();
        m_view->setSelection({"blocks.4.mlp.fc2"});
        QCOMPARE(m_view->current(), QStringLiteral("blocks.4.mlp.fc2"));
        m_view->setSelection({"blocks.2.norm1"}); // has no site: nothing changes
        QCOMPARE(m_view->current(), QStringLiteral("blocks.4.mlp.fc2"));
        m_view->setStatistics(m_sites, {}); // another capture
        QCOMPARE(m_view->current(), QStringLiteral("blocks.4.mlp.fc2"));
        QCOMPARE(selected.size(), told);
    }

    void outliersOfTheStrip()
    {
        m_view->hide(); // the pointer finds one window
        FeatureStrip strip;
        strip.resize(380, 130); // on the small screen of the platform "offscreen", at any scale
        std::vector<float> rms(4096, 1.0F); // narrower than a pixel
        rms[100] = 6.0F;  // not beyond
        rms[2000] = 6.5F;
        rms[4000] = 40.0F;
        rms[50] = std::numeric_limits<float>::quiet_NaN();
        strip.setFeatures("site", rms);
        strip.show();
        QVERIFY(QTest::qWaitForWindowExposed(&strip));
        QCOMPARE(strip.median(), 1.0);
        QCOMPARE(strip.outliers(), (std::vector<int>{4000, 2000}));
        const QImage picture = strip.grab().toImage();
        const double ratio = picture.devicePixelRatio();
        const QRectF column = strip.columnRect(4000);
        const QColor loss = Theme::instance().color(Ink::Loss), panel = Theme::instance().color(Ink::Panel);
        bool found = false; // in one of the pixels around it, half-way up, where nothing else reaches
        for (int dx = -2; dx <= 2; ++dx)
            found = found || picture.pixelColor(static_cast<int>(column.center().x() * ratio) + dx, static_cast<int>(column.center().y() * ratio)) == loss;
        QVERIFY(found);
        QCOMPARE(picture.pixelColor(static_cast<int>(strip.columnRect(3000).center().x() * ratio), static_cast<int>((column.center().y() + 2) * ratio)), panel);
        QTest::mouseMove(&strip, QPoint(static_cast<int>(column.center().x()), 70));
        QCOMPARE(strip.hoverLines().value(0), QStringLiteral("feature 4000: rms 40"));
        QCOMPARE(strip.hoverLines().value(1), QStringLiteral("40 times the median"));
        QCOMPARE(strip.figureCsv().count('\n'), 4097);
        QVERIFY(strip.figureCsv().contains("\n50,\n"));
        strip.setFeatures("zeros", std::vector<float>(8, 0.0F));
        strip.grab();
        QVERIFY(strip.outliers().empty());
        strip.setFeatures({}, {});
        strip.grab();
        QTest::mouseMove(&strip, QPoint(300, 60));
        QVERIFY(strip.hoverLines().isEmpty());
    }

    void exportsName()
    {
        m_view->setStatistics(m_sites, "512 photos");
        int exported = 0;
        connect(m_view.get(), &ActivationStatisticsView::exportRequested, this, [&](Figure* figure, FigureFormat, const QString& name) {
            ++exported; // the figure lives during the call
            QCOMPARE(name, QStringLiteral("activations-over-depth"));
            QVERIFY(figure->figureCsv().startsWith("block,attn.qkv"));
            QCOMPARE(figure->figureCaption(), QStringLiteral("512 photos"));
        });
        emit m_view->chart()->exportRequested("csv");
        QCOMPARE(exported, 1);
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        for (const bool dark : {false, true}) {
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            m_view->setStatistics(m_sites, {});
            QTest::qWait(40);
            const QImage picture = m_view->grab().toImage();
            QVERIFY(!picture.isNull());
            if (!folder.isEmpty())
                QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("act-%1-%2x.png").arg(dark).arg(picture.devicePixelRatio()))));
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstActivationStatistics)
#include "tst_activation_statistics_view.moc"
