/* The steerable convolution by frequencies of the group, a few pixels at a time, so that all that lies between its input and its output
   stays in the cache. Float32 and float64 from the same lines; vectors are those of the processor that this file is compiled for. */
#define _GNU_SOURCE /* syscall */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AMX_BF16__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__AVX__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE 12 /* pixels whose sums are held in registers, two vectors each */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define TILE 6
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define TILE 12
#else
#define VECTOR_BYTES 16
#define TILE 6
#endif

#define SOME_PIXELS 24 /* whose way back through a gate's score is computed together */
#define UNROLLED _Pragma("GCC unroll 12") /* so that the sums of a tile are held in registers */
#define HALF 2   /* of a 5 x 5 filter */
#define VALUES 30 /* at most, that the 11 real filters of a 5 x 5 window make of two parts */
#define KINDS 5  /* ways in which the rows of a window are folded */
#define MOST 36  /* elements of a group, or components of a field */

/* One of the values that a pixel's line brings, and where in the chunk's matrix the first pixel's goes. */
typedef struct {
    int64_t value, place;
} Move;

/* A layer without its weights; made by native/plan.py. */
typedef struct {
    int height, width, order, fields_in, fields_out;
    int parities, count;   /* under half a turn: 2 where the group holds it, else 1; elements and components of each */
    int half;              /* how much further than an element lies the one that half a turn exchanges it with */
    int lines;             /* what the filter bank takes at a time: the two parts of a bin, or two numbers that have no other part; where
                              there is none, the convolution is an ordinary one, of one block */
    int blocks;
    int depth;             /* of the product at most: how far apart the rows of a block lie */
    int chunk;             /* pixels between bank and product at a time */
    const int *columns;    /* vectors of each block's output */
    const int *deep;       /* numbers in a row of each block */
    const int *alone;      /* of each line: are its two parts of different bins or copies, which have no other part? */
    const int *moves;      /* where the moves of each line begin, and where the last one's end */
    const Move *move;
    const int *first;      /* element of each pair */
    const int *odd;        /* of each part of a line: is it odd under half a turn? */
    const int *column;     /* of each component of the output (parities, count): its first vector */
    const void *analysis;  /* (lines, 2, count) */
    const void *synthesis; /* (parities, count of elements, count of components) */
    const void *filters;   /* 36 numbers: see the bank */
} Plan;

/* Memory of this thread, which grows, and is given back when the thread ends. */
typedef struct {
    void *memory;
    size_t bytes;
} Room;
#define ROOMS 8
static pthread_key_t rooms_key;
static pthread_once_t rooms_once = PTHREAD_ONCE_INIT;
static int has_rooms;

static void free_rooms(void *rooms) {
    for (int which = 0; which < ROOMS; which++) free(((Room *)rooms)[which].memory);
    free(rooms);
}

static void make_rooms_key(void) { has_rooms = pthread_key_create(&rooms_key, free_rooms) == 0; }

static void *room(int which, size_t bytes) {
    pthread_once(&rooms_once, make_rooms_key);
    Room *rooms = has_rooms ? pthread_getspecific(rooms_key) : NULL;
    if (has_rooms && !rooms) {
        rooms = calloc(ROOMS, sizeof(Room));
        if (rooms && pthread_setspecific(rooms_key, rooms)) free(rooms), rooms = NULL;
    }
    if (!rooms) return NULL;
    if (rooms[which].bytes < bytes) {
        free(rooms[which].memory);
        bytes = (bytes + 4095) / 4096 * 4096;
        rooms[which].memory = aligned_alloc(4096, bytes);
        rooms[which].bytes = rooms[which].memory ? bytes : 0;
    }
    return rooms[which].memory;
}

/* Pixels (rows, width) within HALF pixels of one that is set; `out` may be `in`. */
static int widen(const unsigned char *in, int rows, int width, unsigned char *out) {
    size_t stride = (size_t)width + 2 * HALF;
    unsigned char *tall = room(7, rows * stride);
    if (!tall) return 0;
    memset(tall, 0, rows * stride);
    for (int y = 0; y < rows; y++)
        for (int j = -HALF; j <= HALF; j++)
            if (y + j >= 0 && y + j < rows)
                for (int x = 0; x < width; x++) tall[y * stride + x + HALF] |= in[(size_t)(y + j) * width + x];
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < width; x++) {
            const unsigned char *near = tall + y * stride + x;
            out[(size_t)y * width + x] = near[0] | near[1] | near[2] | near[3] | near[4];
        }
    return 1;
}

#define PASTE_(name, suffix) name##_##suffix
#define PASTE(name, suffix) PASTE_(name, suffix)
#define NAMED(name) PASTE(name, SUFFIX)

#define REAL float
#define INTEGER int32_t
#define SUFFIX float32
#include "steerable.h"
#include "passes.h"
#include "lit.h"
#include "anew.h"

#define REAL double
#define INTEGER int64_t
#define SUFFIX float64
#include "steerable.h"
#include "passes.h"
#include "lit.h"
#include "anew.h"

#if defined(__AVX512BF16__)
#define REAL float
#define INTEGER int32_t
#define SUFFIX bf16
#define PAIRS
#if defined(__AMX_BF16__)
#define TILES
#endif
#include "steerable.h"
#endif

int vector_bytes(void) { return VECTOR_BYTES; }

/* Units of depth that the product of bf16 takes at a time. */
int bf16_step(void) {
#if defined(TILES)
    return 16;
#else
    return 1;
#endif
}

/* May this process use what these kernels are compiled for? Linux gives a process its tiles when it asks for them. */
int allowed(void) {
#if defined(TILES)
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* XFEATURE_XTILEDATA */) == 0;
#else
    return 1;
#endif
}

#ifndef MADE_OF
#define MADE_OF "" /* digest of these sources: see libraries.py and hatch_build.py */
#endif
const char *made_of(void) { return MADE_OF; }
