// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the tests of trained ranks share: short windows of tinylm, fast settings, budgets counted again by hand.
#include "core/inputs/token_file.h"
#include "core/lowrank/dobi.h"
#include "core/measure/token_source.h"
#include "tests/core/base/failure.h"

#include <cmath>

namespace tamis::test {

inline lowrank::Inputs tinylmWindows(std::size_t count, std::int64_t length)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(std::filesystem::path(TAMIS_SOURCE_DIR "/datasets/tinylm"));
    inputs.model = nn::Model::load(*inputs.checkpoint);
    std::vector<std::vector<std::int32_t>> cut;
    for (const auto& sequence : inputs::readTokenFile(TAMIS_SOURCE_DIR "/datasets/tinylm/calibration.npy", inputs.model->spec().text.vocabulary))
        for (std::size_t at = 0; at + static_cast<std::size_t>(length) <= sequence.size() && cut.size() < count; at += static_cast<std::size_t>(length))
            cut.emplace_back(sequence.begin() + static_cast<std::ptrdiff_t>(at), sequence.begin() + static_cast<std::ptrdiff_t>(at) + length);
    inputs.samples = std::make_shared<measure::TokenSource>(std::move(cut), measure::TokenWindows{}, "windows of a test");
    return inputs;
}

/// Fast settings: two blocks' matrices, few samples.
inline Parameters quick()
{
    Parameters p;
    p.set("samples", std::int64_t{8});
    p.set("epochs", std::int64_t{3});
    p.set("backward", std::string("frozen"));
    return p;
}

inline plan::BudgetRequest keep(double share, plan::Accounting accounting = plan::Accounting::Factors)
{
    plan::BudgetRequest budget;
    budget.keep = share;
    budget.accounting = accounting;
    return budget;
}

inline std::int64_t unitsUsed(const lowrank::Compression& compression, plan::Accounting accounting)
{
    std::int64_t units = 0;
    for (const auto& matrix : compression.report.matrices)
        units += matrix.layout == "dense" ? plan::budgetUnitsDense(accounting, matrix.rows, matrix.cols) : plan::budgetUnits(accounting, matrix.rows, matrix.cols, matrix.rank);
    return units;
}

inline std::int64_t unitsAllowed(const lowrank::Compression& compression, plan::Accounting accounting, double share)
{
    std::int64_t units = 0;
    for (const auto& matrix : compression.report.matrices)
        units += plan::budgetUnitsDense(accounting, matrix.rows, matrix.cols);
    return plan::unitsForKeep(share, units);
}

inline double scalar(const lowrank::Compression& compression, const std::string& name)
{
    for (const auto& [title, value] : compression.report.scalars)
        if (title == name)
            return value;
    return std::nan("");
}
} // namespace tamis::test
