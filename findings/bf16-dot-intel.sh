#!/usr/bin/env bash
# On Intel's Xeon the AVX-512 instruction that multiplies bf16 does half as many multiplications as the one for float32.
#
# Versions: ziglang 0.13.0 (clang 18), -O2 -mcpu=cooperlake; Intel Xeon of family 6, model 207 (Emerald Rapids)
# Behaviour: a core that adds up products in twelve registers does about half as many of bf16 by vdpbf16ps as of float32
#   by vfmadd231ps, though an instruction has twice as many of them. AMD's Zen 4 does twice as many of bf16.
# Expected: numbers of half the size are multiplied at twice the rate, which is what the instruction is for.
# Needs: python3 (3.11 or later), PyPI, and a processor of that kind: others have other rates, and the script says so
#   and fails
# Seen:
#> products of bf16 a second, fewer than of float32: yes
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if ! grep -qw avx512_bf16 /proc/cpuinfo; then echo "this processor has no AVX512-BF16"; exit 2; fi
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ziglang==0.13.0
cat >see.c <<'C'
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

#define TURNS 20000000
#define TWELVE(each) each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11)

int main(void) {
    __m512 sum[12], factor = _mm512_set1_ps(0);
    double best[2] = {0, 0};
    for (int i = 0; i < 12; i++) sum[i] = _mm512_set1_ps(0);
    for (int turn = 0; turn < 6; turn++) {
        int halves = turn % 2;
        double begun = now();
        for (int again = 0; again < TURNS; again++) {
#define OF_FLOATS(i) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(sum[i]) : "v"(factor));
#define OF_HALVES(i) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(sum[i]) : "v"(factor));
            if (halves) { TWELVE(OF_HALVES) }
            else { TWELVE(OF_FLOATS) }
        }
        double rate = 12.0 * TURNS * (halves ? 32 : 16) / (now() - begun);
        if (rate > best[halves]) best[halves] = rate;
    }
    fprintf(stderr, "thousand million products a second: float32 %.0f, bf16 %.0f\n", 1e-9 * best[0], 1e-9 * best[1]);
    printf("products of bf16 a second, fewer than of float32: %s\n", best[1] < best[0] ? "yes" : "no");
    return 0;
}
C
env/bin/python -m ziglang cc -O2 -mcpu=cooperlake see.c -o see
./see | tee seen
diff <(sed -n 's/^#> //p' "$script") seen
