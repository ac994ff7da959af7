// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A session in which no field has its default value.
#include "app/session/session_state.h"

#include <limits>

namespace tamis::test {

/// `folder`: where the model lies; the calibration set lies elsewhere.
inline app::SessionState sampleSession(const std::string& folder)
{
    using namespace app;
    SessionState state;
    state.modelPath = folder + "/models/vit \"20\" \xC3\xA9";
    state.calibrationPath = "/elsewhere/calibration.h5";
    state.settings.method = "spectrum.plain";
    state.settings.parameters.set("ridge", 0.1 + 0.2);
    state.settings.parameters.set("whole", 2.0); // a real that looks like an integer stays a real
    state.settings.parameters.set("seed", std::numeric_limits<std::int64_t>::min());
    state.settings.parameters.set("form", std::string("cholesky"));
    state.settings.parameters.set("exact", true);
    state.settings.budget = {1.0 / 3, plan::Allocation::Energy, plan::Accounting::BlockIdentity, 8, {}};
    state.settings.budget.overrides["blocks.0.qkv"] = {40, true};
    state.settings.budget.overrides["blocks.1.qkv"] = {std::nullopt, true};
    state.settings.budget.overrides["blocks.2.qkv"] = {std::numeric_limits<std::int64_t>::max(), false};
    state.selection = {"blocks.3.fc1", {"blocks.3.fc1", "blocks.3.fc2"}, "/elsewhere/photos", "sensitivity", "recall", 17, "compare", "cat 1.jpg"};
    state.lowRank.run = state.settings;
    state.lowRank.run.method = "lowrank.joint";
    state.lowRank.compared = {"lowrank.plain", "lowrank.\"odd\""};
    state.lowRank.keeps = {1, 1.0 / 3, 5e-324};
    state.lowRank.comparedAllocation = plan::Allocation::Greedy;
    state.lowRank.comparedAccounting = plan::Accounting::Remapped;
    state.lowRank.samples = 1'000'000;
    state.lowRank.latency = false;
    state.lowRank.heldOut = folder + "/held out";
    state.lowRank.training = "/elsewhere/training.npy";
    state.encoder = {folder + "/autoencoder", "/elsewhere/tokens.npy", folder + "/fitted to.npy", 24, "encoder.low-rank", state.settings.parameters, 96};
    state.encoder.origin = TokenOrigin::Calibration;
    state.encoder.site = "blocks.3.attn.qkv";
    state.encoder.block = 3;
    state.encoder.assumed = {"input-scale=0.25", "decoder-norms=no"};
    state.tokens = {{"tokens.evit", state.settings.parameters}, TokenSetting{"tokens.tome", {}}, {{"cat 1.jpg", {{3, 7}, {5}}}, {"dogs/2.png", {{}, {1}}}}};
    state.attention = {"attention.nystrom", state.settings.parameters, std::vector<int>{0, 2}, {{1, -1, "exact", {}}, {2, 3, "attention.band", state.settings.parameters}}, -7, folder + "/fitted to"};
    state.addressing = {"addressing.mixture", {{"addressing.deep-embed", state.settings.parameters}, {"addressing.mixture", state.settings.parameters}}, folder + "/tokens.npy", false};
    state.attentionTraining = {state.settings.parameters, "/elsewhere/photos to train on"};
    state.selection.attentionPage = "heads";
    state.selection.cachePage = "steps";
    state.selection.cacheStep = 41;
    state.selection.reuseFrame = 17;
    state.reuse.frames = folder + "/video";
    state.reuse.setting = {"reuse.gate", state.settings.parameters};
    state.reuse.kept = {{"reuse.eventful", {}}, {"reuse.\"odd\"", state.settings.parameters}};
    state.plannedReuse = plan::PlannedReuse{"reuse.gate", state.settings.parameters, "video \"one\"", 1.0 / 3};
    state.cache.trace = folder + "/requests.csv";
    state.cache.format = "csv";
    state.cache.columns.id = "key";
    state.cache.columns.time = "3";
    state.cache.columns.size = "bytes";
    state.cache.columns.cost = "price";
    state.cache.columns.uniqueness = "alone";
    state.cache.columns.operation = "op";
    state.cache.policies = {"cache.arc", "cache.\"odd\""};
    state.cache.policy = "cache.arc";
    state.cache.parameters = {{"cache.lru-k", state.settings.parameters}};
    state.cache.rules = state.settings.parameters;
    state.cache.size = std::uint64_t{1} << 60U;
    state.cache.warmUp = 1.0 / 3;
    state.cache.kept = {{"cache.lru-k", state.settings.parameters}, {"cache.lru", {}, state.settings.parameters}};
    state.cache.cells = 256;
    state.cache.firstStep = 12345678901;
    state.cache.beside = "cache.lru";
    state.fleet.method = "fleet.gossip";
    state.fleet.parameters = {{"fleet.ring", state.settings.parameters}};
    state.fleet.server = "unix:/run/odd \"name\".sock";
    state.hierarchy = {.frames = folder + "/frames", .parameters = state.settings.parameters};
    state.plannedCache = plan::PlannedCache{"cache.lru-k", state.settings.parameters, 123456789012, true, 1.0 / 3, "requests.csv", state.settings.parameters};
    state.selection.attentionLayer = 2;
    state.selection.attentionHead = 3;
    state.selection.attentionSample = 5;
    state.plannedTokens = plan::PlannedTokens{"tokens.tome", state.settings.parameters, {257, 241.5, 1.0 / 3}};
    state.chart.series = {report::Curve::CumulativeEnergy, false, true, false, true};
    state.chart.logX = true;
    state.chart.logY = false;
    KeptPoint point;
    point.label = "first\n\tpoint";
    point.settings = state.settings;
    point.settings.budget.accounting = plan::Accounting::Remapped;
    point.keep = 0.30000000000000004;
    point.relativeLoss = 5e-324;
    point.cost = {std::numeric_limits<std::uint64_t>::max(), 123456789012345678ull, 1, 0.7};
    point.baseline = true;
    state.points = {point, point};
    state.points[1].cost.latencyMs = std::numeric_limits<double>::quiet_NaN(); // not measured
    state.points[1].keep = 1.7976931348623157e308;
    return state;
}

} // namespace tamis::test
