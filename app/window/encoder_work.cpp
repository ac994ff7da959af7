// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/encoder_work.h"

#include "app/window/trained_match.h"
#include "core/base/error.h"
#include "core/encoder/encoder_latency.h"
#include "core/encoder/sample_latents.h"
#include "core/encoder/token_ranking.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace tamis::app {
namespace {
using tensor::Matrix;
using Clock = std::chrono::steady_clock;
constexpr std::size_t kDictionaries = 2, kEncoders = 6; ///< remembered
constexpr double kQuickBuild = 0.015;          ///< seconds that a first picture has for building
constexpr double kQuickMacs = 6e7;             ///< of the rows times the width, for a method not built yet
constexpr double kTokenMacs = 2.5e7;           ///< of the exact codes of a first picture
constexpr double kSampleMacs = 1e8;            ///< of the exact codes of a sample that a first picture shows
constexpr std::int64_t kFewestTokens = 16;
constexpr std::size_t kRankingDepth = 512;
constexpr auto kLatencyDelay = std::chrono::milliseconds(60); ///< without a new request, before latency is measured
constexpr double kLatencySeconds = 0.12;       ///< for each batch size
const std::vector<std::int64_t> kBatches{1, 8, 64};
constexpr std::size_t kComparedSteps = 5;      ///< of one number

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

tensor::MatrixView<const float> oneRow(const Matrix<float>& rows, std::int64_t at) { return {rows.data() + at * rows.cols(), 1, rows.cols(), rows.cols()}; }
} // namespace

// The lane's work ----------------------------------------------------------------------------------------------------------

struct EncoderWork::Prepared {
    SourcesPointer sources;
    std::int64_t k = 0;
    encoder::Inputs inputs;
    std::shared_ptr<const encoder::ExactTokens> part, whole; ///< null until they are needed
    struct Sample {
        std::int64_t first = -1; ///< token; -1: none was seen
        Matrix<float> prepared;
        encoder::SparseCodes codes;
    } seen;

    /// Evenly spread tokens that are measured in a moment.
    const encoder::ExactTokens& few()
    {
        if (!part) {
            const auto& dictionary = *inputs.dictionary;
            const double each = static_cast<double>(dictionary.latents()) * static_cast<double>(dictionary.width());
            const auto most = std::max<std::int64_t>(static_cast<std::int64_t>(kTokenMacs / each), kFewestTokens);
            part = encoder::exactTokens(inputs.dictionary, someRows(sources->measured, 0, sources->measured.rows(), most));
        }
        return *part;
    }
    const encoder::ExactTokens& all(const RunContext& context)
    {
        if (!whole)
            whole = encoder::exactTokens(inputs.dictionary, someRows(sources->measured, 0, sources->measured.rows(), sources->measured.rows()), context);
        return *whole;
    }
    /// Of the photo or text that was seen last: what every encoder is held against there.
    const Sample& sampleCodes(const report::TokenSample& tokens, const RunContext& context)
    {
        if (seen.first == tokens.first)
            return seen;
        const auto& rows = sources->measured;
        Sample made{tokens.first, inputs.dictionary->prepared({rows.data() + tokens.first * rows.cols(), tokens.count, rows.cols(), rows.cols()}), {}};
        made.codes = whole ? encoder::codesOf(whole->codes, tokens.first, tokens.count) : exactEncoder().encode(made.prepared.view(), context);
        seen = std::move(made);
        return seen;
    }
    const encoder::TopKEncoder& exactEncoder() { return whole ? *whole->encoder : *few().encoder; }
};

struct EncoderWork::Remembered {
    EncoderRequest request;
    Parameters complete;
    encoder::Built built;
    double seconds = 0;
    std::shared_ptr<const report::EncoderReport> report; ///< of all tokens; null: not yet
    bool timed = false;                                  ///< with latencies
    std::shared_ptr<const report::SampleLatents> latents; ///< of the sample that was seen last; null: none
};

EncoderWork::EncoderWork(std::shared_ptr<const TrainedEncoders> trained) : m_trained(std::move(trained)) {}
EncoderWork::~EncoderWork() = default;

EncoderWork::Prepared& EncoderWork::prepare(const EncoderRequest& request)
{
    const std::int64_t k = kOf(request);
    const auto known = std::ranges::find_if(m_prepared, [&](const auto& each) { return each->sources == request.sources && each->k == k; });
    if (known != m_prepared.end())
        return **known;
    auto made = std::make_unique<Prepared>();
    made->sources = request.sources;
    made->k = k;
    made->inputs = inputsOf(request, dictionaryOf(request));
    std::erase_if(m_remembered, [&](const auto& each) { return each->request.sources != request.sources; });
    m_prepared.push_front(std::move(made));
    if (m_prepared.size() > kDictionaries)
        m_prepared.pop_back();
    return *m_prepared.front();
}

EncoderWork::Remembered* EncoderWork::remembered(const EncoderRequest& request)
{
    const auto found = std::ranges::find_if(m_remembered, [&](const auto& each) { return each->request.sameEncoder(request); });
    return found == m_remembered.end() ? nullptr : found->get();
}

EncoderWork::Remembered& EncoderWork::build(const EncoderRequest& request, const RunContext& context)
{
    auto made = std::make_unique<Remembered>();
    made->request = request;
    const auto& method = methodOf(request);
    made->complete = method.declaration.schema.complete(request.parameters);
    const auto start = Clock::now();
    if (const auto trained = m_trained->at(request.trained)) {
        made->built = builtFor(*trained, made->complete, prepare(request).inputs.dictionary, context);
        made->seconds = trained->seconds;
        if (made->complete != trained->request.parameters)
            m_buildSeconds.emplace(request.method, secondsSince(start));
    } else {
        made->built = method.build(prepare(request).inputs, made->complete, context);
        made->seconds = secondsSince(start);
        double& least = m_buildSeconds.emplace(request.method, made->seconds).first->second;
        least = std::min(least, made->seconds); // others may have been using the machine
    }
    m_remembered.push_front(std::move(made));
    if (m_remembered.size() > kEncoders)
        m_remembered.pop_back();
    return *m_remembered.front();
}

bool EncoderWork::quick(const EncoderRequest& request) const
{
    if (const auto& method = methodOf(request); method.trains) {
        const auto trained = m_trained->at(request.trained);
        if (!trained || method.declaration.schema.complete(request.parameters) == trained->request.parameters)
            return trained.has_value(); // else it is restored with other settings
    }
    if (const auto known = m_buildSeconds.find(request.method); known != m_buildSeconds.end())
        return known->second <= kQuickBuild;
    const auto& autoencoder = *request.sources->autoencoder;
    const double width = static_cast<double>(autoencoder.width());
    return static_cast<double>(autoencoder.latents()) * width * width <= kQuickMacs;
}

namespace {
report::EncoderReport measured(const encoder::ExactTokens& exact, const encoder::TopKEncoder& encoder, const EncoderRequest& request, const Parameters& parameters, const encoder::Built& built,
                               double seconds, const encoder::MeasureOptions& options, const RunContext& context)
{
    auto report = encoder::measureEncoder(exact, encoder, request.method, parameters, options, context);
    report.buildSeconds = seconds;
    report.training = built.training;
    report.warnings = built.warnings;
    report.notes = request.sources->autoencoder->notes;
    return report;
}
} // namespace

EncoderWork::Picture EncoderWork::pictureOf(const EncoderRequest& request, Remembered& from, Prepared& prepared, const std::shared_ptr<const report::EncoderReport>& report, Haste haste,
                                            const RunContext& context)
{
    auto picture = std::make_shared<EncoderPicture>();
    picture->request = request;
    picture->report = report;
    picture->complete = report->tokens == request.sources->measured.rows();
    const Matrix<float>& rows = request.sources->measured;
    const std::int64_t token = std::clamp<std::int64_t>(request.token, 0, rows.rows() - 1);
    const Matrix<float> row = prepared.inputs.dictionary->prepared(oneRow(rows, token));
    auto ranking = encoder::tokenRanking(prepared.exactEncoder(), *from.built.encoder, row.view(), kRankingDepth, context);
    ranking.token = token;
    picture->ranking = std::make_shared<const report::TokenRanking>(std::move(ranking));
    picture->latents = sampleOf(request, token, from, prepared, haste, context);
    return picture;
}

std::shared_ptr<const report::SampleLatents> EncoderWork::sampleOf(const EncoderRequest& request, std::int64_t token, Remembered& from, Prepared& prepared, Haste haste,
                                                                   const RunContext& context)
{
    const auto& places = request.sources->places;
    const auto sample = request.sample && places ? report::sampleOf(*places, token) : std::nullopt;
    if (!sample)
        return nullptr;
    const auto& tokens = places->samples[*sample];
    if (from.latents && from.latents->first == tokens.first)
        return from.latents;
    const auto& dictionary = *prepared.inputs.dictionary;
    const double macs = static_cast<double>(tokens.count) * static_cast<double>(dictionary.latents()) * static_cast<double>(dictionary.width());
    if (haste == Haste::First && macs > kSampleMacs)
        return nullptr; // refine() has the time
    const auto& exact = prepared.sampleCodes(tokens, context);
    from.latents = std::make_shared<const report::SampleLatents>(encoder::sampleLatents(exact.codes, exact.prepared.view(), *from.built.encoder, tokens.first, context));
    return from.latents;
}

EncoderWork::Picture EncoderWork::coarse(const EncoderRequest& request)
{
    try {
        auto* known = remembered(request);
        if (known && known->report)
            return pictureOf(request, *known, prepare(request), known->report, Haste::First, {});
        if (!known && !quick(request))
            return nullptr;
        Prepared& prepared = prepare(request);
        const encoder::ExactTokens& exact = prepared.few();
        if (!known)
            known = &build(request, {});
        const auto report = std::make_shared<const report::EncoderReport>(measured(exact, *known->built.encoder, request, known->complete, known->built, known->seconds, {}, {}));
        return pictureOf(request, *known, prepared, report, Haste::First, {});
    } catch (const std::exception&) {
        return nullptr; // refine() meets the same and says it
    }
}

EncoderWork::Picture EncoderWork::refine(const EncoderRequest& request, const RunContext& context, const std::function<void(Picture)>& publish)
{
    context.setParts(4);
    auto* known = remembered(request);
    const auto& method = methodOf(request);
    if (!known && method.trains && !m_trained->at(request.trained))
        return nullptr;
    Prepared& prepared = prepare(request);
    const encoder::ExactTokens& exact = prepared.all(context.part(1, "exact codes"));
    if (!known)
        known = &build(request, context.part(1, "building"));
    if (!known->report) {
        const RunContext part = context.part(1, "measuring");
        known->report = std::make_shared<const report::EncoderReport>(measured(exact, *known->built.encoder, request, known->complete, known->built, known->seconds, {}, part));
    }
    if (!known->timed) {
        if (publish)
            publish(pictureOf(request, *known, prepared, known->report, Haste::None, context));
        // A measurement of a drag that goes on would only slow it down.
        for (auto waited = std::chrono::milliseconds(0); waited < kLatencyDelay; waited += kLatencyDelay / 12) {
            context.throwIfStopped();
            std::this_thread::sleep_for(kLatencyDelay / 12);
        }
        auto timed = std::make_shared<report::EncoderReport>(*known->report);
        const RunContext part = context.part(1, "latency");
        for (const std::int64_t batch : kBatches)
            timed->latency.push_back(encoder::measureLatency(*known->built.encoder, *exact.encoder, exact.prepared.view(), batch, kLatencySeconds, part));
        known->report = std::move(timed);
        known->timed = true;
    }
    return pictureOf(request, *known, prepared, known->report, Haste::None, context);
}

// Comparisons ----------------------------------------------------------------------------------------------------------------

report::EncoderComparison compareAll(const EncoderRequest& request, const std::vector<TrainedEncoders::Entry>& trained, const RunContext& context, const std::function<void(const report::EncoderComparison&)>& finished,
                                     double latencySeconds)
{
    context.setParts(10);
    const auto dictionary = dictionaryOf(request);
    const auto inputs = inputsOf(request, dictionary);
    const auto& rows = request.sources->measured;
    const auto exact = encoder::exactTokens(dictionary, someRows(rows, 0, rows.rows(), rows.rows()), context.part(1, "exact codes"));
    std::vector<encoder::ComparedEncoder> encoders;
    for (const auto& method : encoder::methods()) {
        if (method.trains || (method.needsCalibration && inputs.calibration.empty()))
            continue;
        const bool chosen = method.declaration.id == request.method; // the user's other settings are kept
        for (auto& each : encoder::spreadSettings(method, chosen ? request.parameters : Parameters(), *dictionary, kComparedSteps))
            encoders.push_back(std::move(each));
    }
    std::deque<encoder::Method> finishedOnes; // that build what there is
    for (const auto& entry : trained) {
        auto& method = finishedOnes.emplace_back(methodOf(entry.request));
        method.build = [&entry](const encoder::Inputs&, const Parameters&, const RunContext&) { return entry.built; };
        encoders.push_back({&method, entry.request.parameters, method.declaration.title, toldNames(method, entry.request.parameters)});
    }
    encoder::MeasureOptions options;
    options.latencyBatches = kBatches;
    options.latencySeconds = latencySeconds;
    const auto named = [&](report::EncoderComparison comparison) {
        comparison.dictionary = request.sources->paths.autoencoder.string();
        comparison.tokens = request.sources->measuredOn;
        return comparison;
    };
    return named(encoder::compareEncoders(*exact, inputs, encoders, options, context.part(9, "comparing"),
                                          [&](const report::EncoderComparison& soFar) { finished(named(soFar)); }));
}

} // namespace tamis::app
