// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/encoder_sources.h"

#include "core/base/error.h"
#include "core/encoder/activation_rows.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using tensor::Matrix;
constexpr std::int64_t kHalvedAtLeast = 4; ///< tokens
} // namespace

Matrix<float> someRows(const Matrix<float>& all, std::int64_t first, std::int64_t end, std::int64_t most)
{
    const std::int64_t count = std::min(end - first, most);
    Matrix<float> rows(count, all.cols());
    for (std::int64_t i = 0; i < count; ++i) // evenly spread
        std::copy_n(all.data() + (first + i * (end - first) / count) * all.cols(), all.cols(), rows.data() + i * all.cols());
    return rows;
}

fs::path tokensBeside(const fs::path& autoencoder)
{
    std::error_code error;
    const fs::path whole = fs::absolute(autoencoder, error).lexically_normal();
    fs::path folder = fs::is_directory(whole, error) ? whole : whole.parent_path();
    if (!folder.has_filename())
        folder = folder.parent_path();
    const std::string own = folder.filename().string(), above = folder.parent_path().filename().string();
    constexpr std::string_view kSuffix = ".heldout.npy";
    for (int level = 0; level < 3 && !folder.empty(); ++level, folder = folder.parent_path()) {
        if (fs::is_regular_file(folder / "heldout.npy", error))
            return folder / "heldout.npy";
        std::vector<fs::path> found;
        for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error)) {
            const std::string name = each->path().filename().string();
            if (name.size() <= kSuffix.size() || !name.ends_with(kSuffix))
                continue;
            const std::string stem = name.substr(0, name.size() - kSuffix.size());
            if (own.starts_with(stem) || above.starts_with(stem))
                found.push_back(each->path());
        }
        if (!found.empty()) // the longest name says most
            return *std::ranges::max_element(found, {}, [](const fs::path& path) { return path.filename().string().size(); });
    }
    return {};
}

SourcesPointer openEncoderSources(const EncoderPaths& paths, const RunContext& context)
{
    context.setParts(4);
    auto sources = std::make_shared<EncoderSources>();
    sources->paths = paths;
    sources->autoencoder = std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(paths.autoencoder, context.part(3, "autoencoder")));
    const auto& config = sources->autoencoder->config;
    sources->ownK = config.k > 0 ? config.k : std::min<std::int64_t>(32, sources->autoencoder->latents());
    sources->tokens = paths.tokens.empty() ? tokensBeside(paths.autoencoder) : paths.tokens;
    if (sources->tokens.empty())
        throw Error(ErrorCode::InvalidParameter, "found no heldout.npy beside the autoencoder, expected an .npy of activations to measure on: open one", paths.autoencoder.string());
    const std::int64_t width = sources->autoencoder->width();
    const Matrix<float> all = encoder::readActivations(sources->tokens, width, context.part(1, "tokens"));
    sources->rows = all.rows();
    if (!paths.calibration.empty()) {
        const Matrix<float> fitted = encoder::readActivations(paths.calibration, width, context);
        sources->fitted = someRows(fitted, 0, fitted.rows(), EncoderSources::kMostFitted);
        sources->measured = someRows(all, 0, all.rows(), EncoderSources::kMostTokens);
        return sources;
    }
    if (all.rows() < kHalvedAtLeast)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(all.rows()) + " tokens, expected at least " + std::to_string(kHalvedAtLeast) +
                                                     ": one half is fitted to, the other measured", sources->tokens.string());
    sources->halved = true;
    sources->fitted = someRows(all, 0, all.rows() / 2, EncoderSources::kMostFitted);
    sources->measured = someRows(all, all.rows() / 2, all.rows(), EncoderSources::kMostTokens);
    return sources;
}

} // namespace tamis::app
