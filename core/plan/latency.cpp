// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/latency.h"

#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/plan/accounting.h"

#include <cblas.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

namespace tamis::plan {
namespace {

constexpr std::int64_t kTileTokens = 64;   // rows of x a task: large enough for BLAS, small enough to stop soon
constexpr std::int64_t kMaximumTokens = 65536;
constexpr int kLeastRepeats = 3, kMostRepeats = 25;
constexpr double kEnoughMs = 20; // of measuring, once there are kLeastRepeats

// Values of no meaning, in [-1, 1): the time of a product depends on them only where they are subnormal.
std::vector<float> filled(std::int64_t count)
{
    std::vector<float> values(static_cast<std::size_t>(count));
    std::uint32_t state = 0x9E3779B9u;
    for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
    }
    return values;
}

// c [rows, cols] (+)= a [rows, inner] b^T, b [cols, inner]; leading dimensions in elements.
void multiply(std::int64_t rows, std::int64_t cols, std::int64_t inner, const float* a, std::int64_t strideA, const float* b,
              std::int64_t strideB, bool add, float* c)
{
    if (inner == 0)
        return;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(rows), static_cast<blasint>(cols),
                static_cast<blasint>(inner), 1.0f, a, static_cast<blasint>(strideA), b, static_cast<blasint>(strideB),
                add ? 1.0f : 0.0f, c, static_cast<blasint>(cols));
}

/// An operator with weights of no meaning, ready to be applied.
class TimedOperator {
public:
    explicit TimedOperator(const LatencyKey& key)
        : m_key(key), m_x(filled(key.tokens * key.n)), m_y(static_cast<std::size_t>(key.tokens * key.m))
    {
        if (key.layout == "dense") {
            m_first = filled(key.m * key.n);
            return;
        }
        m_blockIdentity = key.layout == accountingName(Accounting::BlockIdentity);
        m_first = filled(key.rank * (m_blockIdentity ? key.n - key.rank : key.n));
        m_second = filled(key.m * key.rank);
        m_latent.resize(static_cast<std::size_t>(key.tokens * key.rank));
        if (m_blockIdentity) {
            m_gathered.resize(static_cast<std::size_t>(key.tokens * (key.n - key.rank)));
            m_permutation.resize(static_cast<std::size_t>(key.n));
            std::iota(m_permutation.begin(), m_permutation.end(), std::int64_t{0});
            std::uint32_t state = 1; // Fisher-Yates: a real permutation is scattered like this one
            for (std::size_t i = m_permutation.size(); i > 1; --i) {
                state = state * 1664525u + 1013904223u;
                std::swap(m_permutation[i - 1], m_permutation[(std::uint64_t{state} * i) >> 32]);
            }
        }
    }

    void apply(const RunContext& context)
    {
        const std::int64_t tiles = (m_key.tokens + kTileTokens - 1) / kTileTokens;
        parallelFor(context, static_cast<std::size_t>(tiles), [this](std::size_t tile) {
            const std::int64_t first = static_cast<std::int64_t>(tile) * kTileTokens;
            applyRows(first, std::min(kTileTokens, m_key.tokens - first));
        });
    }

private:
    void applyRows(std::int64_t first, std::int64_t rows)
    {
        const std::int64_t m = m_key.m, n = m_key.n, r = m_key.rank;
        const float* x = m_x.data() + first * n;
        float* y = m_y.data() + first * m;
        if (m_second.empty()) {
            multiply(rows, m, n, x, n, m_first.data(), n, false, y);
            return;
        }
        float* latent = m_latent.data() + first * r;
        if (m_blockIdentity) { // latent = x[P(0..r)] + x[P(r..n)] coefficients^T
            float* rest = m_gathered.data() + first * (n - r);
            for (std::int64_t t = 0; t < rows; ++t) {
                const float* from = x + t * n;
                for (std::int64_t j = 0; j < r; ++j)
                    latent[t * r + j] = from[m_permutation[static_cast<std::size_t>(j)]];
                for (std::int64_t j = r; j < n; ++j)
                    rest[t * (n - r) + j - r] = from[m_permutation[static_cast<std::size_t>(j)]];
            }
            multiply(rows, r, n - r, rest, n - r, m_first.data(), n - r, true, latent);
        } else {
            multiply(rows, r, n, x, n, m_first.data(), n, false, latent);
        }
        multiply(rows, m, r, latent, r, m_second.data(), r, false, y);
    }

    LatencyKey m_key;
    bool m_blockIdentity = false;
    std::vector<float> m_x, m_y, m_first, m_second, m_latent, m_gathered;
    std::vector<std::int64_t> m_permutation;
};

LatencyKey checked(LatencyKey key)
{
    const bool dense = key.layout == "dense";
    const std::int64_t p = std::min(key.m, key.n);
    if (!dense)
        parseAccounting(key.layout);
    costDense(key.m, key.n, 4); // throws for a shape that cannot be
    if (key.tokens < 1 || key.tokens > kMaximumTokens)
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(key.tokens) + ", expected 1 to " + std::to_string(kMaximumTokens), "tokens");
    if (!dense && (key.rank < 1 || key.rank > p))
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(key.rank) + ", expected 1 to " + std::to_string(p), "rank");
    if (dense)
        key.rank = 0;
    if (key.layout == accountingName(Accounting::Remapped))
        key.layout = accountingName(Accounting::Factors);
    return key;
}

double measured(const LatencyKey& key, const RunContext& context)
{
    const std::int64_t elements = key.tokens * (2 * key.n + key.m + key.rank) + std::max(key.m * key.n, key.rank * (key.m + key.n));
    requireMemory(static_cast<std::uint64_t>(elements) * sizeof(float), "measuring the latency of an operator");
    TimedOperator timed(key);
    const BlasThreads single(1);
    timed.apply(context); // warms caches and pages
    std::vector<double> times;
    double spent = 0;
    while (static_cast<int>(times.size()) < kLeastRepeats || (spent < kEnoughMs && static_cast<int>(times.size()) < kMostRepeats)) {
        const auto start = std::chrono::steady_clock::now();
        timed.apply(context);
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
        spent += times.back();
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

} // namespace

double LatencyCache::milliseconds(const LatencyKey& asked, const RunContext& context)
{
    const LatencyKey key = checked(asked);
    const auto remembered = [&]() -> const double* {
        const std::lock_guard lock(m_mutex);
        const auto found = m_measured.find(key);
        return found == m_measured.end() ? nullptr : &found->second; // map nodes stay where they are and are never erased
    };
    if (const double* known = remembered())
        return *known;
    const std::lock_guard turn(m_turn);
    if (const double* known = remembered()) // measured while this thread waited
        return *known;
    const double time = measured(key, context);
    const std::lock_guard lock(m_mutex);
    return m_measured.emplace(key, time).first->second;
}

std::size_t LatencyCache::size() const
{
    const std::lock_guard lock(m_mutex);
    return m_measured.size();
}

void measureLatency(report::BudgetReport& budget, const report::SpectrumReport& spectra, LatencyCache& cache,
                    const LatencyOptions& options, const RunContext& context)
{
    if (budget.matrices.size() != spectra.matrices.size())
        throw Error(ErrorCode::InvalidParameter, "the budget was not made from these spectra", "latency");
    double before = 0, after = 0;
    std::vector<double> each(budget.matrices.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < budget.matrices.size(); ++i) {
        context.setFraction(static_cast<double>(i) / static_cast<double>(budget.matrices.size()));
        const auto& s = spectra.matrices[i];
        if (!s.compressible)
            continue;
        const auto& b = budget.matrices[i];
        const double dense = cache.milliseconds({s.rows, s.cols, 0, "dense", options.tokens}, context);
        each[i] = b.dense ? dense : cache.milliseconds({s.rows, s.cols, b.rank, budget.accounting, options.tokens}, context);
        before += dense;
        after += each[i];
    }
    for (std::size_t i = 0; i < each.size(); ++i) // only now: a stop leaves the report as it was
        budget.matrices[i].cost.latencyMs = each[i];
    budget.before.latencyMs = before;
    budget.after.latencyMs = after;
    budget.latencyTokens = static_cast<std::uint64_t>(options.tokens);
    context.finish();
}

} // namespace tamis::plan
