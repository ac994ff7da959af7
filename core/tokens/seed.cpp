// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/seed.h"

#include <utility>

namespace tamis::tokens {

ParameterSpec seedParameter(std::string help)
{
    return {.name = "seed", .title = "Seed", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .step = 1, .help = std::move(help)};
}

std::uint64_t seedOf(const Parameters& parameters) { return static_cast<std::uint64_t>(parameters.integer("seed")); }

} // namespace tamis::tokens
