// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/allocate.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/plan/ladder.h"
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
};

std::string percent(double fraction)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.4g %%", fraction * 100);
    return text;
}

bool usableCurve(const report::MatrixSpectrum& spectrum)
{
    const auto p = static_cast<std::size_t>(std::min(spectrum.rows, spectrum.cols));
    return spectrum.loss.size() >= 2 && spectrum.loss.size() <= p + 1 &&
           std::ranges::all_of(spectrum.loss, [](double x) { return std::isfinite(x); });
}

void requireSettings(const BudgetRequest& request)
{
    if (!(request.keep > 0 && request.keep <= 1))
        throw Error(ErrorCode::InvalidParameter, "expected a keep above 0 and at most 1", "keep");
    if (request.alignment < 1 || request.alignment > kMaximumAlignment)
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(request.alignment) + ", expected 1 to " + std::to_string(kMaximumAlignment),
                    "alignment");
    for (const auto& [name, by] : request.overrides)
        if (by.rank && *by.rank < 1)
            throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(*by.rank) + ", expected at least 1", name);
}

class Allocator {
public:
    Allocator(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request)
        : m_request(request), m_total(total)
    {
        requireSettings(request);
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

    std::int64_t denseUnits(const Entry& entry) const
    {
        return budgetUnitsDense(m_request.accounting, entry.spectrum->rows, entry.spectrum->cols);
    }
    std::int64_t unitsOf(const Entry& entry) const
    {
        return entry.rank == entry.p ? denseUnits(entry)
                                     : budgetUnits(m_request.accounting, entry.spectrum->rows, entry.spectrum->cols, entry.rank);
    }

    void allocateFree(const RunContext& context)
    {
        std::vector<Entry*> free;
        std::int64_t all = 0, fixed = 0;
        for (Entry& entry : m_entries) {
            if (entry.standing == Standing::Untouched)
                continue;
            all += denseUnits(entry);
            if (entry.standing == Standing::Free)
                free.push_back(&entry);
            else
                fixed += unitsOf(entry);
        }
        const std::int64_t budget = unitsForKeep(m_request.keep, all);
        std::vector<Ladder> ladders(free.size());
        parallelFor(context, free.size(), [&](std::size_t i) {
            const auto& s = *free[i]->spectrum;
            ladders[i] = makeLadder(m_request.accounting, s.rows, s.cols, m_request.alignment, s.loss);
        });
        const Choice choice = choose(ladders, budget - fixed, context);
        std::int64_t units = fixed;
        for (std::size_t i = 0; i < free.size(); ++i) {
            free[i]->rank = ladders[i].rungs[choice[i]].rank;
            units += ladders[i].rungs[choice[i]].units;
            if (ladders[i].denseRung() == 0)
                m_report.warnings.push_back(free[i]->spectrum->name + ": no rank that is a multiple of " +
                                            std::to_string(m_request.alignment) + " is cheaper than dense, so it stays dense");
        }
        m_report.achievedKeep = all > 0 ? static_cast<double>(units) / static_cast<double>(all) : 1;
        if (units > budget)
            m_report.warnings.push_back("a keep of " + percent(m_request.keep) +
                                        " cannot be met: overrides, locks and the smallest aligned ranks need " +
                                        percent(m_report.achievedKeep));
    }

    Choice choose(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context) const
    {
        switch (m_request.allocation) {
        case Allocation::Uniform: return chooseUniform(ladders, budget, context);
        case Allocation::Energy: return chooseEnergy(ladders, budget, context);
        case Allocation::Greedy: return chooseGreedy(ladders, budget, context);
        }
        return Choice(ladders.size(), 0);
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
            budget.keep = static_cast<double>(unitsOf(entry)) / static_cast<double>(denseUnits(entry));
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
    report::Cost m_total;
    std::vector<Entry> m_entries;
    report::BudgetReport m_report;
};

} // namespace

std::string_view allocationName(Allocation allocation) noexcept
{
    switch (allocation) {
    case Allocation::Uniform: return "uniform";
    case Allocation::Energy: return "energy";
    case Allocation::Greedy: return "greedy";
    }
    return "greedy";
}

Allocation parseAllocation(std::string_view name)
{
    for (const auto allocation : {Allocation::Uniform, Allocation::Energy, Allocation::Greedy})
        if (allocationName(allocation) == name)
            return allocation;
    throw Error(ErrorCode::InvalidParameter, "found '" + std::string(name) + "', expected uniform, energy or greedy",
                "allocation");
}

report::BudgetReport allocate(const report::SpectrumReport& spectra, const report::Cost& total, const BudgetRequest& request,
                              const RunContext& context)
{
    return Allocator(spectra, total, request).run(context);
}

} // namespace tamis::plan
