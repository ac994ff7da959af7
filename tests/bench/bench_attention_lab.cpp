// SPDX-License-Identifier: GPL-3.0-or-later
// How fast the attention lab answers a moved slider on the bundled models, every method at its defaults in all blocks: the first picture (the viewed head) and the whole one (all
// heads on four samples, the output, costs), by what the window's lane calls. Photos and texts are noise of the models' sizes: times do not depend on what is in them. Medians and the least of some rounds, milliseconds, and the processor's seconds beside them, so that
// other work on the machine can be told from this. Bounds asked for: 50 ms and 300 ms. The machine's: the multiply-adds of the viewed block, and of all blocks on all samples,
// at the speed that this machine multiplies at, which is no more than a part of what is done.
//   bench_attention_lab [METHOD]
#include "core/attention/attention_study.h"
#include "core/attention/usual_settings.h"
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/cost/ceilings.h"
#include "core/io/checkpoint.h"
#include "core/measure/token_source.h"
#include "tests/core/attention/noise_photos.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
using Clock = std::chrono::steady_clock;
constexpr int kRounds = 5;
constexpr std::int64_t kWindow = 256; ///< tokens of a text: what the window looks at
constexpr double kFirstMs = 50, kWholeMs = 300;

double since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

double processorMs()
{
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

struct Times {
    double first = 0, whole = 0, processor = 0;
};

/// As LaneCore serves a request.
Times answer(AttentionStudy& study, const AttentionRequest& request)
{
    Times times;
    const auto start = Clock::now();
    const double before = processorMs();
    if (study.first(request))
        times.first = since(start);
    study.whole(request, {}, [&](const report::AttentionReport&) { times.first = times.first > 0 ? times.first : since(start); });
    times.whole = since(start);
    times.processor = processorMs() - before;
    return times;
}

double median(std::vector<Times> all, double Times::*value)
{
    std::ranges::sort(all, {}, value);
    return all[all.size() / 2].*value;
}

double least(const std::vector<Times>& all, double Times::*value) { return (*std::ranges::min_element(all, {}, value)).*value; }

/// Of one method: from another of its settings, or from exact attention, to its defaults. Whether both bounds hold for the best round.
bool measure(AttentionStudy& study, const Method& method, const report::Ceilings& machine)
{
    const auto in = [&](const Parameters& parameters) { return AttentionRequest{.choices = everywhere(*study.model(), method.declaration.id, parameters, {})}; };
    const AttentionRequest request = in({});
    AttentionRequest other;
    if (const auto usual = usualSettings(method); usual.size() > 1)
        other = in(usual.front().parameters);
    std::vector<Times> all;
    report::AttentionReport report;
    try {
        for (int round = 0; round < kRounds; ++round) {
            (void)study.whole(other, {});
            all.push_back(answer(study, request));
        }
        report = study.whole(request, {});
    } catch (const Error& error) {
        std::printf("  %-28s %s\n", method.declaration.id.c_str(), error.message().c_str());
        return true;
    }
    const double macs = static_cast<double>(report.attentionMacs + report.wholeAttentionMacs); // of all blocks, both ways
    const double each = 2e-6 * macs / machine.gflops, first = least(all, &Times::first), whole = least(all, &Times::whole);
    std::printf("  %-28s first %6.1f (least %5.1f, bound %5.2f)   whole %6.1f (least %6.1f, bound %5.1f)   processor %6.0f%s%s\n", method.declaration.id.c_str(), median(all, &Times::first), first,
                each / static_cast<double>(report.layers), median(all, &Times::whole), whole, each * static_cast<double>(report.averagedSamples), median(all, &Times::processor),
                first > kFirstMs ? "   FIRST IS LATE" : "", whole > kWholeMs ? "   WHOLE IS LATE" : "");
    std::fflush(stdout);
    return first <= kFirstMs && whole <= kWholeMs;
}

std::vector<std::int32_t> drawn(std::int64_t count)
{
    std::mt19937 random(1);
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
    for (std::int32_t& token : tokens)
        token = static_cast<std::int32_t>(random() % 1000);
    return tokens;
}

bool measureModel(const char* name, const std::shared_ptr<const measure::SampleSource>& samples, const std::string& only, const report::Ceilings& machine)
{
    const auto model = nn::Model::load(*io::Checkpoint::open(std::string(TAMIS_SOURCE_DIR "/datasets/") + name));
    AttentionStudy study(model, samples);
    const auto start = Clock::now();
    const auto opened = study.whole({}, {});
    std::printf("%s, %lld tokens; its first whole picture took %.0f ms\n", name, static_cast<long long>(opened.view.tokens), since(start));
    bool all = true;
    for (const Method& method : methods())
        if (only.empty() || method.declaration.id == only)
            all = measure(study, method, machine) && all;
    return all;
}
} // namespace

int main(int argc, char** argv)
{
    prepareBlas(argv);
    try {
        const report::Ceilings machine = cost::machineCeilings();
        std::printf("this machine: %.1f GFLOP/s, %.1f GB/s; milliseconds, %d rounds\n", machine.gflops, machine.gigabytesPerSecond, kRounds);
        const std::string only = argc > 1 ? argv[1] : "";
        const bool photos = measureModel("vit20", std::make_shared<test::NoisePhotos>(20), only, machine);
        const bool texts = measureModel("tinylm", std::make_shared<measure::TokenSource>(std::vector<std::vector<std::int32_t>>{drawn(20 * kWindow)}, measure::TokenWindows{kWindow, kWindow}, "tokens drawn at random"), only, machine);
        return photos && texts ? 0 : 1;
    } catch (const Error& error) {
        std::fprintf(stderr, "bench_attention_lab: %s\n", error.what());
        return 2;
    }
}
