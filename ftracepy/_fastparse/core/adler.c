/* Adler-32, sixteen bytes at a time: `one` is the sum of all bytes, `two` the sum of what `one` was behind each of them. */
#include "adler.h"

#ifdef __SSE2__
#include <emmintrin.h>
#include <string.h>
#endif

enum { BASE = 65521, WIDTH = 16 };

#ifdef __SSE2__
/* The least room is in `weighed`: a lane takes at most 2 * (16 + 15) * 255 a round. */
enum { ROUNDS = 2048 };

static void
add_rounds(const uint8_t *bytes, uint32_t rounds, uint32_t *one, uint32_t *two)
{
    const __m128i zero = _mm_setzero_si128();
    const __m128i low = _mm_setr_epi16(16, 15, 14, 13, 12, 11, 10, 9), high = _mm_setr_epi16(8, 7, 6, 5, 4, 3, 2, 1);
    __m128i sum = zero, before = zero, weighed = zero;
    for (uint32_t round = 0; round < rounds; round++, bytes += WIDTH) {
        __m128i here = _mm_loadu_si128((const __m128i *)bytes);
        before = _mm_add_epi32(before, sum);
        sum = _mm_add_epi32(sum, _mm_sad_epu8(here, zero));
        weighed = _mm_add_epi32(weighed, _mm_madd_epi16(_mm_unpacklo_epi8(here, zero), low));
        weighed = _mm_add_epi32(weighed, _mm_madd_epi16(_mm_unpackhi_epi8(here, zero), high));
    }
    uint32_t sums[4], befores[4], weights[4];
    memcpy(sums, &sum, sizeof sums);
    memcpy(befores, &before, sizeof befores);
    memcpy(weights, &weighed, sizeof weights);
    uint64_t more = (uint64_t)*one * rounds * WIDTH + ((uint64_t)befores[0] + befores[2]) * WIDTH;
    for (int lane = 0; lane < 4; lane++)
        more += weights[lane];
    *two = (uint32_t)((*two + more) % BASE);
    *one = (*one + sums[0] + sums[2]) % BASE;
}
#else
/* A lane's sum has 16 bits, so that compilers can add many at once. */
enum { ROUNDS = 256 };

static void
add_rounds(const uint8_t *bytes, uint32_t rounds, uint32_t *one, uint32_t *two)
{
    uint16_t sum[WIDTH] = {0};
    uint32_t before[WIDTH] = {0};
    for (uint32_t round = 0; round < rounds; round++, bytes += WIDTH)
        for (int lane = 0; lane < WIDTH; lane++) {
            before[lane] += sum[lane];
            sum[lane] = (uint16_t)(sum[lane] + bytes[lane]);
        }
    uint64_t all = *one, more = (uint64_t)*one * rounds * WIDTH;
    for (int lane = 0; lane < WIDTH; lane++) {
        all += sum[lane];
        more += (uint64_t)before[lane] * WIDTH + (uint64_t)sum[lane] * (uint64_t)(WIDTH - lane);
    }
    *two = (uint32_t)((*two + more) % BASE);
    *one = (uint32_t)(all % BASE);
}
#endif

uint32_t
fp_adler32(uint32_t sum, const uint8_t *bytes, size_t size)
{
    uint32_t one = sum & 0xffff, two = sum >> 16;
    while (size >= WIDTH) {
        uint32_t rounds = size / WIDTH < ROUNDS ? (uint32_t)(size / WIDTH) : ROUNDS;
        add_rounds(bytes, rounds, &one, &two);
        bytes += (size_t)rounds * WIDTH;
        size -= (size_t)rounds * WIDTH;
    }
    for (; size; size--) {
        one += *bytes++;
        two += one;
    }
    return two % BASE << 16 | one % BASE;
}
