/* The checksum that ends a zlib stream (RFC 1950, 8.2), for zlib's own takes longer than inflating the pages of a recording. */
#ifndef FP_ADLER_H
#define FP_ADLER_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `sum`, which is 1 at the beginning. */
uint32_t fp_adler32(uint32_t sum, const uint8_t *bytes, size_t size);

#endif
