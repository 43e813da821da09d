/* The loops of feature extraction that numpy cannot keep in the processor's cache.
 *
 * Each has a twin in numpy, in the module of the musical quantity, that gives the same numbers to
 * rounding. They are compiled once for every width of vectors, since compilers take wider ones than
 * a processor has apart through memory; the caller chooses by `widest`. Built without fused
 * multiply-add, they give the same bits at every width.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct { float re, im; } single_root;
typedef struct { double re, im; } double_root;

typedef float four __attribute__((vector_size(16), aligned(sizeof(float))));
#ifdef __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t order __attribute__((vector_size(16)));
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (order){i, j, k, l})
#endif

/* Samples from `start` on, zero outside the sound, as hop rows of `width` columns. */
static inline void transpose(const float *y, int64_t n_samples, int64_t start, int64_t hop,
                             int64_t width, float *rows)
{
    if (start >= 0 && start + width * hop <= n_samples && hop % 4 == 0 && width % 4 == 0) {
        y += start;
        for (int64_t r = 0; r < hop; r += 4)
            for (int64_t c = 0; c < width; c += 4) {
                four in[4], low[2], high[2];
                for (int i = 0; i < 4; i++)
                    in[i] = *(const four *)(y + (c + i) * hop + r);
                for (int i = 0; i < 2; i++) {
                    low[i] = SHUFFLE(in[2 * i], in[2 * i + 1], 0, 4, 1, 5);
                    high[i] = SHUFFLE(in[2 * i], in[2 * i + 1], 2, 6, 3, 7);
                }
                float *out = rows + r * width + c;
                *(four *)out = SHUFFLE(low[0], low[1], 0, 1, 4, 5);
                *(four *)(out + width) = SHUFFLE(low[0], low[1], 2, 3, 6, 7);
                *(four *)(out + 2 * width) = SHUFFLE(high[0], high[1], 0, 1, 4, 5);
                *(four *)(out + 3 * width) = SHUFFLE(high[0], high[1], 2, 3, 6, 7);
            }
        return;
    }
    for (int64_t c = 0; c < width; c++)
        for (int64_t r = 0; r < hop; r++) {
            int64_t at = start + c * hop + r;
            rows[r * width + c] = at >= 0 && at < n_samples ? y[at] : 0.0f;
        }
}

#define JOIN(a, b, c) a##b##c
#define JOINED(a, b, c) JOIN(a, b, c)

#define WIDTH 16
#define TARGET
#include "_loops.h"
#undef WIDTH
#undef TARGET

#if defined(__x86_64__)

#define WIDTH 32
#define TARGET __attribute__((target("avx2")))
#include "_loops.h"
#undef WIDTH
#undef TARGET

#define WIDTH 64
#define TARGET __attribute__((target("avx512f")))
#include "_loops.h"
#undef WIDTH
#undef TARGET

/* Bytes of the widest vectors that this processor computes with. */
int64_t widest(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? 64 : __builtin_cpu_supports("avx2") ? 32 : 16;
}

#else

int64_t widest(void)
{
    return 16;
}

#endif
