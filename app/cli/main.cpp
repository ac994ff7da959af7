// SPDX-License-Identifier: GPL-3.0-or-later
// tamis-cli: see docs/command-line.md.
#include "app/cli/console.h"
#include "app/cli/interrupts.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>

namespace {
constexpr int kDone = 0, kFailed = 1, kUsage = 2, kCancelled = 130;

/// One line on standard error, whatever the message holds.
int fail(std::string message, int status)
{
    std::ranges::replace_if(message, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    std::fprintf(stderr, "tamis-cli: error: %s\n", message.c_str());
    return status;
}

void runProgram(int argc, char** argv)
{
    using namespace tamis::cli;
    const std::vector<Verb> verbs{verbInspect(), verbMethods(), verbCapture(), verbRun(), verbCompare(), verbEvaluate(), verbPlan(), verbExport(), verbBench(), verbDemo()};
    const Request request = parseCommandLine(argc, argv, verbs);
    if (!request.verb) {
        writeStandardOutput(request.text);
        return;
    }
    const tamis::ThreadLimit limit(static_cast<int>(request.common.threads));
    Interrupts interrupts;
    Console console(request.common, interrupts);
    try {
        request.verb->run(console);
    } catch (const tamis::Error& error) {
        if (error.code() == tamis::ErrorCode::Cancelled)
            console.stopped();
        throw;
    }
}
} // namespace

int main(int argc, char** argv)
{
    tamis::prepareBlas(argv);
    try {
        runProgram(argc, argv);
        return kDone;
    } catch (const tamis::cli::UsageError& error) {
        return fail(error.what(), kUsage);
    } catch (const tamis::Error& error) {
        if (error.code() == tamis::ErrorCode::Cancelled) {
            std::fputs("tamis-cli: cancelled\n", stderr);
            return kCancelled;
        }
        return fail(error.what(), kFailed);
    } catch (const std::bad_alloc&) {
        return fail("the memory of this machine does not suffice", kFailed);
    } catch (const std::exception& error) {
        return fail(error.what(), kFailed);
    }
}
