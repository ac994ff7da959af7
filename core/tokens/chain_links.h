// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A combination of methods as text: "evit keep=0.7 @3,6 + tome r=4 @rest".
//
//   chain   = link { "+" link }
//   link    = method { setting } [ "@" places ]
//   method  = the id of a method of the lab without "tokens."
//   setting = name "=" value           one of the method's parameters; no blank around the "="
//   value   = plain | quoted           plain: no blank, "+", "@" or quote in it; quoted: "..." with \" and \\ for a quote and a backslash
//   places  = "all" | "rest" | part { "," part }
//   part    = block [ "-" block ]      from 0, ascending
//
// Blanks (also tabs and line ends) may stand between the parts, but not inside of a setting or of places. Without "@" a method stands where it does
// by itself; "rest" are the blocks in which no other link stands.
#include "core/base/parameter_schema.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

struct BlockRange {
    int first = 0, last = 0; ///< both included
    bool operator==(const BlockRange&) const = default;
};

enum class Where {
    Own,   ///< where the method puts its steps by itself
    All,   ///< every block
    Rest,  ///< every block in which no other link stands
    Listed ///< Link::blocks
};

struct Link {
    std::string method;     ///< "evit"
    Parameters settings;    ///< those given, valid by the method's schema
    Where where = Where::Own;
    std::vector<BlockRange> blocks; ///< Listed: ascending, apart; else empty
    std::size_t position = 0, wherePosition = 0; ///< bytes from the start of the text that it was read from
    /// Positions apart.
    bool operator==(const Link& other) const
    {
        return method == other.method && settings == other.settings && where == other.where && blocks == other.blocks;
    }
};

constexpr std::size_t kLongestChainText = 16'384;
constexpr std::size_t kMostLinks = 64;
constexpr int kLastBlock = 9'999;

/// Reads untrusted text. Knows no model: whether blocks are there is seen when the chain is made. Throws Error{InvalidParameter} about "steps" with the
/// byte at which it happened, Error{LimitExceeded} for a text or a chain that is too long.
std::vector<Link> parseLinks(std::string_view text);
/// The shortest text that parses to the same links.
std::string printLinks(const std::vector<Link>& links);

} // namespace tamis::tokens
