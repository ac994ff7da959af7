// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tensors by name and shape alone, as a checkpoint's header lists them; every value is 0.01, or 1 where
// whole numbers are stored. For malformed models.
#include "core/nn/tensor_source.h"

#include <map>
#include <sstream>
#include <string>

namespace tamis::nn {

class ListedSource final : public TensorSource {
public:
    std::map<std::string, std::vector<std::int64_t>, std::less<>> tensors;

    /// Lines "name d0 d1 ...". Dimensions that are not positive or make more than 2^22 numbers together are left out.
    static ListedSource parse(const std::string& text)
    {
        ListedSource source;
        std::istringstream lines(text);
        std::int64_t total = 0;
        for (std::string line; std::getline(lines, line) && source.tensors.size() < 2000;) {
            std::istringstream words(line);
            std::string name;
            words >> name;
            std::vector<std::int64_t> shape;
            std::int64_t count = 1;
            for (std::int64_t d = 0; words >> d && count <= (1 << 22);) {
                shape.push_back(d);
                count = d < 1 || d > (1 << 22) ? 1 << 23 : count * d;
            }
            if (name.empty() || count > (1 << 22) || (total += count) > (1 << 22))
                continue;
            source.tensors[name] = shape;
        }
        return source;
    }
    bool has(std::string_view tensor) const override { return tensors.contains(tensor); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>&) const override { return tensors.find(tensor)->second; }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const override
    {
        std::size_t count = 1;
        for (const std::int64_t d : shape)
            count *= static_cast<std::size_t>(d);
        return std::vector<float>(count, tensor.find(".remap_") == std::string_view::npos ? 0.01f : 1.0f);
    }
    std::string subject() const override { return "listed"; }
};

} // namespace tamis::nn
