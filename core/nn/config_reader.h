// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Typed, checked look-ups in config.json.
#include "core/io/model_config.h"
#include "core/kernels/activation.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::nn {

/// Fields by name; the first name of a list that is there and not null counts. A field of another type or out of range
/// throws Error{MalformedFile} that names it. Dots reach into objects: "model_args.embed_dim".
class ConfigReader {
public:
    explicit ConfigReader(const io::ModelConfig& config);
    ~ConfigReader();
    using Names = std::initializer_list<std::string_view>;

    bool has(std::string_view name) const;
    std::optional<std::int64_t> integer(Names names) const;  ///< 0 .. 2^26
    std::int64_t integer(Names names, std::int64_t otherwise) const { return integer(names).value_or(otherwise); }
    std::int64_t required(Names names) const;                ///< as integer, at least 1; absent: an error
    std::int64_t depth(Names names) const;                   ///< a number of blocks: 1 to 4096
    /// int(width * ratio), as timm rounds the width of an MLP; 1 to 2^26.
    std::int64_t multiple(Names names, std::int64_t width, double otherwise) const;
    std::optional<double> number(Names names) const;         ///< finite
    double number(Names names, double otherwise) const { return number(names).value_or(otherwise); }
    std::optional<bool> flag(Names names) const;
    bool flag(Names names, bool otherwise) const { return flag(names).value_or(otherwise); }
    std::string text(Names names) const;                     ///< "" when absent
    /// A whole number or a list of them: one or two for sizes ([height, width]), one a stage for Swin.
    std::vector<std::int64_t> integers(Names names) const;
    std::vector<std::string> texts(Names names) const;
    std::int64_t entries(std::string_view name) const;       ///< members of an object (id2label), 0 when absent

    /// "gelu", "gelu_new", "relu" ... Throws Error{UnsupportedFeature} for others.
    kernels::Activation activation(Names names, kernels::Activation otherwise) const;

private:
    struct Content;
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::nn
