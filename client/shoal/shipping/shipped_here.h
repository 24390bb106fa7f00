// What of this program's own files an agent has put beside it: the program itself, and libraries.
// They go when the process is forgotten that they were sent for, and so are no place to start
// another process from; what was shipped is shipped again, which costs no transfer where its agent
// has it, and no reading where its digest was handed down.
//
// Ownership:     one for the process; what was forked from it has it, too.
// Thread-safety: thread-safe, but for NoteShippedFiles().
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_SHIPPING_SHIPPED_HERE_H_
#define SHOAL_CLIENT_SHOAL_SHIPPING_SHIPPED_HERE_H_

#include <string>
#include <vector>

#include "shoal/v1/process.pb.h"

namespace shoal::internal {

// Takes from the environment which files these are. In a forked process it is its parent's
// knowledge that counts: that is where the program comes from. Single-threaded processes only.
void NoteShippedFiles();

// `path` has no symbolic links in it.
bool WasShipped(const std::string& path);

// SHA-256 of what was shipped as `path`; empty: not known, or nothing that was shipped.
std::string DigestOfShipped(const std::string& path);
// Nothing is kept of what was not shipped.
void KeepDigestOfShipped(const std::string& path, const std::string& sha256);
// They were wrong.
void ForgetDigestsOfShipped();

// The variable that tells a process of this program the digests of `files`: KEY=VALUE.
std::string DigestsVariable(const std::vector<v1::ShippedFile>& files);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_SHIPPING_SHIPPED_HERE_H_
