// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/fitting_options.h"
#include "app/cli/sample_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cli {

/// cache.*: rules of capacity as they were typed; 0, -1 or empty: not.
struct CacheRuleOptions {
    double hard = 0, soft = 0;
    std::int64_t batch = 0;
    std::vector<std::string> protectedIds;
    double protectMost = -1;
    std::string sceneChange, sceneAction;
    std::int64_t sceneWindow = 0;
    double sceneThreshold = 0;
};

/// What `run` takes. Budgets and samples are for the low-rank lab's methods, autoencoders and activations for the encoder lab's.
struct RunOptions {
    std::string method, model, calibration, out;
    std::vector<std::string> layers, settings, allocationSettings;
    double keep = 0.6;
    bool baseline = true;
    std::int64_t latencyTokens = 256;
    std::string allocation = "uniform", accounting = "factors", unit = "parameters";
    std::int64_t alignment = 1;
    SampleOptions samples;
    std::string heldOut, heldOutLabels, store;
    std::int64_t heldOutLimit = 0; ///< samples, evenly spread; 0: all
    std::string encoder, activations, calibrationActivations; ///< the encoder lab's
    std::string activationsSite, codes; ///< of a calibration set; file for the codes
    std::vector<std::string> assumed;                         ///< "name=value" of the autoencoder's switches
    std::int64_t block = -1;                                  ///< of the model, after which the autoencoder reads; -1: --layer says
    std::int64_t k = 0;                                       ///< 0: the autoencoder's own
    bool latency = true;
    std::string saveEncoder, trained;                         ///< files of what was trained: to write an encoder, to restore
    std::string trainImages, trainLabels, saveTrained;        ///< tokens.* that train: photos to train on, file to write
    std::string overlayFormat = "png", shade = "tokens";      ///< tokens.*: of the pictures in `out`
    std::int64_t depth = -1;                                  ///< tokens.*: blocks that they are behind; -1: the last that was run
    std::string plan, savePlan;                               ///< tokens.*: to run, to write
    bool features = false;                                    ///< tokens.*: features on the grid in `out`, too
    bool overwrite = false;                                   ///< tokens.*: files in `out`
    std::string blocks;                                       ///< attention.*: "0,3"; empty: all
    std::vector<std::string> choices;                         ///< attention.*: "3:1=attention.band,reach=16"
    std::string view, suitedPlan;                             ///< attention.*: "3:1", whose maps are written; plan of what suits
    std::string scaling;                                      ///< attention.*: "64,256" or "all"; empty: quality is measured, not cost against tokens
    std::int64_t viewSample = 0;                              ///< attention.*: of the view
    FittingOptions fitting;                                   ///< attention.*
    bool effects = false;                                     ///< attention.*: each head alone
    double suit = 0;                                          ///< attention.*: keep of the multiply-adds; 0: what suits is not looked for
    std::int64_t tune = 0;                                    ///< attention.*: steps of training; 0: none
    std::vector<std::string> tuneSettings;                    ///< attention.*: "name=value" of the training
    std::string trainTokens, saveTuned, tuned;                ///< attention.*: texts to train on, file to write, to restore
    bool tuneExact = false;                                   ///< attention.*: the model's own attention trained as long
    std::string trace, traceFormat = "automatic";             ///< cache.*
    std::vector<std::string> traceColumns, also;              ///< cache.*: "id=3"; more policies on the same trace
    std::int64_t warmUp = 0;                                  ///< cache.*: requests that are not counted
    CacheRuleOptions cacheRules;
    double rate = 1;                                          ///< cache.*: of the objects, below 1 a sample
    bool streamed = false;                                    ///< cache.*: the trace is read piece by piece and never held
    std::string at;                                           ///< cache.*: the size that is looked at over time; empty: none
    std::int64_t steps = 0, first = 0;                        ///< cache.*: requests that are played at that size, from which
    bool shape = false;                                       ///< cache.*: of the trace: reuse distances, popularity
    std::string server, passwordFile;                         ///< fleet.*: a Redis server; a file with its password
    std::string calibrationTokens, table, saveTable;          ///< addressing.*: what is fitted to; a table to read, where to write one
    std::int64_t rounds = 3;                                  ///< reuse.*: of which the least times count
    std::string sweep;                                        ///< reuse.*: "name=a,b,c", a run for each value
    std::int64_t batch = 8; ///< tokens.*: photos whose latency is measured
};

} // namespace tamis::cli
