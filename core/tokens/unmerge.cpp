// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/unmerge.h"

#include "core/base/error.h"

#include <algorithm>
#include <span>
#include <string>

namespace tamis::tokens {
namespace {
void requireRows(std::int64_t found, std::int64_t expected, const char* what)
{
    if (found != expected)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(found) + " " + what + ", expected " + std::to_string(expected));
}

tensor::Matrix<float> spread(std::span<const std::int32_t> from, kernels::ConstRows rows, float pruned)
{
    tensor::Matrix<float> result(static_cast<std::int64_t>(from.size()), rows.cols);
    for (std::int64_t i = 0; i < result.rows(); ++i)
        if (const std::int32_t row = from[static_cast<std::size_t>(i)]; row >= 0)
            std::ranges::copy(rows.row(row), result.view().row(i).begin());
        else
            std::ranges::fill(result.view().row(i), pruned);
    return result;
}
} // namespace

tensor::Matrix<float> unmerge(const Assignment& assignment, kernels::ConstRows merged)
{
    requireRows(merged.rows, assignment.count, "merged rows");
    return spread(assignment.to, merged, 0);
}

tensor::Matrix<float> unmerge(const TokenSet& set, kernels::ConstRows rows, float pruned)
{
    requireRows(rows.rows, set.tokens(), "rows of tokens");
    return spread(set.row, rows, pruned);
}

tensor::Matrix<float> sourceMeans(const TokenSet& set, kernels::ConstRows sources)
{
    requireRows(sources.rows, static_cast<std::int64_t>(set.row.size()), "rows of source tokens");
    tensor::Matrix<double> sums(set.tokens(), sources.cols);
    std::vector<double> held(set.sizes.size());
    for (std::int64_t source = 0; source < sources.rows; ++source)
        if (const std::int32_t token = set.row[static_cast<std::size_t>(source)]; token >= 0) {
            held[static_cast<std::size_t>(token)] += 1;
            for (std::int64_t j = 0; j < sources.cols; ++j)
                sums(token, j) += static_cast<double>(sources(source, j));
        }
    tensor::Matrix<float> means(set.tokens(), sources.cols);
    for (std::int64_t token = 0; token < means.rows(); ++token)
        for (std::int64_t j = 0; j < means.cols(); ++j)
            means(token, j) = static_cast<float>(sums(token, j) / held[static_cast<std::size_t>(token)]);
    return means;
}

} // namespace tamis::tokens
