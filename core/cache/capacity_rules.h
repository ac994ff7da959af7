// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rules of capacity around any policy: when room is made and how much, what is never evicted, and what a change of scene does.
#include "core/cache/method.h"
#include "core/cache/scene_change.h"
#include "core/cache/trace.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::cache {

enum class SceneAction {
    Clear,  ///< all that may leave leaves, and the policy starts anew
    Halve,  ///< evictions until half of the capacity is taken
    Forget, ///< the policy starts anew with what it holds: counts, histories and ghosts are gone
};

struct CapacityRules {
    double hard = 1;         ///< share of the capacity that is used: a newcomer that would pass it makes room
    double soft = 1;         ///< share down to which room is made then; `hard` at most
    std::uint64_t batch = 1; ///< objects that leave together at least
    std::vector<std::uint64_t> protectedIds; ///< as in the trace's file: not evicted once they are held
    double protectedShare = 0; ///< of the capacity, for the most requested objects that are held: not evicted while they are. Counted anew now and then
    SceneSettings scene;
    SceneAction action = SceneAction::Clear;

    bool active() const noexcept { return hard < 1 || soft < 1 || batch > 1 || protects() || scene.signal != SceneSignal::Off; }
    bool protects() const noexcept { return !protectedIds.empty() || protectedShare > 0; }
    bool operator==(const CapacityRules&) const = default;
};

/// "hit-ratio", "new-objects", "off"; "clear", "halve", "forget". Throws Error{InvalidParameter}.
SceneSignal sceneSignalNamed(const std::string& name);
SceneAction sceneActionNamed(const std::string& name);

/// Throws Error{InvalidParameter}: shares out of (0, 1], soft above hard, a batch, window or threshold of 0, ...
void requireRules(const CapacityRules& rules);
/// "hard 0.9, soft 0.7, scene change by hit-ratio: clear"; empty without rules.
std::string inWords(const CapacityRules& rules);
/// For caches on a share of the objects: batches and windows that are as much smaller, 1 at least. Shares of the capacity stay.
CapacityRules scaledRules(const CapacityRules& rules, double rate);
/// [objects] whether the rules' ids protect it.
std::vector<bool> protectedObjects(const CapacityRules& rules, const Trace& trace);

/// The policy under the rules. What a policy would evict but must not is kept aside, and counted: what is held never passes the hard limit; a
/// newcomer is refused where what is protected leaves no room for it. `figures()` tell scene changes and protected objects. Without rules: the
/// policy itself. Throws Error{InvalidParameter}.
PolicyPtr ruledPolicy(const Method& method, const PolicyInputs& inputs, const Parameters& parameters, const CapacityRules& rules, std::vector<bool> protectedObjects);

/// Name of the figure that counts scene changes.
inline constexpr const char* kSceneChanges = "scene changes";

} // namespace tamis::cache
