// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/plain_baseline.h"

#include "core/base/parallel.h"
#include "core/linalg/gemm.h"

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
/// tr(D C D^T) for symmetric C: the sum of (D C) o D.
double energyUnder(linalg::ConstView d, linalg::ConstView c, const RunContext& context)
{
    const auto product = linalg::product(d, c, context);
    double sum = 0;
    for (std::int64_t i = 0; i < d.rows; ++i)
        for (std::int64_t j = 0; j < d.cols; ++j)
            sum += product(i, j) * d(i, j);
    return std::max(sum, 0.0);
}

double ratio(double loss, double energy) { return energy > 0 ? loss / energy : std::numeric_limits<double>::quiet_NaN(); }

const io::MatrixRef* findMatrix(const io::Checkpoint& checkpoint, const std::string& name)
{
    const auto& matrices = checkpoint.layout().matrices;
    const auto found = std::ranges::find(matrices, name, &io::MatrixRef::name);
    return found == matrices.end() ? nullptr : &*found;
}

bool usesSamples(const Parameters& parameters)
{
    const auto found = parameters.all().find("statistics");
    if (found == parameters.all().end())
        return false;
    const auto* text = std::get_if<std::string>(&found->second);
    return text && *text == "samples";
}

RelativeLoss plainLoss(const spectrum::Inputs& inputs, const spectrum::Method& plain, const io::MatrixRef& ref, std::int64_t rank,
                       bool samples, const RunContext& context)
{
    const auto site = inputs.calibration->read(ref.name);
    auto difference = inputs.checkpoint->readMatrixDouble(ref);
    const auto weights = difference;
    const auto factors = plain.factors(inputs, ref.name, rank, plain.declaration.schema.defaults(), context);
    linalg::gemm(linalg::Op::None, linalg::Op::None, -1, factors.b.view(), factors.a.view(), 1, difference.view(), context);
    const auto c = samples ? linalg::gram(site.samples.view(), linalg::Side::Columns, context) : site.gram;
    RelativeLoss loss;
    loss.calibrated = ratio(energyUnder(difference.view(), c.view(), context), energyUnder(weights.view(), c.view(), context));
    if (!site.heldOut.empty()) {
        const auto held = linalg::gram(site.heldOut.view(), linalg::Side::Columns, context);
        loss.heldOut = ratio(energyUnder(difference.view(), held.view(), context), energyUnder(weights.view(), held.view(), context));
    }
    return loss;
}
} // namespace

RelativeLoss meanLoss(const report::SpectrumReport& spectra, const std::vector<RelativeLoss>& losses)
{
    RelativeLoss sum{0, 0};
    std::size_t calibrated = 0, heldOut = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
        const auto& matrix = spectra.matrices[i];
        if (!matrix.compressible || matrix.loss.empty() || !(matrix.loss.front() > 0))
            continue;
        if (std::isfinite(losses[i].calibrated)) {
            sum.calibrated += losses[i].calibrated;
            ++calibrated;
        }
        if (std::isfinite(losses[i].heldOut)) {
            sum.heldOut += losses[i].heldOut;
            ++heldOut;
        }
    }
    return {calibrated ? sum.calibrated / static_cast<double>(calibrated) : std::numeric_limits<double>::quiet_NaN(),
            heldOut ? sum.heldOut / static_cast<double>(heldOut) : std::numeric_limits<double>::quiet_NaN()};
}

RelativeLoss totalLoss(const report::SpectrumReport& spectra, const std::vector<RelativeLoss>& losses)
{
    double loss = 0, energy = 0, heldOutLoss = 0, heldOutEnergy = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
        const auto& matrix = spectra.matrices[i];
        if (!matrix.compressible || matrix.loss.empty())
            continue;
        if (std::isfinite(losses[i].calibrated)) {
            loss += losses[i].calibrated * matrix.loss.front();
            energy += matrix.loss.front();
        }
        if (std::isfinite(losses[i].heldOut) && !matrix.heldOutLoss.empty()) {
            heldOutLoss += losses[i].heldOut * matrix.heldOutLoss.front();
            heldOutEnergy += matrix.heldOutLoss.front();
        }
    }
    return {ratio(loss, energy), ratio(heldOutLoss, heldOutEnergy)};
}

std::vector<RelativeLoss> lossesOf(const report::BudgetReport& budget)
{
    std::vector<RelativeLoss> losses;
    for (const auto& matrix : budget.matrices)
        losses.push_back({matrix.relativeLoss, matrix.heldOutRelativeLoss});
    return losses;
}

std::vector<RelativeLoss> plainLosses(const spectrum::Inputs& inputs, const report::SpectrumReport& spectra,
                                      const report::BudgetReport& budget, const RunContext& context)
{
    const auto* plain = spectrum::findMethod("spectrum.plain");
    std::vector<RelativeLoss> losses(spectra.matrices.size());
    if (!plain || !inputs.calibration)
        return losses;
    const bool samples = usesSamples(spectra.parameters);
    parallelFor(context, losses.size(), [&](std::size_t i) {
        const auto& matrix = spectra.matrices[i];
        const auto* ref = findMatrix(*inputs.checkpoint, matrix.name);
        if (!ref || !matrix.compressible || matrix.loss.empty())
            return;
        if (budget.matrices[i].dense)
            losses[i] = {0, matrix.heldOutLoss.empty() ? std::numeric_limits<double>::quiet_NaN() : 0.0};
        else
            losses[i] = plainLoss(inputs, *plain, *ref, budget.matrices[i].rank, samples, context);
    });
    return losses;
}

} // namespace tamis::cli
