// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan_json.h"

#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/plan/allocation_settings.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace tamis::plan {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kSchemaName = "tamis.plan/";
constexpr int kSchemaVersion = 1;
constexpr io::JsonLimits kLimits{.bytes = 64u << 20, .depth = 16, .values = 8'000'000};
constexpr std::size_t kLongestMethod = 100; ///< bytes
constexpr double kMostTokens = 1e9;
constexpr std::int64_t kMostBlocks = 1'000'000; ///< and heads
constexpr std::int64_t kLargestCache = std::int64_t{1} << 60;
constexpr double kMostShare = 1000;
constexpr std::int64_t kLargestSide = std::int64_t{1} << 40;

std::string described(const json& value)
{
    switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "an array";
    case json::value_t::string: {
        const auto& text = value.get_ref<const std::string&>();
        return text.size() <= 60 ? "'" + text + "'" : "a text of " + std::to_string(text.size()) + " bytes";
    }
    case json::value_t::discarded: return "nothing";
    default: return value.dump(); // true, false, a number
    }
}

/// A value and where it stands ("operators[3].rank"), so that every refusal can say so.
class Node {
public:
    Node(const json* value, std::string path, const std::string& subject) : m_value(value), m_path(std::move(path)), m_subject(subject)
    {
    }
    [[noreturn]] void refuse(const std::string& expected) const
    {
        throw Error(ErrorCode::MalformedFile,
                    m_path + ": found " + (m_value ? described(*m_value) : "nothing") + ", expected " + expected, m_subject);
    }
    const std::string& path() const { return m_path; }
    bool present() const { return m_value && !m_value->is_null(); }

    Node key(const std::string& name) const
    {
        if (!m_value || !m_value->is_object())
            refuse("an object");
        const auto found = m_value->find(name);
        return {found == m_value->end() ? nullptr : &*found, m_path == "$" ? name : m_path + "." + name, m_subject};
    }
    std::vector<Node> elements() const
    {
        if (!m_value || !m_value->is_array())
            refuse("an array");
        std::vector<Node> all;
        for (std::size_t i = 0; i < m_value->size(); ++i)
            all.emplace_back(&(*m_value)[i], m_path + "[" + std::to_string(i) + "]", m_subject);
        return all;
    }
    std::vector<std::pair<std::string, Node>> members() const
    {
        if (!m_value || !m_value->is_object())
            refuse("an object");
        std::vector<std::pair<std::string, Node>> all;
        for (const auto& [name, value] : m_value->items())
            all.emplace_back(name, Node(&value, m_path + "." + name, m_subject));
        return all;
    }
    std::string text(const std::string& expected = "a text") const
    {
        if (!m_value || !m_value->is_string())
            refuse(expected);
        return m_value->get<std::string>();
    }
    bool boolean() const
    {
        if (!m_value || !m_value->is_boolean())
            refuse("true or false");
        return m_value->get<bool>();
    }
    bool booleanOr(bool otherwise) const { return present() ? boolean() : otherwise; }
    std::int64_t integer(std::int64_t least, std::int64_t most) const
    {
        const std::string expected = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
        if (!m_value || !m_value->is_number_integer())
            refuse(expected);
        if (m_value->is_number_unsigned() && m_value->get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
            refuse(expected);
        const auto number = m_value->get<std::int64_t>();
        if (number < least || number > most)
            refuse(expected);
        return number;
    }
    std::uint64_t count() const
    {
        if (!m_value || !m_value->is_number_unsigned())
            refuse("a whole number that is not negative");
        return m_value->get<std::uint64_t>();
    }
    /// null stands for NaN.
    double numberOrNan() const
    {
        if (!m_value || !(m_value->is_number() || m_value->is_null()))
            refuse("a number or null");
        return m_value->is_null() ? std::numeric_limits<double>::quiet_NaN() : m_value->get<double>();
    }
    /// A squared loss.
    double loss() const
    {
        const double number = numberOrNan();
        if (number < 0)
            refuse("a number that is not negative, or null");
        return number;
    }
    ParameterValue setting() const
    {
        if (m_value->is_boolean())
            return m_value->get<bool>();
        if (m_value->is_string())
            return m_value->get<std::string>();
        if (m_value->is_number_integer())
            return integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
        if (m_value->is_number() || m_value->is_null())
            return numberOrNan();
        refuse("true, false, a number or a text");
    }
    template <class Parse> auto named(Parse parse) const
    {
        try {
            return parse(text());
        } catch (const Error& error) {
            if (error.code() != ErrorCode::InvalidParameter)
                throw;
            throw Error(ErrorCode::MalformedFile, m_path + ": " + error.message(), m_subject);
        }
    }

private:
    const json* m_value; // null: the key is missing
    std::string m_path;
    const std::string& m_subject;
};

void requireSchema(const Node& schema, const std::string& subject)
{
    const std::string expected = "'tamis.plan/1'";
    const std::string text = schema.text(expected);
    int version = 0;
    const char* const end = text.data() + text.size();
    const auto prefix = kSchemaName.size();
    if (text.compare(0, prefix, kSchemaName) != 0)
        schema.refuse(expected);
    const auto parsed = std::from_chars(text.data() + prefix, end, version);
    if (parsed.ec != std::errc{} || parsed.ptr != end || version < 1)
        schema.refuse(expected);
    if (version > kSchemaVersion)
        throw Error(ErrorCode::UnsupportedFeature,
                    "schema: found version " + std::to_string(version) + ", this program reads up to version " +
                        std::to_string(kSchemaVersion) + " (a newer Tamis wrote it)",
                    subject);
}

report::Cost costFrom(const Node& node)
{
    report::Cost cost;
    cost.parameters = node.key("parameters").count();
    cost.bytes = node.key("bytes").count();
    cost.macs = node.key("macs").count();
    if (const Node latency = node.key("latencyMs"); latency.present())
        cost.latencyMs = latency.numberOrNan();
    return cost;
}

/// `stored`: the operator is in a factor file, in a form that only that file knows.
PlannedOperator operatorFrom(const Node& node, bool stored)
{
    PlannedOperator op;
    op.tensor = node.key("tensor").text();
    op.name = node.key("name").text();
    op.layout = node.key("layout").text();
    const bool dense = op.layout == "dense";
    if (!dense && !(stored && op.layout != "" && op.layout.size() <= 40))
        node.key("layout").named([](const std::string& name) { return parseAccounting(name); });
    op.rows = node.key("rows").integer(1, kLargestSide);
    op.cols = node.key("cols").integer(1, kLargestSide);
    const std::int64_t p = std::min(op.rows, op.cols);
    op.rank = node.key("rank").integer(dense ? p : 1, p);
    op.locked = node.key("locked").booleanOr(false);
    op.overridden = node.key("overridden").booleanOr(false);
    op.predictedLoss = node.key("predictedLoss").loss();
    op.predictedRelativeLoss = node.key("predictedRelativeLoss").loss();
    return op;
}

AllocationSettings allocationSettingsFrom(const Node& node)
{
    AllocationSettings settings;
    for (const RealSetting& real : realSettings()) {
        const Node number = node.key(real.jsonKey);
        if (!number.present())
            continue;
        const double value = settings.*real.member = number.numberOrNan();
        if (!(value >= real.least && value <= real.most))
            number.refuse("a number from " + json(real.least).dump() + " to " + json(real.most).dump());
    }
    if (const Node importance = node.key("importance"); importance.present())
        settings.importance = importance.named([](const std::string& name) { return parseImportance(name); });
    if (const Node harm = node.key("harm"); harm.present())
        settings.harm = harm.named([](const std::string& name) { return parseHarm(name); });
    settings.searchImportanceWeight = node.key("searchImportanceWeight").booleanOr(false);
    return settings;
}

ordered_json settingsToJson(const AllocationSettings& settings)
{
    ordered_json all;
    for (const RealSetting& real : realSettings())
        all[real.jsonKey] = settings.*real.member;
    all["importance"] = importanceName(settings.importance);
    all["searchImportanceWeight"] = settings.searchImportanceWeight;
    all["harm"] = harmName(settings.harm);
    return all;
}

PlannedTokens tokensFrom(const Node& node)
{
    PlannedTokens tokens;
    tokens.method = node.key("method").text("the name of a token method");
    if (tokens.method.empty() || tokens.method.size() > kLongestMethod)
        node.key("method").refuse("the name of a token method");
    for (const auto& [name, value] : node.key("parameters").members())
        tokens.parameters.set(name, value.setting());
    if (const Node schedule = node.key("schedule"); schedule.present())
        for (const Node& block : schedule.elements()) {
            const double count = block.numberOrNan();
            if (!(count >= 0 && count <= kMostTokens))
                block.refuse("a number of tokens from 0 to 1000000000");
            tokens.schedule.push_back(count);
        }
    return tokens;
}

PlannedAttention attentionFrom(const Node& node)
{
    PlannedAttention attention;
    attention.block = static_cast<int>(node.key("block").integer(0, kMostBlocks));
    if (const Node head = node.key("head"); head.present())
        attention.head = head.integer(-1, kMostBlocks);
    attention.method = node.key("method").text("the name of an attention method, or '' for exact attention");
    if (attention.method.size() > kLongestMethod)
        node.key("method").refuse("the name of an attention method");
    if (const Node parameters = node.key("parameters"); parameters.present())
        for (const auto& [name, value] : parameters.members())
            attention.parameters.set(name, value.setting());
    return attention;
}

ordered_json attentionToJson(const std::vector<PlannedAttention>& all)
{
    ordered_json array = ordered_json::array();
    for (const PlannedAttention& one : all)
        array.push_back({{"block", one.block}, {"head", one.head}, {"method", one.method}, {"parameters", parametersToJson(one.parameters)}});
    return array;
}

PlannedCache cacheFrom(const Node& node)
{
    PlannedCache cache;
    cache.policy = node.key("policy").text("the name of a cache policy");
    if (cache.policy.empty() || cache.policy.size() > kLongestMethod)
        node.key("policy").refuse("the name of a cache policy");
    for (const auto& [name, value] : node.key("parameters").members())
        cache.parameters.set(name, value.setting());
    cache.size = static_cast<std::uint64_t>(node.key("size").integer(1, kLargestCache));
    const std::string unit = node.key("unit").text("'objects' or 'bytes'");
    if (unit != "objects" && unit != "bytes")
        node.key("unit").refuse("'objects' or 'bytes'");
    cache.bytes = unit == "bytes";
    if (const Node warmUp = node.key("warmUp"); warmUp.present()) {
        cache.warmUp = warmUp.numberOrNan();
        if (!(cache.warmUp >= 0 && cache.warmUp < 1))
            warmUp.refuse("a share of the trace, from 0 to below 1");
    }
    if (const Node trace = node.key("trace"); trace.present())
        cache.trace = trace.text();
    if (const Node rules = node.key("rules"); rules.present())
        for (const auto& [name, value] : rules.members())
            cache.rules.set(name, value.setting());
    return cache;
}

ordered_json cacheToJson(const PlannedCache& cache)
{
    ordered_json written{{"policy", cache.policy}, {"parameters", parametersToJson(cache.parameters)}, {"size", cache.size}, {"unit", cache.bytes ? "bytes" : "objects"}, {"warmUp", cache.warmUp}, {"trace", cache.trace}};
    if (!cache.rules.all().empty())
        written["rules"] = parametersToJson(cache.rules);
    return written;
}

PlannedReuse reuseFrom(const Node& node)
{
    PlannedReuse reuse;
    reuse.method = node.key("method").text("the name of a reuse method");
    if (reuse.method.empty() || reuse.method.size() > kLongestMethod)
        node.key("method").refuse("the name of a reuse method");
    for (const auto& [name, value] : node.key("parameters").members())
        reuse.parameters.set(name, value.setting());
    if (const Node sequence = node.key("sequence"); sequence.present())
        reuse.sequence = sequence.text();
    if (const Node share = node.key("macsShare"); share.present()) {
        reuse.macsShare = share.numberOrNan();
        if (!(reuse.macsShare >= 0 && reuse.macsShare <= kMostShare))
            share.refuse("a share of the multiply-adds, from 0 to 1000");
    }
    return reuse;
}

ordered_json reuseToJson(const PlannedReuse& reuse)
{
    return {{"method", reuse.method}, {"parameters", parametersToJson(reuse.parameters)}, {"sequence", reuse.sequence}, {"macsShare", reuse.macsShare}};
}

BudgetRequest budgetFrom(const Node& root)
{
    BudgetRequest budget;
    const Node keep = root.key("keep");
    budget.keep = keep.numberOrNan();
    if (!(budget.keep > 0 && budget.keep <= 1))
        keep.refuse("a number above 0 and at most 1");
    budget.allocation = root.key("allocation").named([](const std::string& name) { return parseAllocation(name); });
    budget.accounting = root.key("accounting").named([](const std::string& name) { return parseAccounting(name); });
    budget.alignment = root.key("alignment").integer(1, 4096);
    if (const Node unit = root.key("unit"); unit.present())
        budget.unit = unit.named([](const std::string& name) { return parseUnit(name); });
    if (const Node settings = root.key("allocationSettings"); settings.present())
        budget.settings = allocationSettingsFrom(settings);
    if (const Node overrides = root.key("overrides"); overrides.present())
        for (const auto& [name, node] : overrides.members()) {
            Override by;
            if (const Node rank = node.key("rank"); rank.present())
                by.rank = rank.integer(1, kLargestSide);
            by.locked = node.key("locked").booleanOr(false);
            budget.overrides[name] = by;
        }
    return budget;
}

ordered_json operatorToJson(const PlannedOperator& op)
{
    return {{"tensor", op.tensor},
            {"name", op.name},
            {"layout", op.layout},
            {"rank", op.rank},
            {"rows", op.rows},
            {"cols", op.cols},
            {"locked", op.locked},
            {"overridden", op.overridden},
            {"predictedLoss", op.predictedLoss},
            {"predictedRelativeLoss", op.predictedRelativeLoss}};
}

} // namespace

ordered_json costToJson(const report::Cost& cost)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.bytes}, {"macs", cost.macs}, {"latencyMs", cost.latencyMs}};
}

ordered_json parametersToJson(const Parameters& parameters)
{
    ordered_json all = ordered_json::object();
    for (const auto& [name, value] : parameters.all())
        std::visit([&all, &key = name](const auto& v) { all[key] = v; }, value);
    return all;
}

std::string jsonText(const ordered_json& document)
{
    return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n"; // NaN and infinity become null
}

std::string planToJson(const Plan& plan)
{
    ordered_json root;
    root["schema"] = std::string(kSchemaName) + std::to_string(kSchemaVersion);
    root["model"] = {{"path", plan.modelPath}, {"hash", plan.modelSha256}};
    root["calibration"] = nullptr;
    if (!plan.calibrationPath.empty() || !plan.calibrationSha256.empty())
        root["calibration"] = {{"path", plan.calibrationPath}, {"hash", plan.calibrationSha256}};
    if (!plan.factorsPath.empty())
        root["factors"] = {{"path", plan.factorsPath}, {"hash", plan.factorsSha256}};
    root["method"] = plan.method;
    root["parameters"] = parametersToJson(plan.parameters);
    root["keep"] = plan.budget.keep;
    root["allocation"] = allocationName(plan.budget.allocation);
    root["accounting"] = accountingName(plan.budget.accounting);
    root["alignment"] = plan.budget.alignment;
    root["unit"] = unitName(plan.budget.unit);
    root["allocationSettings"] = settingsToJson(plan.budget.settings);
    root["seed"] = plan.seed;
    root["overrides"] = ordered_json::object();
    for (const auto& [name, by] : plan.budget.overrides) {
        ordered_json& entry = root["overrides"][name];
        entry["rank"] = by.rank ? ordered_json(*by.rank) : ordered_json(nullptr);
        entry["locked"] = by.locked;
    }
    root["operators"] = ordered_json::array();
    for (const auto& op : plan.operators)
        root["operators"].push_back(operatorToJson(op));
    if (plan.tokens)
        root["tokens"] = {{"method", plan.tokens->method}, {"parameters", parametersToJson(plan.tokens->parameters)}, {"schedule", plan.tokens->schedule}};
    if (!plan.attention.empty()) {
        root["attention"] = attentionToJson(plan.attention);
        root["attentionSeed"] = plan.attentionSeed;
    }
    if (plan.cache)
        root["cache"] = cacheToJson(*plan.cache);
    if (plan.reuse)
        root["reuse"] = reuseToJson(*plan.reuse);
    root["cost"] = costToJson(plan.cost);
    root["baseline"] = costToJson(plan.baseline);
    root["predictedLoss"] = plan.predictedLoss;
    root["predictedRelativeLoss"] = plan.predictedRelativeLoss;
    return jsonText(root);
}

Plan planFromJson(std::string_view text, const std::string& subject)
{
    const json document = io::parseJson(text, kLimits, subject);
    const Node root(&document, "$", subject);
    requireSchema(root.key("schema"), subject);
    Plan plan;
    plan.modelPath = root.key("model").key("path").text();
    plan.modelSha256 = root.key("model").key("hash").text();
    if (const Node calibration = root.key("calibration"); calibration.present()) {
        plan.calibrationPath = calibration.key("path").text();
        plan.calibrationSha256 = calibration.key("hash").text();
    }
    if (const Node factors = root.key("factors"); factors.present()) {
        plan.factorsPath = factors.key("path").text();
        plan.factorsSha256 = factors.key("hash").text();
        if (plan.factorsPath.empty())
            factors.key("path").refuse("the path of a file");
    }
    plan.method = root.key("method").text();
    for (const auto& [name, value] : root.key("parameters").members())
        plan.parameters.set(name, value.setting());
    plan.budget = budgetFrom(root);
    if (const Node seed = root.key("seed"); seed.present())
        plan.seed = seed.integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    std::set<std::string> names;
    for (const Node& node : root.key("operators").elements()) {
        plan.operators.push_back(operatorFrom(node, !plan.factorsPath.empty()));
        if (!names.insert(plan.operators.back().name).second)
            node.key("name").refuse("a name that no other operator has");
    }
    if (const Node tokens = root.key("tokens"); tokens.present())
        plan.tokens = tokensFrom(tokens);
    if (const Node attention = root.key("attention"); attention.present())
        for (const Node& node : attention.elements())
            plan.attention.push_back(attentionFrom(node));
    if (const Node seed = root.key("attentionSeed"); seed.present())
        plan.attentionSeed = seed.integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    if (const Node cache = root.key("cache"); cache.present())
        plan.cache = cacheFrom(cache);
    if (const Node reuse = root.key("reuse"); reuse.present())
        plan.reuse = reuseFrom(reuse);
    plan.cost = costFrom(root.key("cost"));
    plan.baseline = costFrom(root.key("baseline"));
    plan.predictedLoss = root.key("predictedLoss").loss();
    plan.predictedRelativeLoss = root.key("predictedRelativeLoss").loss();
    return plan;
}

} // namespace tamis::plan
