// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_formats.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/sae_fields.h"
#include "core/io/tensor_entry.h"

#include <algorithm>

namespace tamis::io
{
namespace
{
constexpr std::size_t kNamed = 8; // of a list of unknown names

// "key" or "keys" and their names, shortened.
std::string listOf(const std::string& kind, const std::vector<std::string>& quotedNames)
{
    std::string list = kind + (quotedNames.size() == 1 ? " " : "s ");
    for (std::size_t i = 0; i < std::min(kNamed, quotedNames.size()); ++i)
        list += (i > 0 ? ", " : "") + quotedNames[i];
    if (quotedNames.size() > kNamed)
        list += " and " + std::to_string(quotedNames.size() - kNamed) + " more";
    return list;
}
} // namespace

void settleSizes(const SaeTensors& tensors, std::string_view encoder, bool latentsFirst, SaeConfig& config,
                 const std::string& configFile)
{
    const std::vector<std::int64_t>& shape = tensors.shape(encoder);
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1)
        throw Error(ErrorCode::MalformedFile,
                    "has the shape " + shapeText(shape) + ", expected two dimensions of at least 1",
                    tensors.subject(encoder));
    const std::int64_t latents = shape[latentsFirst ? 0 : 1], width = shape[latentsFirst ? 1 : 0];
    if (std::max(latents, width) > kMaximumSaeSize)
        throw Error(ErrorCode::LimitExceeded,
                    "has the shape " + shapeText(shape) + ", expected at most " + std::to_string(kMaximumSaeSize) +
                        " features and latents",
                    tensors.subject(encoder));
    const auto agree = [&](const char* what, std::optional<std::int64_t>& stated, std::int64_t found) {
        if (stated && *stated != found)
            throw Error(ErrorCode::MalformedFile,
                        std::string("states ") + std::to_string(*stated) + ' ' + what + ", found " +
                            std::to_string(found) + " in the weights",
                        configFile);
        stated = found;
    };
    agree("input features", config.width, width);
    agree("latents", config.latents, latents);
    if (config.k > latents)
        throw Error(ErrorCode::MalformedFile,
                    "k is " + std::to_string(config.k) + ", expected at most the " + std::to_string(latents) +
                        " latents",
                    configFile);
    if (config.activation == SaeActivation::GroupMax && latents % config.k != 0)
        throw Error(ErrorCode::MalformedFile,
                    std::to_string(latents) + " latents cannot be parted into k = " + std::to_string(config.k) +
                        " equal groups",
                    configFile);
}

void noteUnknownKeys(SparseAutoencoder& autoencoder, const std::vector<std::string>& quotedKeys, std::string_view file)
{
    if (!quotedKeys.empty())
        autoencoder.notes.push_back("The " + listOf("key", quotedKeys) + " of " + std::string(file) +
                                    (quotedKeys.size() == 1 ? " has no known meaning and is ignored."
                                                            : " have no known meaning and are ignored."));
}

void noteUnusedTensors(SparseAutoencoder& autoencoder, const SaeTensors& tensors,
                       const std::vector<std::string_view>& harmless)
{
    std::vector<std::string> names;
    for (const std::string& name : tensors.unread())
        if (std::find(harmless.begin(), harmless.end(), name) == harmless.end())
            names.push_back(quotedName(name));
    if (!names.empty())
        autoencoder.notes.push_back("The " + listOf("tensor", names) + " of " +
                                    std::filesystem::path(tensors.file()).filename().string() +
                                    (names.size() == 1 ? " is not used." : " are not used."));
}

} // namespace tamis::io
