/* common/base/clock.h - the time; the only caller of clock_gettime */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ms(void); /* never goes back */
uint64_t clock_mono_us(void);
int64_t clock_wall_ms(void);  /* since 1970-01-01 UTC, may jump */
uint64_t clock_cpu_us(void);  /* user+system of this process */

#endif
