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

/// Sets a variable that the user has not set; true where it did.
bool settle(const char* name, const char* value)
{
    return value && !std::getenv(name) && setenv(name, value, 1) == 0;
}
} // namespace

void prepareBlas(char** argv)
{
    bool again = settle("OPENBLAS_CORETYPE", std::getenv("OPENBLAS_CORETYPE") ? nullptr : betterCore());
#ifdef TAMIS_FAISS
    again |= settle("OMP_WAIT_POLICY", "passive");
#endif
    if (again)
        execv("/proc/self/exe", argv); // returns only when it failed: then go on with the slow kernels
    openblas_set_num_threads(1);
}

const char* blasCoreName() { return openblas_get_corename(); }

BlasThreads::BlasThreads(int threads) { openblas_set_num_threads(threads); }
BlasThreads::~BlasThreads() { openblas_set_num_threads(1); }

} // namespace tamis
