// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the tokens of the encoder lab stand, in photos or in text, and which latents fire there. Plain values.
#include "core/report/encoder_report.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace tamis::report {

/// A photo or a piece of text all of whose tokens are measured ones.
struct TokenSample {
    std::string name;
    std::int64_t first = 0, count = 0; ///< tokens first .. first + count - 1 of the measured ones
    std::vector<std::string> words;    ///< of a text: [count], UTF-8, what cannot be printed spelled out; empty of a photo
};

/// Samples one after the other: every measured token is in one.
struct TokenPlaces {
    std::vector<std::string> prefix;              ///< of photos: names of the tokens before the patches
    std::int64_t gridHeight = 0, gridWidth = 0;   ///< patches of a photo; 0: text
    std::vector<TokenSample> samples;

    bool photos() const noexcept { return gridWidth > 0; }
    /// Of the patch in row `row`, column `column` of a photo; both from 0.
    std::int64_t patchToken(std::size_t sample, std::int64_t row, std::int64_t column) const
    {
        return samples[sample].first + static_cast<std::int64_t>(prefix.size()) + row * gridWidth + column;
    }
};

/// Index of the sample that has the token; nothing for a token that is in none.
std::optional<std::size_t> sampleOf(const TokenPlaces& places, std::int64_t token);
/// "class token", "row 3, column 7", "position 12 of 256"; empty for a token that is in no sample.
std::string placeName(const TokenPlaces& places, std::int64_t token);

/// All tokens of one sample: their exact sets beside what an encoder makes of them.
struct SampleLatents {
    struct Wanted {
        std::int32_t latent = 0;
        float value = 0;
        std::int64_t place = -1; ///< in the encoder's order, 0 first; -1: it is not in it
        float returned = std::numeric_limits<float>::quiet_NaN(); ///< value that the encoder returns; NaN: it does not return it
    };
    struct Other {
        std::int32_t latent = 0;
        float value = 0;
    };
    std::int64_t first = 0;  ///< measured token that these begin with
    bool coarse = false;     ///< places are in a coarse order of all latents, of which a cut takes the first; else in what is returned
    std::vector<std::vector<Wanted>> exact; ///< [tokens], largest first
    std::vector<std::vector<Other>> others; ///< [tokens]: what the encoder returns beside, largest first
};

/// A latent of an exact set is found where the encoder returns it or, of a coarse order, where a cut of `cut` candidates has it.
inline bool isFound(const SampleLatents::Wanted& wanted, bool coarse, std::int64_t cut) { return wanted.place >= 0 && (!coarse || wanted.place < cut); }

/// One latent over the tokens of a sample.
struct LatentMap {
    std::int32_t latent = 0;
    std::vector<float> exact;       ///< [tokens]: values in the exact sets; 0: it does not fire there
    std::vector<float> returned;    ///< [tokens]: what the encoder returns; 0: nothing
    std::vector<char> missed;       ///< [tokens]: it fires and is not found
    float most = 0;                 ///< largest of `exact`, and of `returned` where it fires nowhere
    std::int64_t fires = 0, missing = 0, alone = 0; ///< tokens: of the exact sets, missed, returned where it does not fire
};
LatentMap latentMap(const SampleLatents& sample, std::int32_t latent, std::int64_t cut);

} // namespace tamis::report
