// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <string>
#include <vector>

namespace tamis {

/// For each of `names`, relative paths, a name without suffix for a file that is made of it, safe in any directory: "sub/cat.jpg" becomes
/// "sub_cat". Separators, control characters and those that other systems forbid become '_'; no name begins with a dot, is empty, longer than
/// 150 bytes, or another's twin where case is not told apart: twins get "-2", "-3", in the order given. UTF-8 is not cut within a letter.
std::vector<std::string> fileStems(const std::vector<std::string>& names);

} // namespace tamis
