// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/figure_export.h"
#include "views/common/theme.h"
#include "views/model/roofline_plot.h"
#include "views/model/roofline_view.h"

#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstRoofline : public QObject {
    Q_OBJECT
    std::shared_ptr<report::ModelCostReport> m_report;
    std::unique_ptr<RooflineView> m_view;

    RooflinePlot& plot() const { return *m_view->plot(); }
    template <class W> W* find(const char* name) const { return m_view->findChild<W*>(QLatin1String(name)); }
    int dotOf(const std::string& name) const
    {
        for (std::size_t i = 0; i < plot().dots().size(); ++i)
            if (m_report->layers[static_cast<std::size_t>(plot().dots()[i].layer)].name == name)
                return static_cast<int>(i);
        return -1;
    }
    QPoint spot(const std::string& name) const
    {
        const auto& dot = plot().dots()[static_cast<std::size_t>(dotOf(name))];
        return plot().toPixel(dot.intensity, dot.gflops).toPoint();
    }

private slots:
    void init()
    {
        m_report = sample::vit20(40);
        m_view = std::make_unique<RooflineView>();
        m_view->setPresets({sample::machine(), {.name = "Desktop, 8 cores", .gflops = 1000, .gigabytesPerSecond = 50},
                            {.name = "Phone", .gflops = 40, .gigabytesPerSecond = 12}});
        m_view->setReport(m_report);
        m_view->resize(900, 460);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void oneDotALayerThatMultiplies()
    {
        std::size_t multiplying = 0;
        for (const auto& l : m_report->layers)
            multiplying += l.macs > 0;
        QCOMPARE(plot().dots().size(), multiplying);
        QCOMPARE(dotOf("blocks.0.norm1"), -1);
        for (const auto& dot : plot().dots()) {
            const auto& l = m_report->layers[static_cast<std::size_t>(dot.layer)];
            QVERIFY(dot.measured);
            QCOMPARE(dot.intensity, l.intensity);
            QCOMPARE(dot.gflops, 2 * static_cast<double>(l.macs) / (l.measuredMs * 1e6));
            QVERIFY(dot.gflops < RooflinePlot::roof(m_report->ceilings, dot.intensity)); // the sample is slower than predicted
        }
    }

    void notMeasuredIsOnTheRoof()
    {
        m_report = sample::swin();
        m_view->setReport(m_report);
        for (const auto& dot : plot().dots()) {
            QVERIFY(!dot.measured);
            QCOMPARE(dot.gflops, std::min(300.0, 20 * dot.intensity));
            // and on the drawn line: its neighbours on the roof lie on the same straight piece
            const QPointF at = plot().toPixel(dot.intensity, dot.gflops);
            if (dot.gflops < 300) {
                const QPointF low = plot().toPixel(0.1, 2), high = plot().toPixel(15, 300);
                const double share = (at.x() - low.x()) / (high.x() - low.x());
                QVERIFY(std::abs(at.y() - (low.y() + share * (high.y() - low.y()))) < 1e-6);
            } else {
                QCOMPARE(at.y(), plot().toPixel(15, 300).y());
            }
        }
    }

    void everyDotIsInsideThePicture()
    {
        for (const auto& report : {sample::vit20(), sample::llama(), sample::swin()}) {
            m_view->setReport(report);
            for (const auto& dot : plot().dots())
                QVERIFY(QRectF(plot().rect()).adjusted(40, 15, -10, -25).contains(plot().toPixel(dot.intensity, dot.gflops)));
        }
    }

    void hoverTellsNameAndNumbers()
    {
        QTest::mouseMove(&plot(), spot("head"));
        const QStringList lines = plot().hoverLines();
        QCOMPARE(lines.value(0), QStringLiteral("head"));
        QVERIFY(lines.join('|').contains("memory bound"));
        QVERIFY(lines.join('|').contains("of the roof"));
        QTest::mouseMove(&plot(), QPoint(3, 3));
        QVERIFY(plot().hoverLines().isEmpty());
    }

    void clickAndKeysSelect()
    {
        QSignalSpy selected(m_view.get(), &RooflineView::selectionChanged);
        QTest::mouseClick(&plot(), Qt::LeftButton, {}, spot("head"));
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"head"});
        QTest::mouseClick(&plot(), Qt::LeftButton, Qt::ControlModifier, spot("patch_embed.proj"));
        QCOMPARE(selected.last()[0].toStringList(), (QStringList{"patch_embed.proj", "head"}));
        plot().setFocus();
        plot().setSelection({"head"}); // from elsewhere: quiet
        QCOMPARE(selected.size(), 2);
        QTest::mouseClick(&plot(), Qt::LeftButton, {}, spot("head"));
        const int at = dotOf("head");
        QTest::keyClick(&plot(), Qt::Key_Right);
        QCOMPARE(plot().selection(), QStringList{QString::fromStdString(m_report->layers[static_cast<std::size_t>(plot().dots()[static_cast<std::size_t>(at + 1)].layer)].name)});
        QTest::keyClick(&plot(), Qt::Key_Left);
        QCOMPARE(plot().selection(), QStringList{"head"});
        QTest::keyClick(&plot(), Qt::Key_Escape);
        QVERIFY(plot().selection().isEmpty());
    }

    void presetsAndOwnNumbers()
    {
        QSignalSpy edited(m_view.get(), &RooflineView::ceilingsEdited);
        auto* preset = find<QComboBox>("ceilingsPreset");
        QCOMPARE(preset->currentText(), QStringLiteral("This machine (measured)"));
        QCOMPARE(find<QDoubleSpinBox>("ceilingGflops")->value(), 300.0);
        preset->setFocus();
        QTest::keyClick(preset, Qt::Key_Down);
        QCOMPARE(edited.size(), 1);
        QCOMPARE(edited[0][0].value<report::Ceilings>().gigabytesPerSecond, 50.0);
        QCOMPARE(plot().ceilings().gflops, 1000.0); // at once
        auto* bandwidth = find<QDoubleSpinBox>("ceilingBandwidth");
        QCOMPARE(bandwidth->value(), 50.0);
        bandwidth->selectAll();
        QTest::keyClicks(bandwidth, "80");
        QTest::keyClick(bandwidth, Qt::Key_Return);
        QCOMPARE(edited.size(), 2);
        QCOMPARE(edited[1][0].value<report::Ceilings>().gigabytesPerSecond, 80.0);
        QCOMPARE(edited[1][0].value<report::Ceilings>().gflops, 1000.0);
        QCOMPARE(preset->currentText(), QStringLiteral("Own numbers"));
        m_view->setReport(m_report); // the report's own
        QCOMPARE(edited.size(), 2);
        QCOMPARE(preset->currentText(), QStringLiteral("This machine (measured)"));
    }

    void measuringTheMachineIsAnIntent()
    {
        QSignalSpy asked(m_view.get(), &RooflineView::measureMachineRequested);
        auto* button = find<QPushButton>("measureMachine");
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_view->setMeasuring(true);
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        m_view->setMeasuring(false);
        QVERIFY(button->isEnabled());
    }

    void exports()
    {
        QSignalSpy exported(m_view.get(), &RooflineView::exportRequested);
        auto* button = find<ExportButton>("export-button");
        for (auto* action : button->menu()->actions())
            if (action->objectName() == "export-svg")
                action->trigger();
        QCOMPARE(exported.size(), 1);
        QTemporaryDir folder;
        for (const auto format : {FigureFormat::Png, FigureFormat::Svg, FigureFormat::Csv}) {
            const QString path = folder.filePath("roofline." + figureSuffix(format));
            QVERIFY(!writeFigure(plot(), format, path));
            QVERIFY(QFileInfo(path).size() > 500);
        }
        const QStringList rows = figureTable(plot()).trimmed().split('\n');
        QCOMPARE(rows.size(), 2 + static_cast<int>(plot().dots().size()));
        QVERIFY(rows[0].startsWith("# timm-vit, 65 tokens, batch 1; This machine: 300 GFLOP/s, 20 GB/s"));
    }

    void emptyStates()
    {
        auto without = sample::swin();
        without->ceilings = {};
        m_view->setReport(without);
        QVERIFY(plot().dots().empty());
        const QImage told = plot().grab().toImage();
        m_view->setReport(nullptr);
        QVERIFY(told != plot().grab().toImage());
        QTest::keyClick(&plot(), Qt::Key_Right);
        QTest::mouseClick(&plot(), Qt::LeftButton, {}, QPoint(100, 100));
        QVERIFY(plot().selection().isEmpty());
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        for (const bool dark : {false, true}) {
            Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
            QTest::qWait(20); // the layout follows the style
            int which = 0;
            for (const auto& report : {sample::vit20(40), sample::llama(), sample::swin()}) {
                m_view->setReport(report);
                plot().setSelection({"blocks.1.attn.qkv", "model.layers.3.attention"});
                const QImage picture = m_view->grab().toImage();
                QVERIFY(!picture.isNull());
                if (!folder.isEmpty())
                    QVERIFY(picture.save(QDir(folder).filePath(QStringLiteral("roof-%1-%2-%3x.png").arg(which).arg(dark).arg(picture.devicePixelRatio()))));
                ++which;
            }
        }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstRoofline)
#include "tst_roofline.moc"
