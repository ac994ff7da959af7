// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Chains of the token lab by what they were made from, and what was trained for them.
#include "app/session/session_state.h"
#include "core/base/run_context.h"
#include "core/report/series.h"
#include "core/tokens/method.h"

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace tamis::app {

struct TokenSources;
using TokenSourcesPointer = std::shared_ptr<const TokenSources>;

/// The lab's first method for an empty id. Throws Error{InvalidParameter} for one that there is not.
const tokens::Method& methodOf(const std::string& id);

/// How a training tells and is told; each may be empty.
struct TokenTrainingTalk {
    std::function<void(const std::vector<report::Series>&)> seen; ///< losses so far, ten times a second, on the thread that trains
    std::stop_token enough; ///< ends it with the best so far
};

/// Thread-safe.
class TokenChains {
public:
    using Pointer = std::shared_ptr<const tokens::Chain>;
    using Parts = std::shared_ptr<const tokens::TrainedParts>;
    /// Remembered, or made; null for a method that trains and has nothing that was. Throws what making throws.
    Pointer chain(const TokenSourcesPointer& sources, const TokenSetting& setting, const RunContext& context);
    Pointer find(const TokenSourcesPointer& sources, const TokenSetting& setting) const; ///< null: not remembered
    /// Whether chain() returns at once: it is remembered, or reads neither photos nor the checkpoint for it.
    bool isQuick(const TokenSourcesPointer& sources, const TokenSetting& setting) const;
    /// What was trained by this method for this model with these parameters, whatever those say that are used after training alone; null: nothing, or
    /// nobody has hashed the model yet (chain() does). Quick.
    Parts trained(const TokenSourcesPointer& sources, const TokenSetting& setting) const;
    /// Everything that was trained for the model of `sources`, newest first. Hashes the model where something was trained for any.
    std::vector<Parts> allTrained(const TokenSourcesPointer& sources, const RunContext& context);
    /// Trains on the photos, those with labels where there are such. Does not keep it. Throws what training throws.
    static Parts train(const TokenSourcesPointer& sources, const TokenSetting& setting, const RunContext& context, const TokenTrainingTalk& talk = {});
    /// In place of what was trained with the same parameters. `sources` hold the model that the parts name.
    void keep(const TokenSourcesPointer& sources, Parts parts);
    static constexpr std::size_t kMostParts = 16; ///< the oldest go

private:
    struct Entry {
        TokenSourcesPointer sources;
        TokenSetting setting;
        Pointer chain;
        Parts trained; ///< that it was made from; null: none
    };
    struct Hash {
        std::weak_ptr<const io::Checkpoint> model;
        std::string sha256;
    };
    bool hasTrained(const std::string& method) const; ///< for any model
    std::string hashOf(const TokenSources& sources) const; ///< empty: not known
    void setHash(const TokenSources& sources, const std::string& sha256);
    mutable std::mutex m_mutex;
    std::deque<Entry> m_entries; ///< newest first, few
    std::deque<Parts> m_parts;   ///< newest first
    std::vector<Hash> m_hashes;  ///< of models that are open
};

/// Trained parts from a file, for the model of `sources`. Throws Error{InvalidParameter} for a method that does not train or another model, and what
/// reading and making the chain throw.
TokenChains::Parts openTrainedTokens(const std::filesystem::path& file, const TokenSourcesPointer& sources, const RunContext& context);

} // namespace tamis::app
