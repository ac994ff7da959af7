// SPDX-License-Identifier: GPL-3.0-or-later
// Configurations of the formats that are read from several files: the first byte of the input says which, the second
// which switches are set, the rest is the configuration beside weights that are sound (40 latents on 12 features).
#include "core/base/error.h"
#include "core/io/sae_checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

using namespace tamis;
namespace fs = std::filesystem;

namespace
{
struct Place {
    const char *golden, *config;
};
constexpr Place kPlaces[] = {{"llama_scope_distill", "config.json"},       {"llama_scope_new_topk", "config.json"},
                             {"llama_scope_old", "hyperparams.json"},      {"dictionary_batchtopk", "config.json"},
                             {"dictionary_gated", "config.json"},          {"dictionary_jumprelu", "config.json"},
                             {"saelens_average_in_weights", "cfg.json"},   {"saelens_gated", "cfg.json"},
                             {"saelens_average", "activation_scaler.json"}};

// Copies of the goldens, gone when the program ends.
class Folders
{
public:
    Folders() : m_root(fs::temp_directory_path() / ("fuzz_sae_formats." + std::to_string(getpid())))
    {
        fs::create_directories(m_root);
        for (const Place& place : kPlaces)
            fs::copy(fs::path(TAMIS_SOURCE_DIR "/tests/golden/sae") / place.golden, m_root / place.golden,
                     fs::copy_options::recursive);
    }
    ~Folders()
    {
        std::error_code ignored;
        fs::remove_all(m_root, ignored);
    }
    fs::path at(const Place& place) const { return m_root / place.golden; }

private:
    fs::path m_root;
};

io::SaeReadOptions switches(std::uint8_t bits)
{
    io::SaeReadOptions options;
    const auto choice = [](int value) { return value == 1 ? io::SaeChoice::Yes : io::SaeChoice::No; };
    if (bits & 1)
        options.decoderNorms = choice(bits >> 1 & 1);
    if (bits & 4)
        options.inputScaling = choice(bits >> 3 & 1);
    options.thresholdOfRawInputs = bits & 16;
    options.perTokenTopK = bits & 32;
    if (bits & 64)
        options.inputScale = 0.5;
    return options;
}

void check(const io::SparseAutoencoder& a)
{
    const auto finite = [](std::span<const float> values) {
        return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
    };
    const std::size_t m = 40;
    const bool counts =
        a.config.activation == io::SaeActivation::TopK || a.config.activation == io::SaeActivation::GroupMax;
    if (a.width() != 12 || a.latents() != 40 || a.decoder.rows() != 40 || a.decoder.cols() != 12 ||
        a.encoderBias.size() != m || a.decoderBias.size() != 12 || (counts && (a.config.k < 1 || a.config.k > 40)) ||
        a.threshold.size() != (a.config.activation == io::SaeActivation::JumpRelu ? m : 0) ||
        (!a.valueScale.empty() && a.valueScale.size() != m) || (!a.valueBias.empty() && a.valueBias.size() != m))
        std::abort();
    if (!finite(a.encoder.values()) || !finite(a.decoder.values()) || !finite(a.encoderBias) ||
        !finite(a.decoderBias) || !finite(a.threshold) || !finite(a.valueScale) || !finite(a.valueBias))
        std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    static const Folders folders;
    if (size < 2)
        return 0;
    const Place& place = kPlaces[input[0] % std::size(kPlaces)];
    const fs::path folder = folders.at(place);
    std::ofstream(folder / place.config, std::ios::binary)
        .write(reinterpret_cast<const char*>(input + 2), static_cast<std::streamsize>(size - 2));
    try {
        check(io::readSparseAutoencoder(folder, switches(input[1])));
    } catch (const Error&) {
    }
    return 0;
}
