// SPDX-License-Identifier: GPL-3.0-or-later
// Allocations by score and by measured evidence, and budgets in every unit: costs recomputed from the formulas, published
// shares by hand, searches against brute force.
#include "core/base/error.h"
#include "core/plan/allocation_problem.h"
#include "core/plan/allocation_settings.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

using namespace tamis;
using namespace tamis::plan;
using report::MatrixSpectrum;
using report::SpectrumReport;

namespace {
constexpr Accounting kAccountings[] = {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped};
constexpr BudgetUnit kUnits[] = {BudgetUnit::Parameters, BudgetUnit::Bytes, BudgetUnit::Macs, BudgetUnit::Latency};

MatrixSpectrum spectrum(const std::string& name, const std::string& role, int layer, std::int64_t m, std::int64_t n, std::vector<double> loss)
{
    MatrixSpectrum s;
    s.name = name;
    s.role = role;
    s.layer = layer;
    s.dtype = "F32";
    s.rows = m;
    s.cols = n;
    s.compressible = true;
    s.loss = std::move(loss);
    s.effectiveRank = double(std::min(m, n)) / 2;
    return s;
}
std::vector<double> randomLoss(std::mt19937_64& random, std::int64_t p)
{
    std::vector<double> loss(std::size_t(p + 1), 0.0);
    const double scale = std::exp2(std::uniform_real_distribution<>(-6, 12)(random));
    for (std::size_t r = loss.size() - 1; r-- > 0;)
        loss[r] = loss[r + 1] + scale * std::exp2(std::uniform_real_distribution<>(-6, 0)(random));
    return loss;
}
SpectrumReport randomModel(std::mt19937_64& random, std::size_t count)
{
    std::uniform_int_distribution<std::int64_t> side(9, 60);
    SpectrumReport all;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t m = side(random), n = side(random), p = std::min(m, n);
        all.matrices.push_back(spectrum("m" + std::to_string(i), i % 3 == 0 ? "up" : "q", int(i / 2), m, n, randomLoss(random, p)));
        all.matrices.back().effectiveRank = std::uniform_real_distribution<>(1, double(p))(random);
        all.matrices.back().dtype = i % 2 ? "F16" : "F32";
    }
    return all;
}
report::Cost totalOf(const SpectrumReport& all)
{
    report::Cost total;
    for (const auto& s : all.matrices) {
        const auto cost = costDense(s.rows, s.cols, s.dtype == "F16" ? 2 : 4);
        total.parameters += cost.parameters;
        total.bytes += cost.bytes;
        total.macs += cost.macs;
    }
    return total;
}
/// Harm that falls with the rank, but not always; changes of both signs; times that grow.
AllocationEvidence randomEvidence(std::mt19937_64& random, const SpectrumReport& all, Accounting accounting)
{
    AllocationEvidence evidence;
    std::normal_distribution<> normal;
    for (const auto& s : all.matrices) {
        const std::int64_t p = std::min(s.rows, s.cols);
        for (int k = 4; k <= 9; ++k)
            evidence.sensitivity[s.name].push_back({std::max<std::int64_t>(rankForKeep(accounting, s.rows, s.cols, k / 10.0), 1),
                                                    std::exp2(-k + normal(random)) - 0.01});
        auto& change = evidence.lossChange[s.name];
        change.assign(std::size_t(p + 1), 0.0);
        for (std::size_t r = std::size_t(p); r-- > 0;)
            change[r] = change[r + 1] + normal(random) * std::exp2(-double(r) / 8);
        evidence.importance[s.name] = std::abs(normal(random));
        evidence.latency[s.name] = rooflineLatency({"test", 1, 1, false, ""}, accounting, s.rows, s.cols, 16);
    }
    return evidence;
}
/// From the formulas of docs/methods/rank-accounting.md, not by Price.
double unitsOf(const MatrixSpectrum& s, std::int64_t rank, bool dense, Accounting accounting, BudgetUnit unit, const AllocationEvidence& evidence)
{
    const double m = double(s.rows), n = double(s.cols), r = double(rank), e = s.dtype == "F16" ? 2 : 4;
    const double numbers = dense ? m * n : accounting == Accounting::BlockIdentity ? r * (m + n - r) : r * (m + n);
    switch (unit) {
    case BudgetUnit::Parameters: return accounting == Accounting::Remapped ? 2 * (dense ? m * n : r * std::max(m, n)) : numbers;
    case BudgetUnit::Bytes: return dense ? m * n * e : accounting == Accounting::Remapped ? 2 * r * std::max(m, n) : numbers * e + (accounting == Accounting::BlockIdentity ? 8 * n : 0);
    case BudgetUnit::Macs: return numbers;
    case BudgetUnit::Latency: return std::round(1e6 * (dense ? evidence.latency.at(s.name).dense : evidence.latency.at(s.name).ms[std::size_t(rank)]));
    }
    return 0;
}
bool says(const report::BudgetReport& report, const std::string& text)
{
    return std::ranges::any_of(report.warnings, [&](const auto& w) { return w.find(text) != std::string::npos; });
}
/// 64 x 64 in factors: a keep of 0.5 is rank 16, a keep of k rank 32 k. loss[16] = norm^2, falling evenly on both sides.
MatrixSpectrum square(const std::string& name, double norm)
{
    std::vector<double> loss(65);
    for (std::size_t r = 0; r < loss.size(); ++r)
        loss[r] = norm * norm * (r <= 16 ? 1 + double(16 - r) / 16 : double(64 - r) / 48);
    return spectrum(name, "q", 0, 64, 64, loss);
}
std::vector<std::int64_t> ranks(const report::BudgetReport& report)
{
    std::vector<std::int64_t> all;
    for (const auto& b : report.matrices)
        all.push_back(b.rank);
    return all;
}
} // namespace

class TstAllocations : public QObject
{
    Q_OBJECT
private slots:
    void everyBudgetIsMet_data()
    {
        QTest::addColumn<int>("allocation");
        for (const auto allocation : allAllocations())
            QTest::addRow("%s", allocationName(allocation).data()) << int(allocation);
    }
    // Costs from the formulas; where the budget cannot be met, everything is at its least, and the sentence says so.
    void everyBudgetIsMet()
    {
        QFETCH(int, allocation);
        std::mt19937_64 random(17);
        int met = 0, unmet = 0;
        for (int trial = 0; trial < 12; ++trial)
            for (const auto accounting : kAccountings)
                for (const auto unit : kUnits)
                    for (const std::int64_t alignment : {1, 8}) {
                        const auto spectra = randomModel(random, 9);
                        const auto evidence = randomEvidence(random, spectra, accounting);
                        BudgetRequest request{std::uniform_real_distribution<>(0.02, 0.98)(random), Allocation(allocation), accounting, alignment, {}, unit};
                        request.settings.importance = trial % 2 ? Importance::BlockInfluence : Importance::EffectiveRank;
                        const auto report = allocate(spectra, totalOf(spectra), request, evidence);
                        double spent = 0, all = 0, least = 0;
                        for (std::size_t i = 0; i < spectra.matrices.size(); ++i) {
                            const auto& s = spectra.matrices[i];
                            const auto& b = report.matrices[i];
                            QVERIFY(b.dense || (b.rank % alignment == 0 && b.rank > 0));
                            const double here = unitsOf(s, b.rank, b.dense, accounting, unit, evidence), dense = unitsOf(s, 0, true, accounting, unit, evidence);
                            QVERIFY2(b.dense || here < dense, "a form that is no cheaper than dense");
                            spent += here;
                            all += dense;
                            const bool possible = alignment <= largestUsefulRank(accounting, s.rows, s.cols) && unitsOf(s, alignment, false, accounting, unit, evidence) < dense;
                            least += possible ? unitsOf(s, alignment, false, accounting, unit, evidence) : dense;
                        }
                        QCOMPARE(report.achievedKeep, spent / all);
                        QCOMPARE(report.unit, std::string(unitName(unit)));
                        if (least > request.keep * all) {
                            QVERIFY(says(report, "cannot be met") && says(report, "the least that is possible"));
                            QCOMPARE(spent, least);
                            ++unmet;
                        } else {
                            QVERIFY2(spent <= request.keep * all * (1 + 1e-15), "the budget was exceeded");
                            QVERIFY(!says(report, "cannot be met"));
                            ++met;
                        }
                    }
        QVERIFY(met > 100 && unmet > 20);
    }
    void uniformTreatsEqualShapesAlike()
    {
        std::mt19937_64 random(3);
        SpectrumReport spectra;
        for (int i = 0; i < 6; ++i)
            spectra.matrices.push_back(spectrum("m" + std::to_string(i), i % 2 ? "q" : "up", i, 40, 28, randomLoss(random, 28)));
        for (const auto accounting : kAccountings)
            for (const auto unit : kUnits)
                for (const double keep : {0.3, 0.55, 0.8}) {
                    const auto evidence = randomEvidence(random, spectra, accounting);
                    const auto report = allocate(spectra, totalOf(spectra), {keep, Allocation::Uniform, accounting, 1, {}, unit}, evidence);
                    for (const auto& b : report.matrices)
                        QCOMPARE(b.rank, report.matrices[0].rank);
                }
    }

    // R_i = N R (1 / ln L_i) / sum(1 / ln L): by hand for norms e^2, e^4, e^4 at R = 0.5: scores 0.5, 0.25, 0.25, so 0.75, 0.375, 0.375.
    void logLossIsThePublishedShare()
    {
        using std::exp;
        SpectrumReport spectra;
        spectra.matrices = {square("a", exp(2.0)), square("b", exp(4.0)), square("c", exp(4.0))};
        const auto report = allocate(spectra, totalOf(spectra), {0.5, Allocation::LogLoss, Accounting::Factors, 1, {}});
        QVERIFY((ranks(report) == std::vector<std::int64_t>{8, 20, 20})); // 32 keep
        QVERIFY(report.warnings.empty());
    }
    void logLossSharesWithinARole()
    {
        SpectrumReport spectra;
        spectra.matrices = {square("a", std::exp(2.0)), square("b", std::exp(4.0)), square("c", std::exp(4.0))};
        spectra.matrices[0].role = "up"; // alone: its share is its role's
        const auto report = allocate(spectra, totalOf(spectra), {0.5, Allocation::LogLoss, Accounting::Factors, 1, {}});
        QVERIFY((ranks(report) == std::vector<std::int64_t>{16, 16, 16}));
    }
    // Norms at, below and just above 1: 1 / ln L is negative, infinite or huge; clamped to 1 / leastLog, the rest renormalised.
    void logLossIsClamped()
    {
        for (const double norm : {0.0, 0.3, 1.0, 1.0001, 2.7}) {
            SpectrumReport spectra;
            spectra.matrices = {square("small", 1), square("b", std::exp(4.0)), square("c", std::exp(4.0))};
            auto& loss = spectra.matrices[0].loss;
            for (auto& x : loss)
                x *= norm * norm;
            if (norm == 0) // nothing to lose from rank 16 on
                for (std::size_t r = 0; r < loss.size(); ++r)
                    loss[r] = r < 16 ? double(16 - r) : 0;
            BudgetRequest request{0.5, Allocation::LogLoss, Accounting::Factors, 1, {}};
            const auto report = allocate(spectra, totalOf(spectra), request);
            // scores 1, 0.25, 0.25: removed 1 -> clamped to 0.9, then (1.5 - 0.9) / 2 = 0.3 each: keeps 0.1, 0.7, 0.7
            QVERIFY((ranks(report) == std::vector<std::int64_t>{3, 22, 22}));
            QVERIFY(says(report, "1 / log(loss) was clamped for 1 matrix (small)"));
            QVERIFY(says(report, "the share removed was clamped for 1 matrix (small)"));
            request.settings.leastLog = 2; // scores 0.5, 0.25, 0.25
            QVERIFY((ranks(allocate(spectra, totalOf(spectra), request)) == std::vector<std::int64_t>{8, 20, 20}));
        }
        SpectrumReport spectra;
        spectra.matrices = {square("a", 0.1), square("b", 0.5), square("c", 0.9)};
        const auto report = allocate(spectra, totalOf(spectra), {0.5, Allocation::LogLoss, Accounting::Factors, 1, {}});
        QVERIFY((ranks(report) == std::vector<std::int64_t>{16, 16, 16}));
        QVERIFY(says(report, "every matrix's loss"));
    }

    // k_i = kbar delta + budget s_i / sum s, kbar = 16, two matrices of 64 x 64.
    void effectiveRankIsThePublishedShare()
    {
        const double e = std::numbers::e;
        SpectrumReport spectra;
        spectra.matrices = {square("a", e * e * e - e), square("b", e * e - e)}; // log(e + L) = 3 and 2
        spectra.matrices[0].effectiveRank = 10;
        spectra.matrices[1].effectiveRank = 20; // beta 1 and 2
        BudgetRequest request{0.5, Allocation::EffectiveRank, Accounting::Factors, 1, {}};
        const auto chosen = [&](double floor, double weight) {
            request.settings.floor = floor;
            request.settings.importanceWeight = weight;
            return ranks(allocate(spectra, totalOf(spectra), request));
        };
        QVERIFY((chosen(0.5, 0) == std::vector<std::int64_t>{8 + 9, 8 + 6})); // 16 x 3/5 = 9.6, 16 x 2/5 = 6.4
        QVERIFY((chosen(0.5, 1) == std::vector<std::int64_t>{8 + 5, 8 + 10})); // 16 x 1/3, 16 x 2/3
        QVERIFY((chosen(0, 0) == std::vector<std::int64_t>{19, 12}));          // 32 x 3/5, 32 x 2/5
        const double root = std::sqrt(3.0) / (std::sqrt(3.0) + std::sqrt(4.0)); // beta^0.5 (log)^0.5
        const auto first = std::int64_t(8 + 16 * root), second = std::int64_t(8 + 16 * (1 - root));
        QVERIFY((chosen(0.5, 0.5) == std::vector<std::int64_t>{first, second}));
        AllocationEvidence evidence;
        evidence.importance = {{"a", 0.9}, {"b", 0.1}}; // beta 2 and 1: the other way round
        request.settings = {.importanceWeight = 1, .importance = Importance::BlockInfluence};
        QVERIFY((ranks(allocate(spectra, totalOf(spectra), request, evidence)) == std::vector<std::int64_t>{18, 13}));
    }
    void effectiveRankWithAFullFloorIsUniform()
    {
        std::mt19937_64 random(8);
        for (int trial = 0; trial < 30; ++trial)
            for (const auto accounting : kAccountings) {
                const auto spectra = randomModel(random, 7);
                BudgetRequest request{std::uniform_real_distribution<>(0.1, 1)(random), Allocation::EffectiveRank, accounting, 1 + trial % 4, {}, kUnits[trial % 3]};
                request.settings.floor = 1;
                const auto swift = ranks(allocate(spectra, totalOf(spectra), request));
                request.allocation = Allocation::Uniform;
                QVERIFY(swift == ranks(allocate(spectra, totalOf(spectra), request)));
            }
    }
    void effectiveRankGivesMoreWhereMoreIsLost()
    {
        SpectrumReport spectra;
        for (int i = 0; i < 5; ++i)
            spectra.matrices.push_back(square(std::string(1, char('a' + i)), std::pow(10.0, i)));
        BudgetRequest request{0.6, Allocation::EffectiveRank, Accounting::Factors, 1, {}};
        request.settings.importanceWeight = 0;
        const auto chosen = ranks(allocate(spectra, totalOf(spectra), request));
        QVERIFY(std::ranges::is_sorted(chosen) && chosen.front() < chosen.back());
    }

    void depthWeightsByHand()
    {
        const auto weights = depthWeights(3, 1, 2); // reaches 11/6, 3/2, 1 scaled to 1, 0.6, 0
        QCOMPARE(weights.size(), std::size_t(3));
        QCOMPARE(weights[0], 3.0);
        QVERIFY(std::abs(weights[1] - 2.2) < 1e-14); // a few roundings of numbers near 2
        QCOMPARE(weights[2], 1.0);
        QVERIFY((depthWeights(1, 1, 5) == std::vector<double>{1.0}));
        QVERIFY(depthWeights(0, 1, 5).empty());
        QVERIFY((depthWeights(4, 0, 3) == std::vector<double>{4, 3, 2, 1})); // reaches 4, 3, 2, 1
    }
    void depthWithoutGammaIsGreedy()
    {
        std::mt19937_64 random(21);
        for (int trial = 0; trial < 40; ++trial) {
            const auto spectra = randomModel(random, 8);
            BudgetRequest request{std::uniform_real_distribution<>(0.1, 1)(random), Allocation::DepthWeighted, kAccountings[trial % 3], 1, {}};
            request.settings.depthGamma = 0;
            const auto depth = ranks(allocate(spectra, totalOf(spectra), request));
            request.allocation = Allocation::Greedy;
            QVERIFY(depth == ranks(allocate(spectra, totalOf(spectra), request)));
        }
    }
    // Copies of one matrix in every block: greedy treats them alike, weights give the early ones more.
    void depthFavoursEarlyBlocks()
    {
        SpectrumReport spectra;
        std::vector<double> loss(65, 0.0);
        for (std::size_t r = 64; r-- > 0;)
            loss[r] = loss[r + 1] + std::pow(0.9, double(r));
        for (int layer = 0; layer < 6; ++layer)
            spectra.matrices.push_back(spectrum("m" + std::to_string(layer), "q", layer, 64, 64, loss));
        BudgetRequest request{0.5, Allocation::DepthWeighted, Accounting::BlockIdentity, 1, {}};
        request.settings.depthGamma = 7;
        const auto chosen = ranks(allocate(spectra, totalOf(spectra), request));
        QVERIFY(std::ranges::is_sorted(chosen, std::greater()) && chosen.front() > chosen.back() + 5);
    }

    // Every threshold tried: the smallest that fits, then those that meet the next smaller one raised in order while they fit.
    void sensitivityAgainstEveryThreshold()
    {
        std::mt19937_64 random(31);
        int searched = 0;
        for (int trial = 0; trial < 120; ++trial) {
            const auto accounting = kAccountings[trial % 3];
            const auto spectra = randomModel(random, 6);
            const auto evidence = randomEvidence(random, spectra, accounting);
            const double keep = std::uniform_real_distribution<>(0.42, 0.98)(random);
            const auto found = ranks(allocate(spectra, totalOf(spectra), {keep, Allocation::Sensitivity, accounting, 1, {}}, evidence));
            double all = 0;
            std::vector<double> thresholds{0};
            for (const auto& s : spectra.matrices) {
                all += unitsOf(s, 0, true, accounting, BudgetUnit::Parameters, evidence);
                for (const auto& point : evidence.sensitivity.at(s.name))
                    thresholds.push_back(std::max(point.loss, 1e-300));
            }
            std::ranges::sort(thresholds);
            const auto rankAt = [&](const MatrixSpectrum& s, double threshold) {
                std::int64_t rank = std::min(s.rows, s.cols);
                for (const auto& point : evidence.sensitivity.at(s.name)) {
                    double harm = 1e-300; // small matrices: one rank was measured more than once, the worst counts
                    for (const auto& other : evidence.sensitivity.at(s.name))
                        if (other.rank == point.rank)
                            harm = std::max(harm, other.loss);
                    if (harm <= threshold && point.rank <= largestUsefulRank(accounting, s.rows, s.cols))
                        rank = std::min(rank, point.rank);
                }
                return rank;
            };
            const auto units = [&](const MatrixSpectrum& s, std::int64_t rank) {
                return unitsOf(s, rank, rank == std::min(s.rows, s.cols), accounting, BudgetUnit::Parameters, evidence);
            };
            std::size_t at = 0;
            const auto spentAt = [&](std::size_t k) {
                double spent = 0;
                for (const auto& s : spectra.matrices)
                    spent += units(s, rankAt(s, thresholds[k]));
                return spent;
            };
            while (at < thresholds.size() && spentAt(at) > keep * all)
                ++at;
            if (at == thresholds.size())
                continue; // below what was measured
            double left = keep * all - spentAt(at);
            bool raising = at > 0;
            for (std::size_t i = 0; i < spectra.matrices.size(); ++i) {
                const auto& s = spectra.matrices[i];
                std::int64_t rank = rankAt(s, thresholds[at]);
                const std::int64_t next = at > 0 ? rankAt(s, thresholds[at - 1]) : rank;
                const double more = units(s, next) - units(s, rank);
                raising = raising && more <= left;
                if (raising) {
                    rank = next;
                    left -= more;
                }
                QCOMPARE(found[i], rank);
            }
            ++searched;
        }
        QVERIFY(searched > 60);
    }
    // Measured harms that are one multiple of the losses leave greedy as it is; other multiples are greedy on those curves.
    void measuredGreedIsGreedyOnScaledCurves()
    {
        std::mt19937_64 random(35);
        for (int trial = 0; trial < 40; ++trial) {
            const auto accounting = kAccountings[trial % 3];
            const auto spectra = randomModel(random, 6);
            auto scaled = spectra;
            AllocationEvidence evidence;
            for (auto& s : scaled.matrices) {
                const double factor = trial % 2 ? std::exp2(std::normal_distribution<>(0, 1)(random)) : 0.125;
                for (auto& x : s.loss)
                    x *= factor;
                for (int k = 4; k <= 9; ++k) {
                    const std::int64_t rank = std::max<std::int64_t>(rankForKeep(accounting, s.rows, s.cols, k / 10.0), 1);
                    evidence.sensitivity[s.name].push_back({rank, s.loss[std::size_t(rank)]});
                }
            }
            const double keep = std::uniform_real_distribution<>(0.2, 0.95)(random);
            const auto measured = ranks(allocate(spectra, totalOf(spectra), {keep, Allocation::MeasuredGreedy, accounting, 1, {}}, evidence));
            QVERIFY(measured == ranks(allocate(scaled, totalOf(scaled), {keep, Allocation::Greedy, accounting, 1, {}})));
        }
    }
    // One matrix between two measured ranks, by hand: ln c runs from ln 1 at rank 8 to ln 16 at rank 24, so c(16) = 4.
    void harmIsInterpolatedBetweenMeasuredRanks()
    {
        SpectrumReport spectra;
        std::vector<double> loss(65);
        for (std::size_t r = 0; r < loss.size(); ++r)
            loss[r] = std::exp2(-double(r) / 2);
        spectra.matrices = {spectrum("a", "q", 0, 64, 64, loss), spectrum("b", "q", 1, 64, 64, loss)};
        spectra.matrices[1].loss = loss;
        for (std::size_t r = 0; r < loss.size(); ++r)
            spectra.matrices[1].loss[r] *= r <= 8 ? 1 : r >= 24 ? 16 : std::exp2(double(r - 8) / 4);
        AllocationEvidence evidence; // a's harm is b's curve, known at two ranks only; b's is its own
        evidence.sensitivity = {{"a", {{24, 16 * loss[24]}, {8, loss[8]}}}, {"b", {{8, spectra.matrices[1].loss[8]}, {24, spectra.matrices[1].loss[24]}}}};
        for (const double keep : {0.3, 0.5, 0.6, 0.7}) {
            const auto measured = ranks(allocate(spectra, totalOf(spectra), {keep, Allocation::MeasuredGreedy, Accounting::Factors, 1, {}}, evidence));
            QVERIFY2(std::abs(measured[0] - measured[1]) <= 1, "two matrices of the same harm"); // the budget may end between them
        }
    }
    void sensitivityGoesOnEvenlyBelowWhatWasMeasured()
    {
        SpectrumReport spectra;
        spectra.matrices = {square("a", 5), square("b", 9)};
        AllocationEvidence evidence;
        evidence.sensitivity = {{"a", {{13, 0.5}, {16, 0.1}}}, {"b", {{13, 0.2}, {16, 0.05}}}};
        const auto report = allocate(spectra, totalOf(spectra), {0.2, Allocation::Sensitivity, Accounting::Factors, 1, {}}, evidence);
        QVERIFY((ranks(report) == std::vector<std::int64_t>{6, 6}));
        QVERIFY(says(report, "below the smallest keeps that were measured"));
    }

    // One component at a time by linear search, as the rule is written.
    void lossAwareAgainstTheRule()
    {
        std::mt19937_64 random(41);
        for (int trial = 0; trial < 60; ++trial) {
            const auto accounting = kAccountings[trial % 3];
            const std::int64_t alignment = trial % 2 ? 1 : 4;
            const auto spectra = randomModel(random, 6);
            const auto evidence = randomEvidence(random, spectra, accounting);
            const double keep = std::uniform_real_distribution<>(0.3, 0.95)(random);
            const auto report = allocate(spectra, totalOf(spectra), {keep, Allocation::LossAware, accounting, alignment, {}}, evidence);
            std::vector<std::int64_t> rank;
            double all = 0, changed = 0, largest = 0;
            for (const auto& s : spectra.matrices) {
                rank.push_back(std::min(s.rows, s.cols));
                all += unitsOf(s, 0, true, accounting, BudgetUnit::Parameters, evidence);
            }
            const auto isDense = [&](std::size_t i) { return rank[i] > largestUsefulRank(accounting, spectra.matrices[i].rows, spectra.matrices[i].cols); };
            const auto spent = [&] {
                double sum = 0;
                for (std::size_t i = 0; i < rank.size(); ++i)
                    sum += unitsOf(spectra.matrices[i], rank[i], isDense(i), accounting, BudgetUnit::Parameters, evidence);
                return sum;
            };
            const auto lower = [&](std::size_t i) { return (rank[i] + alignment - 1) / alignment * alignment - alignment; };
            bool bothSigns = true;
            while (spent() > keep * all) {
                std::size_t best[2] = {rank.size(), rank.size()}; // rising, falling
                double change[2] = {0, 0};
                for (std::size_t i = 0; i < rank.size(); ++i) {
                    if (lower(i) < alignment)
                        continue;
                    const auto& curve = evidence.lossChange.at(spectra.matrices[i].name);
                    const double step = curve[std::size_t(lower(i))] - curve[std::size_t(rank[i])];
                    const int sign = step < 0 ? 1 : 0;
                    if (best[sign] == rank.size() || std::abs(step) < std::abs(change[sign])) {
                        best[sign] = i;
                        change[sign] = step;
                    }
                }
                bothSigns = bothSigns && best[0] < rank.size() && best[1] < rank.size();
                const int sign = changed < 0 ? (best[0] < rank.size() ? 0 : 1) : (best[1] < rank.size() ? 1 : 0);
                QVERIFY(best[sign] < rank.size());
                rank[best[sign]] = lower(best[sign]);
                changed += change[sign];
                largest = std::max(largest, std::abs(change[sign]));
                if (bothSigns) // each step goes against the sum, so that it never leaves one step's width around 0
                    QVERIFY(std::abs(changed) <= largest * (1 + 1e-12));
            }
            for (std::size_t i = 0; i < rank.size(); ++i)
                QCOMPARE(report.matrices[i].rank, isDense(i) ? std::min(spectra.matrices[i].rows, spectra.matrices[i].cols) : rank[i]);
        }
    }

    void sharesAddUp()
    {
        std::mt19937_64 random(51);
        std::uniform_real_distribution<> uniform(0.01, 1);
        for (int trial = 0; trial < 300; ++trial) {
            std::vector<double> weights, units;
            double all = 0;
            for (int i = 0; i < 9; ++i) {
                weights.push_back(std::pow(uniform(random), 3));
                units.push_back(100 * uniform(random));
                all += units.back();
            }
            const double base = 0.4 * uniform(random), cap = base + 0.5 * uniform(random), share = all * (cap - base) * uniform(random);
            std::vector<std::size_t> capped;
            const auto shares = shareOut(weights, units, base, cap, share, capped);
            double sum = 0, lambda = -1;
            for (std::size_t i = 0; i < shares.size(); ++i) {
                QVERIFY(shares[i] >= base && shares[i] <= cap);
                sum += units[i] * (shares[i] - base);
                if (std::ranges::find(capped, i) != capped.end()) {
                    QCOMPARE(shares[i], cap);
                    continue;
                }
                const double here = (shares[i] - base) / weights[i];
                QVERIFY(lambda < 0 || std::abs(here - lambda) < 1e-9 * lambda); // cancellation of base: 1e-16 / 1e-6
                lambda = here;
            }
            QVERIFY(std::abs(sum - share) <= 1e-12 * all);
            for (const std::size_t i : capped)
                QVERIFY(lambda < 0 || base + lambda * weights[i] >= cap * (1 - 1e-9));
        }
        std::vector<std::size_t> capped;
        QVERIFY((shareOut(std::vector<double>{1, 2}, std::vector<double>{5, 5}, 0, 0.5, 100, capped) == std::vector<double>{0.5, 0.5}));
        QCOMPARE(capped.size(), std::size_t(2));
    }

    void whatIsMissingIsSaid()
    {
        std::mt19937_64 random(61);
        const auto spectra = randomModel(random, 4);
        const auto total = totalOf(spectra);
        const auto full = randomEvidence(random, spectra, Accounting::Factors);
        const auto sentence = [&](const BudgetRequest& request, const AllocationEvidence& evidence) -> std::string {
            try {
                allocate(spectra, total, request, evidence);
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter ? error.message() : "another code";
            }
            return "";
        };
        const auto asks = [&](Allocation allocation, const AllocationEvidence& evidence) { return sentence({0.5, allocation, Accounting::Factors, 1, {}}, evidence); };
        QCOMPARE(asks(Allocation::Sensitivity, {}), std::string("sensitivity needs the measured harm of every matrix, which takes a model that runs and samples: none is known of m0"));
        QVERIFY(asks(Allocation::MeasuredGreedy, {}).starts_with("measured-greedy needs the measured harm of every matrix"));
        QCOMPARE(asks(Allocation::LossAware, {}), std::string("loss-aware needs the gradient of the loss of every matrix, which takes a model that runs and samples: none is known of m0"));
        QVERIFY(asks(Allocation::Sensitivity, full).empty() && asks(Allocation::LossAware, full).empty());
        for (const auto allocation : allAllocations())
            QCOMPARE(asks(allocation, {}).empty(), !needsEvidence(allocation));
        auto broken = full;
        broken.lossChange["m2"].pop_back();
        QVERIFY(asks(Allocation::LossAware, broken).find("expected finite ones at") != std::string::npos);
        broken = full;
        broken.sensitivity["m1"][0].loss = std::nan("");
        QVERIFY(!asks(Allocation::Sensitivity, broken).empty());
        BudgetRequest request{0.5, Allocation::EffectiveRank, Accounting::Factors, 1, {}};
        request.settings.importance = Importance::BlockInfluence;
        QVERIFY(sentence(request, {}).find("influence of every matrix's block") != std::string::npos);
        request = {0.5, Allocation::Greedy, Accounting::Factors, 1, {}, BudgetUnit::Latency};
        QVERIFY(sentence(request, {}).find("budget of latency") != std::string::npos);
        for (double AllocationSettings::* setting : {&AllocationSettings::floor, &AllocationSettings::importanceWeight, &AllocationSettings::leastLog,
                                                     &AllocationSettings::mostRemoved, &AllocationSettings::depthGamma, &AllocationSettings::depthAlpha})
            for (const double value : {-0.1, 1e9, std::nan("")}) {
                BudgetRequest wrong;
                wrong.settings.*setting = value;
                QVERIFY(!sentence(wrong, {}).empty());
            }
    }
    void settingsAsParameters()
    {
        const AllocationSettings some{0.25, 0.75, Importance::BlockInfluence, 1.5, 0.8, 7, 3, HarmMeasure::Likelihood, true};
        QVERIFY(settingsFrom(parametersOf(some)) == some);
        QVERIFY(settingsFrom({}) == AllocationSettings());
        QVERIFY(parametersOf({}) == allocationSchema().defaults());
        Parameters given;
        given.set("depth-gamma", 4.0);
        AllocationSettings expected;
        expected.depthGamma = 4;
        QVERIFY(settingsFrom(given) == expected);
        given.set("depth-gamma", 101.0);
        QVERIFY_THROWS_EXCEPTION(Error, settingsFrom(given));
        Parameters unknown;
        unknown.set("depth", 1.0);
        QVERIFY_THROWS_EXCEPTION(Error, settingsFrom(unknown));
    }
    void names()
    {
        for (const auto allocation : allAllocations())
            QVERIFY(parseAllocation(allocationName(allocation)) == allocation);
        for (const auto unit : kUnits)
            QVERIFY(parseUnit(unitName(unit)) == unit);
        QVERIFY_THROWS_EXCEPTION(Error, parseAllocation("best"));
        QVERIFY_THROWS_EXCEPTION(Error, parseUnit("grams"));
        QVERIFY_THROWS_EXCEPTION(Error, parseHarm(""));
        QVERIFY_THROWS_EXCEPTION(Error, parseImportance("x"));
    }
};

QTEST_GUILESS_MAIN(TstAllocations)
#include "tst_allocations.moc"
