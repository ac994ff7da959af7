// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_plan.h"

#include "core/base/error.h"
#include "core/cache/method.h"
#include "core/cache/rule_settings.h"
#include "views/cache/cache_words.h"
#include "views/common/number_format.h"

#include <QCoreApplication>

#include <algorithm>

namespace tamis::app {
namespace {
constexpr double kMostWarmUp = 0.9; ///< that the lab offers
} // namespace

std::optional<plan::PlannedCache> plannedCacheOf(const plan::Plan& plan, const std::filesystem::path& file)
{
    if (!plan.cache)
        return {};
    plan::PlannedCache planned = *plan.cache;
    const auto* method = cache::findMethod(planned.policy);
    if (!method)
        throw Error(ErrorCode::UnsupportedFeature, "cache.policy: found '" + planned.policy + "', expected a policy that this program has", file.string());
    try {
        planned.parameters = method->declaration.schema.complete(planned.parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "cache.parameters: " + std::string(error.what()), file.string());
    }
    try {
        planned.rules = cache::changedRules(cache::ruleSchema().complete(planned.rules));
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "cache.rules: " + std::string(error.what()), file.string());
    }
    return planned;
}

void takePlannedCache(SessionState& state, const std::optional<plan::PlannedCache>& planned)
{
    state.plannedCache = planned;
    if (!planned)
        return;
    state.cache.policy = planned->policy;
    state.cache.parameters[planned->policy] = planned->parameters;
    state.cache.size = planned->size;
    state.cache.warmUp = std::min(planned->warmUp, kMostWarmUp);
    state.cache.rules = planned->rules;
}

QString plannedCacheTitle(const plan::PlannedCache& planned)
{
    const auto* method = cache::findMethod(planned.policy);
    QString title = QString::fromStdString(planned.policy);
    if (method)
        title = views::configurationTitle(QString::fromStdString(method->declaration.title), planned.parameters, method->declaration.schema.defaults());
    title = views::configurationTitle(title, planned.rules, {});
    title += QStringLiteral(", ") + views::cacheSizeText(planned.size, planned.bytes);
    return planned.warmUp > 0 ? QCoreApplication::translate("CachePlan", "%1, warm-up %2").arg(title, views::formatPercent(planned.warmUp, 0)) : title;
}

} // namespace tamis::app
