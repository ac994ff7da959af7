// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the encoder tab asks of core: from an autoencoder, tokens and settings to pictures. Runs on workers, never on the window's thread.
#include "core/base/run_context.h"
#include "core/encoder/encoder_comparison.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "core/report/encoder_comparison.h"
#include "core/report/encoder_report.h"

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// Where the lab's inputs lie. Empty tokens: those beside the autoencoder; empty calibration: a half of the tokens.
struct EncoderPaths {
    std::filesystem::path autoencoder, tokens, calibration;
    bool operator==(const EncoderPaths&) const = default;
};

/// What was opened, immutable: rows as they are in the files, at most kMostTokens to measure on and kMostFitted to fit to.
struct EncoderSources {
    EncoderPaths paths;           ///< as asked for
    std::filesystem::path tokens; ///< that were read; empty: there are none
    std::shared_ptr<const io::SparseAutoencoder> autoencoder;
    tensor::Matrix<float> measured, fitted;
    bool halved = false;       ///< one file: its first half is fitted to, its second measured
    std::int64_t rows = 0;     ///< in the token file
    std::int64_t ownK = 0;     ///< of a TopK autoencoder; else what the lab takes
    static constexpr std::int64_t kMostTokens = 4096, kMostFitted = 16384;
};
using SourcesPointer = std::shared_ptr<const EncoderSources>;

/// heldout.npy in the autoencoder's folder or above it, or there a <name>.heldout.npy whose name the folders' names begin with. Empty:
/// none.
std::filesystem::path tokensBeside(const std::filesystem::path& autoencoder);
/// Throws what reading throws, and Error{InvalidParameter} where there are no tokens or too few to halve.
SourcesPointer openEncoderSources(const EncoderPaths& paths, const RunContext& context);

struct EncoderRequest {
    SourcesPointer sources;
    std::int64_t k = 0;    ///< 0: the autoencoder's own
    std::string method;    ///< method id
    Parameters parameters; ///< what is missing has its default
    std::int64_t token = 0; ///< of the measured ones, seen closely
    /// All but the token.
    bool sameEncoder(const EncoderRequest& other) const
    {
        return sources == other.sources && k == other.k && method == other.method && parameters == other.parameters;
    }
};

struct EncoderPicture {
    EncoderRequest request;
    std::shared_ptr<const report::EncoderReport> report;
    std::shared_ptr<const report::TokenRanking> ranking;
    bool complete = false; ///< of all tokens; the latencies may still come
};

/// Encoders that took long to train, by their request. Thread-safe.
class TrainedEncoders {
public:
    struct Entry {
        EncoderRequest request;
        encoder::Built built;
        double seconds = 0;
    };
    void keep(Entry entry);
    std::optional<Entry> find(const EncoderRequest& request) const;

private:
    mutable std::mutex m_mutex;
    std::deque<Entry> m_entries; ///< newest first, few
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
    Picture pictureOf(const EncoderRequest& request, const Remembered& from, Prepared& prepared, const std::shared_ptr<const report::EncoderReport>& report, bool complete,
                      const RunContext& context);
    bool quick(const EncoderRequest& request) const;

    std::shared_ptr<const TrainedEncoders> m_trained;
    std::deque<std::unique_ptr<Prepared>> m_prepared;     ///< newest first
    std::deque<std::unique_ptr<Remembered>> m_remembered; ///< newest first
    std::map<std::string, double> m_buildSeconds;         ///< of each method, the least
};

/// Trains (or builds) what is asked for. Throws tamis::Error.
TrainedEncoders::Entry buildEncoder(const EncoderRequest& request, const RunContext& context);

/// Every method that trains nothing, at several of its settings, on the request's tokens; `finished` is called with all points so far, each
/// timed for `latencySeconds` at each batch size.
report::EncoderComparison compareAll(const EncoderRequest& request, const RunContext& context, const std::function<void(const report::EncoderComparison&)>& finished,
                                     double latencySeconds = 0.04);

} // namespace tamis::app
