// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/token_plan_controller.h"

#include "app/window/tokens_controller.h"
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "views/common/number_format.h"
#include "views/plan/cost_header.h"
#include "views/tokens/token_settings.h"

namespace tamis::app {
namespace {
/// Of a session: it may be of a method or of parameters that there are not.
std::optional<Parameters> completed(const TokenSetting& setting)
{
    const auto* method = tokens::findMethod(setting.method);
    if (!method)
        return {};
    Parameters complete = method->declaration.schema.defaults();
    for (const auto& [name, value] : setting.parameters.all())
        if (method->declaration.schema.find(name))
            complete.set(name, value);
    return complete;
}

QString countsInWords(const plan::PlannedTokens& tokens)
{
    QStringList counts;
    for (const double count : tokens.schedule)
        counts << views::formatNumber(count, 4);
    return counts.isEmpty() ? QString() : TokenPlanController::tr("Tokens behind each block: %1").arg(counts.join(QStringLiteral(", ")));
}
} // namespace

std::optional<plan::PlannedTokens> plannedTokensOf(const plan::Plan& plan, const std::filesystem::path& file)
{
    if (!plan.tokens)
        return {};
    auto planned = *plan.tokens;
    const auto* method = tokens::findMethod(planned.method);
    if (!method)
        throw Error(ErrorCode::UnsupportedFeature, "tokens.method: found '" + planned.method + "', expected a method that this program has", file.string());
    try {
        planned.parameters = method->declaration.schema.complete(planned.parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "tokens.parameters: " + std::string(error.what()), file.string());
    }
    return planned;
}

void takePlannedTokens(SessionState& state, const std::optional<plan::PlannedTokens>& tokens)
{
    state.plannedTokens = tokens;
    if (tokens)
        state.tokens.setting = {tokens->method, tokens->parameters};
}

QString plannedTokensTitle(const plan::PlannedTokens& tokens, std::int64_t sourceTokens)
{
    const QString title = tokens::findMethod(tokens.method) ? tokenSettingTitle({tokens.method, tokens.parameters}) : QString::fromStdString(tokens.method);
    if (tokens.schedule.empty() || sourceTokens <= 0)
        return title;
    return TokenPlanController::tr("%1: %2 tokens become %3").arg(title).arg(sourceTokens).arg(views::formatNumber(tokens.schedule.back(), 4));
}

TokenPlanController::TokenPlanController(SessionDocument& document, TokensController& lab, views::CostHeader& header, views::TokenSettings& settings, QObject* parent)
    : QObject(parent), m_document(document), m_lab(lab), m_header(header), m_settings(settings)
{
    connect(&m_settings, &views::TokenSettings::planRequested, this, &TokenPlanController::put);
    connect(&m_settings, &views::TokenSettings::unplanRequested, this, &TokenPlanController::remove);
    connect(&m_header, &views::CostHeader::tokensRemoved, this, &TokenPlanController::remove);
    connect(&m_document, &SessionDocument::stateChanged, this, &TokenPlanController::showState);
    connect(&m_lab, &TokensController::pictureShown, this, &TokenPlanController::showState);
    connect(&m_lab, &TokensController::availabilityChanged, this, &TokenPlanController::showState);
    showState();
}

bool TokenPlanController::isPlanned() const
{
    const auto& planned = m_document.state().plannedTokens;
    const TokenSetting now = m_lab.setting();
    return planned && planned->method == now.method && completed({planned->method, planned->parameters}) == completed(now);
}

QString TokenPlanController::putDisabledReason() const
{
    if (const QString reason = m_lab.disabledReason(); !reason.isEmpty())
        return reason;
    return isPlanned() ? tr("the plan has this already") : QString();
}

QString TokenPlanController::removeDisabledReason() const { return m_document.state().plannedTokens ? QString() : tr("the plan leaves tokens as they are"); }

QString TokenPlanController::takeBackDisabledReason() const
{
    const QString reason = removeDisabledReason();
    return !reason.isEmpty() ? reason : isPlanned() ? tr("the lab has this already") : QString();
}

void TokenPlanController::put()
{
    if (const QString reason = putDisabledReason(); !reason.isEmpty()) {
        emit m_lab.failed(tr("Nothing can be put into the plan: %1.").arg(reason));
        return;
    }
    const TokenSetting setting = m_lab.setting();
    const plan::PlannedTokens planned{setting.method, completed(setting).value_or(Parameters()), m_lab.measuredSchedule()};
    m_document.change(tr("Put %1 into the plan").arg(tokenSettingTitle(setting)), {}, [&](SessionState& state) { state.plannedTokens = planned; });
}

void TokenPlanController::remove()
{
    m_document.change(tr("Take the token method out of the plan"), {}, [](SessionState& state) { state.plannedTokens.reset(); });
}

void TokenPlanController::takeBack()
{
    if (const auto planned = m_document.state().plannedTokens)
        m_lab.take({planned->method, planned->parameters}, tr("Take the plan's token method"));
}

void TokenPlanController::showState()
{
    const auto& planned = m_document.state().plannedTokens;
    const auto& sources = m_lab.sources();
    const QString title = planned ? plannedTokensTitle(*planned, sources ? sources->sourceTokens() : 0) : QString();
    m_header.setTokens(title, planned ? title + QLatin1Char('\n') + countsInWords(*planned) : QString());
    m_settings.setPlanned(title, isPlanned(), m_lab.disabledReason());
}

} // namespace tamis::app
