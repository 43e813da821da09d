/* Fourier transform of real frames, LANES of them at a time; included once per type REAL
 * and width of vectors.
 *
 * A vector holds one sample of LANES frames, so the transform reads like that of a single frame.
 * A frame of n samples is taken as n / 2 complex numbers, even samples real and odd ones imaginary.
 * They are transformed in place by radix 4 with decimation in frequency (Cooley & Tukey 1965), and
 * the two halves are taken apart as in Sorensen et al. (1987), "Real-valued fast Fourier transform
 * algorithms". The first pass leaves four transforms that fit the nearest cache.
 */

typedef REAL NAME(vector) __attribute__((vector_size(LANES * sizeof(REAL))));
typedef NAME(vector) NAME(unaligned) __attribute__((aligned(sizeof(REAL))));
typedef struct { NAME(vector) re, im; } NAME(bins);

TARGET static inline NAME(bins) NAME(turned)(NAME(bins) z, ROOT w)
{
    return (NAME(bins)){z.re * w.re - z.im * w.im, z.re * w.im + z.im * w.re};
}

/* Four quarters of x[0 .. length) become four transforms of a quarter of the length. */
TARGET static inline void NAME(radix_4)(NAME(bins) *x, int64_t length, const ROOT *roots, int64_t step)
{
    int64_t quarter = length / 4;
    for (int64_t k = 0; k < quarter; k++) {
        NAME(bins) *a = x + k, *b = a + quarter, *c = b + quarter, *d = c + quarter;
        NAME(bins) even = {a->re + c->re, a->im + c->im}, odd = {b->re + d->re, b->im + d->im};
        NAME(bins) fall = {a->re - c->re, a->im - c->im}, side = {b->im - d->im, d->re - b->re};
        NAME(bins) up = {fall.re + side.re, fall.im + side.im};
        NAME(bins) across = {even.re - odd.re, even.im - odd.im};
        NAME(bins) down = {fall.re - side.re, fall.im - side.im};
        *a = (NAME(bins)){even.re + odd.re, even.im + odd.im};
        *b = NAME(turned)(up, roots[k * step]);
        *c = NAME(turned)(across, roots[2 * k * step]);
        *d = NAME(turned)(down, roots[3 * k * step]);
    }
}

/* x[0 .. half) in place; bin k is left where the caller's table of places says.
 *
 * roots [half]: exp(-2 pi i k / half)
 */
TARGET static inline void NAME(transform)(NAME(bins) *x, int64_t half, const ROOT *roots)
{
    int64_t quarter = half / 4;
    NAME(radix_4)(x, half, roots, 1);
    for (NAME(bins) *part = x; part < x + half; part += quarter) {
        int64_t length = quarter;
        for (; length >= 4; length /= 4)
            for (NAME(bins) *at = part; at < part + quarter; at += length)
                NAME(radix_4)(at, length, roots, half / length);
        if (length == 2)
            for (NAME(bins) *at = part; at < part + quarter; at += 2) {
                NAME(bins) a = at[0], b = at[1];
                at[0] = (NAME(bins)){a.re + b.re, a.im + b.im};
                at[1] = (NAME(bins)){a.re - b.re, a.im - b.im};
            }
    }
}

/* Power of bins k and half - k of the real frames.
 *
 * splits [half / 2 + 1]: exp(-2 pi i k / (2 half))
 */
TARGET static inline void NAME(powers)(const NAME(bins) *x, int64_t half, int64_t k, const int32_t *places,
                                const ROOT *splits, NAME(vector) *low, NAME(vector) *high)
{
    const REAL h = (REAL)0.5;
    NAME(bins) a = x[places[k]], b = x[places[k ? half - k : 0]];
    NAME(bins) even = {h * (a.re + b.re), h * (a.im - b.im)};
    NAME(bins) odd = NAME(turned)((NAME(bins)){h * (a.im + b.im), h * (b.re - a.re)}, splits[k]);
    NAME(bins) sum = {even.re + odd.re, even.im + odd.im};
    NAME(bins) difference = {even.re - odd.re, even.im - odd.im};
    *low = sum.re * sum.re + sum.im * sum.im;
    *high = difference.re * difference.re + difference.im * difference.im;
}
