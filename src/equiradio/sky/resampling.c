/* `integrals` and `bilinear` of sky/resample.py by the same sums in the same order, so that the numbers are those of numpy to the last bit;
   compiled with -ffp-contract=off, since a multiplication joined with an addition rounds once in place of twice. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define MOST 256 /* places where an edge may be cut */

/* Images (count, height, width), and their sums from the left edge to the left of each pixel, (count, height, width + 1). */
typedef struct {
    const double *pixels, *sums;
    int64_t count, height, width;
} Images;

static double within(double value, double low, double high) { return value < low ? low : value > high ? high : value; }

/* floor and ceil without a call, which most processors have an instruction for that this file is not compiled with. */
static double down(double value) {
    if (!(fabs(value) < 1e18)) return value;
    double whole = (double)(int64_t)value;
    return whole > value ? whole - 1 : whole;
}

static double up(double value) { return -down(-value); }

/* Where, from 0 to 1, an edge meets whole numbers; how many there are. */
static int crossings(double start, double end, double *at) {
    double first = up(start < end ? start : end), last = down(start < end ? end : start), step = end - start;
    int count = 0;
    for (; first + count <= last; count++) {
        if (count == MOST) return MOST + 1;
        at[count] = step == 0 ? 0 : within((first + count - start) / step, 0, 1);
    }
    return count;
}

static void sort(double *values, int count) { /* a few, in two runs */
    for (int i = 1; i < count; i++) {
        double value = values[i];
        int j = i;
        for (; j > 0 && values[j - 1] > value; j--) values[j] = values[j - 1];
        values[j] = value;
    }
}

/* Of each image the sum over an edge, cut where it meets pixel borders, of (integral from the left up to the edge) dv. 0 where it is cut
   too often. */
static int edge(const Images *images, double u0, double v0, double u1, double v1, double *out, int64_t apart) {
    double at[2 * MOST + 2];
    int number = 1;
    at[0] = 0;
    for (int side = 0, more; side < 2; side++, number += more)
        if ((more = side ? crossings(v0, v1, at + number) : crossings(u0, u1, at + number)) > MOST) return 0;
    at[number++] = 1;
    sort(at, number);
    for (int64_t i = 0; i < images->count; i++) out[i * apart] = 0;
    for (int k = 0; k + 1 < number; k++) {
        double middle = 0.5 * (at[k + 1] + at[k]), step = (at[k + 1] - at[k]) * (v1 - v0);
        double u = within(u0 + middle * (u1 - u0), 0, (double)images->width), v = down(v0 + middle * (v1 - v0));
        if (step == 0 || v < 0 || v > (double)(images->height - 1)) continue;
        int64_t row = (int64_t)v, column = (int64_t)u;
        if (column > images->width - 1) column = images->width - 1;
        double part = u - (double)column;
        for (int64_t i = 0; i < images->count; i++) {
            const double *left = images->sums + (i * images->height + row) * (images->width + 1) + column;
            const double *pixel = images->pixels + (i * images->height + row) * images->width + column;
            out[i * apart] += (*left + part * *pixel) * step;
        }
    }
    return 1;
}

/* Integrals of images, constant within a pixel and 0 outside, over each cell of a grid of corners (rows, columns), signed as the cells' area:
   `out` (count, rows - 1, columns - 1). 0 is success; 1: no memory, 2: an edge is cut too often. */
int integrals(const double *pixels, int64_t count, int64_t height, int64_t width, const double *u, const double *v, int64_t rows,
              int64_t columns, double *out) {
    int64_t wide = columns - 1, high = rows - 1, of_along = rows * wide, of_across = high * columns;
    double *sums = malloc(sizeof(double) * count * (height * (width + 1) + of_along + of_across));
    if (!sums) return 1;
    double *along = sums + count * height * (width + 1), *across = along + count * of_along;
    for (int64_t line = 0; line < count * height; line++) {
        double *sum = sums + line * (width + 1);
        sum[0] = 0;
        for (int64_t x = 0; x < width; x++) sum[x + 1] = x ? sum[x] + pixels[line * width + x] : pixels[line * width];
    }
    Images images = {pixels, sums, count, height, width};
    int fine = 1;
    for (int64_t y = 0; y < rows && fine; y++)
        for (int64_t x = 0; x < columns && fine; x++) {
            int64_t here = y * columns + x, right = here + 1, above = here + columns;
            if (x < wide) fine = edge(&images, u[here], v[here], u[right], v[right], along + y * wide + x, of_along);
            if (y < high && fine) fine = edge(&images, u[here], v[here], u[above], v[above], across + y * columns + x, of_across);
        }
    for (int64_t i = 0; i < count && fine; i++)
        for (int64_t y = 0; y < high; y++)
            for (int64_t x = 0; x < wide; x++) {
                const double *bottom = along + i * of_along + y * wide + x, *side = across + i * of_across + y * columns + x;
                out[(i * high + y) * wide + x] = bottom[0] + side[1] - bottom[wide] - side[0];
            }
    free(sums);
    return fine ? 0 : 2;
}

/* Of pixels (height, width) the one between the four nearest to a place, of those that are finite; nan where the nearest is not, or there
   is none. */
static double between(const double *pixels, int64_t height, int64_t width, double column, double row) {
    double near_column = column + 0.5, near_row = row + 0.5;
    int inside = near_column >= 0 && near_column < (double)width && near_row >= 0 && near_row < (double)height; /* not where one is nan */
    if (!inside || !isfinite(pixels[(int64_t)near_row * width + (int64_t)near_column])) return NAN;
    int64_t first = column < 0 ? -1 : (int64_t)column, below = row < 0 ? -1 : (int64_t)row;
    double total = 0, weights = 0;
    for (int right = 0; right < 2; right++) {
        int64_t x = first + right < 0 ? 0 : first + right < width ? first + right : width - 1;
        double across = fabs((1 - right) - column + (double)first);
        for (int above = 0; above < 2; above++) {
            int64_t y = below + above < 0 ? 0 : below + above < height ? below + above : height - 1;
            double value = pixels[y * width + x], weight = across * fabs((1 - above) - row + (double)below);
            if (!isfinite(value)) continue;
            total += weight * value;
            weights += weight;
        }
    }
    return total / (weights > 0 ? weights : 1);
}

/* The same at `count` places. */
void bilinear(const double *pixels, int64_t height, int64_t width, const double *columns, const double *rows, int64_t count, double *out) {
    for (int64_t i = 0; i < count; i++) out[i] = between(pixels, height, width, columns[i], rows[i]);
}

#ifndef MADE_OF
#define MADE_OF "" /* digest of these sources: see libraries.py and hatch_build.py */
#endif
const char *made_of(void) { return MADE_OF; }
