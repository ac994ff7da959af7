// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/graph_index.h"

#include "core/base/error.h"

#include <algorithm>

#ifdef TAMIS_HNSWLIB
#include <hnswlib/hnswlib.h>
#endif

namespace tamis::encoder {

#ifdef TAMIS_HNSWLIB
namespace {
std::unique_ptr<hnswlib::SpaceInterface<float>> spaceOf(std::int64_t width, bool euclidean)
{
    if (euclidean)
        return std::make_unique<hnswlib::L2Space>(static_cast<std::size_t>(width));
    return std::make_unique<hnswlib::InnerProductSpace>(static_cast<std::size_t>(width));
}

/// Another space whose distances are counted: the library's own counter counts links, those to rows that it has seen too.
class CountingSpace final : public hnswlib::SpaceInterface<float> {
public:
    explicit CountingSpace(std::unique_ptr<hnswlib::SpaceInterface<float>> base) : m_base(std::move(base)), m_distance(m_base->get_dist_func()) {}
    std::size_t get_data_size() override { return m_base->get_data_size(); }
    hnswlib::DISTFUNC<float> get_dist_func() override
    {
        return [](const void* a, const void* b, const void* self) {
            const auto& space = *static_cast<const CountingSpace*>(self);
            ++counted;
            return space.m_distance(a, b, space.m_base->get_dist_func_param());
        };
    }
    void* get_dist_func_param() override { return this; }
    static inline thread_local std::uint64_t counted = 0;

private:
    std::unique_ptr<hnswlib::SpaceInterface<float>> m_base;
    hnswlib::DISTFUNC<float> m_distance;
};

class HnswIndex final : public GraphIndex {
public:
    HnswIndex(tensor::MatrixView<const float> rows, const GraphSettings& settings, const RunContext& context)
        : m_space(spaceOf(rows.cols, settings.euclidean)),
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
