// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/reuse_plan.h"

#include "core/base/error.h"
#include "core/plan/plan.h"
#include "core/reuse/method.h"

namespace tamis::app {
namespace {
QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

std::optional<plan::PlannedReuse> plannedReuseOf(const plan::Plan& plan, const std::filesystem::path& file)
{
    if (!plan.reuse)
        return {};
    auto planned = *plan.reuse;
    const auto* method = reuse::findMethod(planned.method);
    if (!method)
        throw Error(ErrorCode::UnsupportedFeature, "reuse.method: found '" + planned.method + "', expected a method that this program has", file.string());
    try {
        planned.parameters = method->declaration.schema.complete(planned.parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "reuse.parameters: " + std::string(error.what()), file.string());
    }
    return planned;
}

void takePlannedReuse(SessionState& state, const std::optional<plan::PlannedReuse>& planned)
{
    state.plannedReuse = planned;
    if (planned)
        state.reuse.setting = {planned->method, planned->parameters};
}

Parameters completeParameters(const ReuseSetting& setting)
{
    const auto* of = reuse::findMethod(setting.method);
    if (!of)
        return {};
    Parameters complete = of->declaration.schema.defaults();
    for (const auto& [name, value] : setting.parameters.all())
        if (of->declaration.schema.find(name))
            complete.set(name, value);
    return complete;
}

std::string sweptParameter(const ReuseSetting& setting)
{
    const Parameters complete = completeParameters(setting);
    return !complete.contains("key") ? std::string() : complete.text("key") == "pca-lsh" ? "bits" : "radius";
}

std::vector<ReuseSetting> sweptSettings(const ReuseSetting& setting)
{
    const std::string parameter = sweptParameter(setting);
    std::vector<ReuseSetting> all;
    if (parameter.empty())
        return all;
    const std::vector<std::int64_t> values = parameter == "bits" ? std::vector<std::int64_t>{4, 8, 12, 16, 24, 32, 48, 64} : std::vector<std::int64_t>{0, 2, 4, 6, 8, 12, 16, 24, 32};
    for (const std::int64_t value : values) {
        all.push_back(setting);
        all.back().parameters.set(parameter, value);
    }
    return all;
}

std::string settingKey(const ReuseSetting& setting)
{
    std::string key = setting.method;
    const Parameters complete = completeParameters(setting);
    for (const auto& [name, value] : complete.all())
        key += '\n' + name + '=' + toText(value);
    return key;
}

QString reuseSettingTitle(const ReuseSetting& setting)
{
    const auto* of = reuse::findMethod(setting.method);
    if (!of)
        return text(setting.method);
    QString title = text(of->declaration.title);
    for (const auto& spec : of->declaration.schema.specs())
        if (setting.parameters.contains(spec.name) && !(setting.parameters.value(spec.name) == spec.defaultValue))
            title += QStringLiteral(", %1 %2").arg(text(spec.name), text(toText(setting.parameters.value(spec.name))));
    return title;
}

} // namespace tamis::app
