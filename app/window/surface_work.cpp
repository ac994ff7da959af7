// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/surface_work.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/random_projection.h"
#include "core/encoder/recall_surface.h"

#include <algorithm>
#include <cmath>

namespace tamis::app {
namespace {
constexpr const char* kMethod = "encoder.two-stage";
constexpr double kQuickMacs = 6e7;       ///< of the rows times the width, for a decomposition of a first picture
constexpr double kFirstTokenMacs = 8e6;  ///< of the exact codes of a first picture; its coarse scores cost about as much again
constexpr std::int64_t kFewestTokens = 16;
constexpr std::size_t kFirstRanks = 4;   ///< of a first picture
constexpr double kPerDoubling = 4;       ///< numbers of candidates
constexpr std::size_t kStride = 4;       ///< every fourth rank comes first

const encoder::Method& twoStage()
{
    const auto* method = encoder::findMethod(kMethod);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "is not a method of the encoder lab", kMethod);
    return *method;
}

/// Scorers of one rank after the other, from one decomposition.
class Scorers {
public:
    Scorers(const SurfaceRequest& request, const encoder::Inputs& inputs, std::int64_t largest, const RunContext& context) : m_request(request), m_inputs(inputs)
    {
        if (request.coarse == "random") {
            if (request.parameters.boolean("centre") && !inputs.calibration.empty())
                m_moments.mean = encoder::momentsOf(inputs.calibration.view(), true, context).mean;
            return;
        }
        const auto width = static_cast<std::uint64_t>(inputs.dictionary->width()), latents = static_cast<std::uint64_t>(inputs.dictionary->latents());
        // the left factor and its leading columns; Gram matrix, second moment, root, their products and eigenvectors
        requireMemory(sizeof(double) * (2 * latents * static_cast<std::uint64_t>(largest) + 7 * width * width), "the recall surface");
        m_moments = encoder::weightedMoments(inputs, encoder::weightingFrom(request.parameters), context);
        m_all = encoder::weightedFactors(inputs.dictionary->rows(), m_moments, largest, context);
    }
    /// Null: the rows have not as many directions.
    encoder::ScorerPtr scorer(std::int64_t rank, const RunContext& context) const
    {
        const auto& dictionary = *m_inputs.dictionary;
        if (m_request.coarse == "random")
            return encoder::randomProjectionScorer(dictionary, rank, m_inputs.seed + static_cast<std::uint64_t>(m_request.parameters.integer("seed")), m_moments.mean, context);
        if (rank > m_all.b.cols())
            return nullptr;
        encoder::WeightedFactors leading{tensor::Matrix<double>(m_all.b.rows(), rank), tensor::Matrix<double>(rank, m_all.a.cols()), {}};
        for (std::int64_t i = 0; i < m_all.b.rows(); ++i)
            std::copy_n(m_all.b.view().row(i).begin(), rank, leading.b.view().row(i).begin());
        std::copy_n(m_all.a.data(), leading.a.size(), leading.a.data());
        auto bias = encoder::foldedBias(dictionary.rows(), dictionary.bias(), leading, m_moments.mean, context);
        return encoder::lowRankScorer(leading.b.view(), leading.a.view(), std::move(bias));
    }

private:
    const SurfaceRequest& m_request;
    const encoder::Inputs& m_inputs;
    encoder::Moments m_moments;
    encoder::WeightedFactors m_all;
};

/// Ranks in ascending order, whatever the order in which they were measured.
void insertRank(report::RecallSurface& whole, report::RecallSurface one)
{
    if (one.ranks.empty())
        return;
    const auto place = std::ranges::lower_bound(whole.ranks, one.ranks.front()) - whole.ranks.begin();
    const auto columns = static_cast<std::ptrdiff_t>(one.candidates.size());
    whole.ranks.insert(whole.ranks.begin() + place, one.ranks.front());
    whole.points.insert(whole.points.begin() + place * columns, one.points.begin(), one.points.end());
    whole.coarse = one.coarse;
    whole.candidates = one.candidates;
    whole.exactMacs = one.exactMacs;
    whole.exactBytesRead = one.exactBytesRead;
    whole.tokens = one.tokens;
    whole.seconds += one.seconds;
}

std::shared_ptr<const SurfacePicture> pictureOf(const SurfaceRequest& request, const report::RecallSurface& surface, bool complete)
{
    return std::make_shared<const SurfacePicture>(SurfacePicture{request, std::make_shared<const report::RecallSurface>(surface), complete});
}

EncoderRequest encoderOf(const SurfaceRequest& request) { return {request.sources, request.k, kMethod, {}, 0}; }
} // namespace

bool SurfaceRequest::operator==(const SurfaceRequest& other) const
{
    const auto fixed = [](Parameters of) {
        of.set("rank", std::int64_t{0});
        of.set("candidates", std::int64_t{0});
        return of;
    };
    return sources == other.sources && k == other.k && coarse == other.coarse && fixed(parameters) == fixed(other.parameters);
}

SurfaceRequest surfaceBeside(const EncoderRequest& request)
{
    const auto& schema = twoStage().declaration.schema;
    SurfaceRequest made{request.sources, request.k, "low-rank", schema.defaults()};
    for (const char* name : {"weighting", "centre", "ridge", "seed"}) // methods that weigh directions call them alike
        if (const auto* spec = schema.find(name); spec && request.parameters.contains(name) && request.parameters.value(name).index() == spec->defaultValue.index())
            made.parameters.set(name, request.parameters.value(name));
    if (request.method == kMethod && request.parameters.contains("coarse"))
        if (const auto* coarse = std::get_if<std::string>(&request.parameters.value("coarse")); coarse && *coarse == "random")
            made.coarse = *coarse;
    made.parameters.set("coarse", made.coarse);
    return made;
}

std::vector<std::int64_t> surfaceRanks(std::int64_t width, std::int64_t latents)
{
    const double most = static_cast<double>(width) * static_cast<double>(latents) / static_cast<double>(width + latents);
    std::vector<std::int64_t> ranks;
    for (std::int64_t power = 1; static_cast<double>(power) <= most; power *= 2) {
        ranks.push_back(power);
        if (power > 1 && 1.5 * static_cast<double>(power) <= most)
            ranks.push_back(power + power / 2);
    }
    if (ranks.empty())
        ranks.push_back(1);
    if (const auto last = static_cast<std::int64_t>(most); last > ranks.back() + ranks.back() / 8)
        ranks.push_back(last);
    return ranks;
}

std::vector<std::int64_t> surfaceCandidates(std::int64_t k, std::int64_t latents)
{
    std::vector<std::int64_t> candidates;
    for (int i = 0;; ++i) {
        const auto next = std::llround(static_cast<double>(k) * std::exp2(i / kPerDoubling));
        if (next >= latents)
            break;
        if (candidates.empty() || next > candidates.back())
            candidates.push_back(next);
    }
    candidates.push_back(latents);
    return candidates;
}

SurfaceWork::Picture SurfaceWork::coarse(const SurfaceRequest& request)
{
    if (m_last && m_last->request == request)
        return m_last;
    try {
        const auto& autoencoder = *request.sources->autoencoder;
        const auto width = static_cast<double>(autoencoder.width()), latents = static_cast<double>(autoencoder.latents());
        if (latents * width * width > kQuickMacs)
            return nullptr;
        const auto dictionary = dictionaryOf(encoderOf(request));
        const auto inputs = inputsOf(encoderOf(request), dictionary);
        const auto& measured = request.sources->measured;
        const auto tokens = std::max(static_cast<std::int64_t>(kFirstTokenMacs / (width * latents)), kFewestTokens);
        const auto exact = encoder::exactTokens(dictionary, someRows(measured, 0, measured.rows(), tokens));
        const auto all = surfaceRanks(dictionary->width(), dictionary->latents());
        const Scorers scorers(request, inputs, all.back(), {});
        report::RecallSurface surface;
        for (std::size_t i = 0; i < kFirstRanks; ++i) { // the last among them: the axis stays as it is
            const std::int64_t rank = all[(i + 1) * all.size() / kFirstRanks - 1];
            if (const auto scorer = scorers.scorer(rank, {}); scorer && (surface.ranks.empty() || surface.ranks.back() < rank)) {
                const encoder::RankedScorer one{rank, scorer};
                insertRank(surface, encoder::recallSurface(*exact, request.coarse, {&one, 1}, surfaceCandidates(dictionary->k(), dictionary->latents())));
            }
        }
        return surface.points.empty() ? nullptr : pictureOf(request, surface, false);
    } catch (const std::exception&) {
        return nullptr; // refine() meets the same and says it
    }
}

SurfaceWork::Picture SurfaceWork::refine(const SurfaceRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    if (m_last && m_last->request == request)
        return m_last;
    const auto dictionary = dictionaryOf(encoderOf(request));
    const auto inputs = inputsOf(encoderOf(request), dictionary);
    const auto all = surfaceRanks(dictionary->width(), dictionary->latents());
    const auto candidates = surfaceCandidates(dictionary->k(), dictionary->latents());
    context.setParts(3 + static_cast<double>(all.size()));
    const auto& measured = request.sources->measured;
    const auto exact = encoder::exactTokens(dictionary, someRows(measured, 0, measured.rows(), measured.rows()), context.part(1, "exact codes"));
    const Scorers scorers(request, inputs, all.back(), context.part(2, "decomposing"));
    report::RecallSurface surface;
    for (std::size_t pass = 0; pass < kStride; ++pass)
        for (std::size_t i = pass == 0 ? kStride - 1 : pass - 1; i < all.size(); i += kStride) {
            const RunContext part = context.part(1, "rank " + std::to_string(all[i]));
            const auto scorer = scorers.scorer(all[i], part);
            if (!scorer)
                continue;
            const encoder::RankedScorer one{all[i], scorer};
            insertRank(surface, encoder::recallSurface(*exact, request.coarse, {&one, 1}, candidates, part));
            if (publish && surface.ranks.size() > 1)
                publish(pictureOf(request, surface, false));
        }
    if (surface.points.empty())
        throw Error(ErrorCode::InvalidParameter, "found no rank that coarse scores could have", kMethod);
    m_last = pictureOf(request, surface, true);
    return m_last;
}

} // namespace tamis::app
