// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/blas_threads.h"

#include <cblas.h>

#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace tamis {
namespace {
/// The best OpenBLAS 0.3.21 core for this processor, or nullptr where its own choice must stand.
const char* betterCore()
{
    const char* chosen = openblas_get_corename();
    const bool wide = std::strcmp(chosen, "SkylakeX") == 0 || std::strcmp(chosen, "Cooperlake") == 0;
    const bool avx2 = wide || std::strcmp(chosen, "Haswell") == 0 || std::strcmp(chosen, "Zen") == 0;
    if (!wide && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return "SkylakeX";
    if (!avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
    return nullptr;
}
} // namespace

void prepareBlas(char** argv)
{
    if (!std::getenv("OPENBLAS_CORETYPE"))
        if (const char* core = betterCore()) {
            setenv("OPENBLAS_CORETYPE", core, 1);
            execv("/proc/self/exe", argv); // returns only when it failed: then go on with the slow kernels
        }
    openblas_set_num_threads(1);
}

const char* blasCoreName() { return openblas_get_corename(); }

BlasThreads::BlasThreads(int threads) { openblas_set_num_threads(threads); }
BlasThreads::~BlasThreads() { openblas_set_num_threads(1); }

} // namespace tamis
