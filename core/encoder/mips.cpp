// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/mips.h"

#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/graph_index.h"
#include "core/encoder/listed_scores.h"
#include "core/encoder/mips_reduction.h"
#include "core/encoder/scored_codes.h"
#include "core/kernels/score_scan.h"

#include <algorithm>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::MatrixView;
constexpr const char* kId = "encoder.mips";
constexpr std::int64_t kProbes = 64; // calibration rows that the predicted cost is the mean of

/// Candidates of queries: the graph's, or those of a scan of all rows with scores of any sign.
class MipsEncoder final : public TopKEncoder {
public:
    MipsEncoder(std::shared_ptr<const Dictionary> dictionary, MipsRows rows, std::shared_ptr<const GraphIndex> graph, std::int64_t candidates)
        : m_dictionary(std::move(dictionary)), m_rows(std::move(rows)), m_graph(std::move(graph)), m_candidates(candidates)
    {
        if (m_rows.reduction == MipsReduction::Euclidean) // |x - w|^2 / 2 = |x|^2 / 2 + |w|^2 / 2 - x . w
            for (std::int64_t i = 0; i < m_rows.rows.rows(); ++i) {
                double squares = 0;
                for (const float value : m_rows.rows.view().row(i))
                    squares += static_cast<double>(value) * static_cast<double>(value);
                m_half.push_back(static_cast<float>(-squares / 2));
            }
        m_half.resize(static_cast<std::size_t>(m_rows.rows.rows()));
    }
    void setVisited(double rows) { m_visited = rows; }
    std::int64_t width() const noexcept override { return m_dictionary->width(); }
    std::int64_t latents() const noexcept override { return m_dictionary->latents(); }
    std::int64_t k() const noexcept override { return m_dictionary->k(); }
    EncoderCost cost() const noexcept override
    {
        const auto exact = static_cast<std::uint64_t>(latents()) * static_cast<std::uint64_t>(width() + 1);
        const auto candidates = static_cast<double>(m_candidates), dimensions = static_cast<double>(m_rows.dimensions());
        EncoderCost cost;
        cost.parameters = exact + m_rows.rows.size();
        cost.bytes = 4 * exact + (m_graph ? m_graph->bytes() : 4 * m_rows.rows.size());
        cost.macs = m_visited * dimensions + candidates * static_cast<double>(width());
        cost.bytesRead = 4 * (m_visited * dimensions + candidates * static_cast<double>(width() + 1));
        return cost;
    }
    SparseCodes encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override
    {
        requireWidth(*this, prepared);
        if (trace)
            *trace = {.certificates = {}, .ranking = {}, .rowsScored = static_cast<double>(m_candidates)};
        std::vector<std::vector<kernels::Scored>> tokens(static_cast<std::size_t>(prepared.rows));
        parallelFor(context, tokens.size(), [&](std::size_t t) {
            const MatrixView<const float> x{prepared.data + static_cast<std::int64_t>(t) * prepared.stride, 1, prepared.cols, prepared.stride};
            tokens[t] = bestOfListed(*m_dictionary, x.row(0), candidatesOf(x));
        });
        context.finish();
        return codesOf(tokens);
    }
    std::vector<std::int32_t> candidatesOf(MatrixView<const float> x) const
    {
        const tensor::Matrix<float> query = m_rows.queries(x);
        if (m_graph)
            return m_graph->nearest(query.data(), static_cast<std::size_t>(m_candidates));
        std::vector<std::int32_t> all(static_cast<std::size_t>(latents()));
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i] = static_cast<std::int32_t>(i);
        std::vector<float> scores(all.size());
        kernels::scoreListed(m_rows.rows.view(), m_half, query.view().row(0), all, scores.data());
        const auto best = [&](std::int32_t a, std::int32_t b) {
            const float left = scores[static_cast<std::size_t>(a)], right = scores[static_cast<std::size_t>(b)];
            return left != right ? left > right : a < b;
        };
        std::ranges::nth_element(all, all.begin() + (m_candidates - 1), best);
        all.resize(static_cast<std::size_t>(m_candidates));
        std::ranges::sort(all);
        return all;
    }

private:
    std::shared_ptr<const Dictionary> m_dictionary;
    MipsRows m_rows;
    std::shared_ptr<const GraphIndex> m_graph; ///< null: all rows are scanned
    std::int64_t m_candidates;
    std::vector<float> m_half; ///< -|w|^2 / 2 of Euclidean rows, else 0
    double m_visited = 0;      ///< rows a query is compared with
};

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = mipsMethod().declaration.schema.complete(given);
    const Dictionary& dictionary = *inputs.dictionary;
    Built built;
    const std::int64_t candidates = candidatesWithin(dictionary, parameters.integer("candidates"), built.warnings);
    requireFinite(dictionary);
    MipsRows rows = mipsRows(dictionary, parameters);
    std::shared_ptr<const GraphIndex> graph;
    if (parameters.text("index") == "hnsw")
        graph = graphIndex(rows.rows.view(),
                           {.euclidean = rows.reduction == MipsReduction::Euclidean,
                            .neighbours = parameters.integer("neighbours"),
                            .constructionList = parameters.integer("construction"),
                            .searchList = std::max(parameters.integer("search"), candidates),
                            .seed = inputs.seed},
                           context);
    auto encoder = std::make_shared<MipsEncoder>(inputs.dictionary, std::move(rows), graph, candidates);
    double visited = static_cast<double>(dictionary.latents());
    if (graph) {
        const MatrixView<const float> probes = inputs.calibration.empty() ? dictionary.rows() : inputs.calibration.view();
        const std::int64_t count = std::min(kProbes, probes.rows);
        const std::uint64_t before = graph->distances();
        for (std::int64_t i = 0; i < count; ++i)
            encoder->candidatesOf({probes.data + i * probes.rows / count * probes.stride, 1, probes.cols, probes.stride});
        visited = static_cast<double>(graph->distances() - before) / static_cast<double>(count);
    }
    encoder->setVisited(visited);
    built.encoder = std::move(encoder);
    return built;
}
} // namespace

Method mipsMethod()
{
    Method method;
    method.declaration = {
        .id = kId,
        .lab = "encoder",
        .title = "Inner-product search",
        .reference = "Augmentation with the bias; reductions of Bachrach et al. (2014) and Neyshabur, Srebro (2015); graphs of Malkov, Yashunin (2018) by hnswlib",
        .schema = searchSchema({.name = "index", .title = "Index", .type = ParameterType::Choice, .defaultValue = std::string("flat"),
                                .help = "flat: every row is compared, the search's own oracle; hnsw: a graph of neighbours (needs hnswlib)", .choices = {"flat", "hnsw"}},
                               {countParameter("neighbours", "Neighbours", 16, 2, 256, "hnsw: links of a row"),
                                countParameter("construction", "Construction list", 200, 2, 10'000, "hnsw: rows kept in sight while a row is linked"),
                                countParameter("search", "Search list", 512, 1, 1'000'000, "hnsw: rows kept in sight during a search, at least the candidates")})};
    method.build = build;
    return method;
}

} // namespace tamis::encoder
