/* The loops themselves, for vectors of WIDTH bytes on a processor with TARGET; included once for each.
 *
 * A spectrum is an array [bins, stride] of which the first frames count; stride is a multiple of 16.
 */

#define FRAMES (WIDTH / 4) /* of single precision in a vector */
#define DOUBLE_FRAMES (WIDTH / 8)
#define AT_WIDTH(word) JOINED(word, _, WIDTH)

#define REAL float
#define ROOT single_root
#define LANES FRAMES
#define NAME(word) AT_WIDTH(single_##word)
#include "_fft.h"
#undef REAL
#undef ROOT
#undef LANES
#undef NAME

#define REAL double
#define ROOT double_root
#define LANES DOUBLE_FRAMES
#define NAME(word) AT_WIDTH(double_##word)
#include "_fft.h"
#undef REAL
#undef ROOT
#undef LANES
#undef NAME

#define vector AT_WIDTH(single_vector)
#define unaligned AT_WIDTH(single_unaligned)
#define bins AT_WIDTH(single_bins)
#define double_vector AT_WIDTH(double_vector)
#define double_unaligned AT_WIDTH(double_unaligned)
#define double_bins AT_WIDTH(double_bins)
#define half_vector AT_WIDTH(half_vector)
#define half_mask AT_WIDTH(half_mask)

typedef float half_vector __attribute__((vector_size(DOUBLE_FRAMES * sizeof(float))));
typedef int32_t half_mask __attribute__((vector_size(DOUBLE_FRAMES * sizeof(int32_t))));

/* Power spectrum of the centred, windowed frames of a sound.
 *
 * window [n_fft], a power of two from 64 up; roots, places and splits as in _fft.h
 * rows   [hop * (FRAMES + n_fft / hop + 4)] and x [n_fft * FRAMES]: room to work in
 * power  [n_fft / 2 + 1, stride]; it and x stand on borders of WIDTH bytes
 */
TARGET
void AT_WIDTH(power_spectrum)(const float *y, int64_t n_samples, int64_t n_fft, int64_t hop,
                    int64_t stride, const float *window, const single_root *roots,
                    const single_root *splits, const int32_t *places, float *rows, bins *x,
                    float *power)
{
    int64_t half = n_fft / 2, width = (FRAMES + (n_fft - 1) / hop + 3) / 4 * 4;
    vector *samples = (vector *)x;
    for (int64_t t = 0; t < stride; t += FRAMES) {
        transpose(y, n_samples, t * hop - half, hop, width, rows);
        for (int64_t s = 0, c = 0; s < n_fft; c++)
            for (int64_t r = 0; r < hop && s < n_fft; r++, s++)
                samples[s] = *(const unaligned *)(rows + r * width + c) * window[s];
        AT_WIDTH(single_transform)(x, half, roots);
        for (int64_t k = 0; k <= half / 2; k++) {
            vector low, high;
            AT_WIDTH(single_powers)(x, half, k, places, splits, &low, &high);
            *(vector *)(power + k * stride + t) = low;
            *(vector *)(power + (half - k) * stride + t) = high;
        }
    }
}

/* Weighted sums of neighbouring bins.
 *
 * starts [n_bands + 1]: where a band's weights begin; firsts [n_bands]: the bin of the first of
 * them; bands [n_bands, stride], on a border of WIDTH bytes
 */
TARGET
void AT_WIDTH(filter_bank)(const float *power, int64_t stride, int64_t n_bands, const int32_t *starts,
                 const int32_t *firsts, const float *weights, float *bands)
{
    for (int64_t t = 0; t < stride; t += FRAMES)
        for (int64_t band = 0; band < n_bands; band++) {
            const float *at = power + firsts[band] * stride + t;
            vector sum = {0};
            for (int32_t i = starts[band]; i < starts[band + 1]; i++, at += stride)
                sum += *(const vector *)at * weights[i];
            *(vector *)(bands + band * stride + t) = sum;
        }
}

/* Moments of order 0, 1 and 2 of the magnitude about 0 Hz, and the bin of the roll-off.
 *
 * frequencies [n_bins]; share of the magnitude below the roll-off; magnitude
 * [n_bins * DOUBLE_FRAMES]: room to work in, on a border of WIDTH bytes; sums [3, stride], roll [stride]
 */
TARGET
void AT_WIDTH(spectral_shape)(const float *restrict power, int64_t n_bins, int64_t stride,
                    const double *frequencies, float share, float *restrict magnitude,
                    double *sums, int32_t *roll)
{
    const half_vector *magnitudes = (const half_vector *)magnitude;
    for (int64_t t = 0; t < stride; t += DOUBLE_FRAMES) {
        double_vector mass = {0}, first = {0}, second = {0};
        half_vector total = {0}, running = {0};
        half_mask below = {0};
        for (int64_t k = 0; k < n_bins; k++)
            for (int l = 0; l < DOUBLE_FRAMES; l++)
                magnitude[k * DOUBLE_FRAMES + l] = sqrtf(power[k * stride + t + l]);
        for (int64_t k = 0; k < n_bins; k++) {
            double_vector m = __builtin_convertvector(magnitudes[k], double_vector);
            double_vector tilted = m * frequencies[k];
            total += magnitudes[k];
            mass += m;
            first += tilted;
            second += tilted * frequencies[k];
        }
        total *= share;
        for (int64_t k = 0; k < n_bins; k++) {
            running += magnitudes[k];
            below -= running < total; /* a comparison that holds is -1 */
        }
        for (int l = 0; l < DOUBLE_FRAMES; l++) {
            sums[t + l] = mass[l];
            sums[stride + t + l] = first[l];
            sums[2 * stride + t + l] = second[l];
            roll[t + l] = below[l];
        }
    }
}

/* Local maxima of bins [low, high) above a share of their frame's strongest bin, placed between
 * bins by a parabola; how many they are.
 *
 * strongest [stride], is_peak [stride] and found [(high - low) * n_frames + 1]: room to work in; pitches and heights
 * [(high - low) * n_frames]: hertz and interpolated power
 */
TARGET
int64_t AT_WIDTH(spectral_peaks)(const float *power, int64_t n_bins, int64_t stride, int64_t n_frames,
                       int64_t low, int64_t high, float share, double rate, double n_fft,
                       float *restrict strongest, uint8_t *restrict is_peak, int32_t *found,
                       float *pitches, float *heights)
{
    for (int64_t t = 0; t < stride; t++)
        strongest[t] = 0.0f;
    for (int64_t k = 0; k < n_bins; k++)
        for (int64_t t = 0; t < stride; t++)
            strongest[t] = power[k * stride + t] > strongest[t] ? power[k * stride + t] : strongest[t];
    for (int64_t t = 0; t < stride; t++)
        strongest[t] *= share;
    int64_t count = 0;
    for (int64_t k = low; k < high; k++) {
        const float *at = power + k * stride;
        for (int64_t t = 0; t < stride; t++)
            is_peak[t] = (at[t] > at[t - stride]) & (at[t] >= at[t + stride]) & (at[t] > strongest[t]);
        for (int64_t t = 0; t < n_frames; t += 8) {
            uint64_t eight;
            memcpy(&eight, is_peak + t, sizeof eight);
            if (eight == 0)
                continue;
            for (int64_t u = t; u < t + 8; u++) {
                found[count] = (int32_t)(k * stride + u);
                count += is_peak[u] & (u < n_frames);
            }
        }
    }
    for (int64_t i = 0; i < count; i++) {
        const float *at = power + found[i];
        float before = at[-stride], after = at[stride];
        double curvature = (double)(after + before) - 2.0 * at[0], slope = ((double)after - before) / 2;
        float shift = fabs(slope) < fabs(curvature) ? (float)(-slope / curvature) : 0.0f;
        pitches[i] = (float)(((double)(found[i] / stride) + shift) * rate / n_fft);
        heights[i] = at[0] + 0.5f * ((after - before) / 2.0f) * shift;
    }
    return count;
}

/* Sum over frames of the power spectrum of windowed frames one sample apart, each of energy 1.
 *
 * values [n_frames + size]: frame t begins at t; the rest of the last vector is zero
 * window [size]; roots, places and splits for n_fft, at least 2 size - 1 and a power of two
 * x [n_fft * DOUBLE_FRAMES]: room to work in, on a border of WIDTH bytes; power [n_fft / 2 + 1]
 */
TARGET
void AT_WIDTH(mean_frame_power)(const double *values, int64_t n_frames, const double *window, int64_t size,
                      int64_t n_fft, const double_root *roots, const double_root *splits,
                      const int32_t *places, double_bins *x, double *power)
{
    int64_t half = n_fft / 2;
    double_vector *samples = (double_vector *)x;
    for (int64_t k = 0; k <= half; k++)
        power[k] = 0.0;
    for (int64_t t = 0; t < n_frames; t += DOUBLE_FRAMES) {
        double_vector energy = {0}, share;
        for (int64_t s = 0; s < size; s++) {
            samples[s] = *(const double_unaligned *)(values + t + s) * window[s];
            energy += samples[s] * samples[s];
        }
        for (int64_t s = size; s < n_fft; s++)
            samples[s] = (double_vector){0};
        for (int l = 0; l < DOUBLE_FRAMES; l++)
            share[l] = t + l < n_frames && energy[l] > 0.0 ? 1.0 / energy[l] : 0.0;
        AT_WIDTH(double_transform)(x, half, roots);
        for (int64_t k = 0; k <= half / 2; k++) {
            double_vector low, high;
            AT_WIDTH(double_powers)(x, half, k, places, splits, &low, &high);
            low *= share;
            high *= share;
            double low_sum = power[k], high_sum = power[half - k];
            for (int l = 0; l < DOUBLE_FRAMES; l++) {
                low_sum += low[l];
                high_sum += high[l];
            }
            power[half - k] = high_sum;
            power[k] = low_sum; /* the last word where both are one bin */
        }
    }
}

#undef FRAMES
#undef DOUBLE_FRAMES
#undef AT_WIDTH
#undef vector
#undef unaligned
#undef bins
#undef double_vector
#undef double_unaligned
#undef double_bins
#undef half_vector
#undef half_mask
