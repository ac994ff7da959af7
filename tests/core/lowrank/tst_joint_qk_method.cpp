// SPDX-License-Identifier: GPL-3.0-or-later
// lowrank.joint-qk over whole models: budget, report, heads, what a plan stores and runs.
#include "core/lowrank/joint_qk_method.h"

#include "core/lowrank/stored_compression.h"
#include "core/lowrank/targets.h"
#include "core/plan/apply_plan.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <cmath>
#include <set>

using namespace tamis;
using lowrank::Compression;
using lowrank::PlaneSize;
using lowrank::RankSplit;

namespace {
plan::BudgetRequest uniform(double keep, plan::Accounting accounting = plan::Accounting::Factors)
{
    return {.keep = keep, .allocation = plan::Allocation::Uniform, .accounting = accounting};
}

double scalar(const Compression& c, const std::string& name)
{
    for (const auto& [key, value] : c.report.scalars)
        if (key == name)
            return value;
    return NAN;
}
} // namespace

class TstJointQkMethod : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    lowrank::Inputs m_vit, m_lm;
    std::filesystem::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }
    static Compression run(const lowrank::Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& p = {}, const lowrank::Finished& finished = {})
    {
        return lowrank::findMethod("lowrank.joint-qk")->compress(inputs, budget, p, {}, finished);
    }

private slots:
    void initTestCase()
    {
        m_vit = test::vit20Inputs();
        m_vit.samples = std::make_shared<test::SampleList>(test::noise(2, 64, 3));
        m_lm = test::tinylmInputs(path("."));
    }

    /// Never above the budget, below it by less than a direction a plane; every operator reported once, in execution order.
    void keepsTheBudget_data()
    {
        QTest::addColumn<bool>("vit");
        QTest::addColumn<double>("keep");
        QTest::addColumn<bool>("block");
        for (const double keep : {0.8, 0.4})
            for (const bool block : {false, true}) {
                QTest::addRow("vit20 %g %d", keep, block) << true << keep << block;
                QTest::addRow("tinylm %g %d", keep, block) << false << keep << block;
            }
    }
    void keepsTheBudget()
    {
        QFETCH(bool, vit);
        QFETCH(double, keep);
        QFETCH(bool, block);
        Parameters p;
        p.set("map-samples", std::int64_t{0});
        std::set<std::string> seen;
        const auto& inputs = vit ? m_vit : m_lm;
        const Compression c = run(inputs, uniform(keep, block ? plan::Accounting::BlockIdentity : plan::Accounting::Factors), p,
                                  [&](const lowrank::CompressedOperator& op) { seen.insert(op.name); });
        QVERIFY2(c.report.achievedKeep <= keep && c.report.achievedKeep > keep - 0.03, qPrintable(QString::number(c.report.achievedKeep)));
        QCOMPARE(c.operators.size(), std::size_t(vit ? 24 : 42));
        QCOMPARE(seen.size(), c.operators.size());
        QCOMPARE(c.report.matrices.size(), c.operators.size());
        std::size_t at = 0;
        for (const nn::LinearSlot* slot : inputs.model->linears())
            if (seen.contains(slot->name))
                QCOMPARE(c.operators[at++].name, slot->name);
        QVERIFY(std::isfinite(c.report.relativeLoss()) && c.report.relativeLoss() < 0.5);
        QCOMPARE(c.report.planes.size(), std::size_t(12));
        for (const report::PlaneSpectrum& plane : c.report.planes) {
            QVERIFY(plane.rank > 0 && std::ranges::is_sorted(plane.energy, std::greater<>()));
            QVERIFY(plane.plane == "query" || plane.plane == "key");
        }
        QVERIFY(scalar(c, "mean score error, joint") < scalar(c, "mean score error, separate at the same ranks"));
        QVERIFY(c.report.heads.empty());
    }

    /// Map errors on samples: joint planes against separate factors of the same ranks. On average over heads joint wins; the very
    /// numbers are reported.
    void headsAreMeasured()
    {
        for (const lowrank::Inputs* inputs : {&m_vit, &m_lm}) {
            const Compression c = run(*inputs, uniform(0.5));
            QCOMPARE(c.report.heads.size(), std::size_t(24));
            for (const report::LowRankHead& head : c.report.heads)
                QVERIFY(head.mapError > 0 && head.mapError < 1 && head.separateMapError > 0 && head.logitError > 0 && head.outputError > 0);
            const double joint = scalar(c, "mean map error, joint"), separate = scalar(c, "mean map error, separate at the same ranks");
            qInfo("map error: joint %.4f separate %.4f", joint, separate);
            QVERIFY(joint < separate);
        }
    }

    void energyChoosesRanks()
    {
        Parameters p;
        p.set("rank-choice", std::string("energy"));
        p.set("energy", 0.9);
        p.set("map-samples", std::int64_t{0});
        const Compression c = run(m_lm, uniform(0.5), p);
        for (const report::PlaneSpectrum& plane : c.report.planes) {
            double total = 0, before = 0;
            for (std::size_t i = 0; i < plane.energy.size(); ++i) {
                total += plane.energy[i];
                before += static_cast<std::int64_t>(i) < plane.rank - 1 ? plane.energy[i] : 0;
            }
            const double with = before + plane.energy[static_cast<std::size_t>(plane.rank - 1)];
            QVERIFY(before < 0.9 * total);
            const std::int64_t most = plane.plane == "key" ? 42 : 63; // beyond it, factors are no cheaper than dense
            QVERIFY(with >= 0.9 * total || plane.rank == most);
        }
    }

    void splitsRanks()
    {
        const std::vector<double> steep{100, 10, 1, 0.1, 0, 0, 0, 0}, flat{20, 20, 20, 20, 11, 10, 5, 5};
        const PlaneSize a{8, 8, &steep}, b{8, 8, &flat};
        const auto pick = [&](double units, RankSplit split, double share = 0.5) {
            const auto pair = lowrank::splitRanks(a, b, units, plan::Accounting::Factors, 1, split, share);
            return std::pair(pair.first, pair.second);
        };
        QCOMPARE(pick(64, RankSplit::Spectra), std::pair(std::int64_t{1}, std::int64_t{3}));
        QCOMPARE(pick(64, RankSplit::Equal), std::pair(std::int64_t{2}, std::int64_t{2}));
        QCOMPARE(pick(64, RankSplit::Share, 0.75), std::pair(std::int64_t{3}, std::int64_t{1}));
        QCOMPARE(pick(1, RankSplit::Spectra), std::pair(std::int64_t{1}, std::int64_t{1}));  // at least one direction
        QCOMPARE(pick(1e9, RankSplit::Spectra), std::pair(std::int64_t{3}, std::int64_t{3})); // no dearer than dense
        QCOMPARE(lowrank::rankForEnergy(steep, 0.9), std::int64_t{1});
        QCOMPARE(lowrank::rankForEnergy(steep, 0.99), std::int64_t{2});
        QCOMPARE(lowrank::rankForEnergy(flat, 1), std::int64_t{8});
    }

    /// Ranks by hand for both projections are taken as they are; without a budget nothing is replaced.
    void ranksByHand()
    {
        plan::BudgetRequest budget = uniform(0.5);
        budget.overrides["model.layers.1.self_attn.q_proj"] = {.rank = 17, .locked = true};
        budget.overrides["model.layers.1.self_attn.k_proj"] = {.rank = 5, .locked = true};
        Parameters p;
        p.set("map-samples", std::int64_t{0});
        const Compression c = run(m_lm, budget, p);
        int found = 0;
        for (const auto& op : c.operators) {
            if (op.name == "model.layers.1.self_attn.q_proj")
                found += op.op->rank() == 17;
            if (op.name == "model.layers.1.self_attn.k_proj")
                found += op.op->rank() == 5;
        }
        QCOMPARE(found, 2);
        QVERIFY(run(m_lm, uniform(1), p).operators.empty());
    }

    /// One projection asked for alone has no partner: whitened factors, as the local method.
    void oneOfTwoIsLocal()
    {
        lowrank::Inputs inputs = m_lm;
        inputs.matrices = {"model.layers.0.self_attn.q_proj"};
        const Compression c = run(inputs, uniform(0.5));
        QCOMPARE(c.operators.size(), std::size_t(1));
        QVERIFY(c.report.planes.empty());
        QVERIFY(std::abs(c.operators[0].matrix.loss / c.operators[0].matrix.minimumLoss - 1) < 1e-4); // rounded to float
    }

    void planRunsIt()
    {
        Parameters p;
        p.set("map-samples", std::int64_t{0});
        const auto budget = uniform(0.6);
        const Compression c = run(m_vit, budget, p);
        const auto stored = lowrank::storeCompression(m_vit, budget, c, path("stored"));
        const auto applied = plan::applyPlan(*m_vit.model, m_vit.checkpoint, m_vit.calibration, stored);
        measure::LoadedSample sample;
        m_vit.samples->load(0, sample);
        const nn::Sample view = sample.view();
        QCOMPARE(nn::runBatch(*applied, {&view, 1})[0], nn::runBatch(*lowrank::compressed(*m_vit.model, c), {&view, 1})[0]);
    }

    void stops()
    {
        std::stop_source stop;
        int done = 0;
        const auto finished = [&](const lowrank::CompressedOperator&) {
            if (++done == 3)
                stop.request_stop();
        };
        QVERIFY(test::refusal([&] { lowrank::findMethod("lowrank.joint-qk")->compress(m_lm, uniform(0.5), {}, RunContext(stop.get_token()), finished); })
                    .startsWith("cancelled"));
        QVERIFY(done >= 3 && done <= 4);
    }
};

TAMIS_BLAS_TEST_MAIN(TstJointQkMethod)
#include "tst_joint_qk_method.moc"
