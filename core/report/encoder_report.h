// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the encoder lab produces and its views show. Plain values. The exact set of a token: its k largest positive latents by the
// dense scores in float32; recall is the share of it that an encoder found.
#include "core/base/parameter_schema.h"
#include "core/report/budget_report.h"
#include "core/report/model_report.h"
#include "core/report/series.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

struct EncoderQuality {
    double recallMean = kNotMeasured, recallP5 = kNotMeasured, recallP1 = kNotMeasured, recallMin = kNotMeasured; ///< over tokens with a non-empty exact set
    double valueError = kNotMeasured; ///< |z' - z| over |z| of the latents found, Euclidean over all tokens
    double fvu = kNotMeasured, fvuExact = kNotMeasured; ///< of reconstructions from these codes and from the exact ones
    double meanActive = kNotMeasured, meanActiveExact = kNotMeasured;
    double lossExact = kNotMeasured, loss = kNotMeasured, lossDense = kNotMeasured; ///< of the model with the autoencoder in place, and without it
};

/// Measured, milliseconds for a whole batch.
struct EncoderLatency {
    std::int64_t batch = 1;
    double p50 = kNotMeasured, p99 = kNotMeasured;
    double exactP50 = kNotMeasured; ///< the dense float32 scan in the same run
};

struct MissedLatent {
    std::int32_t latent = 0;
    std::int64_t count = 0, active = 0; ///< tokens in which it was missed, and in which it was in the exact set
};

/// Of one token of a coarse-and-exact encoder.
struct TokenOutcome {
    double recall = 1;
    std::int64_t exact = 0, found = 0; ///< sizes of the sets
    std::int32_t candidates = 0;       ///< certified encoders
    double margin = kNotMeasured;
    bool dense = false;                ///< fell back
    double failure = 0;                ///< certified encoders: probability that the certificate does not hold, 0 where it is a proof
    double bound = kNotMeasured;       ///< certified encoders: width of the bounds over rms |w| |x| / sqrt(D), the eps sqrt(D) of the law
};

/// Of a certified encoder, over all tokens.
struct CertificateSummary {
    double candidatesMean = kNotMeasured;
    std::int64_t candidatesMax = 0, fallbacks = 0; ///< tokens that fell back
    double marginMin = kNotMeasured;
};

struct EncoderCostEstimate {
    std::uint64_t parameters = 0, bytes = 0;
    double macs = 0, bytesRead = 0; ///< a token
};

struct EncoderReport {
    std::string method;
    Parameters parameters; ///< complete
    std::int64_t width = 0, latents = 0, k = 0, tokens = 0;
    EncoderQuality quality;
    EncoderCostEstimate cost, exactCost;
    std::vector<EncoderLatency> latency;
    std::vector<MissedLatent> missed;     ///< most often missed first
    /// Of n tokens, all of them or as many as are kept: outcome i is of token floor(i tokens / n). Quality and certificate are of all.
    std::vector<TokenOutcome> outcomes;
    std::vector<std::int32_t> exactLatents; ///< the exact sets of the outcomes one after the other: outcomes[t].exact of outcome t, largest first
    std::vector<double> coarseRanks;      ///< of every latent of exactLatents, its place in the coarse order (0 first); empty without a coarse stage
    bool certified = false;
    CertificateSummary certificate;
    double buildSeconds = 0, seconds = 0;
    double passSeconds = kNotMeasured;    ///< one pass over all tokens: reading, preparing, both encoders, reconstructions, sums
    std::vector<Series> training; ///< losses by step; empty where nothing was trained
    std::vector<std::string> notes, warnings; ///< what the reader assumed; fall-backs
};

/// One token through an encoder, its exact set beside what the encoder makes of it.
struct TokenRanking {
    struct Wanted {
        std::int32_t latent = 0;
        double value = 0;
        std::int64_t place = -1; ///< in the encoder's order, 0 first; -1: it is not in it
    };
    struct Ranked {
        std::int32_t latent = 0;
        double score = 0; ///< the encoder's own
        bool wanted = false;
    };
    std::int64_t token = 0, latents = 0, k = 0;
    bool coarse = false;         ///< `ranked` is a coarse order of all latents, of which a cut takes the first; else what was returned
    std::vector<Wanted> exact;   ///< largest first
    std::vector<Ranked> ranked;  ///< the first of the order
};

} // namespace tamis::report
