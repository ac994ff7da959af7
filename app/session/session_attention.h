// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The attention tab's part of a session file beside the choice of operators. Internal to app/session.
#include "app/session/attention_tab.h"
#include "app/session/session_reader.h"

#include <filesystem>

namespace tamis::app {

nlohmann::ordered_json addressingToJson(const AddressingChoice& choice, const std::filesystem::path& base);
AddressingChoice addressingFrom(const SessionReader& reader, const std::filesystem::path& base);
nlohmann::ordered_json attentionTrainingToJson(const AttentionTraining& training, const std::filesystem::path& base);
AttentionTraining attentionTrainingFrom(const SessionReader& reader, const std::filesystem::path& base);

} // namespace tamis::app
