/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.h - compressed sections of ELF files, as separate debug files have them.
 *
 * Memory is bounded by the caller's limit, whatever the section says of itself.
 */
#ifndef PROFILER_UNPACK_H
#define PROFILER_UNPACK_H

#include <stdint.h>

#include "jail/bytes.h"

/**
 * unpack() - the content of a section with SHF_COMPRESSED
 * @section: as it is in the file; then what was in it. Untouched on failure
 * @limit: bytes of content, at most
 * @memory: where it is, to be freed; set before the section is read, so that it may be left by
 * siglongjmp() (see elf_file.h)
 *
 * Return: 0; -EINVAL damaged, or not compressed by zlib; -E2BIG beyond the limit; -ENOMEM.
 */
__attribute__((warn_unused_result)) int unpack(struct bytes *section, uint32_t limit,
					       uint8_t **memory);

#endif /* PROFILER_UNPACK_H */
