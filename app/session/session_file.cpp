// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_file.h"

#include "app/session/session_attention.h"
#include "app/session/session_cache.h"
#include "app/session/session_fleet.h"
#include "app/session/session_reader.h"
#include "app/session/session_reuse.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/sae_options.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::app {
namespace {
using Json = nlohmann::ordered_json;
using Reader = SessionReader;
constexpr const char* kSchema = "tamis.session/1";
constexpr io::JsonLimits kLimits{8u << 20, 16, 200'000};
constexpr std::size_t kMostKeeps = 100;
constexpr std::int64_t kMostSamples = 1'000'000;
constexpr std::int64_t kMostLatents = 1'000'000'000, kMostBlocks = 100'000;
constexpr const char* kOriginNames[] = {"rows", "calibration", "photos", "text"}; ///< of TokenOrigin, in its order
constexpr const char* kCurveNames[] = {"singular-values", "cumulative-energy", "loss", "relative-loss"};

Json toJson(const Settings& settings)
{
    Json overrides = Json::object();
    for (const auto& [name, override] : settings.budget.overrides) {
        Json entry = {{"locked", override.locked}};
        if (override.rank)
            entry["rank"] = *override.rank;
        overrides[name] = entry;
    }
    return {{"method", settings.method},
            {"parameters", parametersToJson(settings.parameters)},
            {"keep", settings.budget.keep},
            {"allocation", plan::allocationName(settings.budget.allocation)},
            {"accounting", plan::accountingName(settings.budget.accounting)},
            {"alignment", settings.budget.alignment},
            {"overrides", overrides}};
}

void requireKeep(const Reader& reader, double keep)
{
    reader.requireValue(keep > 0 && keep <= 1, "keep", toText(keep), "more than 0, at most 1");
}

Settings settingsFrom(const Reader& reader, Settings settings = {})
{
    reader.read("method", settings.method);
    settings.parameters = parametersFrom(reader, std::move(settings.parameters));
    auto& budget = settings.budget;
    reader.read("keep", budget.keep);
    requireKeep(reader, budget.keep);
    std::string name(plan::allocationName(budget.allocation));
    reader.read("allocation", name);
    budget.allocation = reader.guarded([&] { return plan::parseAllocation(name.substr(0, 60)); });
    name = plan::accountingName(budget.accounting);
    reader.read("accounting", name);
    budget.accounting = reader.guarded([&] { return plan::parseAccounting(name.substr(0, 60)); });
    reader.read("alignment", budget.alignment);
    reader.requireValue(budget.alignment >= 1 && budget.alignment <= 4096, "alignment", std::to_string(budget.alignment), "1 to 4096");
    if (const auto* overrides = reader.child("overrides")) {
        reader.require(overrides->is_object(), reader.at("overrides"), *overrides, "an object");
        for (const auto& [matrix, value] : overrides->items()) {
            const Reader entry(value, reader.at("overrides." + io::quotedName(matrix)), reader.subject());
            plan::Override override;
            entry.read("locked", override.locked);
            if (entry.child("rank")) {
                std::int64_t rank = 0;
                entry.read("rank", rank);
                entry.requireValue(rank >= 1, "rank", std::to_string(rank), "at least 1");
                override.rank = rank;
            }
            budget.overrides[matrix] = override;
        }
    }
    return settings;
}

Json toJson(const LowRankChoice& choice, const std::filesystem::path& base)
{
    Json compare = {{"methods", choice.compared ? Json(*choice.compared) : Json(nullptr)},
                    {"keeps", choice.keeps},
                    {"allocation", plan::allocationName(choice.comparedAllocation)},
                    {"accounting", plan::accountingName(choice.comparedAccounting)},
                    {"samples", choice.samples},
                    {"latency", choice.latency},
                    {"heldOut", writtenPath(choice.heldOut, base)},
                    {"training", writtenPath(choice.training, base)}};
    return {{"run", toJson(choice.run)}, {"compare", std::move(compare)}};
}

LowRankChoice lowRankFrom(const Reader& reader, const std::filesystem::path& base)
{
    LowRankChoice choice;
    if (const auto* run = reader.child("run"))
        choice.run = settingsFrom(Reader(*run, reader.at("run"), reader.subject()), choice.run);
    const auto* value = reader.child("compare");
    if (!value)
        return choice;
    const Reader compare(*value, reader.at("compare"), reader.subject());
    if (compare.child("methods"))
        compare.read("methods", choice.compared.emplace());
    if (const auto* keeps = compare.child("keeps")) {
        compare.require(keeps->is_array() && keeps->size() <= kMostKeeps && std::all_of(keeps->begin(), keeps->end(), [](const auto& v) { return v.is_number(); }),
                        compare.at("keeps"), *keeps, "a list of at most 100 numbers");
        choice.keeps = keeps->get<std::vector<double>>();
        for (const double keep : choice.keeps)
            compare.requireValue(keep > 0 && keep <= 1, "keeps", toText(keep), "more than 0, at most 1");
    }
    std::string name(plan::allocationName(choice.comparedAllocation));
    compare.read("allocation", name);
    choice.comparedAllocation = compare.guarded([&] { return plan::parseAllocation(name.substr(0, 60)); });
    name = plan::accountingName(choice.comparedAccounting);
    compare.read("accounting", name);
    choice.comparedAccounting = compare.guarded([&] { return plan::parseAccounting(name.substr(0, 60)); });
    compare.read("samples", choice.samples);
    compare.requireValue(choice.samples >= 0 && choice.samples <= kMostSamples, "samples", std::to_string(choice.samples), "0 to 1000000");
    compare.read("latency", choice.latency);
    choice.heldOut = readPath(compare, "heldOut", base);
    choice.training = readPath(compare, "training", base);
    return choice;
}

Json toJson(const EncoderChoice& choice, const std::filesystem::path& base)
{
    return {{"autoencoder", writtenPath(choice.autoencoder, base)},
            {"tokensFrom", kOriginNames[static_cast<std::size_t>(choice.origin)]},
            {"tokens", writtenPath(choice.tokens, base)},
            {"site", choice.site},
            {"block", choice.block},
            {"calibration", writtenPath(choice.calibration, base)},
            {"k", choice.k},
            {"method", choice.method},
            {"parameters", parametersToJson(choice.parameters)},
            {"cut", choice.cut},
            {"assumed", choice.assumed}};
}

EncoderChoice encoderFrom(const Reader& reader, const std::filesystem::path& base)
{
    EncoderChoice choice;
    choice.autoencoder = readPath(reader, "autoencoder", base);
    std::string origin = kOriginNames[static_cast<std::size_t>(choice.origin)];
    reader.read("tokensFrom", origin);
    const auto* named = std::ranges::find(kOriginNames, origin);
    reader.requireValue(named != std::ranges::end(kOriginNames), "tokensFrom", io::quotedName(origin), "\"rows\", \"calibration\", \"photos\" or \"text\"");
    choice.origin = static_cast<TokenOrigin>(named - std::ranges::begin(kOriginNames));
    choice.tokens = readPath(reader, "tokens", base);
    reader.read("site", choice.site);
    std::int64_t block = choice.block;
    reader.read("block", block);
    reader.requireValue(block >= -1 && block <= kMostBlocks, "block", std::to_string(block), "-1 to 100000");
    choice.block = static_cast<int>(block);
    choice.calibration = readPath(reader, "calibration", base);
    reader.read("k", choice.k);
    reader.requireValue(choice.k >= 0 && choice.k <= kMostLatents, "k", std::to_string(choice.k), "0 to 1000000000");
    reader.read("method", choice.method);
    choice.parameters = parametersFrom(reader);
    reader.read("cut", choice.cut);
    reader.requireValue(choice.cut >= 0 && choice.cut <= kMostLatents, "cut", std::to_string(choice.cut), "0 to 1000000000");
    reader.read("assumed", choice.assumed);
    io::SaeReadOptions known;
    for (const auto& each : choice.assumed)
        try {
            io::setSaeReadOption(known, each);
        } catch (const Error& error) {
            throw Error(ErrorCode::MalformedFile, reader.at("assumed") + ": " + error.message(), reader.subject());
        }
    return choice;
}

Json toJson(const TokenSetting& setting) { return {{"method", setting.method}, {"parameters", parametersToJson(setting.parameters)}}; }

TokenSetting tokenSettingFrom(const Reader& reader)
{
    TokenSetting setting;
    reader.read("method", setting.method);
    setting.parameters = parametersFrom(reader);
    return setting;
}

Json toJson(const TokenChoice& choice)
{
    Json json = toJson(choice.setting), hands = Json::array();
    for (const auto& [photo, hand] : choice.hands)
        hands.push_back({{"photo", photo}, {"kept", hand.kept}, {"dropped", hand.dropped}});
    json["pinned"] = choice.pinned ? toJson(*choice.pinned) : Json(nullptr);
    json["byHand"] = std::move(hands);
    return json;
}

/// Ascending, each once.
std::vector<std::int64_t> sourceTokensFrom(const Reader& reader, const char* key)
{
    const auto* list = reader.child(key);
    if (!list)
        return {};
    reader.require(list->is_array() && std::all_of(list->begin(), list->end(), [](const auto& v) { return isInt64(v) && v.template get<std::int64_t>() >= 0; }), reader.at(key), *list,
                   "a list of whole numbers from 0");
    auto tokens = list->get<std::vector<std::int64_t>>();
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    return tokens;
}

TokenChoice tokensFrom(const Reader& reader)
{
    TokenChoice choice;
    choice.setting = tokenSettingFrom(reader);
    if (const auto* pinned = reader.child("pinned"))
        choice.pinned = tokenSettingFrom(Reader(*pinned, reader.at("pinned"), reader.subject()));
    const auto* hands = reader.child("byHand");
    if (!hands)
        return choice;
    reader.require(hands->is_array(), reader.at("byHand"), *hands, "a list");
    for (const auto& value : *hands) {
        const Reader entry(value, reader.at("byHand"), reader.subject());
        std::string photo;
        entry.read("photo", photo);
        TokenHand hand{sourceTokensFrom(entry, "kept"), sourceTokensFrom(entry, "dropped")};
        std::erase_if(hand.dropped, [&](std::int64_t token) { return std::binary_search(hand.kept.begin(), hand.kept.end(), token); });
        if (!photo.empty() && !hand.empty())
            choice.hands[photo] = std::move(hand);
    }
    return choice;
}

Json toJson(const AttentionChoice& choice, const std::filesystem::path& base)
{
    Json places = Json::array();
    for (const auto& place : choice.places)
        places.push_back({{"block", place.block}, {"head", place.head}, {"method", place.method}, {"parameters", parametersToJson(place.parameters)}});
    return {{"method", choice.method}, {"parameters", parametersToJson(choice.parameters)}, {"blocks", choice.blocks ? Json(*choice.blocks) : Json(nullptr)}, {"own", std::move(places)}, {"seed", choice.seed},
            {"fitted", writtenPath(choice.fitted, base)}};
}

AttentionPlace placeFrom(const Reader& reader)
{
    AttentionPlace place;
    std::int64_t block = 0;
    reader.read("block", block);
    reader.requireValue(block >= 0 && block < kMostBlocks, "block", std::to_string(block), "0 to 99999");
    place.block = static_cast<int>(block);
    reader.read("head", place.head);
    reader.requireValue(place.head >= -1 && place.head < kMostBlocks, "head", std::to_string(place.head), "-1 (all heads) to 99999");
    reader.read("method", place.method);
    place.parameters = parametersFrom(reader);
    return place;
}

AttentionChoice attentionFrom(const Reader& reader, const std::filesystem::path& base)
{
    AttentionChoice choice;
    reader.read("method", choice.method);
    choice.parameters = parametersFrom(reader);
    reader.read("seed", choice.seed);
    choice.fitted = readPath(reader, "fitted", base);
    if (const auto* blocks = reader.child("blocks")) {
        reader.require(blocks->is_array() && std::all_of(blocks->begin(), blocks->end(), [](const auto& v) { return isInt64(v) && v.template get<std::int64_t>() >= 0 && v.template get<std::int64_t>() < kMostBlocks; }),
                       reader.at("blocks"), *blocks, "a list of blocks");
        choice.blocks = blocks->get<std::vector<int>>();
        std::sort(choice.blocks->begin(), choice.blocks->end());
        choice.blocks->erase(std::unique(choice.blocks->begin(), choice.blocks->end()), choice.blocks->end());
    }
    const auto* own = reader.child("own");
    if (!own)
        return choice;
    reader.require(own->is_array(), reader.at("own"), *own, "a list");
    for (const auto& value : *own)
        if (AttentionPlace place = placeFrom(Reader(value, reader.at("own"), reader.subject())); !place.method.empty())
            setPlace(choice, std::move(place));
    return choice;
}

Json toJson(const std::optional<plan::PlannedTokens>& planned)
{
    if (!planned)
        return nullptr;
    Json json = toJson(TokenSetting{planned->method, planned->parameters});
    json["schedule"] = planned->schedule;
    return json;
}

plan::PlannedTokens plannedFrom(const Reader& reader)
{
    const TokenSetting setting = tokenSettingFrom(reader);
    plan::PlannedTokens planned{setting.method, setting.parameters, {}};
    reader.requireValue(!planned.method.empty(), "method", "\"\"", "the name of a token method");
    if (const auto* schedule = reader.child("schedule")) {
        reader.require(schedule->is_array() && schedule->size() <= kMostBlocks && std::all_of(schedule->begin(), schedule->end(), [](const auto& v) { return v.is_number() && v.template get<double>() >= 0; }),
                       reader.at("schedule"), *schedule, "a list of numbers of tokens from 0");
        planned.schedule = schedule->get<std::vector<double>>();
    }
    return planned;
}

Json toJson(const KeptPoint& point)
{
    Json cost = {{"parameters", point.cost.parameters}, {"bytes", point.cost.bytes}, {"macs", point.cost.macs}};
    cost["latencyMs"] = std::isfinite(point.cost.latencyMs) ? Json(point.cost.latencyMs) : Json(nullptr);
    return {{"label", point.label}, {"settings", toJson(point.settings)}, {"keep", point.keep}, {"relativeLoss", point.relativeLoss},
            {"cost", cost}, {"baseline", point.baseline}};
}

KeptPoint pointFrom(const Reader& reader)
{
    KeptPoint point;
    reader.read("label", point.label);
    if (const auto* settings = reader.child("settings"))
        point.settings = settingsFrom(Reader(*settings, reader.at("settings"), reader.subject()));
    reader.read("keep", point.keep);
    reader.requireValue(point.keep >= 0, "keep", toText(point.keep), "at least 0"); // overrides may take more than the dense model
    if (reader.isNull("relativeLoss"))
        point.relativeLoss = std::numeric_limits<double>::quiet_NaN();
    reader.read("relativeLoss", point.relativeLoss);
    reader.requireValue(!(point.relativeLoss < 0), "relativeLoss", toText(point.relativeLoss), "at least 0");
    reader.read("baseline", point.baseline);
    if (const auto* value = reader.child("cost")) {
        const Reader cost(*value, reader.at("cost"), reader.subject());
        cost.read("parameters", point.cost.parameters);
        cost.read("bytes", point.cost.bytes);
        cost.read("macs", point.cost.macs);
        cost.read("latencyMs", point.cost.latencyMs);
        cost.requireValue(!(point.cost.latencyMs < 0), "latencyMs", toText(point.cost.latencyMs), "at least 0");
    }
    return point;
}
} // namespace

std::string sessionToJson(const SessionState& state, const std::filesystem::path& base)
{
    Json points = Json::array();
    for (const auto& point : state.points)
        points.push_back(toJson(point));
    const auto& series = state.chart.series;
    Json attention = toJson(state.attention, base);
    attention["addressing"] = addressingToJson(state.addressing, base);
    attention["training"] = attentionTrainingToJson(state.attentionTraining, base);
    const Json document = {
        {"schema", kSchema},
        {"model", writtenPath(state.modelPath, base)},
        {"calibration", writtenPath(state.calibrationPath, base)},
        {"settings", toJson(state.settings)},
        {"lowRank", toJson(state.lowRank, base)},
        {"encoder", toJson(state.encoder, base)},
        {"tokens", toJson(state.tokens)},
        {"attention", std::move(attention)},
        {"cache", cacheToJson(state.cache, base)},
        {"reuse", reuseToJson(state.reuse, base)},
        {"fleet", fleetToJson(state.fleet)},
        {"hierarchy", {{"frames", writtenPath(state.hierarchy.frames, base)}, {"parameters", parametersToJson(state.hierarchy.parameters)}}},
        {"plan", {{"tokens", toJson(state.plannedTokens)}, {"cache", plannedCacheToJson(state.plannedCache)}, {"reuse", plannedReuseToJson(state.plannedReuse)}}},
        {"selection", {{"current", state.selection.current}, {"overlay", state.selection.overlay},
                       {"photos", writtenPath(state.selection.photos, base)}, {"lowRankPage", state.selection.lowRankPage},
                       {"encoderPage", state.selection.encoderPage}, {"encoderToken", state.selection.encoderToken},
                       {"tokenPage", state.selection.tokenPage}, {"tokenPhoto", state.selection.tokenPhoto},
                       {"attentionPage", state.selection.attentionPage}, {"attentionLayer", state.selection.attentionLayer},
                       {"attentionHead", state.selection.attentionHead}, {"attentionSample", state.selection.attentionSample},
                       {"cachePage", state.selection.cachePage}, {"cacheStep", state.selection.cacheStep}, {"reuseFrame", state.selection.reuseFrame}}},
        {"chart",
         {{"curve", kCurveNames[static_cast<int>(series.curve)]}, {"heldOut", series.heldOut}, {"samples", series.sample},
          {"baseline", series.baseline}, {"normalised", series.normalised}, {"logX", state.chart.logX}, {"logY", state.chart.logY}}},
        {"points", points}};
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

SessionState sessionFromJson(std::string_view json, const std::filesystem::path& base, const std::string& subject)
{
    const nlohmann::json document = io::parseJson(json, kLimits, subject);
    const Reader reader(document, "", subject);
    std::string schema;
    reader.read("schema", schema);
    if (schema != kSchema)
        throw Error(schema.rfind("tamis.session/", 0) == 0 ? ErrorCode::UnsupportedFeature : ErrorCode::MalformedFile,
                    "schema: found " + io::quotedName(schema) + ", expected \"" + kSchema + "\"", subject);
    SessionState state;
    state.modelPath = readPath(reader, "model", base);
    state.calibrationPath = readPath(reader, "calibration", base);
    if (const auto* settings = reader.child("settings"))
        state.settings = settingsFrom(Reader(*settings, "settings", subject));
    if (const auto* value = reader.child("lowRank"))
        state.lowRank = lowRankFrom(Reader(*value, "lowRank", subject), base);
    if (const auto* value = reader.child("encoder"))
        state.encoder = encoderFrom(Reader(*value, "encoder", subject), base);
    if (const auto* value = reader.child("tokens"))
        state.tokens = tokensFrom(Reader(*value, "tokens", subject));
    if (const auto* value = reader.child("attention")) {
        const Reader attention(*value, "attention", subject);
        state.attention = attentionFrom(attention, base);
        if (const auto* addressing = attention.child("addressing"))
            state.addressing = addressingFrom(Reader(*addressing, attention.at("addressing"), subject), base);
        if (const auto* training = attention.child("training"))
            state.attentionTraining = attentionTrainingFrom(Reader(*training, attention.at("training"), subject), base);
    }
    if (const auto* value = reader.child("cache"))
        state.cache = cacheFrom(Reader(*value, "cache", subject), base);
    if (const auto* value = reader.child("reuse"))
        state.reuse = reuseFrom(Reader(*value, "reuse", subject), base);
    if (const auto* value = reader.child("fleet"))
        state.fleet = fleetFrom(Reader(*value, "fleet", subject));
    if (const auto* value = reader.child("hierarchy")) {
        const Reader levels(*value, "hierarchy", subject);
        state.hierarchy = {.frames = readPath(levels, "frames", base), .parameters = parametersFrom(levels)};
    }
    if (const auto* value = reader.child("plan")) {
        const Reader plan(*value, "plan", subject);
        if (const auto* planned = plan.child("tokens"))
            state.plannedTokens = plannedFrom(Reader(*planned, plan.at("tokens"), subject));
        if (const auto* planned = plan.child("cache"))
            state.plannedCache = plannedCacheFrom(Reader(*planned, plan.at("cache"), subject));
        if (const auto* planned = plan.child("reuse"))
            state.plannedReuse = plannedReuseFrom(Reader(*planned, plan.at("reuse"), subject));
    }
    if (const auto* value = reader.child("selection")) {
        const Reader selection(*value, "selection", subject);
        selection.read("current", state.selection.current);
        selection.read("overlay", state.selection.overlay);
        state.selection.photos = readPath(selection, "photos", base);
        selection.read("lowRankPage", state.selection.lowRankPage);
        selection.read("encoderPage", state.selection.encoderPage);
        selection.read("encoderToken", state.selection.encoderToken);
        selection.read("tokenPage", state.selection.tokenPage);
        selection.read("tokenPhoto", state.selection.tokenPhoto);
        selection.read("attentionPage", state.selection.attentionPage);
        selection.read("cachePage", state.selection.cachePage);
        selection.read("cacheStep", state.selection.cacheStep);
        selection.requireValue(state.selection.cacheStep >= 0, "cacheStep", std::to_string(state.selection.cacheStep), "at least 0");
        std::int64_t layer = 0;
        selection.read("attentionLayer", layer);
        selection.requireValue(layer >= 0 && layer < kMostBlocks, "attentionLayer", std::to_string(layer), "0 to 99999");
        state.selection.attentionLayer = static_cast<int>(layer);
        for (const auto& [key, value64] : {std::pair("attentionHead", &state.selection.attentionHead), std::pair("attentionSample", &state.selection.attentionSample), std::pair("reuseFrame", &state.selection.reuseFrame)}) {
            selection.read(key, *value64);
            selection.requireValue(*value64 >= 0, key, std::to_string(*value64), "at least 0");
        }
        selection.requireValue(state.selection.encoderToken >= 0, "encoderToken", std::to_string(state.selection.encoderToken), "at least 0");
    }
    if (const auto* value = reader.child("chart")) {
        const Reader chart(*value, "chart", subject);
        auto& series = state.chart.series;
        std::string curve = kCurveNames[static_cast<int>(series.curve)];
        chart.read("curve", curve);
        const auto* found = std::find(std::begin(kCurveNames), std::end(kCurveNames), curve);
        chart.requireValue(found != std::end(kCurveNames), "curve", io::quotedName(curve),
                      "\"singular-values\", \"cumulative-energy\", \"loss\" or \"relative-loss\"");
        series.curve = static_cast<report::Curve>(found - std::begin(kCurveNames));
        chart.read("heldOut", series.heldOut);
        chart.read("samples", series.sample);
        chart.read("baseline", series.baseline);
        chart.read("normalised", series.normalised);
        chart.read("logX", state.chart.logX);
        chart.read("logY", state.chart.logY);
    }
    if (const auto* points = reader.child("points")) {
        reader.require(points->is_array(), "points", *points, "a list");
        for (std::size_t i = 0; i < points->size(); ++i)
            state.points.push_back(pointFrom(Reader((*points)[i], "points[" + std::to_string(i) + "]", subject)));
    }
    return state;
}

SessionState readSession(const std::filesystem::path& file)
{
    return sessionFromJson(io::readSmallFile(file, kLimits.bytes), std::filesystem::absolute(file).parent_path(), file.string());
}

void writeSession(const std::filesystem::path& file, const SessionState& state)
{
    writeFileAtomically(file, sessionToJson(state, std::filesystem::absolute(file).parent_path()));
}

} // namespace tamis::app
