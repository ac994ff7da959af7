// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which encoder the encoder tab asks for.
#include "app/window/encoder_sources.h"
#include "core/encoder/method.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

struct EncoderRequest {
    SourcesPointer sources;
    std::int64_t k = 0;    ///< 0: the autoencoder's own
    std::string method;    ///< method id
    Parameters parameters; ///< what is missing has its default
    std::int64_t token = 0; ///< of the measured ones, seen closely
    int trained = 0;        ///< number of the trained encoder that these settings stand for; 0: none
    bool sample = false;    ///< and so are all tokens of the photo or text that the token stands in
    /// All but what is seen closely.
    bool sameEncoder(const EncoderRequest& other) const
    {
        return sources == other.sources && k == other.k && method == other.method && parameters == other.parameters && trained == other.trained;
    }
};

/// Throws Error{InvalidParameter} for a method that there is not.
const encoder::Method& methodOf(const EncoderRequest& request);
/// Latents a token.
std::int64_t kOf(const EncoderRequest& request);
/// Throws Error{InvalidParameter} for a k that there is not.
std::shared_ptr<const encoder::Dictionary> dictionaryOf(const EncoderRequest& request);
/// With the rows that are fitted to, where there are any.
encoder::Inputs inputsOf(const EncoderRequest& request, std::shared_ptr<const encoder::Dictionary> dictionary);
/// Parameters that differ from their defaults; the first one where none does.
std::vector<std::string> toldNames(const encoder::Method& method, const Parameters& parameters);
/// The same with their values, in one line.
std::string settingsLine(const encoder::Method& method, const Parameters& parameters);

} // namespace tamis::app
