// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What is open, for the workspace tree.
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

struct OutlineMatrix {
    std::string name, role, dtype;
    int layer = -1;
    std::int64_t rows = 0, cols = 0;
    std::uint64_t bytes = 0;
    bool calibrated = false; ///< the calibration set has its site
    bool operator==(const OutlineMatrix&) const = default;
};

struct OutlineSite {
    std::string name;
    std::int64_t features = 0;
    bool operator==(const OutlineSite&) const = default;
};

struct WorkspaceOutline {
    std::string modelPath, modelFormat, modelFamily;
    int layers = 0;
    std::uint64_t parameters = 0, bytes = 0;
    std::vector<OutlineMatrix> matrices;
    std::string calibrationPath, calibrationInputs;
    std::uint64_t calibrationTokens = 0;
    std::vector<OutlineSite> sites;
    bool operator==(const WorkspaceOutline&) const = default;
};

} // namespace tamis::report
