// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tokens one by one as people read them.
#include "core/inputs/tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tamis::inputs {

/// UTF-8 in which every character can be seen: a line's end is "↵", a tab "⇥", other controls of ASCII their pictures (U+2400 on), bytes that
/// are not UTF-8 "<E2>", invisible characters "<U+200B>". Spaces stay.
std::string visibleText(std::string_view bytes);

/// What the token stands for, visible, with the space that it begins with; special tokens as the file spells them; "" for an id that is not in
/// the vocabulary.
std::string visibleToken(const Tokenizer& tokenizer, std::int32_t id);

} // namespace tamis::inputs
