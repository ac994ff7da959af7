// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/session_document.h"

#include <QObject>
#include <QString>

#include <filesystem>
#include <optional>

namespace tamis::plan {
struct Plan;
} // namespace tamis::plan

namespace tamis::views {
class CostHeader;
class TokenSettings;
} // namespace tamis::views

namespace tamis::app {

class TokensController;

/// What `plan` has of the token lab, with every parameter of its method; nothing: it leaves tokens as they are. Throws Error{UnsupportedFeature} for a
/// method that there is not, Error{MalformedFile} for parameters that it has not.
std::optional<plan::PlannedTokens> plannedTokensOf(const plan::Plan& plan, const std::filesystem::path& file);
/// Makes it the session's part of the plan and, where there is some, the token lab's setting.
void takePlannedTokens(SessionState& state, const std::optional<plan::PlannedTokens>& tokens);
/// "ToMe, r 4: 257 tokens become 233"; without the counts where they are not known.
QString plannedTokensTitle(const plan::PlannedTokens& tokens, std::int64_t sourceTokens);

/// The token lab's part of the workspace's plan: put in and taken out by undoable edits, shown beside the plan's budget and in the lab.
class TokenPlanController : public QObject
{
    Q_OBJECT
public:
    TokenPlanController(SessionDocument& document, TokensController& lab, views::CostHeader& header, views::TokenSettings& settings, QObject* parent = nullptr);

    void put();      ///< the lab's setting, with the tokens behind each block as they are on the photos that are shown
    void remove();   ///< the lab keeps its setting
    void takeBack(); ///< what the plan has becomes the lab's setting
    QString putDisabledReason() const; ///< empty: it can be done
    QString removeDisabledReason() const;
    QString takeBackDisabledReason() const;
    void showState();

private:
    bool isPlanned() const; ///< the lab's setting is the plan's

    SessionDocument& m_document;
    TokensController& m_lab;
    views::CostHeader& m_header;
    views::TokenSettings& m_settings;
};

} // namespace tamis::app
