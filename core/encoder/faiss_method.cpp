// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/faiss_method.h"

#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/faiss_index.h"
#include "core/encoder/listed_scores.h"
#include "core/encoder/mips_reduction.h"
#include "core/encoder/scored_codes.h"

#include <algorithm>
#include <bit>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::MatrixView;
constexpr const char* kId = "encoder.faiss";
constexpr std::int64_t kProbes = 64; // calibration rows that the predicted cost is the mean of
constexpr std::int64_t kTokensAtOnce = 256; // whose candidates are kept before they are scored

MatrixView<const float> rowsOf(MatrixView<const float> x, std::int64_t first, std::int64_t count) { return {x.data + first * x.stride, count, x.cols, x.stride}; }

class FaissEncoder final : public TopKEncoder {
public:
    FaissEncoder(std::shared_ptr<const Dictionary> dictionary, MipsRows form, std::shared_ptr<const FaissIndex> index, std::int64_t candidates, FaissCost search)
        : m_dictionary(std::move(dictionary)), m_form(std::move(form)), m_index(std::move(index)), m_candidates(candidates), m_search(search)
    {
    }
    std::int64_t width() const noexcept override { return m_dictionary->width(); }
    std::int64_t latents() const noexcept override { return m_dictionary->latents(); }
    std::int64_t k() const noexcept override { return m_dictionary->k(); }
    EncoderCost cost() const noexcept override
    {
        const auto exact = static_cast<std::uint64_t>(latents()) * static_cast<std::uint64_t>(width() + 1);
        const auto candidates = static_cast<double>(m_candidates);
        return {.parameters = exact + m_search.parameters,
                .bytes = 4 * exact + m_search.bytes,
                .macs = m_search.macs + candidates * static_cast<double>(width()),
                .bytesRead = m_search.bytesRead + 4 * candidates * static_cast<double>(width() + 1)};
    }
    SparseCodes encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override
    {
        requireWidth(*this, prepared);
        if (trace)
            *trace = {.certificates = {}, .ranking = {}, .rowsScored = static_cast<double>(m_candidates)};
        std::vector<std::vector<kernels::Scored>> tokens(static_cast<std::size_t>(prepared.rows));
        for (std::int64_t first = 0; first < prepared.rows; first += kTokensAtOnce) {
            const MatrixView<const float> some = rowsOf(prepared, first, std::min(kTokensAtOnce, prepared.rows - first));
            const auto listed = m_index->nearest(m_form.queries(some).view(), static_cast<std::size_t>(m_candidates), context);
            parallelFor(context, listed.size(), [&](std::size_t t) {
                tokens[static_cast<std::size_t>(first) + t] = bestOfListed(*m_dictionary, some.row(static_cast<std::int64_t>(t)), listed[t]);
            });
            context.setFraction(static_cast<double>(first + some.rows) / static_cast<double>(prepared.rows));
        }
        context.finish();
        return codesOf(tokens);
    }

private:
    std::shared_ptr<const Dictionary> m_dictionary;
    MipsRows m_form; ///< without its rows, which the index has
    std::shared_ptr<const FaissIndex> m_index;
    std::int64_t m_candidates;
    FaissCost m_search;
};

FaissKind kindNamed(const std::string& name)
{
    return name == "ivf-flat" ? FaissKind::IvfFlat : name == "ivf-pq" ? FaissKind::IvfPq : name == "pq-fastscan" ? FaissKind::PqFastScan : name == "sq8" ? FaissKind::Scalar8 : FaissKind::Flat;
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = faissMethod().declaration.schema.complete(given);
    const Dictionary& dictionary = *inputs.dictionary;
    Built built;
    const auto limited = [&](const char* name, std::int64_t least, std::int64_t most, const std::string& why) {
        const std::int64_t asked = parameters.integer(name), taken = std::clamp(asked, least, most);
        if (taken != asked)
            built.warnings.push_back("The " + std::string(name) + " are " + std::to_string(taken) + ", not " + std::to_string(asked) + ": " + why);
        return taken;
    };
    const std::int64_t candidates = candidatesWithin(dictionary, parameters.integer("candidates"), built.warnings);
    FaissSettings settings{.kind = kindNamed(parameters.text("index")), .euclidean = parameters.text("reduction") == "euclidean", .seed = inputs.seed};
    if (settings.kind == FaissKind::IvfFlat || settings.kind == FaissKind::IvfPq) {
        settings.lists = limited("lists", 1, dictionary.latents(), "there are no more latents.");
        settings.probes = std::min(parameters.integer("probes"), settings.lists);
    }
    if (settings.kind == FaissKind::IvfPq || settings.kind == FaissKind::PqFastScan)
        settings.parts = parameters.integer("parts") > 0 ? limited("parts", 1, dictionary.width(), "activations have no more features.")
                                                         : std::max<std::int64_t>(dictionary.width() / (settings.kind == FaissKind::IvfPq ? 4 : 2), 1);
    if (settings.kind == FaissKind::IvfPq) // a code has a centroid for each of its values, and no more centroids than rows
        settings.bits = limited("bits", 1, std::bit_width(static_cast<std::uint64_t>(dictionary.latents())) - 1, "a code has no more values than there are latents.");
    settings.refine = parameters.integer("refine");
    requireFinite(dictionary);
    MipsRows form = mipsRows(dictionary, parameters);
    const auto index = faissIndex(form.rows.view(), settings, context);
    const MatrixView<const float> rows = inputs.calibration.empty() ? dictionary.rows() : inputs.calibration.view();
    const auto samples = form.queries(rowsOf(rows, 0, std::min(kProbes, rows.rows)));
    const FaissCost search = index->cost(samples.view(), static_cast<std::size_t>(candidates));
    form.rows = tensor::Matrix<float>(0, form.rows.cols());
    built.encoder = std::make_shared<FaissEncoder>(inputs.dictionary, std::move(form), index, candidates, search);
    return built;
}
} // namespace

Method faissMethod()
{
    Method method;
    method.declaration = {
        .id = kId,
        .lab = "encoder",
        .title = "FAISS (SSE2 build)",
        .reference = "Indexes of FAISS 1.7 (Johnson, Douze, Jegou 2017) as Debian builds it, for SSE2 and with OpenMP threads: its speed says little of builds for this processor. "
                     "Augmentation with the bias, reductions of Bachrach et al. (2014) and Neyshabur, Srebro (2015)",
        .schema = searchSchema({.name = "index", .title = "Index", .type = ParameterType::Choice, .defaultValue = std::string("flat"),
                                .help = "flat, sq8: every row is compared, in floats or in 8 bits; ivf-flat, ivf-pq: the lists nearest to the token; pq-fastscan: 4-bit codes of all rows",
                                .choices = {"flat", "ivf-flat", "ivf-pq", "pq-fastscan", "sq8"}},
                               {countParameter("lists", "Lists", 128, 1, 65'536, "ivf-flat, ivf-pq: centroids that rows are sorted to (nlist)"),
                                countParameter("probes", "Probes", 16, 1, 65'536, "ivf-flat, ivf-pq: lists that are searched (nprobe)"),
                                {.name = "parts", .title = "Parts", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 4096, .step = 1,
                                 .help = "ivf-pq, pq-fastscan: parts of a row, a code each; 0: one for 4 features, of 4-bit codes one for 2"},
                                countParameter("bits", "Bits", 8, 4, 12, "ivf-pq: of a code"),
                                countParameter("refine", "Refine", 1, 1, 1024, "So many times the candidates are listed, and the best by their whole rows taken (k_factor); 1: none")})};
    method.build = build;
    return method;
}

} // namespace tamis::encoder
