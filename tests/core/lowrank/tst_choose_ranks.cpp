// SPDX-License-Identifier: GPL-3.0-or-later
// The lab's entry: every allocation in every unit on a real model, evidence measured on the way.
#include "core/lowrank/block_influence.h"
#include "core/lowrank/importance_search.h"
#include "core/lowrank/targets.h"
#include "core/lowrank/weight_gradients.h"
#include "core/measure/evaluate.h"
#include "core/plan/model_cost.h"
#include "core/spectrum/method.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace {
const std::vector<std::string> kMatrices{"blocks.0.attn.qkv", "blocks.0.mlp.fc1", "blocks.2.attn.proj", "blocks.5.mlp.fc2"};

/// A device that no machine is: time is part of the test, not of where it runs.
const report::Ceilings kCeilings{"of a test", 50, 10, false, ""};

class TestChooseRanks : public QObject {
    Q_OBJECT

    lowrank::Inputs m_inputs;
    std::vector<const io::MatrixRef*> m_targets;
    lowrank::SensitivityCache m_cache;
    lowrank::AllocationMeasurement m_measurement;

    std::map<std::string, std::int64_t> ranks(const lowrank::Inputs& inputs, const plan::BudgetRequest& budget, std::vector<std::string>& warnings)
    {
        return lowrank::chooseRanks(inputs, m_targets, budget, warnings, {}, m_measurement);
    }
    double costOf(const std::map<std::string, std::int64_t>& ranks, const plan::BudgetRequest& budget, bool dense) const
    {
        double sum = 0;
        for (const auto* matrix : m_targets) {
            const auto chosen = ranks.find(matrix->name);
            const bool stays = dense || chosen == ranks.end();
            const auto cost = stays ? plan::costDense(matrix->rows, matrix->cols, 4) : plan::costOfRank(budget.accounting, matrix->rows, matrix->cols, chosen->second, 4);
            const auto time = plan::rooflineLatency(kCeilings, budget.accounting, matrix->rows, matrix->cols, m_measurement.latencyTokens);
            switch (budget.unit) {
            case plan::BudgetUnit::Parameters: // remapped: its own bytes over 16-bit ones
                sum += budget.accounting != plan::Accounting::Remapped ? double(cost.parameters) : stays ? 2 * double(cost.parameters) : double(cost.bytes);
                break;
            case plan::BudgetUnit::Bytes: sum += double(cost.bytes); break;
            case plan::BudgetUnit::Macs: sum += double(cost.macs); break;
            case plan::BudgetUnit::Latency: sum += stays ? time.dense : time.ms[std::size_t(chosen->second)]; break;
            }
        }
        return sum;
    }

private slots:
    void initTestCase()
    {
        m_inputs = test::vit20Inputs();
        m_inputs.samples = std::make_shared<test::SampleList>(test::noise(2, 64, 5));
        m_inputs.matrices = kMatrices;
        std::vector<std::string> warnings;
        m_targets = lowrank::targets(m_inputs, warnings);
        QCOMPARE(m_targets.size(), kMatrices.size());
        m_measurement.samples = 2;
        m_measurement.keeps = {0.4, 0.6, 0.8};
        m_measurement.ceilings = kCeilings;
        m_measurement.latencyTokens = 257;
        m_measurement.cache = &m_cache;
    }
    void budgetsAreMet_data()
    {
        QTest::addColumn<int>("allocation");
        for (const auto allocation : plan::allAllocations())
            QTest::addRow("%s", plan::allocationName(allocation).data()) << int(allocation);
    }
    void budgetsAreMet()
    {
        QFETCH(int, allocation);
        using plan::Accounting;
        using plan::BudgetUnit;
        for (const auto& [unit, accounting] : {std::pair(BudgetUnit::Parameters, Accounting::Factors), {BudgetUnit::Bytes, Accounting::BlockIdentity},
                                               {BudgetUnit::Macs, Accounting::Factors}, {BudgetUnit::Latency, Accounting::BlockIdentity}}) {
            plan::BudgetRequest budget{0.55, plan::Allocation(allocation), accounting, 4, {}, unit};
            std::vector<std::string> warnings;
            const auto chosen = ranks(m_inputs, budget, warnings);
            QVERIFY(!chosen.empty());
            for (const auto& [name, rank] : chosen)
                QVERIFY(rank > 0 && rank % 4 == 0);
            const double share = costOf(chosen, budget, false) / costOf(chosen, budget, true);
            QVERIFY2(share <= 0.55 * (1 + 1e-6), qPrintable(QString("%1 of the %2").arg(share).arg(plan::unitName(unit).data()))); // latency: whole nanoseconds
            QVERIFY2(share > 0.3, qPrintable(QString("%1 of the %2").arg(share).arg(plan::unitName(unit).data())));
            for (const auto& warning : warnings)
                QVERIFY2(warning.find("cannot be met") == std::string::npos, warning.c_str());
        }
    }
    void uniformNeedsNoSpectrum()
    {
        std::vector<std::string> warnings;
        const auto chosen = ranks(m_inputs, {0.5, plan::Allocation::Uniform, plan::Accounting::Factors, 1, {}}, warnings);
        for (const auto* matrix : m_targets)
            QCOMPARE(chosen.at(matrix->name), plan::rankForKeep(plan::Accounting::Factors, matrix->rows, matrix->cols, 0.5));
        QVERIFY(ranks(m_inputs, {1.0, plan::Allocation::Uniform, plan::Accounting::Factors, 1, {}}, warnings).empty());
        QVERIFY(warnings.empty());
        plan::BudgetRequest locked{0.5, plan::Allocation::Uniform, plan::Accounting::Factors, 1, {}};
        locked.overrides["blocks.0.attn.qkv"].rank = 11;
        QCOMPARE(ranks(m_inputs, locked, warnings).at("blocks.0.attn.qkv"), std::int64_t(11));
    }
    void whatCannotBeMetIsSaid()
    {
        for (const auto allocation : {plan::Allocation::Uniform, plan::Allocation::Greedy, plan::Allocation::LossAware}) {
            std::vector<std::string> warnings;
            const auto chosen = ranks(m_inputs, {0.05, allocation, plan::Accounting::Factors, 32, {}}, warnings);
            for (const auto& [name, rank] : chosen)
                QCOMPARE(rank, std::int64_t(32));
            QVERIFY(std::ranges::any_of(warnings, [](const auto& w) { return w.find("a keep of 5 % cannot be met") != std::string::npos && w.find("the least that is possible") != std::string::npos; }));
        }
    }
    void withoutSamplesThereIsOneSentence()
    {
        auto inputs = m_inputs;
        inputs.samples = nullptr;
        plan::BudgetRequest influence{0.5, plan::Allocation::EffectiveRank, plan::Accounting::Factors, 1, {}};
        influence.settings.importance = plan::Importance::BlockInfluence;
        for (const auto& budget : {plan::BudgetRequest{0.5, plan::Allocation::Sensitivity, plan::Accounting::Factors, 1, {}},
                                   plan::BudgetRequest{0.5, plan::Allocation::LossAware, plan::Accounting::Factors, 1, {}}, influence}) {
            std::vector<std::string> warnings;
            const auto refusal = test::refusal([&] { ranks(inputs, budget, warnings); });
            QCOMPARE(refusal, QString("invalid parameter: allocation: %1 is measured by running the model on samples, and there are none: give samples, or choose an "
                                      "allocation that needs the spectra alone").arg(plan::allocationName(budget.allocation).data()));
        }
        std::vector<std::string> warnings;
        QVERIFY(!ranks(inputs, {0.5, plan::Allocation::DepthWeighted, plan::Accounting::Factors, 1, {}}, warnings).empty());
    }
    // The evidence is what the parts measure on their own.
    void evidence()
    {
        const auto* method = spectrum::findMethod("spectrum.whitened");
        const auto spectra = method->run({m_inputs.checkpoint, m_inputs.calibration, m_inputs.matrices}, method->declaration.schema.defaults(), {});
        std::vector<std::string> warnings;
        plan::BudgetRequest budget{0.5, plan::Allocation::LossAware, plan::Accounting::Factors, 1, {}};
        const auto aware = lowrank::measureEvidence(m_inputs, m_targets, budget, spectra, m_measurement, warnings, {});
        const auto gradients = lowrank::weightGradients(*m_inputs.checkpoint, *m_inputs.samples, m_targets, {2, false});
        QVERIFY(aware.sensitivity.empty() && aware.importance.empty() && aware.latency.empty());
        for (const auto* matrix : m_targets) {
            const auto factors = method->factors({m_inputs.checkpoint, m_inputs.calibration, {matrix->name}}, matrix->name, 32, method->declaration.schema.defaults(), {});
            const auto w = m_inputs.checkpoint->readMatrixDouble(*matrix);
            double expected = 0;
            for (std::int64_t i = 0; i < w.rows(); ++i)
                for (std::int64_t j = 0; j < w.cols(); ++j) {
                    double truncated = 0;
                    for (std::int64_t k = 0; k < 32; ++k)
                        truncated += factors.b(i, k) * factors.a(k, j);
                    expected += gradients.matrices.at(matrix->name)(i, j) * (truncated - w(i, j));
                }
            const auto& changes = aware.lossChange.at(matrix->name);
            const double scale = std::ranges::max(changes, {}, [](double x) { return std::abs(x); });
            QVERIFY(std::abs(changes[32] - expected) < 1e-9 * (std::abs(scale) + 1)); // a sum over 1e5 products
        }
        budget.allocation = plan::Allocation::EffectiveRank;
        budget.settings.importance = plan::Importance::BlockInfluence;
        const auto influence = lowrank::measureEvidence(m_inputs, m_targets, budget, spectra, m_measurement, warnings, {});
        const auto blocks = lowrank::blockInfluence(*m_inputs.model, *m_inputs.samples, 2);
        for (const auto* matrix : m_targets)
            QCOMPARE(influence.importance.at(matrix->name), blocks[std::size_t(matrix->layer)].influence);
        budget = {0.3, plan::Allocation::Sensitivity, plan::Accounting::Factors, 1, {}};
        const auto measured = lowrank::measureEvidence(m_inputs, m_targets, budget, spectra, m_measurement, warnings, {});
        for (const auto* matrix : m_targets) // 0.4, 0.6, 0.8, and down to 0.2 below the budget's 0.3
            QCOMPARE(measured.sensitivity.at(matrix->name).size(), std::size_t(6));
        budget.settings.harm = plan::HarmMeasure::Likelihood; // the samples have no labels
        QVERIFY(test::refusal([&] { lowrank::measureEvidence(m_inputs, m_targets, budget, spectra, m_measurement, warnings, {}); }).contains("no labels"));
    }
    // Each weight's model evaluated anew, and the entry takes the best.
    void theImportanceWeightIsSearched()
    {
        const auto* method = spectrum::findMethod("spectrum.whitened");
        const auto spectra = method->run({m_inputs.checkpoint, m_inputs.calibration, m_inputs.matrices}, method->declaration.schema.defaults(), {});
        plan::BudgetRequest budget{0.3, plan::Allocation::EffectiveRank, plan::Accounting::Factors, 1, {}};
        budget.settings.floor = 0.2;
        const auto tried = lowrank::tryImportanceWeights(m_inputs, m_targets, budget, spectra, {}, 2, {});
        QCOMPARE(tried.size(), std::size_t(11));
        std::vector<std::string> warnings;
        for (const std::size_t i : {std::size_t(0), std::size_t(7)}) {
            budget.settings.importanceWeight = tried[i].weight;
            std::vector<nn::Model::Replacement> replacements;
            for (const auto& [name, rank] : ranks(m_inputs, budget, warnings)) {
                const auto factors = method->factors({m_inputs.checkpoint, m_inputs.calibration, {name}}, name, rank, method->declaration.schema.defaults(), {});
                replacements.push_back({name, nn::factorsOp(lowrank::rounded(factors.b).view(), lowrank::rounded(factors.a).view(), m_inputs.model->find(name)->op->bias())});
            }
            const auto model = m_inputs.model->replaced(replacements);
            const auto direct = measure::evaluate(*m_inputs.model, model.get(), *m_inputs.samples, {.mapSamples = 0, .predictions = 0, .ownErrors = false, .latencyRuns = 0}, {});
            // floats that may differ in the last bit: see tst_sensitivity
            QVERIFY2(std::abs(tried[i].harm - direct.fidelity.kl.mean) <= 1e-5 * direct.fidelity.kl.mean + 1e-9, qPrintable(QString("%1 against %2").arg(tried[i].harm).arg(direct.fidelity.kl.mean)));
        }
        const auto best = std::ranges::min_element(tried, {}, &lowrank::TriedWeight::harm);
        QVERIFY(best->harm < std::ranges::max_element(tried, {}, &lowrank::TriedWeight::harm)->harm);
        budget.settings.importanceWeight = best->weight;
        const auto expected = ranks(m_inputs, budget, warnings);
        budget.settings.importanceWeight = 0.5;
        budget.settings.searchImportanceWeight = true;
        QVERIFY(ranks(m_inputs, budget, warnings) == expected);
        QVERIFY(warnings.back().find("importance weights 0 to 1") != std::string::npos);
        auto without = m_inputs;
        without.samples = nullptr;
        QVERIFY(test::refusal([&] { ranks(without, budget, warnings); }).contains("searching the importance weight runs the model on samples"));
    }
    void partialSensitivitiesAreTold()
    {
        std::vector<std::size_t> finished;
        lowrank::AllocationMeasurement measurement = m_measurement;
        lowrank::SensitivityCache cache;
        measurement.cache = &cache;
        measurement.measured = [&](const report::SensitivityReport& soFar) { finished.push_back(soFar.matrices.size()); };
        std::vector<std::string> warnings;
        lowrank::chooseRanks(m_inputs, m_targets, {0.7, plan::Allocation::Sensitivity, plan::Accounting::Factors, 1, {}}, warnings, {}, measurement);
        QVERIFY((finished == std::vector<std::size_t>{1, 2, 3, 4}));
    }
};
} // namespace

TAMIS_BLAS_TEST_MAIN(TestChooseRanks)
#include "tst_choose_ranks.moc"
