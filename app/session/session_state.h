// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Everything that a session file holds, as one value.
#include "app/session/attention_tab.h"
#include "app/session/cache_choice.h"
#include "app/session/hierarchy_choice.h"
#include "app/session/reuse_choice.h"
#include "app/session/fleet_choice.h"
#include "core/base/parameter_schema.h"
#include "core/plan/allocate.h"
#include "core/plan/planned_cache.h"
#include "core/plan/planned_reuse.h"
#include "core/plan/planned_tokens.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_series.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// What decides a configuration.
struct Settings {
    std::string method = "spectrum.whitened";
    Parameters parameters; ///< of the method; complete once a method is chosen
    plan::BudgetRequest budget;
    bool operator==(const Settings&) const = default;
};

/// One line for captions and tables: "spectrum.whitened, ridge 0.01, keep 60 %, greedy, factors, ranks of 8".
std::string settingsLine(const Settings& settings);

/// What the low-rank lab is asked for.
struct LowRankChoice {
    Settings run{.method = {}, .parameters = {}, .budget = {.allocation = plan::Allocation::Uniform}}; ///< empty method: the lab's first
    std::optional<std::vector<std::string>> compared; ///< configurations (lowrank_configurations.h); nothing: the lab's own choice
    std::vector<double> keeps{0.8, 0.6, 0.4};         ///< to compare at
    plan::Allocation comparedAllocation = plan::Allocation::Uniform;
    plan::Accounting comparedAccounting = plan::Accounting::Factors;
    std::int64_t samples = 0; ///< held-out samples at most; 0: all
    bool latency = true;      ///< measured
    std::string heldOut;      ///< photos or text to judge on; empty: the photos that are open, or heldout.npy beside the model
    std::string training;     ///< photos or text to calibrate and train on; empty: none
    bool operator==(const LowRankChoice&) const = default;
};

/// Where the encoder lab's tokens come from: rows of an .npy, a site of the calibration set, the model on photos, the model on text.
enum class TokenOrigin { Rows, Calibration, Photos, Text };

/// What the encoder lab works on and with.
struct EncoderChoice {
    std::string autoencoder;  ///< directory or weight file; empty: none is open
    std::string tokens;       ///< to measure on: .npy, folder of photos, text or token ids; empty: what is found beside the autoencoder or is open
    std::string calibration;  ///< .npy to fit to; empty: a half of the tokens
    std::int64_t k = 0;       ///< latents a token; 0: the autoencoder's own
    std::string method;       ///< empty: the lab's first that is cheaper than the exact one
    Parameters parameters;    ///< of the method; what is missing has its default
    std::int64_t cut = 0;     ///< candidates that are re-ranked, in the charts; 0: k
    TokenOrigin origin = TokenOrigin::Rows; ///< of `tokens`
    std::string site;         ///< of the calibration set; empty: the first that fits
    int block = -1;           ///< of the model, after which its tokens are taken; -1: as the autoencoder names it
    std::vector<std::string> assumed; ///< "name=value": switches of what the autoencoder's files leave open
    bool operator==(const EncoderChoice&) const = default;
};

/// A reduction of the token lab.
struct TokenSetting {
    std::string method;    ///< empty: the lab's first
    Parameters parameters; ///< what is missing has its default
    bool operator==(const TokenSetting&) const = default;
};

/// Source tokens of one photo that the user keeps and drops, ascending, none in both.
struct TokenHand {
    std::vector<std::int64_t> kept, dropped;
    bool empty() const noexcept { return kept.empty() && dropped.empty(); }
    bool operator==(const TokenHand&) const = default;
};

/// What the token lab is asked for.
struct TokenChoice {
    TokenSetting setting;
    std::optional<TokenSetting> pinned;     ///< beside it
    std::map<std::string, TokenHand> hands; ///< by photo, as named in its folder; none is empty
    bool operator==(const TokenChoice&) const = default;
};

/// What stands in a head's place by its own choice, or in a block's: an operator of the attention lab.
struct AttentionPlace {
    int block = 0;
    std::int64_t head = -1; ///< -1: all of the block
    std::string method;     ///< "exact": the model's own
    Parameters parameters;  ///< what is missing has its default
    bool operator==(const AttentionPlace&) const = default;
};

/// What the attention lab is asked for.
struct AttentionChoice {
    std::string method;     ///< in all heads of `blocks` without a choice of their own; "exact": the model's own; empty: the lab's choice
    Parameters parameters;  ///< what is missing has its default
    std::optional<std::vector<int>> blocks; ///< ascending; nothing: all
    std::vector<AttentionPlace> places;     ///< by block and head, blocks before their heads: heads win
    std::int64_t seed = 0;                  ///< what random features and projections are drawn by
    std::string fitted;                     ///< photos or text that methods which are fitted are fitted to; empty: the first of the samples
    bool operator==(const AttentionChoice&) const = default;
};
inline constexpr const char* kExactAttention = "exact";
/// In place of an earlier choice for the same head or block; a block's replaces those of its heads, too. Keeps the order of AttentionChoice::places.
void setPlace(AttentionChoice& choice, AttentionPlace place);
/// What is chosen for this head (or block, head -1) alone is forgotten; whether there was something. A head without a choice of its own: that of its block.
bool forgetPlace(AttentionChoice& choice, int block, std::int64_t head);
/// Of the head, else of its block; nullptr: it is as the others.
const AttentionPlace* findPlace(const AttentionChoice& choice, int block, std::int64_t head);

/// A configuration worth keeping, with the way back to it.
struct KeptPoint {
    std::string label;
    Settings settings;
    double keep = 1, relativeLoss = 0;
    report::Cost cost;
    bool baseline = false;
    /// A latency or loss that is not a number on both sides counts as equal: a state equals its copy.
    bool operator==(const KeptPoint& other) const;
};

/// `points` as the views show them, with the front marked: no other point is at least as good in both parameters and loss and
/// better in one. A loss that is not a number is never on the front.
std::vector<report::OperatingPoint> operatingPoints(const std::vector<KeptPoint>& points);

/// What is looked at; not undoable.
struct Selection {
    std::string current;              ///< matrix in focus
    std::vector<std::string> overlay; ///< matrices drawn together
    std::string photos;               ///< folder of photos that is open, "" for none
    std::string lowRankPage;          ///< of the low-rank lab; "" for the first
    std::string encoderPage;          ///< of the encoder lab; "" for the first
    std::int64_t encoderToken = 0;    ///< seen closely in the encoder lab
    std::string tokenPage;            ///< of the token lab; "" for the first
    std::string tokenPhoto;           ///< seen closely in the token lab; "" for the first
    std::string attentionPage;        ///< of the attention lab; "" for the first
    int attentionLayer = 0;           ///< seen closely in the attention lab, with a head of it and a sample
    std::int64_t attentionHead = 0, attentionSample = 0;
    std::string cachePage;            ///< of the tab of caches; "" for the first
    std::int64_t cacheStep = 0;       ///< of the cache that is played
    std::int64_t reuseFrame = 0;      ///< that is looked at in the frame player
    bool operator==(const Selection&) const = default;
};

struct ChartChoice {
    report::SeriesOptions series;
    bool logX = false, logY = true;
    bool operator==(const ChartChoice&) const = default;
};

struct SessionState {
    std::string modelPath, calibrationPath;
    Settings settings;
    LowRankChoice lowRank;
    EncoderChoice encoder;
    TokenChoice tokens;
    AttentionChoice attention;
    AddressingChoice addressing;
    AttentionTraining attentionTraining;
    CacheChoice cache;
    ReuseChoice reuse;
    FleetChoice fleet;
    HierarchyChoice hierarchy;
    std::optional<plan::PlannedTokens> plannedTokens; ///< the token lab's part of the plan
    std::optional<plan::PlannedCache> plannedCache;   ///< the cache lab's part of the plan
    std::optional<plan::PlannedReuse> plannedReuse;   ///< the frame player's part of the plan
    Selection selection;
    ChartChoice chart;
    std::vector<KeptPoint> points;
    bool operator==(const SessionState&) const = default;
};

/// Something is open that needs no model: an autoencoder, a trace.
bool standsAlone(const SessionState& state);
/// What was opened by itself, with its choices, goes from one session to the next: an autoencoder, a trace.
void keepOpened(SessionState& next, const SessionState& before);

} // namespace tamis::app
