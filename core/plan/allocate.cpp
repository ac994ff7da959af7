// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/allocate.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/plan/allocation_problem.h"
#include "core/plan/allocation_settings.h"
#include "core/tensor/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

namespace tamis::plan {
namespace {

constexpr std::int64_t kMaximumAlignment = 4096;

enum class Standing {
    Untouched, // not compressible: outside the budget
    Fixed,     // counted in the budget, not allocated: by hand, locked, or without a usable curve
    Free
};

struct Entry {
    const report::MatrixSpectrum* spectrum = nullptr;
    std::uint64_t elementBytes = 4;
    Standing standing = Standing::Untouched;
    bool locked = false, overridden = false;
    std::int64_t p = 0;
    std::int64_t rank = 0; // p: dense
    std::optional<Price> price; // of all but the untouched
};

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}
std::string percent(double fraction) { return number(fraction * 100) + " %"; }

const char* inWords(BudgetUnit unit)
{
    switch (unit) {
    case BudgetUnit::Parameters: return "";
    case BudgetUnit::Bytes: return " of the bytes";
    case BudgetUnit::Macs: return " of the multiplications";
    case BudgetUnit::Latency: return " of the predicted time";
    }
    return "";
}

bool usableCurve(const report::MatrixSpectrum& spectrum)
{
    const auto p = static_cast<std::size_t>(std::min(spectrum.rows, spectrum.cols));
    return spectrum.loss.size() >= 2 && spectrum.loss.size() <= p + 1 &&
           std::ranges::all_of(spectrum.loss, [](double x) { return std::isfinite(x); });
}

void requireRequest(const BudgetRequest& request)
{
    if (!(request.keep > 0 && request.keep <= 1))
        throw Error(ErrorCode::InvalidParameter, "expected a keep above 0 and at most 1", "keep");
    if (request.alignment < 1 || request.alignment > kMaximumAlignment)
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(request.alignment) + ", expected 1 to " + std::to_string(kMaximumAlignment),
                    "alignment");
    requireSettings(request.settings);
    for (const auto& [name, by] : request.overrides)
        if (by.rank && *by.rank < 1)
            throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(*by.rank) + ", expected at least 1", name);
}

class Allocator {
public:
    Allocator(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request, const AllocationEvidence& evidence)
        : m_request(request), m_evidence(evidence), m_total(total)
    {
        requireRequest(request);
        m_entries.reserve(spectra.matrices.size());
        for (const auto& spectrum : spectra.matrices)
            m_entries.push_back(classified(spectrum));
        for (const auto& [name, by] : request.overrides)
            if (std::ranges::none_of(spectra.matrices, [&key = name](const auto& s) { return s.name == key; }))
                m_report.warnings.push_back(name + ": is overridden, but there is no matrix of that name");
    }

    report::BudgetReport run(const RunContext& context)
    {
        allocateFree(context);
        m_report.keep = m_request.keep;
        m_report.allocation = allocationName(m_request.allocation);
        m_report.accounting = accountingName(m_request.accounting);
        m_report.unit = unitName(m_request.unit);
        m_report.alignment = m_request.alignment;
        m_report.matrices.reserve(m_entries.size());
        for (const Entry& entry : m_entries)
            m_report.matrices.push_back(described(entry));
        sumUp();
        return std::move(m_report);
    }

private:
    Entry classified(const report::MatrixSpectrum& spectrum)
    {
        Entry entry;
        entry.spectrum = &spectrum;
        entry.p = std::min(spectrum.rows, spectrum.cols);
        entry.rank = entry.p;
        if (const auto type = tensor::parseDType(spectrum.dtype))
            entry.elementBytes = tensor::dtypeSize(*type);
        const auto found = m_request.overrides.find(spectrum.name);
        const Override by = found == m_request.overrides.end() ? Override{} : found->second;
        if (!spectrum.compressible) {
            if (by.rank || by.locked)
                m_report.warnings.push_back(spectrum.name + ": is overridden, but it is not a linear operator and stays dense");
            return entry;
        }
        entry.price = priceOf(spectrum, entry.elementBytes);
        entry.locked = by.locked;
        entry.overridden = by.rank.has_value();
        entry.standing = Standing::Fixed;
        if (!usableCurve(spectrum)) {
            m_report.warnings.push_back(spectrum.name + ": has no loss curve and stays dense");
        } else if (by.rank) {
            entry.rank = std::min(*by.rank, entry.p);
            const std::int64_t useful = largestUsefulRank(m_request.accounting, spectrum.rows, spectrum.cols);
            const auto known = static_cast<std::int64_t>(spectrum.loss.size()) - 1;
            if (entry.rank < entry.p && entry.rank > std::min(useful, known)) {
                m_report.warnings.push_back(spectrum.name + ": rank " + std::to_string(entry.rank) +
                                            (entry.rank > useful ? " is not cheaper than dense" : " is beyond the curve's end") +
                                            ", so it stays dense");
                entry.rank = entry.p;
            }
        } else if (!by.locked) {
            entry.standing = Standing::Free;
        }
        return entry;
    }

    Price priceOf(const report::MatrixSpectrum& spectrum, std::uint64_t elementBytes) const
    {
        const LatencyCurve* latency = nullptr;
        if (m_request.unit == BudgetUnit::Latency)
            if (const auto found = m_evidence.latency.find(spectrum.name); found != m_evidence.latency.end())
                latency = &found->second;
        return {m_request.accounting, m_request.unit, spectrum.rows, spectrum.cols, elementBytes, latency};
    }
    static std::int64_t units(const Entry& entry) { return entry.rank == entry.p ? entry.price->dense() : entry.price->of(entry.rank); }
    // In the accounting's own units, whatever the budget counts.
    double keepOf(const Entry& entry) const
    {
        const auto& s = *entry.spectrum;
        return static_cast<double>(budgetUnits(m_request.accounting, s.rows, s.cols, entry.rank)) /
               static_cast<double>(budgetUnitsDense(m_request.accounting, s.rows, s.cols));
    }

    void allocateFree(const RunContext& context)
    {
        std::vector<Entry*> free;
        std::int64_t all = 0, fixed = 0;
        for (Entry& entry : m_entries) {
            if (entry.standing == Standing::Untouched)
                continue;
            all += entry.price->dense();
            if (entry.standing == Standing::Free)
                free.push_back(&entry);
            else
                fixed += units(entry);
        }
        const std::int64_t budget = unitsForKeep(m_request.keep, all);
        std::vector<Ladder> ladders(free.size());
        std::vector<Price> prices;
        std::vector<const report::MatrixSpectrum*> spectra;
        for (const Entry* entry : free) {
            prices.push_back(*entry->price);
            spectra.push_back(entry->spectrum);
        }
        parallelFor(context, free.size(), [&](std::size_t i) { ladders[i] = makeLadder(prices[i], free[i]->p, m_request.alignment, spectra[i]->loss); });
        const Choice choice = choose({ladders, prices, spectra, m_request, m_evidence, budget - fixed, m_report.warnings}, context);
        std::int64_t spent = fixed;
        for (std::size_t i = 0; i < free.size(); ++i) {
            free[i]->rank = ladders[i].rungs[choice[i]].rank;
            spent += ladders[i].rungs[choice[i]].units;
            if (ladders[i].denseRung() == 0)
                m_report.warnings.push_back(free[i]->spectrum->name + ": no rank that is a multiple of " + std::to_string(m_request.alignment) +
                                            " is cheaper than dense, so it stays dense");
        }
        m_report.achievedKeep = all > 0 ? static_cast<double>(spent) / static_cast<double>(all) : 1;
        if (spent > budget)
            m_report.warnings.push_back("a keep of " + percent(m_request.keep) + inWords(m_request.unit) +
                                        " cannot be met: overrides, locks and the smallest aligned ranks need " + percent(m_report.achievedKeep) +
                                        ", the least that is possible");
    }

    Choice choose(const Problem& problem, const RunContext& context) const
    {
        switch (m_request.allocation) {
        case Allocation::Uniform: return chooseUniform(problem.ladders, problem.budget, context);
        case Allocation::Energy: return chooseEnergy(problem.ladders, problem.budget, context);
        case Allocation::Greedy: return chooseGreedy(problem.ladders, problem.budget, context);
        case Allocation::LogLoss: return chooseByLogLoss(problem, context);
        case Allocation::EffectiveRank: return chooseByEffectiveRank(problem, context);
        case Allocation::DepthWeighted: return chooseByDepth(problem, context);
        case Allocation::Sensitivity: return chooseBySensitivity(problem, context);
        case Allocation::MeasuredGreedy: return chooseByMeasuredGreed(problem, context);
        case Allocation::LossAware: return chooseByLossChange(problem, context);
        }
        return Choice(problem.ladders.size(), 0);
    }

    // The three accountings at one keep of one matrix; a keep of 1 is the matrix itself.
    std::array<report::RankChoice, 3> sideBySide(const Entry& entry, double keep, std::int64_t alignment) const
    {
        const auto& s = *entry.spectrum;
        std::array<report::RankChoice, 3> choices;
        const Accounting accountings[] = {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped};
        for (std::size_t k = 0; k < choices.size(); ++k) {
            const std::int64_t useful = largestUsefulRank(accountings[k], s.rows, s.cols);
            std::int64_t rank = keep >= 1 ? entry.p : std::min(rankForKeep(accountings[k], s.rows, s.cols, keep), useful);
            if (keep < 1 && alignment > 1)
                rank = std::max(rank - rank % alignment, alignment);
            const bool dense = keep >= 1 || rank > useful;
            choices[k].accounting = accountingName(accountings[k]);
            choices[k].rank = dense ? entry.p : rank;
            choices[k].cost = dense ? costDense(s.rows, s.cols, entry.elementBytes)
                                    : costOfRank(accountings[k], s.rows, s.cols, rank, entry.elementBytes);
        }
        return choices;
    }

    report::MatrixBudget described(const Entry& entry) const
    {
        const auto& s = *entry.spectrum;
        report::MatrixBudget budget;
        budget.name = s.name;
        budget.rank = entry.rank;
        budget.dense = entry.rank == entry.p;
        budget.locked = entry.locked;
        budget.overridden = entry.overridden;
        if (budget.dense) {
            budget.cost = costDense(s.rows, s.cols, entry.elementBytes);
        } else {
            budget.cost = costOfRank(m_request.accounting, s.rows, s.cols, entry.rank, entry.elementBytes);
            budget.keep = keepOf(entry);
            budget.loss = std::max(s.loss[static_cast<std::size_t>(entry.rank)], 0.0);
            budget.relativeLoss = s.loss[0] > 0 ? budget.loss / s.loss[0] : 0;
        }
        if (!s.heldOutLoss.empty() && s.heldOutLoss[0] > 0 && (budget.dense || std::cmp_less(entry.rank, s.heldOutLoss.size())))
            budget.heldOutRelativeLoss = budget.dense ? 0 : s.heldOutLoss[static_cast<std::size_t>(entry.rank)] / s.heldOutLoss[0];
        budget.sameKeep = sideBySide(entry, budget.keep, 1);
        return budget;
    }

    static void replace(std::uint64_t& total, std::uint64_t before, std::uint64_t after)
    {
        if (total < before)
            throw Error(ErrorCode::InvalidParameter, "the cost of the whole model is smaller than that of its matrices", "total");
        total = total - before + after;
    }

    void sumUp()
    {
        m_report.before = m_report.after = m_total;
        m_report.after.latencyMs = std::numeric_limits<double>::quiet_NaN();
        std::size_t compressible = 0;
        for (std::size_t i = 0; i < m_entries.size(); ++i) {
            const Entry& entry = m_entries[i];
            if (entry.standing == Standing::Untouched)
                continue;
            const auto& budget = m_report.matrices[i];
            ++compressible;
            m_report.predictedLoss += budget.loss;
            m_report.predictedRelativeLoss += budget.relativeLoss;
            const auto before = costDense(entry.spectrum->rows, entry.spectrum->cols, entry.elementBytes);
            replace(m_report.after.parameters, before.parameters, budget.cost.parameters);
            replace(m_report.after.bytes, before.bytes, budget.cost.bytes);
            replace(m_report.after.macs, before.macs, budget.cost.macs);
            const auto choices = sideBySide(entry, m_request.keep, m_request.alignment);
            for (std::size_t k = 0; k < choices.size(); ++k) {
                auto& sum = m_report.sameKeepTotals[k];
                sum.accounting = choices[k].accounting;
                sum.rank += choices[k].rank;
                sum.cost.parameters += choices[k].cost.parameters;
                sum.cost.bytes += choices[k].cost.bytes;
                sum.cost.macs += choices[k].cost.macs;
            }
        }
        if (compressible > 0)
            m_report.predictedRelativeLoss /= static_cast<double>(compressible);
    }

    const BudgetRequest& m_request;
    const AllocationEvidence& m_evidence;
    report::Cost m_total;
    std::vector<Entry> m_entries;
    report::BudgetReport m_report;
};

} // namespace

report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const RunContext& context)
{
    return allocate(spectra, total, request, AllocationEvidence(), context);
}

report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const AllocationEvidence& evidence, const RunContext& context)
{
    return Allocator(spectra, total, request, evidence).run(context);
}

} // namespace tamis::plan
