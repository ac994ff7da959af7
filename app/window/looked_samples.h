// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples that pages look at one by one, opened, listed and named. Runs on workers, never on the window's thread.
#include "app/samples/sample_request.h"
#include "core/inputs/image_preprocess.h"
#include "core/inputs/tokenizer.h"
#include "core/report/attention_map_report.h"

#include <QImage>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

/// Samples that stand beside a model without being asked for: heldout.npy. Empty: none.
std::filesystem::path textBeside(const std::filesystem::path& model);

/// Photos of a folder or texts of a file for one model. Immutable.
struct LookedSamples {
    bool photos = false;
    std::filesystem::path path;          ///< folder or file
    std::shared_ptr<const measure::SampleSource> source;
    std::vector<std::string> names;      ///< of the samples
    std::vector<std::string> beginnings; ///< of texts: their first words
    std::shared_ptr<const inputs::Tokenizer> tokenizer; ///< null: ids stand for the words
    std::vector<std::string> classNames; ///< may be empty
    inputs::ImagePreprocess preprocess;  ///< of photos

    std::string tokenName(std::int32_t id) const; ///< as people read it: without the space before it; what is nothing else is named
    std::vector<std::string> tokenNames(std::size_t sample) const; ///< of a text; empty for photos. Throws what loading throws.
    void name(std::vector<report::Guess>& guesses) const;
    QImage photo(std::size_t sample) const; ///< what the model sees; null for texts. Throws what decoding throws.
};

/// What openSamples() is asked for: texts of at most 256 tokens, 500 samples.
SampleRequest lookedRequest(const std::filesystem::path& samples, const nn::Model& model);
/// Throws what openSamples() throws.
std::shared_ptr<const LookedSamples> openLookedSamples(const std::filesystem::path& samples, const std::filesystem::path& modelPath, const nn::Model& model, const RunContext& context);

} // namespace tamis::app
