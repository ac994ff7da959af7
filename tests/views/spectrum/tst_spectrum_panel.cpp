// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "core/report/spectrum_series.h"
#include "views/common/chart_canvas.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/matrix_card.h"
#include "views/spectrum/spectrum_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSplitter>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstSpectrumPanel : public QObject {
    Q_OBJECT
    std::shared_ptr<report::SpectrumReport> m_spectra;
    std::unique_ptr<SpectrumPanel> m_panel;

    template <class W> W* find(const char* name) const { return m_panel->findChild<W*>(QLatin1String(name)); }
    QString card(const char* name) const { return find<QLabel>(name)->text(); }
    /// What the worker does.
    void answer()
    {
        std::vector<std::string> names;
        for (const auto& name : m_panel->selection())
            names.push_back(name.toStdString());
        m_panel->setSeries(report::buildSpectrumSeries(*m_spectra, names, m_panel->options()), m_panel->options());
    }

private slots:
    void init()
    {
        m_spectra = sample::spectra();
        m_panel = std::make_unique<SpectrumPanel>();
        m_panel->setReport(m_spectra);
        m_panel->setBudget(sample::budget(*m_spectra, 0.6));
        m_panel->resize(1300, 800);
        m_panel->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_panel.get()));
        answer();
    }
    void cleanup() { m_panel.reset(); }

    void startsWithTheFirstMatrixThatHasASpectrum()
    {
        QCOMPARE(m_panel->selection(), QStringList{"blocks.0.attn.qkv"});
        QCOMPARE(m_panel->current(), QStringLiteral("blocks.0.attn.qkv"));
        QCOMPARE(m_panel->chart()->cursor().value_or(-1), 57.0);
    }

    void choosingACurveAsksForIt()
    {
        QSignalSpy asked(m_panel.get(), &SpectrumPanel::seriesRequested), changed(m_panel.get(), &SpectrumPanel::optionsChanged);
        auto* curve = find<QComboBox>("curveCombo");
        curve->setCurrentIndex(curve->findData(static_cast<int>(report::Curve::SingularValues)));
        QCOMPARE(asked.size(), 1);
        QCOMPARE(asked[0][0].toStringList(), QStringList{"blocks.0.attn.qkv"});
        const auto options = asked[0][1].value<report::SeriesOptions>();
        QCOMPARE(options.curve, report::Curve::SingularValues);
        QVERIFY(find<QCheckBox>("normalised")->isEnabled());
        QVERIFY(!find<QCheckBox>("heldOut")->isEnabled());
        find<QCheckBox>("normalised")->click();
        QVERIFY(asked.last()[1].value<report::SeriesOptions>().normalised);
        QCOMPARE(asked.size(), 2);
        find<QCheckBox>("logX")->click(); // an axis: no new curves
        QCOMPARE(asked.size(), 2);
        QVERIFY(m_panel->chart()->axes().logX);
        QCOMPARE(changed.size(), 3);
        QVERIFY(changed.last()[1].toBool());
    }

    void curvesOfOtherSettingsAreNotShown()
    {
        const auto shown = m_panel->chart()->series().size();
        QVERIFY(shown > 0);
        auto other = m_panel->options();
        other.curve = report::Curve::Loss;
        m_panel->setSeries({}, other); // comes late, from before
        QCOMPARE(m_panel->chart()->series().size(), shown);
        m_panel->setSeries({}, m_panel->options());
        QVERIFY(m_panel->chart()->series().empty());
        QVERIFY(!m_panel->chart()->cursor());
    }

    void setOptionsShowsThemWithoutTellingThatTheUserDid()
    {
        QSignalSpy asked(m_panel.get(), &SpectrumPanel::seriesRequested), changed(m_panel.get(), &SpectrumPanel::optionsChanged);
        report::SeriesOptions wanted{.curve = report::Curve::CumulativeEnergy, .heldOut = false, .sample = true, .baseline = false, .normalised = true};
        m_panel->setOptions(wanted, true, false);
        QVERIFY(m_panel->options() == wanted && m_panel->logX() && !m_panel->logY());
        QCOMPARE(asked.size(), 1);
        m_panel->setOptions(wanted, false, false);
        QCOMPARE(asked.size(), 1);
        QCOMPARE(changed.size(), 0);
    }

    void draggingTheCursorWritesRanks()
    {
        QSignalSpy dragged(m_panel.get(), &SpectrumPanel::rankDragged);
        auto* chart = m_panel->chart();
        auto* port = chart->canvas()->viewport();
        const auto at = [&](double rank) { return port->mapFrom(chart, chart->toPixel(rank, 0.01).toPoint()); };
        QTest::mousePress(port, Qt::LeftButton, {}, at(57));
        for (const double rank : {60.0, 70.0, 80.0})
            QTest::mouseMove(port, at(rank));
        m_panel->setBudget(sample::budget(*m_spectra, 0.3)); // a result in the middle of the drag does not tear the line away
        QCOMPARE(chart->cursor().value_or(-1), 80.0);
        QTest::mouseRelease(port, Qt::LeftButton, {}, at(80));
        QVERIFY(dragged.size() >= 4);
        for (int i = 0; i < dragged.size(); ++i) {
            QCOMPARE(dragged[i][0].toString(), QStringLiteral("blocks.0.attn.qkv"));
            QCOMPARE(dragged[i][2].toBool(), i + 1 == dragged.size());
        }
        QCOMPARE(dragged.last()[1].toLongLong(), 80);
        QTest::mousePress(port, Qt::LeftButton, {}, at(*chart->cursor()));
        QTest::mouseRelease(port, Qt::LeftButton, {}, QPoint(-500, 50)); // rank 0 is no rank
        QCOMPARE(dragged.last()[1].toLongLong(), 1);
    }

    void brushingFromElsewhereIsSilent()
    {
        QSignalSpy told(m_panel.get(), &SpectrumPanel::selectionChanged), asked(m_panel.get(), &SpectrumPanel::seriesRequested);
        m_panel->setSelection({"blocks.1.attn.proj", "blocks.5.mlp.fc2"});
        QCOMPARE(told.size(), 0);
        QCOMPARE(asked.size(), 1);
        QCOMPARE(m_panel->current(), QStringLiteral("blocks.1.attn.proj"));
        QCOMPARE(m_panel->landscape()->selectedLayer(), 1);
        m_panel->setSelection({"blocks.1.attn.proj", "blocks.5.mlp.fc2"});
        QCOMPARE(asked.size(), 1);
    }

    void pickingALayerSelectsItsMatrix()
    {
        QSignalSpy told(m_panel.get(), &SpectrumPanel::selectionChanged);
        emit m_panel->landscape()->layerPicked(3, "up", "blocks.3.mlp.fc1");
        QCOMPARE(told.last()[0].toStringList(), QStringList{"blocks.3.mlp.fc1"});
        QCOMPARE(card("cardTitle"), QStringLiteral("blocks.3.mlp.fc1"));
    }

    void theCardShowsTheThreeAccountings()
    {
        m_panel->setSelection({"blocks.3.mlp.fc1"});
        const auto budget = sample::budget(*m_spectra, 0.6);
        const auto& chosen = budget->matrices[15];
        QCOMPARE(QString::fromStdString(chosen.name), QStringLiteral("blocks.3.mlp.fc1"));
        for (int a = 0; a < 3; ++a) {
            const auto& choice = chosen.sameKeep[static_cast<std::size_t>(a)];
            const auto text = [&](int f) { return card(qPrintable(QStringLiteral("card-%1-%2").arg(a).arg(f))); };
            QCOMPARE(text(0), QString::number(choice.rank));
            QCOMPARE(text(1), formatCount(static_cast<double>(choice.cost.parameters)));
            QCOMPARE(text(2), formatBytes(static_cast<double>(choice.cost.bytes)));
        }
        QVERIFY(card("cardShape").contains("512 × 128"));
        QVERIFY(card("cardFacts").contains("4.2e+06"));
        QVERIFY(find<QLabel>("cardWarnings")->isHidden());
        m_panel->setSelection({"patch_embed.proj"});
        QVERIFY(card("cardWarnings").contains("2 NaN"));
        QVERIFY(!find<QLabel>("cardWarnings")->isHidden());
        QVERIFY(!m_panel->chart()->cursor()); // nothing to drag
    }

    void layoutComesBack()
    {
        const auto splitters = m_panel->findChildren<QSplitter*>();
        QVERIFY(splitters.size() >= 3);
        splitters[0]->setSizes({500, 200});
        const auto sizes = splitters[0]->sizes();
        const QByteArray state = m_panel->layoutState();
        splitters[0]->setSizes({200, 500});
        QVERIFY(splitters[0]->sizes() != sizes);
        QVERIFY(m_panel->restoreLayoutState(state));
        QCOMPARE(splitters[0]->sizes(), sizes);
        QVERIFY(!m_panel->restoreLayoutState("rubbish"));
        QVERIFY(!m_panel->restoreLayoutState({}));
    }

    void withoutOpenGLTheLandscapeSaysSo()
    {
        QVERIFY(!m_panel->landscape()->hasScene());
        QVERIFY(m_panel->landscape()->findChild<QWidget*>("landscapePlaceholder"));
        QVERIFY(m_panel->landscape()->snapshot().isNull());
        m_panel->setLandscape(std::make_shared<const report::Landscape>(report::buildLandscape(*m_spectra)));
        QCOMPARE(m_panel->landscape()->role(), QStringLiteral("qkv"));
    }
};

QTEST_MAIN(TstSpectrumPanel)
#include "tst_spectrum_panel.moc"
