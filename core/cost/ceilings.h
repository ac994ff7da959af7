// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The two ceilings of a roofline: how fast a machine multiplies and how fast it reads memory.
#include "core/base/run_context.h"
#include "core/report/model_report.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::cost {

/// Float32 FLOP/s of all threads that parallelFor may use, in 1e9: multiply-adds that never leave the registers, the best
/// of many rounds within about 0.15 s. Throws Error{Cancelled}.
double measureGflops(const RunContext& context = {});

/// Bytes read a second by all threads, in 1e9: sums over 256 MB, the best pass within about 0.25 s.
/// Throws Error{Cancelled, OutOfMemory}.
double measureBandwidth(const RunContext& context = {});

/// Both, measured anew. Best on a machine that does nothing else: other work lowers them.
report::Ceilings measureCeilings(const RunContext& context = {});

/// The same, measured once for every number of threads in a process. Safe to call from several threads: they wait for the
/// one that measures, and see their own stop meanwhile.
report::Ceilings machineCeilings(const RunContext& context = {});

/// A device to predict for. `source` says which figures of the vendor's data sheet it is made of.
struct CeilingPreset {
    std::string id; ///< "raspberry-pi-5": what --ceilings takes
    report::Ceilings ceilings;
};
const std::vector<CeilingPreset>& ceilingPresets();

/// {"name", "gflops", "gigabytesPerSecond", "measured", "source"}: what users edit and keep.
std::string ceilingsToJson(const report::Ceilings& ceilings);
/// name and source may be missing. Throws Error{MalformedFile (no number above 0 and up to 1e9, an unknown key),
/// LimitExceeded}; `subject` names the text.
report::Ceilings ceilingsFromJson(std::string_view json, const std::string& subject);

/// A preset's id, "this" (measured), or a JSON file. Throws Error{InvalidParameter} when it is none of them.
report::Ceilings ceilingsNamed(const std::string& nameOrFile, const RunContext& context = {});

} // namespace tamis::cost
