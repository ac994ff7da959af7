// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the encoder tab asks of core: from an autoencoder, tokens and settings to pictures. Runs on workers, never on the window's thread.
#include "app/window/encoder_request.h"
#include "app/window/trained_encoders.h"
#include "core/base/run_context.h"
#include "core/encoder/encoder_comparison.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "core/report/encoder_comparison.h"
#include "core/report/encoder_report.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

struct EncoderPicture {
    EncoderRequest request;
    std::shared_ptr<const report::EncoderReport> report;
    std::shared_ptr<const report::TokenRanking> ranking;
    std::shared_ptr<const report::SampleLatents> latents; ///< of the token's sample; null: not asked for, or not yet
    bool complete = false; ///< of all tokens; the latencies may still come
    /// The encoder and what is seen closely are those asked for.
    bool answers(const EncoderRequest& asked) const { return request.sameEncoder(asked) && request.token == asked.token && (!asked.sample || latents); }
};

/// Remembers exact codes by dictionary, and the last encoders with their reports. One thread at a time.
class EncoderWork {
public:
    using Picture = std::shared_ptr<const EncoderPicture>;
    explicit EncoderWork(std::shared_ptr<const TrainedEncoders> trained);
    ~EncoderWork();

    /// From what is remembered; else, where the method is known or expected to be that quick, of an even part of the tokens. Null: nothing
    /// in some 30 ms. What fails is left to refine().
    Picture coarse(const EncoderRequest& request);
    /// Of all tokens, published as soon as it is there; then with latencies at 1, 8 and 64 tokens a call. Null for a method that trains and
    /// was not trained with these settings. Throws tamis::Error.
    Picture refine(const EncoderRequest& request, const RunContext& context, const std::function<void(Picture)>& publish);

private:
    struct Prepared;
    struct Remembered;
    Prepared& prepare(const EncoderRequest& request);
    Remembered* remembered(const EncoderRequest& request);
    Remembered& build(const EncoderRequest& request, const RunContext& context);
    enum class Haste { None, First }; ///< First: a picture that must be there in a moment
    Picture pictureOf(const EncoderRequest& request, Remembered& from, Prepared& prepared, const std::shared_ptr<const report::EncoderReport>& report, Haste haste, const RunContext& context);
    std::shared_ptr<const report::SampleLatents> sampleOf(const EncoderRequest& request, std::int64_t token, Remembered& from, Prepared& prepared, Haste haste, const RunContext& context);
    bool quick(const EncoderRequest& request) const;

    std::shared_ptr<const TrainedEncoders> m_trained;
    std::deque<std::unique_ptr<Prepared>> m_prepared;     ///< newest first
    std::deque<std::unique_ptr<Remembered>> m_remembered; ///< newest first
    std::map<std::string, double> m_buildSeconds;         ///< of each method, the least
};

/// Every method that trains nothing, at several of its settings, and `trained` encoders of the same dictionary, on the request's tokens;
/// `finished` is called with all points so far, each timed for `latencySeconds` at each batch size.
report::EncoderComparison compareAll(const EncoderRequest& request, const std::vector<TrainedEncoders::Entry>& trained, const RunContext& context, const std::function<void(const report::EncoderComparison&)>& finished,
                                     double latencySeconds = 0.04);

} // namespace tamis::app
