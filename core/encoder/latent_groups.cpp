// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/latent_groups.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/tiling.h"
#include "core/encoder/weighted_factors.h"
#include "core/linalg/gemm.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace tamis::encoder {
namespace {
using linalg::Op;
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kTile = 1024;      // rows widened at once, whatever the threads
constexpr std::int64_t kMostParts = 16; // at once: more in one step end in worse optima
constexpr int kRowRounds = 20, kFiringRounds = 30, kPatience = 5;
constexpr double kRidge = 1e-6;           // of the mean variance: C of few rows has no Cholesky root
constexpr double kRowWeight = 0.25;       // of a row's cosine beside gains of firing, which are whole numbers
constexpr std::size_t kLatentsATask = 64;

/// C + ridge I = L L^T.
Matrix<double> covarianceRoot(MatrixView<const float> rows, const RunContext& context)
{
    const Matrix<double> c = momentsOf(rows, true, context).c;
    const double diagonal = linalg::meanDiagonal(c);
    for (double ridge = kRidge; ridge < 1 && diagonal > 0; ridge *= 10)
        if (auto root = linalg::choleskyRoot(linalg::withRidge(c, ridge * diagonal), context))
            return std::move(*root);
    throw Error(ErrorCode::InvalidParameter, "found calibration activations that are all equal, expected some that vary");
}

/// Rows W L, each of length 1 (of a row of zeros: zeros).
Matrix<float> scoreDirections(MatrixView<const float> w, const Matrix<double>& root, const RunContext& context)
{
    Matrix<float> directions(w.rows, w.cols);
    for (std::int64_t first = 0; first < w.rows; first += kTile) {
        const std::int64_t count = std::min(kTile, w.rows - first);
        const Matrix<double> wide = linalg::toDouble({w.data + first * w.stride, count, w.cols, w.stride});
        const Matrix<double> turned = linalg::product(wide.view(), root.view(), context);
        for (std::int64_t i = 0; i < count; ++i) {
            const auto row = turned.view().row(i);
            const double norm = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
            for (std::int64_t j = 0; j < w.cols && norm > 0; ++j)
                directions(first + i, j) = static_cast<float>(row[static_cast<std::size_t>(j)] / norm);
        }
    }
    return directions;
}

std::vector<std::int32_t> runs(std::int64_t count, std::int64_t groups)
{
    std::vector<std::int32_t> groupOf(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
        groupOf[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * groups / count);
    return groupOf;
}

LatentGroups gathered(std::span<const std::int32_t> latents, const std::vector<std::int32_t>& groupOf, std::int64_t groups)
{
    LatentGroups result(static_cast<std::size_t>(groups));
    for (std::size_t i = 0; i < latents.size(); ++i)
        result[static_cast<std::size_t>(groupOf[i])].push_back(latents[i]);
    return result;
}

void scaleRows(Matrix<double>& m)
{
    for (std::int64_t i = 0; i < m.rows(); ++i) {
        const auto row = m.view().row(i);
        const double norm = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
        for (double& value : row)
            value = norm > 0 ? value / norm : 0;
    }
}
} // namespace

GroupBy groupByNamed(std::string_view name)
{
    if (name == "co-firing")
        return GroupBy::CoFiring;
    if (name == "rows")
        return GroupBy::Rows;
    if (name == "none")
        return GroupBy::None;
    throw Error(ErrorCode::InvalidParameter, "found the partition \"" + std::string(name) + "\", expected co-firing, rows or none", "partition");
}

LatentAffinity::LatentAffinity(const Dictionary& dictionary, GroupBy by, MatrixView<const float> calibration, const SparseCodes& exact, const RunContext& context) : m_by(by)
{
    if (by == GroupBy::None)
        return;
    if (calibration.rows < 1 || calibration.cols != dictionary.width() || exact.tokens() != calibration.rows)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(calibration.rows) + " calibration rows of " + std::to_string(calibration.cols) + " features and codes of " +
                                                     std::to_string(exact.tokens()) + " tokens, expected rows of " + std::to_string(dictionary.width()) + " features with their codes");
    m_rows = scoreDirections(dictionary.rows(), covarianceRoot(calibration, context), context);
    m_tokenCount = exact.tokens();
    m_first.assign(static_cast<std::size_t>(dictionary.latents()) + 1, 0);
    for (const std::int32_t latent : exact.latents)
        ++m_first[static_cast<std::size_t>(latent) + 1];
    std::partial_sum(m_first.begin(), m_first.end(), m_first.begin());
    m_tokens.resize(exact.latents.size());
    std::vector<std::size_t> next(m_first.begin(), m_first.end() - 1);
    for (std::int64_t t = 0; t < m_tokenCount; ++t)
        for (const std::int32_t latent : exact.latentsOf(t))
            m_tokens[next[static_cast<std::size_t>(latent)]++] = static_cast<std::int32_t>(t);
}

std::span<const std::int32_t> LatentAffinity::tokensOf(std::int32_t latent) const
{
    const auto i = static_cast<std::size_t>(latent);
    return std::span(m_tokens).subspan(m_first[i], m_first[i + 1] - m_first[i]);
}

/// [latents, groups]: the cosine of each row with the sum of the rows of each group.
Matrix<double> LatentAffinity::rowGains(std::span<const std::int32_t> latents, const Assignment& groupOf, std::int64_t groups, const RunContext& context) const
{
    Matrix<double> centres(groups, m_rows.cols());
    for (std::size_t i = 0; i < latents.size(); ++i)
        if (groupOf[i] >= 0)
            for (std::int64_t j = 0; j < m_rows.cols(); ++j)
                centres(groupOf[i], j) += static_cast<double>(m_rows(latents[i], j));
    scaleRows(centres);
    Matrix<double> gains(static_cast<std::int64_t>(latents.size()), groups);
    for (std::int64_t first = 0; first < gains.rows(); first += kTile) {
        const std::int64_t count = std::min(kTile, gains.rows() - first);
        Matrix<double> wide(count, m_rows.cols());
        for (std::int64_t i = 0; i < count; ++i)
            std::ranges::copy(m_rows.view().row(latents[static_cast<std::size_t>(first + i)]), wide.view().row(i).begin());
        linalg::gemm(Op::None, Op::Transpose, 1, wide.view(), centres.view(), 0, {gains.data() + first * groups, count, groups, groups}, context);
    }
    return gains;
}

LatentAffinity::Assignment LatentAffinity::byRows(std::span<const std::int32_t> latents, std::int64_t groups, std::uint64_t seed, const RunContext& context) const
{
    Assignment groupOf(latents.size(), -1);
    std::vector<std::size_t> order(latents.size());
    std::iota(order.begin(), order.end(), 0U);
    std::mt19937_64 random(seed);
    for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g) { // by the bits of the generator alone
        std::swap(order[g], order[g + random() % (order.size() - g)]);
        groupOf[order[g]] = static_cast<std::int32_t>(g);
    }
    for (int round = 0; round < kRowRounds; ++round) {
        context.throwIfStopped();
        Assignment next = balancedGroups(rowGains(latents, groupOf, groups, context), context);
        if (next == groupOf)
            break;
        groupOf = std::move(next);
    }
    return groupOf;
}

/// n[t, g], the active latents of token t in group g: sum n^2 is what rises. A latent's gain in a group is half of what it adds to the sum
/// there, the others where they are: the latents that are active with it, over its tokens. Whole numbers, so that rows part equal ones.
LatentAffinity::Assignment LatentAffinity::byFiring(std::span<const std::int32_t> latents, std::int64_t groups, Assignment groupOf, const RunContext& context) const
{
    Assignment best;
    double most = -1;
    for (int round = 0, without = 0; round < kFiringRounds && without < kPatience; ++round, ++without) {
        context.throwIfStopped();
        Matrix<std::int32_t> counts(m_tokenCount, groups);
        for (std::size_t i = 0; i < latents.size(); ++i)
            for (const std::int32_t t : tokensOf(latents[i]))
                ++counts(t, groupOf[i]);
        double squares = 0;
        for (const std::int32_t count : counts.values())
            squares += static_cast<double>(count) * static_cast<double>(count);
        if (squares > most) {
            most = squares;
            best = groupOf;
            without = -1;
        }
        Matrix<double> gains = rowGains(latents, groupOf, groups, context);
        parallelFor(context, (latents.size() + kLatentsATask - 1) / kLatentsATask, [&](std::size_t task) {
            std::vector<std::int64_t> together(static_cast<std::size_t>(groups));
            for (std::size_t i = task * kLatentsATask; i < std::min(latents.size(), (task + 1) * kLatentsATask); ++i) {
                context.throwIfStopped();
                std::ranges::fill(together, 0);
                for (const std::int32_t t : tokensOf(latents[i]))
                    for (std::size_t g = 0; g < together.size(); ++g)
                        together[g] += counts(t, static_cast<std::int64_t>(g));
                together[static_cast<std::size_t>(groupOf[i])] -= static_cast<std::int64_t>(tokensOf(latents[i]).size());
                for (std::size_t g = 0; g < together.size(); ++g) {
                    double& gain = gains(static_cast<std::int64_t>(i), static_cast<std::int64_t>(g));
                    gain = static_cast<double>(together[g]) + kRowWeight * gain;
                }
            }
        });
        groupOf = balancedGroups(gains, context);
    }
    return best;
}

LatentGroups LatentAffinity::split(std::span<const std::int32_t> latents, std::int64_t groups, std::uint64_t seed, const RunContext& context) const
{
    if (groups < 1 || groups > static_cast<std::int64_t>(latents.size()))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(groups) + " groups of " + std::to_string(latents.size()) + " latents, expected 1 to as many as there are latents");
    if (m_by == GroupBy::None || groups == 1)
        return gathered(latents, runs(static_cast<std::int64_t>(latents.size()), groups), groups);
    std::int64_t parts = groups;
    for (std::int64_t divisor = 2; divisor <= kMostParts; ++divisor)
        if (groups % divisor == 0)
            parts = divisor;
    Assignment partOf = byRows(latents, parts, seed, context);
    if (m_by == GroupBy::CoFiring)
        partOf = byFiring(latents, parts, std::move(partOf), context);
    LatentGroups found = gathered(latents, partOf, parts);
    if (parts == groups)
        return found;
    LatentGroups result; // parts that differ by one at most part into groups that differ by one at most
    for (const auto& part : found)
        std::ranges::move(split(part, groups / parts, seed, context), std::back_inserter(result));
    return result;
}

double concentration(const SparseCodes& codes, const LatentGroups& groups)
{
    std::int64_t latents = 0;
    for (const auto& group : groups)
        for (const std::int32_t latent : group)
            latents = std::max<std::int64_t>(latents, latent + 1);
    const std::vector<std::int32_t> groupOf = groupOfLatents(groups, latents);
    double sum = 0;
    std::int64_t counted = 0;
    for (std::int64_t t = 0; t < codes.tokens(); ++t) {
        std::vector<double> share(groups.size());
        for (const std::int32_t latent : codes.latentsOf(t))
            share[static_cast<std::size_t>(groupOf.at(static_cast<std::size_t>(latent)))] += 1.0 / static_cast<double>(codes.latentsOf(t).size());
        counted += codes.latentsOf(t).empty() ? 0 : 1;
        for (const double each : share)
            sum += each * each;
    }
    return counted > 0 ? sum / static_cast<double>(counted) : 0;
}

std::vector<std::int32_t> groupOfLatents(const LatentGroups& groups, std::int64_t latents)
{
    std::vector<std::int32_t> groupOf(static_cast<std::size_t>(latents), -1);
    std::int64_t placed = 0;
    for (std::size_t g = 0; g < groups.size(); ++g)
        for (const std::int32_t latent : groups[g]) {
            if (latent < 0 || latent >= latents || groupOf[static_cast<std::size_t>(latent)] >= 0)
                throw Error(ErrorCode::InvalidParameter, "found latent " + std::to_string(latent) + " out of range or in two groups, expected each of " + std::to_string(latents) + " in one");
            groupOf[static_cast<std::size_t>(latent)] = static_cast<std::int32_t>(g);
            ++placed;
        }
    if (placed != latents)
        throw Error(ErrorCode::InvalidParameter, "found groups of " + std::to_string(placed) + " latents together, expected all " + std::to_string(latents));
    return groupOf;
}

} // namespace tamis::encoder
