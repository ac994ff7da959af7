// SPDX-License-Identifier: GPL-3.0-or-later
// Tensor names and shapes as a valid header may hold them. Input: model_type on the first line, then lines "name d0 d1 ...".
#include "core/base/error.h"
#include "core/io/layout.h"
#include "core/io/model_config.h"
#include "core/io/tensor_entry.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    std::istringstream lines(std::string(reinterpret_cast<const char*>(input), size));
    io::ModelConfig config;
    std::getline(lines, config.modelType);
    std::vector<io::TensorEntry> tensors;
    std::set<std::string> names;
    for (std::string line; std::getline(lines, line) && tensors.size() < 2000;) {
        std::istringstream words(line);
        io::TensorEntry entry;
        words >> entry.name;
        for (std::int64_t dimension = 0; words >> dimension;)
            entry.shape.push_back(dimension);
        if (!names.insert(entry.name).second)
            continue; // a reader refuses a second tensor of the same name
        try { // only what a reader would let through
            entry.bytes = io::checkedTensorBytes(entry.dtype, entry.shape, "fuzz");
        } catch (const Error&) {
            continue;
        }
        tensors.push_back(std::move(entry));
    }
    const io::ModelLayout layout = io::recogniseLayout(tensors, config);
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return io::naturalLess(a.name, b.name); });
    for (const io::MatrixRef& matrix : layout.matrices) {
        const auto entry = std::find_if(tensors.begin(), tensors.end(), [&](const auto& each) {
            return each.name == matrix.tensor &&
                   each.elements() == static_cast<std::uint64_t>(matrix.rows) * static_cast<std::uint64_t>(matrix.cols);
        });
        if (entry == tensors.end() || matrix.layer >= layout.layers || (matrix.transposed && entry->shape.size() != 2))
            std::abort();
    }
    return 0;
}
