// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/run_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cli {

/// What `compare` takes, of low-rank methods or, with run.encoder, of encoders, or of the token lab's methods.
struct CompareOptions {
    RunOptions run;
    std::string lab = "lowrank";      ///< "lowrank", "tokens" or "attention"; encoders by run.encoder
    std::string csv;                  ///< attention.*: file for the table
    std::vector<std::string> methods; ///< "id:name=value"; empty: every method that can run
    bool trained = false;
    std::vector<std::string> trainedFiles; ///< tokens.*: what --save-trained wrote
    std::string keeps = "0.8,0.6,0.4"; ///< low-rank methods
    std::int64_t steps = 4;            ///< encoders: values of a number that a method without settings is tried at
    double recall = 0.99;              ///< encoders: what the fastest is to have at least
};

} // namespace tamis::cli
