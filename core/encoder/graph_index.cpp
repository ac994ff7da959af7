// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/graph_index.h"

#include "core/base/error.h"

#include <algorithm>

#ifdef TAMIS_HNSWLIB
#define NO_MANUAL_VECTORIZATION // its prefetches read beyond the end of the last list of links
#include <hnswlib/hnswlib.h>

#include <immintrin.h>
#endif

namespace tamis::encoder {

#ifdef TAMIS_HNSWLIB
namespace {
float sumOf(__m256 eight)
{
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, eight);
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/// sum (a - b)^2, or the sum of a b.
template <bool Euclidean> float sumOver(const float* a, const float* b, std::size_t count)
{
    __m256 sum = _mm256_setzero_ps();
    std::size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        const __m256 left = _mm256_loadu_ps(a + j), right = _mm256_loadu_ps(b + j);
        const __m256 difference = _mm256_sub_ps(left, right);
        sum = Euclidean ? _mm256_fmadd_ps(difference, difference, sum) : _mm256_fmadd_ps(left, right, sum);
    }
    float total = sumOf(sum);
    for (; j < count; ++j)
        total += Euclidean ? (a[j] - b[j]) * (a[j] - b[j]) : a[j] * b[j];
    return total;
}

/// Distances that are counted: the library's own counter counts links, those to rows that it has seen too.
class CountingSpace final : public hnswlib::SpaceInterface<float> {
public:
    CountingSpace(std::int64_t width, bool euclidean) : m_width(static_cast<std::size_t>(width)), m_euclidean(euclidean) {}
    std::size_t get_data_size() override { return m_width * sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() override
    {
        return [](const void* a, const void* b, const void* self) {
            const auto& space = *static_cast<const CountingSpace*>(self);
            const auto *left = static_cast<const float*>(a), *right = static_cast<const float*>(b);
            ++counted;
            return space.m_euclidean ? sumOver<true>(left, right, space.m_width) : 1 - sumOver<false>(left, right, space.m_width);
        };
    }
    void* get_dist_func_param() override { return this; }
    static inline thread_local std::uint64_t counted = 0;

private:
    std::size_t m_width;
    bool m_euclidean;
};

class HnswIndex final : public GraphIndex {
public:
    HnswIndex(tensor::MatrixView<const float> rows, const GraphSettings& settings, const RunContext& context)
        : m_space(rows.cols, settings.euclidean),
          m_graph(&m_space, static_cast<std::size_t>(rows.rows), static_cast<std::size_t>(settings.neighbours), static_cast<std::size_t>(settings.constructionList), settings.seed)
    {
        m_graph.setEf(static_cast<std::size_t>(settings.searchList));
        for (std::int64_t i = 0; i < rows.rows; ++i) {
            context.throwIfStopped();
            m_graph.addPoint(rows.row(i).data(), static_cast<hnswlib::labeltype>(i));
            context.setFraction(static_cast<double>(i) / static_cast<double>(rows.rows));
        }
        m_bytes = static_cast<std::uint64_t>(rows.rows) * m_graph.size_data_per_element_;
    }
    std::vector<std::int32_t> nearest(const float* query, std::size_t count) const override
    {
        auto found = m_graph.searchKnn(query, count);
        std::vector<std::int32_t> rows;
        for (; !found.empty(); found.pop())
            rows.push_back(static_cast<std::int32_t>(found.top().second));
        std::ranges::sort(rows);
        return rows;
    }
    std::uint64_t bytes() const noexcept override { return m_bytes; }
    std::uint64_t distances() const noexcept override { return CountingSpace::counted; }

private:
    CountingSpace m_space;
    hnswlib::HierarchicalNSW<float> m_graph;
    std::uint64_t m_bytes = 0;
};
} // namespace

bool hasGraphIndex() noexcept { return true; }

std::shared_ptr<const GraphIndex> graphIndex(tensor::MatrixView<const float> rows, const GraphSettings& settings, const RunContext& context)
{
    return std::make_shared<HnswIndex>(rows, settings, context);
}
#else
bool hasGraphIndex() noexcept { return false; }

std::shared_ptr<const GraphIndex> graphIndex(tensor::MatrixView<const float>, const GraphSettings&, const RunContext&)
{
    throw Error(ErrorCode::UnsupportedFeature, "found a build without hnswlib, expected one with it (libhnswlib-dev) for graphs", "index");
}
#endif

} // namespace tamis::encoder
