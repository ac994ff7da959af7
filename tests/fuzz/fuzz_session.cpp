// SPDX-License-Identifier: GPL-3.0-or-later
// Any text is either refused with an Error or a session that survives being written and read again, at every place.
#include "app/session/session_file.h"
#include "core/base/error.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace tamis;
    app::SessionState state;
    try {
        state = app::sessionFromJson({reinterpret_cast<const char*>(bytes), size}, "/base/folder", "input");
    } catch (const Error&) {
        return 0;
    }
    const std::string text = app::sessionToJson(state, "/base/folder");
    const app::SessionState again = app::sessionFromJson(text, "/base/folder", "written");
    if (app::sessionToJson(again, "/base/folder") != text)
        std::abort();
    // Everything but the paths comes back as it was; those are written in their normal form.
    app::SessionState expected = state;
    expected.modelPath = again.modelPath;
    expected.calibrationPath = again.calibrationPath;
    if (!(again == expected))
        std::abort();
    if (app::operatingPoints(state.points).size() != state.points.size())
        std::abort();
    return 0;
}
