#!/usr/bin/env bash
# gcc 12 drops what was written into the shapes of AMX tiles: its _tile_loadconfig reads 8 bytes of 64, as far as it knows.
#
# Versions: gcc 12.2.0 (Debian 12, cpp-12 and libgcc-12-dev 12.2.0-14+deb12u1), -O2 -mamx-tile
# Behaviour: of a function that fills the 64 bytes in a loop and hands them to _tile_loadconfig, the assembly stores the
#   first number and no height or width of a tile. With the instruction written out on all 64 bytes the stores are there.
# Expected: a function that takes a pointer to a configuration reads all of it, as Intel's guide says that it does.
# Needs: Debian 12 on x86-64 (apt-get, dpkg, libc6-dev); 12 MB are unpacked into a temporary folder, nothing is installed, and the
#   code is compiled, not run
# Seen:
#> by _tile_loadconfig: no store of a tile's height
#> by the instruction on all 64 bytes: stored
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet cpp-12=12.2.0-14+deb12u1 libgcc-12-dev=12.2.0-14+deb12u1 >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in *.deb; do dpkg -x "$package" unpacked; done
gcc=unpacked/usr/lib/gcc/x86_64-linux-gnu/12
cat >see.c <<'C'
#include <immintrin.h>
#include <stdint.h>

void shapes(void) {
    struct {
        uint8_t palette, start, nothing[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) config.bytes[tile] = 64, config.rows[tile] = 11;
#ifdef WRITTEN_OUT
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
#else
    _tile_loadconfig(&config);
#endif
}
C
compile() { "$gcc/cc1" -quiet -nostdinc -isystem "$gcc/include" -isystem /usr/include -isystem /usr/include/x86_64-linux-gnu -O2 -mamx-tile "$@" see.c -o see.s; }
# eight heights of 11 side by side are 0x0b0b0b0b0b0b0b0b
stores() { if grep -q 795741901218843403 see.s; then echo stored; else echo "no store of a tile's height"; fi; }
{
  compile && echo "by _tile_loadconfig: $(stores)"
  compile -DWRITTEN_OUT && echo "by the instruction on all 64 bytes: $(stores)"
} | tee seen
diff <(sed -n 's/^#> //p' "$script") seen
