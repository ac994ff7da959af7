// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/ceilings.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/cost/ceiling_loops.h"
#include "core/io/json_limits.h"
#include "core/kernels/packed_matrix.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <new>

namespace tamis::cost {
namespace {
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::int64_t kFmaRounds = 100'000;             ///< some 0.3 ms: a stop is seen between them
constexpr std::size_t kBufferFloats = std::size_t{64} << 20; ///< 256 MB: no cache holds it
constexpr std::size_t kPieceFloats = std::size_t{1} << 20;
constexpr double kMaxCeiling = 1e9;
constexpr io::JsonLimits kLimits{.bytes = 64u << 10, .depth = 4, .values = 100};

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Freed {
    void operator()(float* values) const noexcept { ::operator delete(values, std::align_val_t{64}); }
};

std::unique_ptr<float, Freed> readBuffer()
{
    void* memory = ::operator new(kBufferFloats * sizeof(float), std::align_val_t{64}, std::nothrow);
    if (!memory)
        throw Error(ErrorCode::OutOfMemory, "needs 256 MB to measure the memory's bandwidth", "ceilings");
    return std::unique_ptr<float, Freed>(static_cast<float*>(memory));
}

CeilingPreset preset(const char* id, const char* name, double gflops, double gigabytesPerSecond, const char* source)
{
    return {id, {name, gflops, gigabytesPerSecond, false, source}};
}

double numberAbove0(const json& document, const char* key, const std::string& subject)
{
    const auto field = document.find(key);
    if (field == document.end() || !field->is_number() || !(field->get<double>() > 0) || field->get<double>() > kMaxCeiling)
        throw Error(ErrorCode::MalformedFile,
                    std::string(key) + " is " + (field == document.end() ? "missing" : io::quotedName(field->dump(-1, ' ', true))) +
                        "; expected a number above 0 and at most 1e9", subject);
    return field->get<double>();
}

std::string text(const json& document, const char* key, const std::string& subject)
{
    const auto field = document.find(key);
    if (field == document.end())
        return {};
    if (!field->is_string())
        throw Error(ErrorCode::MalformedFile, std::string(key) + " is not text", subject);
    return field->get<std::string>();
}

} // namespace

double measureGflops(const RunContext& context)
{
    // Four pieces a thread, so that a thread that starts late takes fewer.
    const auto pieces = static_cast<std::size_t>(threadCount()) * 4;
    const double flops = static_cast<double>(pieces) * static_cast<double>(kFmaRounds) * static_cast<double>(fmaFlopsPerRound());
    std::atomic<float> sink = 0;
    double best = 0;
    const auto begin = Clock::now();
    do {
        const auto start = Clock::now();
        parallelFor(context, pieces, [&](std::size_t) { sink.store(fmaLoop(kFmaRounds), std::memory_order_relaxed); });
        best = std::max(best, flops / secondsSince(start));
    } while (secondsSince(begin) < 0.15);
    return best * 1e-9;
}

double measureBandwidth(const RunContext& context)
{
    const auto buffer = readBuffer();
    float* const values = buffer.get();
    const std::size_t pieces = kBufferFloats / kPieceFloats;
    // written, not only reserved: pages that were never written are all one page of zeros
    parallelFor(context, pieces, [&](std::size_t i) { std::fill_n(values + i * kPieceFloats, kPieceFloats, 1.0f); });
    std::atomic<float> sink = 0;
    double best = 0;
    int passes = 0;
    const auto begin = Clock::now();
    do {
        const auto start = Clock::now();
        parallelFor(context, pieces, [&](std::size_t i) { sink.store(readLoop(values + i * kPieceFloats, kPieceFloats), std::memory_order_relaxed); });
        best = std::max(best, static_cast<double>(kBufferFloats * sizeof(float)) / secondsSince(start));
    } while (++passes < 3 || (secondsSince(begin) < 0.15 && passes < 20));
    return best * 1e-9;
}

report::Ceilings measureCeilings(const RunContext& context)
{
    context.setParts(2);
    const std::string threads = std::to_string(threadCount()) + (threadCount() == 1 ? " thread" : " threads");
    report::Ceilings ceilings;
    ceilings.name = "this machine, " + threads;
    ceilings.gflops = measureGflops(context.part(1, "measuring multiply-adds"));
    ceilings.gigabytesPerSecond = measureBandwidth(context.part(1, "measuring memory"));
    ceilings.measured = true;
    ceilings.source = "measured: multiply-adds in registers, " + std::string(kernels::instructionSet()) + "; sums over 256 MB; " + threads;
    return ceilings;
}

report::Ceilings machineCeilings(const RunContext& context)
{
    static std::timed_mutex mutex;
    static std::map<int, report::Ceilings> measured; ///< by number of threads
    while (!mutex.try_lock_for(std::chrono::milliseconds(10)))
        context.throwIfStopped();
    const std::lock_guard lock(mutex, std::adopt_lock);
    const int threads = threadCount();
    const auto known = measured.find(threads);
    if (known != measured.end())
        return known->second;
    return measured[threads] = measureCeilings(context);
}

const std::vector<CeilingPreset>& ceilingPresets()
{
    static const std::vector<CeilingPreset> presets{
        preset("laptop-avx2", "Laptop, 8 cores with AVX2 (AMD Ryzen 7 5800U)", 486.4, 51.2,
               "AMD product page: 8 cores at a base clock of 1.9 GHz; two 256-bit multiply-adds a cycle (AMD's optimisation guide for "
               "family 19h): 8 x 1.9 x 32; two channels of DDR4-3200: 51.2 GB/s"),
        preset("raspberry-pi-5", "Raspberry Pi 5", 153.6, 17.1,
               "Raspberry Pi 5 product brief: 4 Cortex-A76 at 2.4 GHz, LPDDR4X-4267 on 32 bits; two 128-bit multiply-adds a cycle (Arm's "
               "optimisation guide for the Cortex-A76): 4 x 2.4 x 16; 4.267 x 4 bytes"),
        preset("jetson-orin-nano", "NVIDIA Jetson Orin Nano 8 GB, its GPU", 1280, 68,
               "Jetson Orin Nano series data sheet: 1,024 CUDA cores at 625 MHz: 1,024 x 0.625 x 2; 128-bit LPDDR5, 68 GB/s"),
        preset("rtx-4090", "NVIDIA GeForce RTX 4090", 82600, 1008, "NVIDIA Ada GPU architecture white paper: FP32 82.6 TFLOPS, 1,008 GB/s"),
        preset("a100-40gb", "NVIDIA A100 SXM 40 GB", 19500, 1555, "NVIDIA A100 data sheet: FP32 19.5 TFLOPS, 1,555 GB/s"),
        preset("a100-80gb", "NVIDIA A100 SXM 80 GB", 19500, 2039, "NVIDIA A100 data sheet: FP32 19.5 TFLOPS, 2,039 GB/s"),
        preset("h100", "NVIDIA H100 SXM", 67000, 3350, "NVIDIA H100 data sheet: FP32 67 teraFLOPS, 3.35 TB/s")};
    return presets;
}

std::string ceilingsToJson(const report::Ceilings& ceilings)
{
    const nlohmann::ordered_json document{{"name", ceilings.name}, {"gflops", ceilings.gflops},
                                          {"gigabytesPerSecond", ceilings.gigabytesPerSecond}, {"measured", ceilings.measured},
                                          {"source", ceilings.source}};
    return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

report::Ceilings ceilingsFromJson(std::string_view text_, const std::string& subject)
{
    const json document = io::parseJson(text_, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "is no description of a machine's ceilings; expected a JSON object with gflops and gigabytesPerSecond", subject);
    for (const auto& [key, value] : document.items())
        if (key != "name" && key != "gflops" && key != "gigabytesPerSecond" && key != "measured" && key != "source")
            throw Error(ErrorCode::MalformedFile,
                        "has the key " + io::quotedName(key) + "; expected name, gflops, gigabytesPerSecond, measured and source", subject);
    report::Ceilings ceilings;
    ceilings.name = text(document, "name", subject);
    ceilings.source = text(document, "source", subject);
    ceilings.gflops = numberAbove0(document, "gflops", subject);
    ceilings.gigabytesPerSecond = numberAbove0(document, "gigabytesPerSecond", subject);
    if (const auto measured = document.find("measured"); measured != document.end()) {
        if (!measured->is_boolean())
            throw Error(ErrorCode::MalformedFile, "measured is neither true nor false", subject);
        ceilings.measured = measured->get<bool>();
    }
    return ceilings;
}

report::Ceilings ceilingsNamed(const std::string& nameOrFile, const RunContext& context)
{
    if (nameOrFile == "this")
        return machineCeilings(context);
    std::string known = "this";
    for (const auto& preset : ceilingPresets()) {
        if (preset.id == nameOrFile)
            return preset.ceilings;
        known += ", " + preset.id;
    }
    std::error_code failure;
    if (!std::filesystem::exists(nameOrFile, failure))
        throw Error(ErrorCode::InvalidParameter, io::quotedName(nameOrFile) + " is neither a file nor one of " + known, "ceilings");
    auto ceilings = ceilingsFromJson(io::readSmallFile(nameOrFile, kLimits.bytes), nameOrFile);
    if (ceilings.name.empty())
        ceilings.name = std::filesystem::path(nameOrFile).stem().string();
    return ceilings;
}

} // namespace tamis::cost
