// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/gram_accumulator.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/gram_update.h"

#include <algorithm>
#include <cmath>

namespace tamis::measure {
namespace {

void appendRows(kernels::ConstRows x, std::span<const std::int64_t> kept, std::vector<float>& rows)
{
    for (const std::int64_t row : kept) {
        const auto values = x.row(row);
        rows.insert(rows.end(), values.begin(), values.end());
    }
}

tensor::Matrix<float> asMatrix(const std::vector<float>& rows, std::int64_t cols)
{
    tensor::Matrix<float> matrix(static_cast<std::int64_t>(rows.size()) / cols, cols);
    std::ranges::copy(rows, matrix.data());
    return matrix;
}

} // namespace

GramAccumulator::GramAccumulator(std::string name, std::int64_t features)
    : m_name(std::move(name)), m_gram(features, features), m_sum(static_cast<std::size_t>(features))
{
}

void GramAccumulator::requireShape(kernels::ConstRows x) const
{
    if (x.cols != features())
        throw Error(ErrorCode::InvalidParameter, "found rows of " + std::to_string(x.cols) + " features, expected " + std::to_string(features()),
                    m_name);
}

void GramAccumulator::failNonFinite(kernels::ConstRows x, const std::string& sample) const
{
    for (std::int64_t i = 0; i < x.rows; ++i)
        for (std::int64_t j = 0; j < x.cols; ++j)
            if (!std::isfinite(x(i, j)))
                throw Error(ErrorCode::NonFinite,
                            std::string("the input of '") + m_name + "' holds " + (std::isnan(x(i, j)) ? "NaN" : "infinity") + " at token "
                                + std::to_string(i) + ", feature " + std::to_string(j) + ", expected finite numbers",
                            sample);
    // finite floats do not overflow a sum in double before 10^270 tokens
    throw Error(ErrorCode::NonFinite, "the sums of '" + m_name + "' are not finite", sample);
}

void GramAccumulator::add(kernels::ConstRows x, std::span<const std::int64_t> kept, const std::string& sample, const RunContext& context)
{
    requireShape(x);
    for (std::int64_t i = 0; i < x.rows; ++i) {
        const float* row = x.data + i * x.stride;
        for (std::size_t j = 0; j < m_sum.size(); ++j)
            m_sum[j] += static_cast<double>(row[j]);
    }
    // NaN and infinity stay in a sum, so the sums tell whether there was one.
    if (!std::ranges::all_of(m_sum, [](double value) { return std::isfinite(value); }))
        failNonFinite(x, sample);
    linalg::addGramUpper(1.0, x, linalg::Side::Columns, m_gram.view(), context);
    m_count += static_cast<std::uint64_t>(x.rows);
    appendRows(x, kept, m_samples);
}

void GramAccumulator::addHeldOut(kernels::ConstRows x, std::span<const std::int64_t> kept, const std::string& sample)
{
    requireShape(x);
    for (const std::int64_t row : kept)
        if (!std::ranges::all_of(x.row(row), [](float value) { return std::isfinite(value); }))
            failNonFinite(x, sample);
    appendRows(x, kept, m_heldOut);
}

io::CalibrationSite GramAccumulator::site() const
{
    if (m_count == 0)
        throw Error(ErrorCode::InvalidParameter, "has seen no token, expected at least one", m_name);
    io::CalibrationSite site;
    site.name = m_name;
    site.count = m_count;
    site.gram = m_gram;
    linalg::mirrorUpper(site.gram.view());
    site.mean.reserve(m_sum.size());
    for (const double sum : m_sum)
        site.mean.push_back(sum / static_cast<double>(m_count));
    site.samples = asMatrix(m_samples, features());
    site.heldOut = asMatrix(m_heldOut, features());
    return site;
}

GramAccumulator::State GramAccumulator::state() const { return {m_count, m_gram, m_sum, m_samples, m_heldOut}; }

void GramAccumulator::restore(State state)
{
    const auto n = static_cast<std::size_t>(features());
    if (state.gram.rows() != features() || state.gram.cols() != features() || state.sum.size() != n || state.samples.size() % n != 0
        || state.heldOut.size() % n != 0)
        throw Error(ErrorCode::MalformedFile, "the saved sums are not of " + std::to_string(n) + " features", m_name);
    m_count = state.count;
    m_gram = std::move(state.gram);
    m_sum = std::move(state.sum);
    m_samples = std::move(state.samples);
    m_heldOut = std::move(state.heldOut);
}

} // namespace tamis::measure
