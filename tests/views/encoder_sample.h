// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reports of the encoder lab with numbers that a test can follow.
#include "core/report/encoder_comparison.h"
#include "core/report/encoder_report.h"
#include "core/report/encoder_tokens.h"
#include "core/report/recall_surface.h"

#include <memory>

namespace tamis::sample {

/// 1000 latents, k = 4, 5 tokens. Places of the sets in the coarse order: {0 1 2 3}, {0 1 2 9}, {0 1 40 50}, {} and {3 2 1 700}.
inline std::shared_ptr<report::EncoderReport> encoderReport()
{
    auto made = std::make_shared<report::EncoderReport>();
    made->method = "encoder.low-rank";
    made->width = 64;
    made->latents = 1000;
    made->k = 4;
    made->tokens = 5;
    made->exactLatents = {10, 11, 12, 13, 10, 11, 12, 14, 10, 11, 15, 16, 13, 12, 11, 14};
    made->coarseRanks = {0, 1, 2, 3, 0, 1, 2, 9, 0, 1, 40, 50, 3, 2, 1, 700};
    const auto outcome = [](std::int64_t exact, std::int64_t found) {
        report::TokenOutcome o;
        o.exact = exact;
        o.found = found;
        o.recall = exact > 0 ? static_cast<double>(found) / static_cast<double>(exact) : 1;
        return o;
    };
    made->outcomes = {outcome(4, 4), outcome(4, 3), outcome(4, 2), outcome(0, 0), outcome(4, 3)};
    made->missed = {{14, 2, 2}, {15, 1, 1}, {16, 1, 1}};
    made->quality.recallMean = 0.75;
    made->quality.recallP5 = made->quality.recallP1 = made->quality.recallMin = 0.5;
    made->quality.fvu = 0.12;
    made->quality.fvuExact = 0.1;
    made->cost = {8'000, 32'000, 8'000, 32'000};
    made->exactCost = {65'000, 260'000, 64'000, 272'000};
    made->latency = {{1, 0.02, 0.03, 0.1}, {8, 0.1, 0.12, 0.4}, {64, 0.6, 0.7, 1.2}};
    made->buildSeconds = 0.02;
    made->warnings = {"The rank is 8, not 9."};
    return made;
}

/// Token 2 of the report, and the first 100 of its coarse order.
inline std::shared_ptr<report::TokenRanking> ranking()
{
    auto made = std::make_shared<report::TokenRanking>();
    made->token = 2;
    made->latents = 1000;
    made->k = 4;
    made->coarse = true;
    made->exact = {{10, 4.0, 0}, {11, 3.0, 1}, {15, 2.0, 40}, {16, 1.0, 50}};
    for (std::int32_t place = 0; place < 100; ++place) {
        const bool wanted = place == 0 || place == 1 || place == 40 || place == 50;
        made->ranked.push_back({place == 0 ? 10 : place == 1 ? 11 : place == 40 ? 15 : place == 50 ? 16 : 200 + place, 4.0 - 0.05 * place, wanted});
    }
    return made;
}

/// Ranks 4, 8, 16 and candidates 4, 16, 64, 256 of 1000 latents: recall grows with both, the cost is 100 r + 64 K of 64,000.
inline std::shared_ptr<report::RecallSurface> recallSurface()
{
    auto made = std::make_shared<report::RecallSurface>();
    made->coarse = "low-rank";
    made->ranks = {4, 8, 16};
    made->candidates = {4, 16, 64, 256};
    made->exactMacs = 64'000;
    made->exactBytesRead = 256'000;
    made->tokens = 300;
    const double recalls[3][4] = {{0.2, 0.4, 0.6, 0.8}, {0.4, 0.7, 0.9, 0.992}, {0.6, 0.9, 0.995, 1}};
    for (std::size_t r = 0; r < 3; ++r)
        for (std::size_t c = 0; c < 4; ++c) {
            report::RecallPoint point{.rank = made->ranks[r], .candidates = made->candidates[c]};
            point.recallMean = recalls[r][c];
            point.recallP5 = recalls[r][c] - 0.1;
            point.recallP1 = recalls[r][c] - 0.15;
            point.recallMin = recalls[r][c] - 0.2;
            point.macs = 100.0 * static_cast<double>(point.rank) + 64.0 * static_cast<double>(point.candidates);
            point.bytesRead = 4 * point.macs;
            made->points.push_back(point);
        }
    return made;
}

/// The exact encoder, three ranks of one method of which the middle one is beaten, one of another, and one that failed.
inline std::shared_ptr<report::EncoderComparison> encoders()
{
    auto made = std::make_shared<report::EncoderComparison>();
    made->dictionary = "/saes/small";
    made->tokens = "/saes/heldout.npy";
    made->width = 64;
    made->latents = 1000;
    made->k = 4;
    made->tokenCount = 300;
    made->planned = 6;
    const auto point = [&](const char* method, const char* title, const char* settings, double recall, double fvu, double ms64, double macs) {
        report::EncoderPoint p;
        p.method = method;
        p.title = title;
        p.settings = settings;
        p.quality.recallMean = recall;
        p.quality.recallP5 = recall - 0.1;
        p.quality.recallMin = recall - 0.3;
        p.quality.fvu = fvu;
        p.quality.fvuExact = 0.1;
        p.cost.macs = macs;
        p.cost.bytesRead = 4 * macs;
        p.latency = {{1, ms64 / 32, ms64 / 30, 0.1}, {8, ms64 / 6, ms64 / 5, 0.3}, {64, ms64, 1.1 * ms64, 3.2}};
        return p;
    };
    auto exact = point("encoder.exact", "Exact, float32", "", 1, 0.1, 3.2, 64'000);
    exact.exact = true;
    auto failed = point("encoder.other", "Other", "clusters 4096", 0, 0, 1, 1);
    failed.quality = {};
    failed.cost = {};
    failed.latency.clear();
    failed.failure = "found 4096 clusters, expected at most 1000";
    made->points = {exact, point("encoder.low-rank", "Low rank", "rank 8", 0.7, 0.2, 0.4, 9'000), point("encoder.low-rank", "Low rank", "rank 16", 0.65, 0.25, 0.8, 18'000),
                    point("encoder.low-rank", "Low rank", "rank 32", 0.95, 0.11, 1.6, 36'000), point("encoder.certified", "Certified", "bits 8", 1, 0.1, 2.4, 128'000), failed};
    return made;
}

/// Two photos of a class token and 3 x 4 patches: tokens 0 to 12 and 13 to 25.
inline std::shared_ptr<report::TokenPlaces> photoPlaces()
{
    auto made = std::make_shared<report::TokenPlaces>();
    made->prefix = {"class token"};
    made->gridHeight = 3;
    made->gridWidth = 4;
    made->samples = {{"a.jpg", 0, 13, {}}, {"b.jpg", 13, 13, {}}};
    return made;
}

/// Two pieces of text of 7 and 3 tokens.
inline std::shared_ptr<report::TokenPlaces> textPlaces()
{
    auto made = std::make_shared<report::TokenPlaces>();
    made->samples = {{"tokens 0 to 6", 0, 7, {"The", " sea", ",", " the", " <E2>", "↵", "Call"}}, {"tokens 7 to 9", 7, 3, {" me", " Ish", "mael"}}};
    return made;
}

/// Of `count` tokens from `first` on: latent 10 fires everywhere but at the third (2 + its index) and stands first, latent 20 at every other one and
/// stands at place 6, latent 30 is what only the encoder has at the third.
inline std::shared_ptr<report::SampleLatents> sampleLatents(std::int64_t first, std::size_t count)
{
    auto made = std::make_shared<report::SampleLatents>();
    made->first = first;
    made->coarse = true;
    made->exact.resize(count);
    made->others.resize(count);
    for (std::size_t t = 0; t < count; ++t) {
        const float value = 2 + static_cast<float>(t);
        if (t != 2)
            made->exact[t].push_back({10, value, 0, value - 0.5F});
        else
            made->others[t].push_back({30, 0.75F});
        if (t % 2 == 0)
            made->exact[t].push_back({20, 1.5F, 5});
    }
    return made;
}

} // namespace tamis::sample
