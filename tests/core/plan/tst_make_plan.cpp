// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan.h"

#include "core/base/error.h"

#include <QTest>

using namespace tamis;
using namespace tamis::plan;

class TstMakePlan : public QObject
{
    Q_OBJECT
private slots:
    void madeFromABudget()
    {
        report::SpectrumReport spectra;
        spectra.method = "spectrum.randomised";
        spectra.parameters.set("seed", std::int64_t(9));
        report::MatrixSpectrum s{.name = "a", .dtype = "F32", .rows = 40, .cols = 30, .compressible = true};
        for (int r = 0; r <= 30; ++r)
            s.loss.push_back(30.0 - r);
        spectra.matrices = {s, s};
        spectra.matrices[1].name = "b";
        BudgetRequest request{0.5, Allocation::Greedy, Accounting::BlockIdentity, 1, {}};
        request.overrides["b"].locked = true;
        const report::Cost total{.parameters = 3000, .bytes = 12000, .macs = 2400};
        const auto budget = allocate(spectra, total, request);
        const Plan plan = makePlan(spectra, budget, request);
        QCOMPARE(plan.method, std::string("spectrum.randomised"));
        QCOMPARE(plan.seed, std::int64_t(9));
        QVERIFY(plan.budget == request);
        QCOMPARE(plan.operators.size(), std::size_t(2));
        QCOMPARE(plan.operators[0].tensor, std::string("a.weight"));
        QCOMPARE(plan.operators[0].layout, std::string("block-identity"));
        QCOMPARE(plan.operators[0].rank, budget.matrices[0].rank);
        QCOMPARE(plan.operators[0].predictedLoss, 30.0 - double(budget.matrices[0].rank));
        QVERIFY(plan.operators[1].layout == "dense" && plan.operators[1].locked && plan.operators[1].rank == 30);
        QCOMPARE(plan.baseline.parameters, std::uint64_t(3000));
        QCOMPARE(plan.cost.parameters, budget.after.parameters);
        auto again = planFromJson(planToJson(plan), "text");
        QCOMPARE(planToJson(again), planToJson(plan));
        spectra.matrices.pop_back();
        try {
            makePlan(spectra, budget, request);
            QFAIL("made");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::InvalidParameter);
        }
    }
    void madeFromACheckpoint()
    {
        spectrum::Inputs inputs;
        inputs.checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        report::SpectrumReport spectra;
        for (const auto& matrix : inputs.checkpoint->layout().matrices) {
            report::MatrixSpectrum s{.name = matrix.name, .dtype = "F32", .rows = matrix.rows, .cols = matrix.cols,
                                     .compressible = matrix.linear};
            if (matrix.linear)
                for (std::int64_t r = 0, p = std::min(s.rows, s.cols); r <= p; ++r)
                    s.loss.push_back(double(p - r));
            spectra.matrices.push_back(s);
        }
        const BudgetRequest request;
        const Plan plan = makePlan(inputs, spectra, allocate(spectra, {1 << 22, 1 << 24, 1 << 22}, request), request);
        QCOMPARE(plan.modelSha256, inputs.checkpoint->sha256());
        QCOMPARE(plan.modelPath, std::string(TAMIS_SOURCE_DIR "/datasets/vit20"));
        QVERIFY(plan.calibrationSha256.empty());
        for (const auto& op : plan.operators)
            QVERIFY2(inputs.checkpoint->find(op.tensor), op.tensor.c_str());
        spectra.matrices[0].name = "elsewhere";
        try {
            makePlan(inputs, spectra, allocate(spectra, {1 << 22, 1 << 24, 1 << 22}, request), request);
            QFAIL("made");
        } catch (const Error& error) {
            QVERIFY2(QString(error.what()).startsWith("elsewhere: "), error.what());
        }
    }
};

QTEST_GUILESS_MAIN(TstMakePlan)
#include "tst_make_plan.moc"
