// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reports of the token lab with numbers that a test can follow.
#include "core/report/token_report.h"

#include <QImage>

#include <limits>
#include <memory>
#include <numeric>

namespace tamis::sample {

/// A class token and 4 x 4 patches through three blocks: nothing happens in block 0, block 1 merges the four patches of the upper left corner
/// into token 1, block 2 prunes the lowest row. Scores of block 1: of patch p it is p / 10; of block 2: none for the first patch.
inline std::shared_ptr<report::TokenOverlay> tokenOverlay()
{
    auto made = std::make_shared<report::TokenOverlay>();
    made->file = "cat.jpg";
    made->method = "tokens.example";
    made->title = "Example";
    made->settings = "r 3";
    made->gridRows = made->gridCols = 4;
    made->prefix = 1;
    made->scoreTitle = "attention received";
    report::TokenLayer whole{0, 17, 17, std::vector<std::int32_t>(17), std::vector<float>(17, 1), {}, 100'000'000};
    std::iota(whole.group.begin(), whole.group.end(), 0);
    report::TokenLayer merged = whole;
    merged.block = 1;
    merged.after = 14;
    merged.macs = 90'000'000;
    merged.sizes.assign(14, 1);
    merged.sizes[1] = 4;
    int next = 2;
    for (int patch = 0; patch < 16; ++patch)
        merged.group[static_cast<std::size_t>(patch + 1)] = patch == 0 || patch == 1 || patch == 4 || patch == 5 ? 1 : next++;
    for (int source = 0; source < 17; ++source)
        merged.scores.push_back(source == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(source - 1) / 10);
    report::TokenLayer pruned = merged;
    pruned.block = 2;
    pruned.before = 14;
    pruned.after = 10;
    pruned.macs = 60'000'000;
    pruned.sizes.resize(10);
    for (int patch = 12; patch < 16; ++patch)
        pruned.group[static_cast<std::size_t>(patch + 1)] = -1;
    pruned.scores[1] = std::numeric_limits<float>::quiet_NaN();
    made->layers = {whole, merged, pruned};
    made->before = {{3, "cat", 0.7}, {5, "dog", 0.2}, {1, "bird", 0.05}};
    made->after = {{5, "dog", 0.5}, {3, "cat", 0.4}, {8, "", 0.04}};
    made->embeddingShift = 0.125;
    for (int patch = 0; patch < 16; ++patch) // the merged ones a little, the pruned ones by 1
        made->unmergedShift.push_back(patch >= 12 ? 1.0f : patch == 0 || patch == 1 || patch == 4 || patch == 5 ? 0.25f : 0.0f);
    made->macs = 260'000'000;
    made->fullMacs = 310'000'000;
    return made;
}

/// The same photo in patches of several sizes: cells of 8 pixels, 8 x 8 of them. Token 1 is the upper left quarter of the photo, 2
/// to 12 are 2 x 2 cells each, 13 to 16 the four cells of the lower right corner.
inline std::shared_ptr<report::TokenOverlay> mixedOverlay()
{
    auto made = tokenOverlay();
    made->gridRows = made->gridCols = 8;
    made->unmergedShift.clear(); // a grid of its own
    report::TokenLayer layer{0, 17, 17, std::vector<std::int32_t>(65), std::vector<float>(17), {}, 70'000'000};
    layer.sizes[0] = 1;
    int next = 1;
    for (int row = 0; row < 8; ++row)
        for (int column = 0; column < 8; ++column) {
            const auto at = [&](int y, int x) -> std::int32_t& { return layer.group[static_cast<std::size_t>(1 + y * 8 + x)]; };
            const int side = row < 4 && column < 4 ? 4 : row >= 6 && column >= 6 ? 1 : 2;
            at(row, column) = row % side == 0 && column % side == 0 ? next++ : at(row - row % side, column - column % side);
            ++layer.sizes[static_cast<std::size_t>(at(row, column))];
        }
    made->layers = {layer, layer, layer};
    for (int block = 0; block < 3; ++block)
        made->layers[static_cast<std::size_t>(block)].block = block;
    return made;
}

/// The same photo through the whole model.
inline std::shared_ptr<report::TokenOverlay> wholeOverlay()
{
    auto made = tokenOverlay();
    made->method.clear();
    made->title.clear();
    made->settings.clear();
    for (auto& layer : made->layers) {
        const int block = layer.block;
        layer = tokenOverlay()->layers[0];
        layer.block = block;
    }
    made->after = made->before;
    made->embeddingShift = 0;
    made->macs = made->fullMacs;
    return made;
}

/// The same photo left behind block 1: block 2 was not run.
inline std::shared_ptr<report::TokenOverlay> earlyOverlay()
{
    auto made = tokenOverlay();
    auto& last = made->layers.back();
    last.before = last.after = 0;
    last.macs = 0;
    last.sizes.clear();
    last.scores.clear();
    last.group.assign(last.group.size(), -1);
    made->remark = "left behind block 1";
    return made;
}

/// 64 x 64 pixels, 16 a patch: the upper left four red 200, 100, 0 and 100, all others blue 200.
inline QImage tokenPhoto()
{
    QImage photo(64, 64, QImage::Format_RGB32);
    photo.fill(QColor(0, 0, 200));
    for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x)
            photo.setPixelColor(x, y, QColor(y < 16 ? (x < 16 ? 200 : 100) : (x < 16 ? 0 : 100), 0, 0));
    return photo;
}

/// The whole model, a method at three settings (the middle one no faster than the whole), a trivial reduction at two, one that failed.
inline std::shared_ptr<report::TokenComparison> tokenMethods()
{
    auto made = std::make_shared<report::TokenComparison>();
    made->model = "/models/small";
    made->samples = "/photos";
    made->photos = 20;
    made->batch = 8;
    made->planned = 7;
    const auto add = [&](const char* method, const char* title, const char* settings, std::uint64_t macs, double kept, double agreement, double kl, double ms, bool baseline) {
        report::TokenPoint point;
        point.method = method;
        point.title = title;
        point.settings = settings;
        point.macs = macs;
        point.tokensKept = kept;
        point.agreement = agreement;
        point.kl = kl;
        point.latencyMs = ms;
        point.baseline = baseline;
        made->points.push_back(point);
    };
    add("", "Whole model", "", 100'000'000, 1, 1, 0, 10, true);
    add("tokens.tome", "ToMe", "r 4", 80'000'000, 0.8, 0.95, 0.01, 10, false);
    add("tokens.tome", "ToMe", "r 8", 60'000'000, 0.6, 0.9, 0.05, 8, false);
    add("tokens.tome", "ToMe", "r 12", 50'000'000, 0.5, 0.6, 0.4, 5, false);
    add("tokens.random", "Random", "keep 0.7", 70'000'000, 0.7, 0.7, 0.3, 7.5, true);
    add("tokens.random", "Random", "keep 0.4", 45'000'000, 0.4, 0.4, 1.2, 4.5, true);
    add("tokens.evit", "EViT", "keep 0.7", 70'000'000, 0.7, report::kNotMeasured, report::kNotMeasured, report::kNotMeasured, false);
    made->points.back().failure = "the model has no class token, expected one";
    made->points[2].matchingMs = 0.2;
    return made;
}

} // namespace tamis::sample
