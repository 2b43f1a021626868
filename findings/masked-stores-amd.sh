#!/usr/bin/env bash
# Four floats stored through AVX2's mask take eight times as long as the same four stored in one piece, on AMD's Zen 3.
#
# Versions: ziglang 0.13.0 (clang 18), -O2 -mavx2; AMD EPYC of family 25, model 1 (Zen 3), 2.45 GHz
# Behaviour: _mm256_maskstore_ps of 4 of 8 lanes takes 5.7 ns, _mm_storeu_ps of the lower half 0.7 ns, into memory that
#   stays in the first cache.
# Expected: a masked store costs about what a store costs, so that the ends of rows are best written by it.
# Needs: python3 (3.11 or later), PyPI, and a processor of that kind: others have other times, and the script says so and fails
# Seen:
#> 4 of 8 lanes by a mask, at least 4 times as long as in one piece: yes
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
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

int main(void) {
    static float to[8200];
    __m256 value = _mm256_set1_ps(1);
    const __m256i half = _mm256_setr_epi32(-1, -1, -1, -1, 0, 0, 0, 0);
    double least[2] = {1e9, 1e9};
    for (int turn = 0; turn < 10; turn++) {
        int masked = turn % 2;
        double begun = now();
        for (int again = 0; again < 20000; again++) {
            for (int i = 0; i < 2048; i += 4) {
                if (masked) _mm256_maskstore_ps(to + i, half, value);
                else _mm_storeu_ps(to + i, _mm256_castps256_ps128(value));
            }
            __asm__ volatile("" : "+x"(value) : : "memory");
        }
        double spent = (now() - begun) / (20000.0 * 512);
        if (spent < least[masked]) least[masked] = spent;
    }
    fprintf(stderr, "ns a store of 4 lanes: in one piece %.2f, by a mask %.2f\n", 1e9 * least[0], 1e9 * least[1]);
    printf("4 of 8 lanes by a mask, at least 4 times as long as in one piece: %s\n", least[1] > 4 * least[0] ? "yes" : "no");
    return 0;
}
C
env/bin/python -m ziglang cc -O2 -mavx2 see.c -o see
./see | tee seen
diff <(sed -n 's/^#> //p' "$script") seen
