/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 (FIPS 180-4), for the hashes of the page's content security policy. Used by html.c. */
#ifndef REPORT_SHA256_H
#define REPORT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SZ 32

void sha256(const void *data, size_t sz, uint8_t digest[SHA256_SZ]);

#endif
